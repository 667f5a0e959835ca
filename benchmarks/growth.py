"""What grows with the number of photos, and what follows for 25,000, 1 million and 7.4 million of them.

    python benchmarks/growth.py        takes about five minutes and 5 GB of disk, and writes benchmarks/growth.md

Each size is measured in a fresh Python: metadata, download in threads, resize in processes. Straight lines through
the two smaller sizes predict the largest one, which they were not fitted to. The practice server draws 1,500
photographs; a larger catalogue uses them again under other ids, so every photo is downloaded and resized all the same.
There is no latency and no limit of bandwidth: only CPUs limit the work, those of the server included.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import helpers  # noqa: E402
import practice  # noqa: E402
from benchmarks import common  # noqa: E402

SIZES = (1_500, 5_000, 25_000)  # the last one is predicted from the others
REPETITIONS = 3  # of the sizes that the lines go through
THREADS, PROCESSES, SIZE = 32, 2, 200
PICTURES = ROOT / "cache" / "practice"  # the folder of the drawn photographs
GOALS = {"Unsplash Lite": 25_000, "a million": 1_000_000, "Unsplash Full": 7_400_000}
QUOTAS = {"demo key": 50, "production key": 5_000}  # API requests per hour
BANDWIDTHS = {"100 Mbit/s": 100e6, "1 Gbit/s": 1e9}  # bits per second
ROOM = 400_000  # bytes, more than a drawn photo and its thumbnail have; for the question whether the disk is full

# What is measured of each stage: name, unit, and whether it should grow with the number of photos.
QUANTITIES = {
    ("metadata", "wall"): ("metadata: wall time", "s", True),
    ("metadata", "requests"): ("metadata: API requests", "number", True),
    ("metadata", "bytes"): ("metadata: disk", "MB", True),
    ("metadata", "grown"): ("metadata: memory of the records", "MB", True),
    ("download", "wall"): ("download: wall time", "s", True),
    ("download", "cpu"): ("download: CPU time", "s", True),
    ("download", "bytes"): ("download: disk", "MB", True),
    ("download", "grown"): ("download: memory, growth of the process", "MB", False),
    ("resize", "wall"): ("resize: wall time", "s", True),
    ("resize", "cpu"): ("resize: CPU time", "s", True),
    ("resize", "bytes"): ("resize: disk", "MB", True),
    ("resize", "worker"): ("resize: memory of the largest worker", "MB", False),
}


# --- the model: pure functions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """y(n) = fixed + each x n."""

    fixed: float
    each: float

    def __call__(self, photos: float) -> float:
        return self.fixed + self.each * photos


def fit(points: dict[int, float]) -> Line:
    """The line through these points (least squares): number of photos -> what was measured."""
    each, fixed = statistics.linear_regression(list(points), list(points.values()))
    return Line(fixed, each)


def deviation(line: Line, photos: int, measured: float) -> float:
    """Relative error of the prediction: 0.1 if 10 % more was measured than predicted; infinite if that was nothing."""
    predicted = line(photos)
    return measured / predicted - 1 if predicted else math.copysign(math.inf, measured)


@dataclass(frozen=True)
class Each:
    """What one photo needs: bytes on disk and in memory, seconds of CPU time and of this machine's time."""

    photo: float  # bytes
    thumbnail: float  # bytes
    metadata: float  # bytes on disk
    record: float  # bytes in memory
    cpu: float  # seconds, download and resize together
    wall: float  # seconds, download and then resize, on a machine with `cpus`
    cpus: int


def forecast(each: Each, photos: int) -> dict[str, float]:
    """What so many photos need: bytes, API requests, hours, and workers (machines like this one) for one day."""
    requests = math.ceil(photos / helpers.PER_PAGE)
    hours = photos * each.wall / 3600
    return {
        "photos": photos,
        "disk": photos * (each.photo + each.thumbnail + each.metadata),
        "memory": photos * each.record,
        "requests": requests,
        **{f"quota, {name}": requests / quota for name, quota in QUOTAS.items()},
        **{f"transfer, {name}": photos * each.photo * 8 / bits / 3600 for name, bits in BANDWIDTHS.items()},
        "CPU": photos * each.cpu / each.cpus / 3600,
        "hours": hours,
        "workers": math.ceil(hours / 24),
    }


def limit(need: dict[str, float], quota: str | None, bandwidth: str, machines: int = 1) -> tuple[str, float]:
    """Which takes longest with that key (None: no API needed), connection and number of machines: (name, hours)."""
    hours = {
        "quota": need[f"quota, {quota}"] if quota else 0,
        "bandwidth": need[f"transfer, {bandwidth}"],
        "computing": need["hours"] / machines,
    }
    return max(hours.items(), key=lambda item: item[1])


def turning_points(each: Each) -> dict[str, float]:
    """From which quota (requests an hour) and which bandwidth (bits/s) on one machine itself is the limit."""
    return {"quota": 3600 / (helpers.PER_PAGE * each.wall), "bandwidth": each.photo * 8 / each.wall}


# --- measuring --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watched(stage: dict[str, float]) -> Iterator[None]:
    """Add wall time, CPU time of this process, and peak memory to `stage`: bytes of this process, of the largest child.

    Memory is looked at five times a second, so a shorter peak may be missed.
    """
    me, stop = psutil.Process(), threading.Event()
    children = {child.pid for child in me.children(recursive=True)}  # the practice server
    before = me.memory_info().rss
    command = me.cmdline()
    stage |= {"grown": 0.0, "worker": 0.0}

    def look() -> None:
        while True:
            stage["grown"] = max(stage["grown"], me.memory_info().rss - before)
            for child in me.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    # A child that is just being started still shows its parent's command and memory.
                    if child.pid not in children and child.cmdline() != command:
                        stage["worker"] = max(stage["worker"], child.memory_info().rss)
            if stop.wait(0.2):
                return

    with ThreadPoolExecutor(1) as watcher:
        watching = watcher.submit(look)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            stage |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
            stop.set()
    watching.result()


def measure_one(photos: int, pictures: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Metadata, download and resize of so many photos: what each stage needed, by name. Run it in a fresh process.

    It leaves its files in the folder, empty: deleting them can slow down the next run (benchmarks/reasons.md).
    """
    found: dict[str, dict[str, float]] = {"metadata": {}, "download": {}, "resize": {}}
    with practice.start(pictures, photos=photos, latency=0, bandwidth=0, quota=10**9, hour=1e12) as server:
        key = helpers.Secret(server.key)
        source = helpers.Source("the practice server", "growth", server.api, [server.images], key, server)
        images, thumbnails = folder / "images", folder / "thumbnails"
        images.mkdir(parents=True)
        thumbnails.mkdir()
        stage = found["metadata"]
        with watched(stage):
            records = helpers.collect_photos(source, photos, cache=folder)
        stage["requests"], stage["bytes"] = server.stats()["requests"], (folder / "growth.jsonl").stat().st_size
        items = source.photos(records)
        del records
        stage = found["download"]
        with watched(stage), ThreadPoolExecutor(THREADS) as executor:
            results = helpers.as_done(executor, helpers.download_photo, items, repeat(images), limit=2 * THREADS)
            stage["bytes"], _ = _totals(helpers.progress(results, "Downloading", photos))
        paths = [images / f"{item.id}.jpg" for item in items]
        stage = found["resize"]
        spawn = multiprocessing.get_context("spawn")
        with watched(stage), ProcessPoolExecutor(PROCESSES, spawn) as executor:
            results = helpers.as_done(
                executor, helpers.make_thumbnail, paths, repeat(thumbnails), repeat(SIZE), limit=4 * PROCESSES
            )
            stage["bytes"], cpu = _totals(helpers.progress(results, "Resizing", photos))
        stage["cpu"] += cpu
    common.empty(folder)
    return found


def _totals(outcomes: Iterator[helpers.Outcome]) -> tuple[float, float]:
    """Bytes and CPU seconds of all outcomes, none of which may have failed."""
    size = cpu = 0.0
    for outcome in outcomes:
        if outcome.status is not helpers.Status.DONE:
            raise RuntimeError(f"{outcome.item} was not done: {outcome.error}")
        size, cpu = size + outcome.bytes, cpu + outcome.cpu
    return size, cpu


def measure(sizes: Sequence[int] = SIZES, repetitions: int = REPETITIONS, pictures: Path = PICTURES) -> dict:
    """Everything that the page shows: per size the stages of each repetition, the lines, and how well they predict.

    Returns:
        {"runs": {photos: [stages, ...]}, "lines": {name: (fixed, each)}, "deviations": {name: ...},
        "spreads": {name: ...}}, where a name is "stage wall", "stage cpu", ...
    """
    if shutil.disk_usage(ROOT).free < max(sizes) * ROOM:
        sys.exit(f"This needs up to {max(sizes) * ROOM / 1e9:.0f} GB of free disk.")
    *fitted, predicted = sizes
    runs: dict[int, list[dict]] = {size: [] for size in sizes}
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pictures.parent) as folder:
        for number, size in enumerate([*fitted * repetitions, predicted]):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
                runs[size].append(fresh.submit(measure_one, size, pictures, Path(folder, str(number))).result())
    lines, deviations, spreads = {}, {}, {}
    for stage, quantity in QUANTITIES:
        values = {size: [found[stage][quantity] for found in runs[size]] for size in sizes}
        medians = {size: statistics.median(values[size]) for size in sizes}
        line = fit({size: medians[size] for size in fitted})
        name = f"{stage} {quantity}"
        lines[name] = (line.fixed, line.each)
        deviations[name] = deviation(line, predicted, medians[predicted])
        spreads[name] = max((max(values[size]) - min(values[size])) / (medians[size] or 1) for size in fitted)
    return {"runs": runs, "lines": lines, "deviations": deviations, "spreads": spreads}


def per_photo(found: dict) -> Each:
    """What one photo needs, from the largest run."""
    photos = max(found["runs"])
    stages = found["runs"][photos][0]
    download, resize, metadata = stages["download"], stages["resize"], stages["metadata"]
    return Each(
        photo=download["bytes"] / photos,
        thumbnail=resize["bytes"] / photos,
        metadata=metadata["bytes"] / photos,
        record=metadata["grown"] / photos,
        cpu=(download["cpu"] + resize["cpu"]) / photos,
        wall=(download["wall"] + resize["wall"]) / photos,
        cpus=helpers.usable_cpus(),
    )


def uncertainty(found: dict) -> float:
    """How far times may be off: the largest error of a predicted time, or spread of its repetitions."""
    times = [f"{stage} {quantity}" for stage in ("download", "resize") for quantity in ("wall", "cpu")]
    return max(max(abs(found["deviations"][name]), found["spreads"][name]) for name in times)


# --- the page ---------------------------------------------------------------------------------------------------


def measured_table(found: dict) -> list[str]:
    predicted, rows = max(found["runs"]), []
    for (stage, quantity), (title, unit, grows) in QUANTITIES.items():
        name, scale = f"{stage} {quantity}", 1e6 if unit == "MB" else 1
        medians = [statistics.median(run[stage][quantity] for run in runs) / scale for runs in found["runs"].values()]
        line = Line(*found["lines"][name])
        text = [f"{line(predicted) / scale:,.1f}", f"{found['deviations'][name]:+.1%}", f"{found['spreads'][name]:.0%}"]
        flat = ["flat", f"× {medians[-1] / medians[0]:.1f}" if medians[0] else "not seen", ""]
        rows.append([f"{title} ({unit})", *(f"{m:,.1f}" for m in medians), *(text if grows else flat)])
    return common.table(["", *(f"{size:,}" for size in found["runs"]), "predicted", "error", "spread"], rows)


def forecast_table(each: Each) -> list[str]:
    needs = [forecast(each, photos) for photos in GOALS.values()]
    lines = {
        "files (GB)": ("disk", 1e9),
        "records in memory, if all are held at once (GB)": ("memory", 1e9),
        "API requests": ("requests", None),
        **{f"hours of quota, {name}, {number:,} an hour": (f"quota, {name}", 1) for name, number in QUOTAS.items()},
        **{f"hours of transfer at {name}": (f"transfer, {name}", 1) for name in BANDWIDTHS},
        f"hours of CPU time, shared by {each.cpus} CPUs": ("CPU", 1),
        "hours on this machine": ("hours", 1),
        "machines like this one for one day": ("workers", None),
    }
    rows = [
        [title, *(_rounded(need[name] / scale if scale else need[name]) for need in needs)]
        for title, (name, scale) in lines.items()
    ]
    return common.table(["", *(f"{name}: {photos:,}" for name, photos in GOALS.items())], rows)


def _rounded(value: float) -> str:
    """Whole numbers as they are, others with one decimal, small ones with two."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{1 if value >= 1 else 2}f}"


def limits_table(each: Each) -> list[str]:
    rows = []
    for quota, bandwidth, machines in itertools.product([*QUOTAS, None], BANDWIDTHS, (1, 10)):
        longest = [limit(forecast(each, photos), quota, bandwidth, machines) for photos in GOALS.values()]
        head = f"{quota or 'addresses known, no API'}, {bandwidth}, {machines} machine{'s' * (machines > 1)}"
        rows.append([head, *(f"{name}, {hours:,.{1 if hours >= 1 else 2}f} h" for name, hours in longest)])
    return common.table(["", *(f"{name}: {photos:,}" for name, photos in GOALS.items())], rows)


def page(found: dict) -> str:
    """benchmarks/growth.md."""
    *fitted, predicted = found["runs"]
    each, turn = per_photo(found), turning_points(per_photo(found))
    memory, disk = psutil.virtual_memory().total, shutil.disk_usage(ROOT).total
    lines = [
        "# What grows with the number of photos?",
        "",
        f"Written by `python benchmarks/growth.py` on {date.today()}.",
        "",
        *(f"- {name}: {value}" for name, value in helpers.environment().items()),
        f"- Memory: {memory / 1e9:.0f} GB",
        f"- Download in {THREADS} threads, resize to {SIZE} pixels in {PROCESSES} processes. The practice server runs "
        "on the same CPUs, without latency and without a limit of bandwidth.",
        "",
        "## Measured",
        "",
        f"Medians of {len(found['runs'][fitted[0]])} runs in alternation, each in a fresh Python; {predicted:,} photos "
        "were run once. The practice server draws 1,500 photographs; beyond that it uses them again under other ids. "
        f"*Predicted* is the straight line through {' and '.join(f'{size:,}' for size in fitted)} photos, which knows "
        "nothing of the largest run; *error* is measured / predicted - 1. *Spread* is (largest - smallest) / median of "
        "the repetitions. Where nothing should grow, the largest run stands as a multiple of the smallest. CPU time is "
        "that of download and resize themselves, without the server's.",
        "",
        *measured_table(found),
        f"One photo, from the run with {predicted:,}: {each.photo / 1e3:,.1f} kB, its thumbnail "
        f"{each.thumbnail / 1e3:.1f} kB, its metadata {each.metadata / 1e3:.1f} kB on disk and {each.record / 1e3:.1f} "
        f"kB in memory; {each.cpu * 1e3:.2f} ms of CPU time, {each.wall * 1e3:.2f} ms of this machine's time "
        "(download, then resize).",
        "",
        "## Computed from it",
        "",
        f"Times are uncertain by ±{uncertainty(found):.0%}, the largest error of a predicted time or spread of one. "
        f"That was tested up to {predicted:,} photos; beyond, it is an extrapolation. Sizes are those of drawn photos; "
        "real ones differ, and disk and transfer with them.",
        "",
        *forecast_table(each),
        "How, for N photos:",
        "",
        "- files = N × (photo + thumbnail + metadata on disk); records in memory = N × metadata in memory",
        f"- API requests = N / {helpers.PER_PAGE}, rounded up, if no photo comes twice; hours of quota = requests / "
        "requests an hour",
        "- hours of transfer = N × photo × 8 / bandwidth",
        f"- hours of CPU time = N × CPU time / {each.cpus}; hours on this machine = N × its time",
        "- machines for one day = hours on this machine / 24, rounded up: each works on its share by itself",
        "",
        "## Where the limit moves",
        "",
        "The longest of quota, transfer and computing is the limit. All three grow in proportion to N, so N does not "
        "move it; keys, connections and machines do. *Addresses known*: from a list of addresses instead of the API, "
        "as a published dataset has it.",
        "",
        *limits_table(each),
        f"- **Quota**: up to {turn['quota']:,.0f} requests an hour, one machine waits for the API: 3,600 s / "
        f"({helpers.PER_PAGE} × its time for a photo).",
        f"- **Bandwidth**: below {turn['bandwidth'] / 1e6:,.0f} Mbit/s, one machine waits for its connection: photo × "
        "8 / its time. With m machines behind one connection, below m times that.",
        f"- **Disk**: one of {disk / 1e9:,.0f} GB, like this one, is full after "
        f"{disk / (each.photo + each.thumbnail + each.metadata):,.0f} photos.",
        f"- **Memory**: the records fill {memory / 1e9:.0f} GB at {memory / each.record:,.0f} photos; before that, "
        "metadata must be read page by page. The rest stays flat.",
    ]
    return "\n".join(lines)


def write(found: dict, path: Path = ROOT / "benchmarks" / "growth.md") -> None:
    path.write_text(page(found) + "\n", encoding="utf-8")


def main() -> None:
    found = measure()
    write(found)
    print(page(found))


if __name__ == "__main__":
    main()
