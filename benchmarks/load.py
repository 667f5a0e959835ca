"""Do memory and time per photo stay the same when there are many more photos?

Download in threads and resize in processes, a limited number of photos under way at a time (helpers.as_done). Each run
is a fresh process that has imported what the notebook imports. Its memory counts without that of its workers.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import psutil

import helpers
from benchmarks import common
from benchmarks.common import Options, Refused, Round, Target, column, spread
from helpers import Photo, Status

THREADS, PROCESSES = 32, 2
TIMES = 25_000 / 1500  # how many times more photos the large runs have
DRAWINGS = 60  # used again and again, under other ids
ROOM = 200_000  # bytes, more than a photo has


def both_stages(photos: Sequence[Photo], folder: Path) -> Round:
    """Download and resize these photos: milliseconds per photo, and the most memory of this process in MB.

    Workers start before the time begins: this is about what each photo adds.
    """
    import matplotlib.pyplot  # noqa: F401 - the notebook's process has them, its workers don't
    import pandas  # noqa: F401

    images, thumbnails = folder / "images", folder / "thumbnails"
    for part in (images, thumbnails):
        part.mkdir(parents=True)
    paths = [images / f"{photo.id}.jpg" for photo in photos]
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(THREADS) as threads, ProcessPoolExecutor(PROCESSES, mp_context=spawn) as processes:
        for executor, number in ((threads, THREADS), (processes, PROCESSES)):
            list(executor.map(helpers.nap, repeat(0.5, number)))
        measured = {"download": each(threads, helpers.download_photo, photos, images, 2 * THREADS)}
        measured["resize"] = each(processes, helpers.make_thumbnail, paths, thumbnails, 16 * PROCESSES)
    return measured | {"MB": peak() / 1e6, "seconds": sum(measured.values()) * len(photos) / 1e3}


def each(executor: Executor, function: Callable, items: Sequence, folder: Path, limit: int) -> float:
    """Milliseconds per item."""
    started = time.perf_counter()
    for outcome in helpers.as_done(executor, function, items, repeat(folder), limit=limit):
        if outcome.status is not Status.DONE:
            raise Refused(f"unequal work: {outcome.item}: {outcome.error}")
    return (time.perf_counter() - started) * 1e3 / len(items)


def peak() -> int:
    """The most memory that this process has had so far, in bytes."""
    with contextlib.suppress(OSError):  # Linux; getrusage would count the parent's memory before the exec as well
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fill_memory(folder: Path, size: int) -> None:
    """Write a file of so many bytes, and delete it.

    A virtual machine gets memory from its host when it first touches it, which takes longer than to write the photos.
    """
    piece = bytes(1 << 24)
    with (path := folder / "filling").open("wb") as file:
        for _ in range(size // len(piece)):
            file.write(piece)
    path.unlink()


def measure(options: Options) -> dict:
    few, many = options.photos, round(options.photos * TIMES)
    rounds: common.Rounds = {name: {"rounds": []} for name in ("few", "many")}
    with (
        common.served(replace(options, photos=many), 0, pictures=DRAWINGS) as (_, photos),
        tempfile.TemporaryDirectory(dir=place(options, many)) as name,
    ):
        fill_memory(Path(name), many * ROOM)
        for number, count in enumerate([few, *[many, few] * min(2, options.rounds)]):
            folder = Path(name, str(number))
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
                found = fresh.submit(both_stages, photos[:count], folder).result()
            rounds["few" if count == few else "many"]["rounds"].append(found)
            common.say(f"  {count:,} photos: {found['seconds']:.1f} s, {found['MB']:.0f} MB")
            common.empty(folder)
        where = common.filesystem(Path(name))
    return {
        "few": few,
        "many": many,
        "where": where,
        "rounds": rounds,
        "versions": common.versions("requests", "Pillow"),
    }


def place(options: Options, count: int) -> Path:
    """A folder in memory if so many photos have room there: the system's writing to a disk is no part of this."""
    if common.MEMORY.is_dir() and shutil.disk_usage(common.MEMORY).free > 2 * count * ROOM:
        return common.MEMORY
    return options.folder("load")


def report(data: dict) -> list[str]:
    rounds = data["rounds"]
    few = {name: statistics.median(column(rounds["few"], name)) for name in ("download", "resize", "MB")}
    times = {name: [value / few[name] for value in column(rounds["many"], name)] for name in few}
    return [
        f"Download in {THREADS} threads and resize in {PROCESSES} processes through helpers.as_done, without latency, "
        f"the server on the same CPUs, files on {data['where']}. The {data['many']:,} photos are {DRAWINGS} drawings "
        "under many ids. Memory is the most that the notebook's process took, pandas and matplotlib included, its "
        "workers and the metadata not. Workers start before the time begins. The ratios are to the median of the small "
        "runs.",
        "",
        *common.table(
            ["photos", "runs", "download, ms per photo", "resize, ms per photo", "MB"],
            [
                [f"{data[size]:,}", len(column(rounds[size])), *(spread(column(rounds[size], n), form) for n, form in (
                    ("download", ".2f"), ("resize", ".2f"), ("MB", ".0f")))]
                for size in ("few", "many")
            ],
        ),
        *common.targets(
            Target("memory, times that of few photos", times["MB"], at_most=1.2),
            Target("download: time per photo, times that of few", times["download"], at_most=1.1),
            Target("resize: time per photo, times that of few", times["resize"], at_most=1.1),
        ),
    ]  # fmt: skip
