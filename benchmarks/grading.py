"""Grading by `make grade`, and by plain `nbgrader autograde`: seconds and megabytes for each submission."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import classroom, common
from benchmarks.common import Options, Refused, Round, Rounds, of, target, times
from benchmarks.growth import beyond

BESIDE = ("nbgrader",)
OURS, PLAIN = "make grade", "nbgrader autograde"
CLASS = 40  # submissions of a class
# The CPU time of what a server of forks has started is counted once that one has ended.
COUNTED = """from multiprocessing.forkserver import _forkserver
from teacher.grade import main
try:
    main()
finally:
    _forkserver._stop()"""
NEEDED = (
    "helpers.py", "kit", "checks", "practice", "teacher", "docs", "nbgrader_config.py", "config.ini.example", "LICENSE",
    "requirements.txt", "README.md", "assignment.ipynb", "images/.gitkeep", "thumbnails/.gitkeep",
)  # fmt: skip


def course(folder: Path, count: int) -> None:
    """A teacher's folder with so many submissions: the reference as different students, solutions included."""
    for name in NEEDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (common.ROOT / name).is_dir() else shutil.copy
        copy(common.ROOT / name, folder / name)
    _run(folder, "teacher/release.py")
    reference = (common.ROOT / "assignment.ipynb").read_bytes()
    for number in range(count):
        (place := folder / "submitted" / f"student{number:02d}" / "assignment").mkdir(parents=True)
        (place / "assignment.ipynb").write_bytes(classroom.student(reference, number))


def _run(folder: Path, *command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = os.environ | {"PATH": path, "JUPYTER_CONFIG_DIR": str(folder / "none")}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"failed: {(done.stderr or done.stdout).strip()[-200:]}")


def graded(folder: Path, count: int) -> Round:
    """Refused, unless each submission has all points of the program; MB that each one left."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        scores = [given.score for given in book.assignment_submissions("assignment")]
    if len(scores) != count or min(scores) < 25:  # two functions and five steps; nothing was read off
        raise Refused(f"unequal work: {len(scores)} of {count} graded, points {sorted(set(scores))}")
    left = sum(path.stat().st_size for path in (folder / "autograded").rglob("*") if path.is_file())
    return {"MB": left / 1e6 / count}


def measure(options: Options) -> dict:
    common.needs("nbgrader")
    count = max(1, round(options.photos * CLASS / 1500))

    def ready(count: int, *command: str) -> Callable[[], Round]:
        def once() -> Round:
            folder = options.folder("course")
            course(folder, count)
            with common.stopwatch() as measured:
                _run(folder, *command)
            return {"items": count} | measured | graded(folder, count)

        return once

    fewer = [3 * count // 10, count // 2] if count >= 8 else []  # of 40, both a multiple of four at once
    tools = {
        OURS: ready(count, "-c", COUNTED),
        **{f"{OURS}, {some}": ready(some, "-c", COUNTED) for some in fewer},
        PLAIN: ready(max(1, count // 8), "-m", "nbgrader", "autograde", "assignment", "--log-level=ERROR"),
    }
    facts = {
        "Submissions": f"{count} or as many as stand there, and {max(1, count // 8)} for {PLAIN}",
        "Workers": "two for each CPU, and one",
    }
    return {"facts": facts, "rounds": common.alternate(tools, 1)}


def by_size(rounds: Rounds) -> Rounds:
    """Those of `make grade` that have figures, the largest class last."""
    ours = {name: found for name, found in rounds.items() if name.startswith(OURS) and not isinstance(found, str)}
    return dict(sorted(ours.items(), key=lambda one: one[1][0]["items"]))


def report(data: dict) -> dict[str, list[str]]:
    rounds, megabytes = data["rounds"], of(lambda one: one["MB"])
    line = [beyond(sizes, "seconds")] if len(sizes := by_size(rounds)) > 2 else []
    return {
        "rounds": common.table("command", rounds, {
            "seconds per submission": (of(lambda one: one["seconds"] / one["items"]), ".1f"),
            "CPU seconds": (of(lambda one: one["cpu"] / one["items"]), ".1f"),
            "MB that it leaves": (megabytes, ".1f"),
        }),
        "targets": common.targets(
            target(f"times {PLAIN}", times(rounds, OURS, PLAIN), 3),
            target("MB that a graded submission leaves", megabytes(rounds, OURS), at_most=5),
            *(target("seconds, times the line through fewer", found, at_most=1.1) for found in line),
        ),
    }  # fmt: skip
