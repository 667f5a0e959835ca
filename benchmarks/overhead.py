"""What the progress line and the records cost: runs with both beside runs with neither."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import helpers
from benchmarks import common
from benchmarks.common import Options, Refused, Round, Target, column, spread
from helpers import Photo

LATENCY, THREADS, SIZE = 0.05, 32, 200
RUNS = helpers.CACHE / "runs" / str(os.getpid())
WITH, WITHOUT = "timed_run, records, progress line", "neither"


# Two pairs of functions that differ in nothing else. timed_run reads the stage from a function's name.


def resize_serial(paths: Sequence[Path], folder: Path) -> None:
    for path in helpers.progress(paths, "Resizing"):
        helpers.make_thumbnail(path, folder, SIZE)


def resize_bare(paths: Sequence[Path], folder: Path) -> None:
    for path in paths:
        helpers._thumbnail(str(path), folder, SIZE)


def download_threads(photos: Sequence[Photo], folder: Path) -> None:
    with ThreadPoolExecutor(THREADS) as executor:
        futures = [executor.submit(helpers.download_photo, photo, folder) for photo in photos]
        for future in helpers.progress(as_completed(futures), "Downloading", total=len(futures)):
            future.result()


def download_bare(photos: Sequence[Photo], folder: Path) -> None:
    with ThreadPoolExecutor(THREADS) as executor:
        for future in as_completed([executor.submit(helpers._download, photo, folder) for photo in photos]):
            future.result()


def pair(options: Options, full: Callable, bare: Callable, items: Sequence) -> common.Rounds:
    def recorded() -> Round:
        with contextlib.redirect_stderr(io.StringIO()):
            run = helpers.timed_run(full, items)
        common.set_aside(run.folder, RUNS / "aside")  # not in the cache of the options: it may be on another disk
        if found := helpers.problems(run):
            raise Refused(f"unequal work: {found}")
        return {"seconds": run.wall}

    def plain() -> Round:
        folder = options.folder("overhead")
        with common.stopwatch() as measured:
            bare(items, folder)
        if len(list(folder.iterdir())) != len(items):
            raise Refused("unequal work: files are missing")
        return measured

    return common.alternate({WITH: recorded, WITHOUT: plain}, options.rounds)


def direct(count: int) -> dict[str, float]:
    """Microseconds for one record and for one step of the progress line, measured by themselves."""

    def download_nothing(items: Sequence[Photo], folder: Path) -> None:
        for item in items:  # an empty body is refused at once, but noted like every other
            helpers.save_photo(item, folder, b"", time.perf_counter())

    def count_items() -> None:
        for _ in helpers.progress(range(count), "Counting"):
            pass

    with contextlib.redirect_stderr(io.StringIO()):
        run = helpers.timed_run(download_nothing, [Photo(f"nothing-{number}", "") for number in range(count)])
        run.discard()
        with common.stopwatch() as counting:
            count_items()
    return {"a record": run.wall * 1e6 / count, "a step of the progress line": counting["seconds"] * 1e6 / count}


def measure(options: Options) -> dict:
    paths = common.draw(options, options.corpus_photos)
    common.say(" resize")
    data: dict = {"thumbnails": len(paths), "photos": options.photos, "direct": direct(20 * options.corpus_photos)}
    data["resize"] = pair(options, resize_serial, resize_bare, paths)
    with common.served(options, LATENCY) as (_, photos):
        common.say(" download")
        download_bare(photos, options.folder("overhead"))  # opens the connections
        data["download"] = pair(options, download_threads, download_bare, photos)
    shutil.rmtree(RUNS)
    data["versions"] = common.versions("tqdm", "requests", "Pillow")
    return data


def report(data: dict) -> list[str]:
    rows, lines, found = [], [], []
    cost = sum(data["direct"].values()) / 1e6  # seconds for each item
    for stage, count, what in (
        ("resize", data["thumbnails"], f"{data['thumbnails']} thumbnails, serially"),
        ("download", data["photos"], f"{data['photos']:,} downloads, {THREADS} threads, {LATENCY * 1e3:.0f} ms"),
    ):
        full, bare = column(data[stage][WITH]), column(data[stage][WITHOUT])
        share = [(1 - b / a) * 100 for a, b in zip(full, bare, strict=True)]
        own = cost * count / statistics.median(full) * 100
        rows.append([what, len(full), spread(full), spread(bare), spread(share, ".1f"), f"{own:.1f}"])
        found += [Target(f"{stage}: % of the wall time, measured by themselves", [own], at_most=3)]
        found += [Target(f"{stage}: % of the wall time, difference of the runs", share, at_most=3)]
    lines += [
        "A share below 0 means that the run with records happened to be the faster one: the difference is smaller than "
        "the noise. So both parts are measured by themselves as well: "
        + ", ".join(f"{name} takes {value:.0f} µs" for name, value in data["direct"].items())
        + ". The last column is what that makes of the wall time, as if no other thread could wait meanwhile. What "
        "timed_run does after the clock has stopped, reading the records and hashing the files, is in none of them.",
        "",
    ]
    head = ["stage", "rounds", "seconds with", "seconds with neither", "difference, %", "by themselves, %"]
    return lines + common.table(head, rows) + common.targets(*found)
