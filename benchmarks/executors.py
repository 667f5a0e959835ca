"""Thumbnails in threads, in processes and on a cluster; what workers import, what records cost."""

from __future__ import annotations

import functools
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import helpers
from benchmarks import common
from benchmarks.common import Options, Round, Rounds, each, of, target, times
from kit.journal import JOURNAL

BESIDE = ("distributed",)
WORKERS, SIZE, TINY, IMPORTED = 2, 200, 500, 10
SERIAL, BARE, RECORDED = "serial", "serial, the function without its record", "serial, with records and progress line"
CHUNKS = {chunk: f"{WORKERS} processes, chunks of {chunk}" for chunk in (1, 4, 16, 64)}
CEILING = f"{WORKERS} warm processes, half of the photos each"
POOL, CLUSTER = "process pool", "Dask cluster"
IMPORTS = ("import helpers", "import requests, PIL.Image", "pass")
pool = functools.partial(ProcessPoolExecutor, WORKERS, mp_context=multiprocessing.get_context("spawn"))


def serial(function: Callable, paths: Sequence[Path], folder: Path) -> None:
    for path in paths:
        function(path, folder, SIZE)


def recorded(paths: Sequence[Path], folder: Path) -> None:
    """As in a timed run: the folder has a journal."""
    (folder / JOURNAL).mkdir()
    serial(helpers.make_thumbnail, helpers.progress(paths, "Resizing"), folder)


def in_workers(executor: Callable[[], Executor], chunk: int, paths: Sequence[Path], folder: Path) -> None:
    with executor() as workers:
        list(workers.map(helpers.make_thumbnail, paths, repeat(folder), repeat(SIZE), chunksize=chunk))


def some(paths: Sequence[Path], folder: Path) -> None:
    serial(helpers.make_thumbnail, paths, folder)


def warm(paths: Sequence[Path], folder: Path) -> Round:
    """The most that so many processes can give here: all have started, and each has its share of the photos at once."""
    with pool() as workers:
        list(workers.map(some, [[]] * WORKERS * 8, repeat(folder)))
        with common.stopwatch() as measured:
            list(workers.map(some, [paths[number::WORKERS] for number in range(WORKERS)], repeat(folder)))
    return measured


def cost(package: str, open_executor: Callable, paths: Sequence[Path], folder: Path) -> Round:
    """Seconds for the thumbnails, for the start, and for each item that is no work, several of them under way."""
    common.needs(package)
    limit, began, seen = 4 * WORKERS, time.perf_counter(), {}
    given = repeat(folder), repeat(SIZE)
    with open_executor() as executor:
        while len(seen) < WORKERS:  # a worker has started when it has imported helpers and begun an item
            for outcome in helpers.as_done(executor, helpers.make_thumbnail, ["none"] * 8, *given, limit=limit):
                seen.setdefault(outcome.worker.partition("-")[0], outcome.started)
        with common.stopwatch() as tiny:
            list(helpers.as_done(executor, abs, range(TINY), limit=limit))
        with common.stopwatch() as thumbnails:
            list(helpers.as_done(executor, helpers.make_thumbnail, paths, *given, limit=limit))
    return thumbnails | {"start-up": max(seen.values()) - began, "overhead": tiny["seconds"] / TINY}


def imported(statement: str, folder: Path) -> None:
    """In fresh Pythons that find all modules compiled, as they are after the first time."""
    variables = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(IMPORTED):
        subprocess.run([sys.executable, "-c", statement], cwd=common.ROOT, env=variables, check=True)


def drawn(options: Options) -> Rounds:
    """All practice photos, as the first run of a notebook draws them."""

    def work(folder: Path) -> None:
        common.draw(replace(options, cache=folder), options.photos)

    return common.alternate({"draw": common.task(options, options.photos, work)}, min(3, options.rounds))


def measure(options: Options) -> dict:
    paths = common.draw(options, options.photos)
    check = common.same_files(len(paths))
    tools = {
        SERIAL: functools.partial(serial, helpers.make_thumbnail),
        BARE: functools.partial(serial, helpers.make_thumbnail.__wrapped__),
        RECORDED: recorded,
        f"{WORKERS} threads": functools.partial(in_workers, functools.partial(ThreadPoolExecutor, WORKERS), 1),
        **{name: functools.partial(in_workers, pool, chunk) for chunk, name in CHUNKS.items()},
        CEILING: warm,
    }
    executors = {
        POOL: functools.partial(cost, "Pillow", pool),
        CLUSTER: functools.partial(cost, "distributed", functools.partial(helpers.cluster, WORKERS)),
    }

    def rounds(tools: dict[str, Callable], number: int) -> Rounds:
        ready = {name: functools.partial(tool, paths) for name, tool in tools.items()}
        return common.alternate({n: common.task(options, len(paths), t, check) for n, t in ready.items()}, number)

    def fresh(statement: str) -> Callable[[], Round]:
        return common.task(options, IMPORTED, functools.partial(imported, statement))

    return {
        "facts": {"Photos": f"{len(paths):,}"},
        "rounds": rounds(tools, options.rounds),
        "cost": rounds(executors, min(3, options.rounds)),
        "imports": common.alternate({statement: fresh(statement) for statement in IMPORTS}, options.rounds),
        "drawing": drawn(options),
    }


def report(data: dict) -> dict[str, list[str]]:
    rounds, imports = data["rounds"], data["imports"]
    best = min(CHUNKS.values(), key=lambda name: statistics.median(each()(rounds, name)))
    records = [100 * (1 - ratio) for ratio in times(rounds, RECORDED, BARE)]
    return {
        "rounds": common.table("run", rounds, {
            "seconds": (of(lambda one: one["seconds"]), ".2f"),
            "speed-up": (lambda found, name: times(found, name, SERIAL), ".2f"),
        }),
        "cost": common.table(f"executor with {WORKERS} workers", data["cost"], {
            "start-up (s)": (of(lambda one: one["start-up"]), ".2f"),
            "ms per item without work": (of(lambda one: one["overhead"] * 1e3), ".2f"),
            "ms per thumbnail": (each(), ".2f"),
        }),
        "imports": common.table("statement", imports, {"ms": (each(), ".0f")}),
        "targets": common.targets(
            target(f"speed-up of {best} (the best size)", times(rounds, best, SERIAL), 1.85),
            target("the same, as share of the warm processes' speed-up", times(rounds, best, CEILING), 0.95),
            target("records and progress line: % of the time of a serial run", records, at_most=3),
            target("time for `import helpers`, times that for `import requests, PIL.Image`",
                   times(imports, IMPORTS[1], IMPORTS[0]), at_most=0.9),
            target("seconds to draw the practice photos, once",
                   of(lambda one: one["seconds"])(data["drawing"], "draw"), at_most=40),
        ),
    }  # fmt: skip
