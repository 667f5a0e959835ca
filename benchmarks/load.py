"""Do memory and time per photo stay the same when there are many more photos?

    python benchmarks/load.py            1,500 and 25,000 photos from a practice server; needs 8 GB on disk
    python benchmarks/load.py 60 600     other numbers

Each number gets a fresh process, in which the notebook's functions run: download in threads, decode every photo, resize
in processes, a limited number under way at a time (helpers.as_done). The photos are 60 drawings under many ids, without
latency. The table says how much memory that process took at most, without its workers, but with the packages that the
notebook imports. The metadata are collected in another process: they grow with the number of photos whatever one does,
and the table tells by how much.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).resolve().parent.parent))

import helpers
import practice

THREADS, PROCESSES = 32, 2


def download_parallel(photos: list[helpers.Photo], folder: Path) -> None:
    with ThreadPoolExecutor(THREADS) as executor:
        for _ in helpers.as_done(executor, helpers.download_photo, photos, repeat(folder), limit=2 * THREADS):
            pass


def resize_parallel(paths: list[Path], folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as executor:
        for _ in helpers.as_done(executor, helpers.make_thumbnail, paths, repeat(folder), limit=16 * PROCESSES):
            pass


def peak() -> int:
    """The most memory that this process has had so far, in bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(photos: Sequence[helpers.Photo]) -> dict[str, float]:
    """Both stages for these photos, in the current folder: milliseconds per photo, and megabytes at most."""
    import matplotlib.pyplot  # noqa: F401 - the notebook's process has them, its workers don't
    import pandas  # noqa: F401

    found = {"photos": len(photos), "MB before": peak() / 1e6}
    downloads = helpers.timed_run(download_parallel, photos)
    found |= {"download ms": downloads.wall / len(photos) * 1e3, "MB after download": peak() / 1e6}
    thumbnails = helpers.timed_run(resize_parallel, helpers.keep(downloads, "images"))
    helpers.keep(thumbnails, "thumbnails")
    for run in (downloads, thumbnails):
        if problems := helpers.problems(run):
            sys.exit(f"The {run.task} does not count: {'; '.join(problems)}.")
    return found | {"resize ms": thumbnails.wall / len(photos) * 1e3, "MB after resize": peak() / 1e6}


def collect(count: int, api: str, images: str, key: str) -> tuple[list[helpers.Photo], float]:
    """The photos, and the megabytes that a process needs for their metadata."""
    before = peak()
    source = helpers.Source("the practice server", "load", api, [images], helpers.Secret(key))
    return source.photos(helpers.collect_photos(source, count)), (peak() - before) / 1e6


def one(count: int) -> dict[str, float]:
    """Collect, download and resize so many photos."""
    drawings = practice.ROOT / "cache" / "practice"
    with practice.start(drawings, photos=count, pictures=60, latency=0, bandwidth=0, quota=10**6) as server:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
            photos, metadata = executor.submit(collect, count, server.api, server.images, server.key).result()
        return {"photos": count, "MB of metadata": metadata} | measure(photos)


def fresh(*arguments: str) -> dict[str, float]:
    """What this script prints in a new process, in an empty folder."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        command = [sys.executable, __file__, *arguments]
        return json.loads(
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
        )


def main(counts: Sequence[str]) -> None:
    rows = [fresh("--one", count) for count in counts or ("1500", "25000")]
    names = list(rows[0])
    print(f"| {' | '.join(names)} |\n|{' ---: |' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(f'{row[name]:,.4g}' if name != 'photos' else f'{row[name]:,}' for name in names)} |")
    first, last = rows[0], rows[-1]
    ratios = (f"{name} {last[name] / first[name]:.2f}" for name in names if name != "photos")
    print(f"\n{last['photos']:,} photos in relation to {first['photos']:,}: {', '.join(ratios)}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--one", count]:
            print(json.dumps(one(int(count))))
        case ["--from", address, count]:  # photos from this server, without metadata
            print(json.dumps(measure([helpers.Photo(f"photo-{n}", f"{address}/{n}") for n in range(int(count))])))
        case counts:
            main(counts)
