"""The class report: seconds and memory for a class of 500, and for one of 2,000.

The submissions are the saved notebook with other names and times (classroom.py). In the larger classes each is there
more than once, under other names, so their reports have more to say.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks import classroom, common
from benchmarks.common import Options, Refused, Round, each, of, target
from benchmarks.growth import beyond

BESIDE = ()
SIZES = (1 / 15, 1 / 3, 4 / 3)  # of the number of photos: 100, 500 and 2,000 submissions
MADE = 1 / 10  # of the photos: so many different submissions


def make(folder: Path, sizes: Sequence[int], different: int) -> None:
    """A folder for each class, with a folder for each student."""
    reference = (common.ROOT / "assignment.ipynb").read_bytes()
    for number in range(different):
        (place := folder / "made" / f"{number}.ipynb").parent.mkdir(exist_ok=True)
        place.write_bytes(classroom.student(reference, number))
    for size in sizes:
        for number in range(size):
            (place := folder / str(size) / f"student{number:04d}").mkdir(parents=True)
            (place / "assignment.ipynb").hardlink_to(folder / "made" / f"{number % different}.ipynb")


def read(submitted: Path, count: int, folder: Path) -> Round:
    """Read so many of them, with the most memory (MB) of this process and its workers at one moment."""
    from teacher import class_report

    peak, stop = [0], threading.Event()
    others = set(psutil.Process().children(recursive=True))  # that have nothing to do with this

    def watch() -> None:
        while not stop.wait(0.05):
            peak.append(_memory(others))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with common.stopwatch() as measured:
        rows = class_report.report(submitted, folder / "class", 2)
    stop.set()
    watcher.join()
    if len(rows) != count or any(row.get("broken") for row in rows):
        raise Refused("unequal work: not all submissions were read")
    return measured | {"MB": max(peak) / 1e6}


def _memory(others: set[psutil.Process]) -> int:
    found = 0
    for process in {psutil.Process(), *psutil.Process().children(recursive=True)} - others:
        try:
            found += process.memory_info().rss
        except psutil.Error:  # it has just ended
            continue
    return found


def measure(options: Options) -> dict:
    sizes = [max(number, round(options.photos * size)) for number, size in enumerate(SIZES, start=2)]
    made = options.folder("class")
    make(made, sizes, min(sizes[-1], max(4, round(options.photos * MADE))))

    def ready(count: int) -> Callable[[], Round]:
        def work(folder: Path) -> Round:
            return common.fresh_process(read, made / str(count), count, folder)

        return common.task(options, count, work)

    tools = {f"{count:,}": ready(count) for count in sizes}
    megabytes = statistics.mean(path.stat().st_size for path in (made / "made").iterdir()) / 1e6
    facts = {"Submissions": f"{megabytes:.1f} MB each", "Workers": "2 processes"}
    return {"facts": facts, "rounds": common.alternate(tools, min(3, options.rounds))}


def report(data: dict) -> dict[str, list[str]]:
    rounds = data["rounds"]
    _, class_of, most = rounds
    memory, seconds = of(lambda one: one["MB"]), of(lambda one: one["seconds"])
    return {
        "rounds": common.table("submissions", rounds, {
            "seconds": (seconds, ".1f"), "ms per submission": (each(), ".0f"), "MB": (memory, ".0f"),
        }),
        "targets": common.targets(
            target(f"seconds for {class_of}", seconds(rounds, class_of), at_most=60),
            target(f"MB for {class_of}", memory(rounds, class_of), at_most=500),
            target(f"seconds for {most}, times the line through fewer", beyond(rounds, "seconds"), at_most=1.1),
        ),
    }  # fmt: skip
