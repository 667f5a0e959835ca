"""Do memory and time per photo stay the same when there are many more photos?

Download in threads and resize in processes, a limited number of photos under way at a time (helpers.as_done). Each run
is a fresh process that has imported what the notebook imports.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import psutil

import helpers
from benchmarks import common
from benchmarks.common import Options, Refused, Round, each, of, target
from benchmarks.growth import beyond
from helpers import Photo, Status

BESIDE = ()
THREADS, PROCESSES = 32, 2
FACTORS = (1, 10 / 3, 50 / 3)  # 1,500, 5,000 and 25,000 photos
ROOM = 400_000  # bytes, more than a photo, its thumbnail and its emptied files have
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, where the system has it


def both_stages(photos: Sequence[Photo], folder: Path) -> Round:
    """Download and resize these photos: time of each stage, bytes, and the most memory of this process in MB."""
    import matplotlib.pyplot  # noqa: F401 - the notebook's process has them, its workers don't
    import pandas  # noqa: F401

    images, thumbnails = folder / "images", folder / "thumbnails"
    for part in (images, thumbnails):
        part.mkdir(parents=True)
    paths = (images / f"{photo.id}.jpg" for photo in photos)  # a list of them all would be memory of the benchmark
    with common.stopwatch() as both:
        with common.stopwatch() as download, ThreadPoolExecutor(THREADS) as threads:
            photo = _bytes(threads, helpers.download_photo, photos, images, 2 * THREADS)
        with common.stopwatch() as resize, ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
            thumbnail = _bytes(pool, helpers.make_thumbnail, paths, thumbnails, 16 * PROCESSES, repeat(200))
            worker = max(child.memory_info().rss for child in psutil.Process().children())
    measured = {"download": download["seconds"], "resize": resize["seconds"], "photo": photo, "thumbnail": thumbnail}
    return both | measured | {"MB": peak() / 1e6, "MB of a worker": worker / 1e6}


def _bytes(executor: Executor, function: Callable, items: Iterable, folder: Path, limit: int, *more: Iterable) -> int:
    """Do all items; returns the size of their files."""
    size = 0
    for outcome in helpers.as_done(executor, function, items, repeat(folder), *more, limit=limit):
        if outcome.status is not Status.DONE:
            raise Refused(f"unequal work: {outcome.item}: {outcome.error}")
        size += outcome.bytes
    return size


def peak() -> int:
    """The most memory (bytes) that this process has had so far; on macOS what it has now."""
    with contextlib.suppress(OSError):  # Linux; getrusage would count the parent's memory before the exec as well
        return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    memory = psutil.Process().memory_info()
    return getattr(memory, "peak_wset", memory.rss)


def metadata(api: str, images: str, key: str, count: int, folder: Path) -> Round:
    """Collect the metadata of so many photos: bytes on disk, and in memory if all records are held at once."""
    source = helpers.Source("practice", "bench", api, [images], helpers.Secret(key))
    before = psutil.Process().memory_info().rss
    with common.stopwatch() as measured, helpers.quiet():
        records = helpers.collect_photos(source, count, cache=folder)
    disk = sum(path.stat().st_size for path in folder.iterdir())
    return measured | {"items": len(records), "disk": disk, "memory": psutil.Process().memory_info().rss - before}


def measure(options: Options) -> dict:
    sizes = [round(options.photos * factor) for factor in FACTORS]
    need = sizes[-1] * ROOM
    where = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > need else options.cache
    if shutil.disk_usage(where).free < need:
        raise Refused(f"this needs {need / 1e9:,.0f} GB of free disk")
    with (
        tempfile.TemporaryDirectory(dir=where) as name,
        common.served(replace(options, photos=sizes[-1]), 0, pictures=options.photos) as (source, photos),
    ):

        def ready(count: int, function: Callable[..., Round], *arguments: object) -> Callable[[], Round]:
            work = functools.partial(common.fresh_process, function, *arguments)
            return common.task(replace(options, cache=Path(name)), count, work)

        some = len(photos) // 2  # of those that the server has not dealt out again
        collect = ready(some, metadata, source.api, source.image_hosts[0], source.key.reveal(), some)
        runs = {f"{count:,}": ready(count, both_stages, photos[:count]) for count in sizes}
        facts = {
            "Photos": f"{options.photos:,} drawn ones, beyond that again under other ids",
            "Files": "in memory" if where == MEMORY else "on a disk",
            "Workers": f"{THREADS} threads, {PROCESSES} processes",
        }
        return {
            "facts": facts,
            "memory": psutil.virtual_memory().total,
            "metadata": common.alternate({"metadata": collect}, 1),
            "rounds": common.alternate(runs, min(3, options.rounds)),
        }


def report(data: dict) -> dict[str, list[str]]:
    rounds, memory = data["rounds"], of(lambda one: one["MB"])
    few, *_, many = rounds
    growth, line = [most / min(memory(rounds, few)) for most in memory(rounds, many)], "times the line through fewer"
    return {
        "rounds": common.table("photos", rounds, {
            "download, ms per photo": (each("download"), ".2f"),
            "resize, ms per photo": (each("resize"), ".2f"),
            "CPU ms per photo": (each("cpu"), ".2f"),
            "MB": (memory, ".0f"),
            "MB of a worker": (of(lambda one: one["MB of a worker"]), ".0f"),
        }),
        "targets": common.targets(
            target(f"memory with {many} photos, times that with {few}", growth, at_most=1.2),
            target(f"download of {many}, {line}", beyond(rounds, "download"), at_most=1.1),
            target(f"resize of {many}, {line}", beyond(rounds, "resize"), at_most=1.1),
        ),
    }  # fmt: skip
