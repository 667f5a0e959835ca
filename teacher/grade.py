"""Grade all submissions, several at once, each within limits: `make grade`, or `python -m teacher.grade`.

Every submission gets a copy of the gradebook, which nbgrader fills; what it says is merged into gradebook.db by this
program alone, because a gradebook can't take two writers (nbgrader, issue 174). Who was graded before is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ctypes
import io
import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil

import helpers
from kit.display import progress_line
from kit.machine import end_with_parent
from practice.catalogue import Catalogue
from practice.pictures import draw_missing

ASSIGNMENT, PHOTOS = "assignment", 24
PICTURES = Path("cache") / "grading"  # the photographs that submissions are graded with: drawn once, copied to each
OWN = Path("grading")  # gradebooks and logs of single submissions, until they are merged
# Where processes can be forked, what nbgrader needs is imported once, and not for each submission.
PROCESSES: Any = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
PR_SET_CHILD_SUBREAPER = 36  # man 2 prctl
IMPORTED = ["nbgrader.apps.nbgraderapp", "nbgrader.apps.autogradeapp", "helpers", "practice.pictures"]


@dataclass(frozen=True)
class Limits:
    """What one submission may take before it is ended."""

    minutes: float = 10
    memory: float = 3000  # MB, of all its processes
    processes: float = 100
    disk: float = 500  # MB


def main() -> None:
    default = Limits()
    parser = argparse.ArgumentParser("python -m teacher.grade", description=__doc__)
    parser.add_argument("students", nargs="*", help="names of folders in submitted/ (all)")
    cpus = helpers.usable_cpus()  # a submission waits for half of its time
    parser.add_argument("--workers", type=int, default=2 * cpus, help="at once (two for each CPU)")
    parser.add_argument("--points", type=Path, help="grade nothing: take the points of the class report from this CSV")
    parser.add_argument("--again", action="store_true", help="grade also who was graded before")
    for name, value in vars(default).items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"limit for each ({value:g})")
    asked = parser.parse_args()
    if not (Path("gradebook.db").exists() and Path("source", ASSIGNMENT).is_dir()):
        sys.exit("There is no gradebook here: run make student once, in the folder of the project.")
    if asked.points:
        give_points(asked.points)
        return
    found = sorted(path.parent.name for path in Path("submitted").glob(f"*/{ASSIGNMENT}"))
    students = list(dict.fromkeys(asked.students or found))
    if missing := set(students) - set(found):
        sys.exit(f"Not in submitted/: {', '.join(sorted(missing))}")
    if not students:
        sys.exit(f"There is no submission: put each one into submitted/NAME/{ASSIGNMENT}/.")
    todo = students if asked.again else [student for student in students if not graded(student)]
    limits = Limits(asked.minutes, asked.memory, asked.processes, asked.disk)
    try:
        failed = grade_all(todo, max(1, asked.workers), limits)
    except KeyboardInterrupt:
        sys.exit("Stopped. What was graded is in gradebook.db; the next call grades the rest.")
    print(f"{len(todo) - len(failed)} graded now, {len(students) - len(todo)} before.")
    for student, reason in sorted(failed.items()):
        print(f"  {student}: NOT GRADED: {reason}. Log: {OWN / student}.log")
    tell(students)
    sys.exit(bool(failed))


def graded(student: str) -> bool:
    """Whether what lies in submitted/ was graded already, and its points are in gradebook.db."""
    if (OWN / f"{student}.db").exists():  # a call before was stopped, or could not grade it
        return False
    done = Path("autograded", student, ASSIGNMENT, f"{ASSIGNMENT}.ipynb")
    handed_in = Path("submitted", student, ASSIGNMENT, f"{ASSIGNMENT}.ipynb")
    return done.exists() and (not handed_in.exists() or done.stat().st_mtime > handed_in.stat().st_mtime)


def grade_all(students: Sequence[str], workers: int, limits: Limits) -> dict[str, str]:
    """Grade these, several at once; returns who could not be graded, and why.

    One thread starts, watches and ends them all. A process of multiprocessing can't be watched from one thread while
    another starts the next: both may read its exit code, and the one that comes late takes it for 255.
    """
    if not students:
        return {}
    draw_missing(PICTURES, Catalogue(PHOTOS).entries, workers, lambda done, total: None)
    if PROCESSES.get_start_method() == "forkserver":
        from multiprocessing import forkserver

        PROCESSES.set_forkserver_preload(IMPORTED)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is for this program alone
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, before)
    OWN.mkdir(exist_ok=True)
    for student in students:  # all before the first one is graded: nobody may copy while points are merged into it
        shutil.copy("gradebook.db", OWN / f"{student}.db")
    waiting, failed = list(reversed(students)), {}
    running: list[Run] = []
    again: list[str] = []
    with progress_line(len(students), "Grading", unit=" submissions") as line:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(Run(waiting.pop()))
                wait([run.process.sentinel for run in running], timeout=0.5)  # to look takes time of the CPU, too
                for run in list(running):
                    reason = run.over(limits)
                    if not reason and run.process.is_alive():
                        continue
                    run.end()
                    running.remove(run)
                    if run.process.exitcode and not reason and run.without_ports() and run.student not in again:
                        again.append(run.student)
                        waiting.append(run.student)
                        continue
                    if reason := reason or ("nbgrader failed" if run.process.exitcode else merge(run.student)):
                        failed[run.student] = reason
                        shutil.rmtree(run.folder / ASSIGNMENT, ignore_errors=True)
                    else:
                        for kept in ("db", "log"):
                            (OWN / f"{run.student}.{kept}").unlink()
                    line.update()
        finally:
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would leave some of them
            for run in running:
                run.end()
            signal.signal(signal.SIGINT, before)
    return failed


class Run:
    """nbgrader with one submission: its process, and all that this starts."""

    def __init__(self, student: str) -> None:
        self.student, self.folder, self.began = student, Path("autograded", student), time.monotonic()
        self.process = PROCESSES.Process(target=_autograde, args=(student,))
        self.process.start()
        self.seen: dict[psutil.Process, None] = {}  # in their order: the first one is nbgrader
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended already
            self.seen[psutil.Process(self.process.pid)] = None

    def over(self, limits: Limits) -> str:
        """Which limit it is over, or ""."""
        self._look(list(self.seen)[:1])
        there = [one for one in self.seen if one.is_running()]
        if time.monotonic() - self.began > 60 * limits.minutes:
            return f"it took more than {limits.minutes:g} minutes"
        if sum(map(_memory, there)) / 1e6 > limits.memory:
            return f"it took more than {limits.memory:g} MB of memory"
        if len(there) > limits.processes:
            return f"it started more than {limits.processes:g} processes"
        if _size(self.folder) / 1e6 > limits.disk:
            return f"it wrote more than {limits.disk:g} MB"
        return ""

    def without_ports(self) -> bool:
        """Whether the kernel did not start: Jupyter found free ports for it, and another program was faster."""
        with contextlib.suppress(OSError):  # it ended before there was a log
            log = (OWN / f"{self.student}.log").read_text(encoding="utf-8", errors="replace")
            return "Kernel died before replying" in log
        return False

    def end(self) -> None:
        """End all that is left of it, and what that starts while it is being ended."""
        for _ in range(50):
            self._look(list(self.seen))
            alive = [one for one in self.seen if one.is_running() and _status(one) != psutil.STATUS_ZOMBIE]
            if not alive:
                break
            for one in alive[1:] or alive:  # nbgrader last: what is left by the others becomes its own
                with contextlib.suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(alive, timeout=0.2)
        self.process.join()

    def _look(self, parents: list[psutil.Process]) -> None:
        """See what these processes have started."""
        for one in parents:
            with contextlib.suppress(psutil.Error):
                self.seen |= dict.fromkeys(one.children(recursive=True) if one.is_running() else ())


def _autograde(student: str) -> None:
    """In a process of its own: `nbgrader autograde`, whose words go into a log."""
    from nbgrader.apps import NbGraderApp

    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is for this program, not for nbgrader
    end_with_parent()
    with contextlib.suppress(AttributeError, TypeError, OSError):  # Linux: what a submission leaves stays in sight
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with (OWN / f"{student}.log").open("wb") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    own = f"sqlite:///{(OWN / f'{student}.db').resolve()}"
    arguments = ["autograde", ASSIGNMENT, f"--student={student}", "--force", f"--CourseDirectory.db_url={own}"]
    try:
        NbGraderApp.launch_instance(arguments)
    finally:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()


def _memory(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def _status(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.status()
    return psutil.STATUS_ZOMBIE


def _size(folder: Path) -> int:
    """Bytes in a folder, which changes meanwhile."""
    found = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                file = os.lstat(os.path.join(where, name))  # noqa: PTH118 - thousands, several times a second
                found += file.st_size // max(1, file.st_nlink)  # a rehearsal has many names for one file
    return found


def merge(student: str) -> str:
    """Take what nbgrader gave to one submission into gradebook.db; points given by people stay. Why not, or ""."""
    from nbgrader.api import Gradebook, MissingEntry

    warnings.filterwarnings("ignore", module="nbgrader")  # SQLAlchemy's, of how nbgrader adds a submission
    try:
        with Gradebook(f"sqlite:///{OWN / student}.db") as own, Gradebook("sqlite:///gradebook.db") as book:
            given = own.find_submission(ASSIGNMENT, student)
            book.update_or_create_student(student)
            book.update_or_create_submission(ASSIGNMENT, student, timestamp=given.timestamp)
            for notebook in given.notebooks:
                for grade in notebook.grades:
                    kept = book.find_grade(grade.name, notebook.name, ASSIGNMENT, student)
                    kept.auto_score = grade.auto_score
                    kept.needs_manual_grade = grade.needs_manual_grade
                for comment in notebook.comments:
                    kept = book.find_comment(comment.name, notebook.name, ASSIGNMENT, student)
                    kept.auto_comment = comment.auto_comment
            book.db.commit()
    except MissingEntry:
        return "nbgrader wrote no points"
    return ""


def give_points(path: Path) -> None:
    """Points and remarks that people gave in the class report, into gradebook.db."""
    from nbgrader.api import Gradebook, MissingEntry

    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
        given = [
            (row["student"], row["question"], float(row["points"]) if row["points"] else None, _plain(row["remark"]))
            for row in rows
        ]
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as problem:
        sys.exit(f"{path} is not a table of the class report: {type(problem).__name__}. Nothing was changed.")
    with Gradebook("sqlite:///gradebook.db") as book:
        for student, question, points, remark in given:
            try:
                grade = book.find_grade(question, ASSIGNMENT, ASSIGNMENT, student)
                comment = book.find_comment(question, ASSIGNMENT, ASSIGNMENT, student)
            except MissingEntry:
                print(f"  {student}, {question}: not in the gradebook")
                continue
            if points is not None and not 0 <= points <= grade.max_score:
                print(
                    f"  {student}, {question}: {points:g} is more than the {grade.max_score:g} points that it is worth"
                )
                continue
            if points is not None:  # a remark alone leaves the answer unread
                grade.manual_score, grade.needs_manual_grade = points, False
            comment.manual_comment = remark or None
        book.db.commit()
        tell(sorted({one[0] for one in given}))


def _plain(remark: str | None) -> str:
    """Without the apostrophe that keeps spreadsheets from taking it for a formula; None: the row ends before it."""
    remark = remark or ""
    return remark[1:] if remark[:1] == "'" and remark[1:2] in tuple("=+-@\t\r") else remark


def tell(students: Iterable[str]) -> None:
    """The points of the program, and which answers nobody has read yet."""
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook("sqlite:///gradebook.db") as book:
        for student in students:
            with contextlib.suppress(MissingEntry):
                given = book.find_submission(ASSIGNMENT, student)
                grades = [grade for notebook in given.notebooks for grade in notebook.grades]
                unread = sorted(grade.name for grade in grades if grade.needs_manual_grade)
                rest = f"; not read yet: {', '.join(unread)}" if unread else ""
                print(f"  {student}: {given.score:g} of {given.max_score:g} points{rest}")


if __name__ == "__main__":
    main()
