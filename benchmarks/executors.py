"""Processes that make thumbnails: speed-up by size of the chunks, and what importing helpers costs a worker."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import helpers
from benchmarks import common
from benchmarks.common import Options, Refused, Round, Target, column, ratios, spread

PROCESSES, SIZE, CHUNKS = 2, 200, (1, 4, 8, 16, 32, 64)
SERIAL, IMPORTS = "serial", ("import helpers", "import requests, PIL.Image", "pass")


def resize(chunk: int, paths: list[Path], folder: Path) -> list[helpers.Outcome]:
    """`chunk` 0: one after the other in this process."""
    if not chunk:
        return [helpers.make_thumbnail(path, folder, SIZE) for path in paths]
    arguments = (helpers.make_thumbnail, paths, itertools.repeat(folder), itertools.repeat(SIZE))
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as executor:
        return list(executor.map(*arguments, chunksize=chunk))


def imported(statement: str) -> Round:
    """A fresh Python that executes one statement."""
    with common.stopwatch() as measured:
        subprocess.run([sys.executable, "-c", statement], cwd=common.ROOT, check=True)
    return measured


def measure(options: Options) -> dict:
    paths = common.draw(options, options.photos)

    def timed(chunk: int) -> Round:
        folder = options.folder("executors")
        began = time.perf_counter()
        with common.stopwatch() as measured:
            outcomes = resize(chunk, paths, folder)
        measured["start-up"] = min(outcome.started for outcome in outcomes) - began
        measured["end"] = began + measured["seconds"] - max(outcome.finished for outcome in outcomes)
        measured["items"] = sum(outcome.finished - outcome.started for outcome in outcomes)
        digests = common.digests(folder)
        if len(digests) != len(paths) or digests != first.setdefault("files", digests):
            raise Refused("unequal work: other files than in the first run")
        return measured

    first: dict[str, dict[str, str]] = {}
    names = {SERIAL: 0} | {f"chunks of {chunk}": chunk for chunk in CHUNKS}
    runs = {name: functools.partial(timed, chunk) for name, chunk in names.items()}
    rounds = common.alternate(runs, options.rounds)
    common.say(" imports")
    imports = {statement: functools.partial(imported, statement) for statement in IMPORTS}
    return {
        "photos": len(paths),
        "rounds": rounds,
        "imports": common.alternate(imports, 3 * options.rounds),
        "versions": common.versions("Pillow", "requests"),
    }


def report(data: dict) -> list[str]:
    rounds = data["rounds"]
    best = min((name for name in rounds if name != SERIAL), key=lambda name: statistics.median(column(rounds[name])))
    slower = statistics.median(
        a / b for a, b in zip(column(rounds[best], "items"), column(rounds[SERIAL], "items"), strict=True)
    )

    def share(name: str) -> str:
        parts = zip(column(rounds[best], name), column(rounds[best]), strict=True)
        return f"{statistics.median(part / whole for part, whole in parts):.1%}"

    lines = [
        f"{data['photos']:,} thumbnails of {SIZE} px in {PROCESSES} processes under spawn, the start of the processes "
        "included. All runs wrote the same files (SHA-256).",
        "",
        *common.table(
            ["run", "rounds", "seconds", "speed-up"],
            [[n, len(column(rounds[n])), spread(column(rounds[n])), spread(ratios(rounds, n, SERIAL))] for n in rounds],
        ),
        f"What {best} lose, as medians: {share('start-up')} of the time until the first item was begun, and "
        f"{share('end')} from the last one to the end. An item took {slower:.3f} times as long as in the serial run; "
        "two busy CPUs share memory, and often caches.",
        "",
        "What a worker imports, as seconds of a fresh Python process:",
        "",
        *common.table(
            ["statement", "rounds", "ms"],
            [
                [f"`{name}`", len(column(result)), spread([value * 1e3 for value in column(result)], ".0f")]
                for name, result in data["imports"].items()
            ],
        ),
    ]
    ours, peer, bare = (column(data["imports"][name]) for name in IMPORTS)
    net = [(a - c) / (b - c) for a, b, c in zip(ours, peer, bare, strict=True)]
    return lines + common.targets(
        Target(f"speed-up of {PROCESSES} processes, {best} (the best size)", ratios(rounds, best, SERIAL), 1.85),
        Target("`import helpers`, times `import requests, PIL.Image`, both less the bare Python", net, at_most=1.3),
    )
