"""A timed run of a whole stage, and the proof that two runs did equal work. How items are done is not known here."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from kit import journal
from kit.display import progress_line, quiet
from kit.errors import FileProblem, UnequalWork, WorkerLost, interruptible
from kit.files import CACHE, digests, move, on_disk
from kit.items import Outcome, Photo, Status
from kit.machine import cpu_of_others, deaf_workers
from kit.predictions import Prediction, predicted


@dataclass(frozen=True)
class Run:
    """One timed run of one stage.

    Attributes:
        task: "download" or "resize".
        items: ids of photos or paths of images, as many as there were to be done.
        wall: wall time in seconds, from the call to the return, start-up of a pool included.
        started: when it began, in seconds on time.perf_counter.
        caller: process id and thread id of the notebook itself.
        outcomes: what the workers noted, in the order in which they finished.
        files: SHA-256 of every file in the run's folder, by name.
        prediction: the speed-up that was expected when it began.
        others: seconds of CPU time that other programs took meanwhile; None where the system does not tell.
    """

    task: str
    items: tuple[str, ...] = field(repr=False)
    wall: float
    started: float
    caller: str
    outcomes: tuple[Outcome, ...] = field(repr=False)
    files: dict[str, str] = field(repr=False)
    folder: Path = field(repr=False)
    prediction: Prediction | None = None
    others: float | None = None

    @property
    def workers(self) -> int:
        """How many threads or processes did the work."""
        return len({outcome.worker for outcome in self.outcomes})

    @property
    def mode(self) -> str:
        """serial, threads, processes or coroutines: read from who did the work, not from what was meant."""
        if self.workers == 1 and self.peak > 1:
            return "coroutines"
        if {outcome.worker for outcome in self.outcomes} <= {self.caller}:
            return "serial"
        here = self.caller.split("-")[0]
        return "threads" if all(outcome.worker.split("-")[0] == here for outcome in self.outcomes) else "processes"

    @property
    def done(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status is Status.DONE]

    @property
    def gone(self) -> set[str]:
        """Ids of the photos that their host knows no more."""
        return {outcome.item for outcome in self.outcomes if outcome.status is Status.GONE}

    @property
    def throughput(self) -> float:
        """Items per second of wall time."""
        return len(self.done) / self.wall

    @property
    def overlap(self) -> float:
        """Sum of the items' own times over the wall time: how many were in work at once, on average."""
        return sum(outcome.finished - outcome.started for outcome in self.outcomes) / self.wall

    @property
    def start_up(self) -> float:
        """Seconds until the first item was begun: what it takes to start the workers."""
        return min((outcome.started for outcome in self.outcomes), default=self.started) - self.started

    @property
    def peak(self) -> int:
        """The most items that were in work at the same moment."""
        edges = sorted([(o.started, 1) for o in self.outcomes] + [(o.finished, -1) for o in self.outcomes])
        return max(itertools.accumulate((step for _, step in edges), initial=0))

    @property
    def waited(self) -> float:
        """Seconds for which the items waited for their first byte, all workers together."""
        return sum(outcome.waited for outcome in self.outcomes)

    @property
    def cpu(self) -> float:
        """Seconds for which the items kept a CPU busy, all workers together."""
        return sum(outcome.cpu for outcome in self.outcomes)

    @property
    def busy(self) -> float:
        """Share (0..1) of the items' own time in which they computed. Waiting for a CPU is neither this nor waiting."""
        own = sum(outcome.finished - outcome.started - outcome.queued for outcome in self.outcomes)
        return self.cpu / own if own > 0 else 0.0

    @property
    def crowded(self) -> float:
        """Share (0..1) of the items' own time in which they could have gone on and waited for a CPU."""
        own = sum(outcome.finished - outcome.started for outcome in self.outcomes)
        return sum(outcome.queued for outcome in self.outcomes) / own if own > 0 else 0.0

    def label(self) -> str:
        """ "serial", "1 thread", "2 processes", ..."""
        if self.mode in ("serial", "coroutines"):
            return self.mode
        one = {"threads": "thread", "processes": "process"}[self.mode]
        return f"1 {one}" if self.workers == 1 else f"{self.workers} {self.mode}"

    def sentence(self) -> str:
        """What was done, for the line below the progress bar."""
        megabytes = sum(outcome.bytes for outcome in self.done) / 1e6
        text = (
            f"{self.task.capitalize()}, {self.label()}: {len(self.done):,} of {len(self.items) - len(self.gone):,} "
            f"photos, {megabytes:,.1f} MB in {self.wall:.1f} s ({self.throughput:.1f} photos/s)."
        )
        if self.gone:
            text += f" {len(self.gone):,} more are gone: their host knows them no longer."
        found = problems(self)
        return f"{text} This run does not count: {'; '.join(found)}." if found else text

    def row(self) -> dict[str, object]:
        """The run as one row of a table: MB are 10^6 bytes, times are seconds."""
        return {
            "stage": self.task,
            "mode": self.mode,
            "workers": self.workers,
            "photos": len(self.done),
            "MB written": round(sum(outcome.bytes for outcome in self.done) / 1e6, 1),
            "wall time (s)": round(self.wall, 2),
            "photos/s": round(self.throughput, 1),
            "CPU time (s)": round(self.cpu, 2),
            "in work at once": round(self.overlap, 2),
            "peak": self.peak,
            "retries": sum(outcome.tries - 1 for outcome in self.outcomes if outcome.tries),
        }

    def slowest(self, number: int = 5) -> list[dict[str, object]]:
        """The items that took longest, with their times in seconds."""
        longest = sorted(self.outcomes, key=lambda outcome: outcome.started - outcome.finished)[:number]
        return [
            {
                "photo": os.path.basename(outcome.item),
                "took (s)": round(outcome.finished - outcome.started, 3),
                "waited for the first byte (s)": round(outcome.waited, 3),
            }
            for outcome in longest
        ]

    def discard(self) -> None:
        """Delete the run's files; its records and digests stay."""
        shutil.rmtree(self.folder, ignore_errors=True)


def timed_run(function: Callable, items: Sequence[Photo | Path], *arguments: object) -> Run:
    """Call `function(items, folder, *arguments)` with an empty folder, and measure it.

    The name of the function begins with the stage: download_serial, resize_parallel, ...

    Raises:
        FileProblem: the run's folder can't be written.
        Interrupted: after an interrupt; all workers have stopped, and the text says what was done until then.
        WorkerLost: a worker process of an executor was killed or could not start; its cause is the BrokenProcessPool.
    """
    task, _, _ = function.__name__.partition("_")
    with _interruptible(task) as folders:
        folders.append(folder := _empty(function.__name__))
        own, expected = list(items), predicted(task)  # a function may empty its list
        before = cpu_of_others()
        started, wall = _timed(function, task, folders, own, folder, *arguments)
        others = None if before is None else max(0.0, (cpu_of_others() or 0) - before)
        run = _run_of(task, tuple(map(journal.name_of, items)), wall, started, folder)
        return replace(run, prediction=expected, others=others)


def timed_pipeline(function: Callable, photos: Sequence[Photo], *arguments: object) -> tuple[Run, Run]:
    """Call `function(photos, images_folder, thumbnails_folder, *arguments)` with empty folders, and measure it.

    Returns:
        What happened in the download, and in the resize. The wall time of both is that of the whole.

    Raises:
        As timed_run does.
    """
    with _interruptible("pipeline") as folders:
        images, thumbnails = (_empty(f"{function.__name__}_{task}") for task in ("download", "resize"))
        folders += images, thumbnails
        started, wall = _timed(function, "pipeline", folders, list(photos), images, thumbnails, *arguments)
        download = _run_of("download", tuple(photo.id for photo in photos), wall, started, images)
        paths = tuple(os.path.join(images, f"{photo.id}.jpg") for photo in photos if photo.id not in download.gone)
        return download, _run_of("resize", paths, wall, started, thumbnails)


def _run_of(task: str, items: tuple[str, ...], wall: float, started: float, folder: Path) -> Run:
    with on_disk("The run"):
        outcomes = whole_microseconds(journal.read(folder), started)
        wall = round(wall, 6)
        return Run(task, items, wall, started, journal.worker(), outcomes, digests(folder), folder)


def whole_microseconds(outcomes: Sequence[Outcome], started: float) -> tuple[Outcome, ...]:
    """With times as a notebook saves them (evidence.py), so that all that is computed again comes out the same."""

    def whole(outcome: Outcome) -> Outcome:
        times = {name: started + round(getattr(outcome, name) - started, 6) for name in ("started", "finished")}
        return replace(outcome, **times, **{n: round(getattr(outcome, n), 6) for n in ("waited", "cpu", "queued")})

    return tuple(map(whole, outcomes))


@contextlib.contextmanager
def _interruptible(task: str) -> Iterator[list[Path]]:
    """Turn an interrupt inside into a sentence that says what is done in the folders of the list that it gives."""
    folders: list[Path] = []
    started = journal.clock()

    def so_far() -> str:
        seconds, done = journal.clock() - started, 0
        for folder in folders:
            with contextlib.suppress(OSError):  # the function may have deleted it
                done += sum(outcome.status is Status.DONE for outcome in journal.read(folder))
        return (
            f"{task}, {done:,} photos were done in {seconds:.1f} s. A timed run begins with an empty folder: run this "
            "cell again."
        )

    with interruptible(so_far):
        yield folders


def _timed(function: Callable, task: str, folders: Sequence[Path], *arguments: object) -> tuple[float, float]:
    """Call the function with the clock on. Returns when it began (seconds on time.perf_counter) and its wall time."""
    folders = [folder.absolute() for folder in folders]
    if len(folders) == 1:
        os.environ[journal.JOURNAL_VARIABLE] = str(folders[0] / journal.JOURNAL)
    here = Path.cwd()  # a function may change the directory: not the notebook's
    started = journal.clock()
    try:
        with _stopping(folders):
            function(*arguments)
        return started, journal.clock() - started
    except BrokenProcessPool as problem:
        raise WorkerLost(
            f"{task}: a worker process ended unexpectedly. Either memory ran out: take fewer workers. Or it can't "
            "import what it was sent: send a function of helpers.py, none of this notebook. Then run this cell again."
        ) from problem
    finally:
        os.environ.pop(journal.JOURNAL_VARIABLE, None)
        os.chdir(here)


@contextlib.contextmanager
def _stopping(folders: Sequence[Path]) -> Iterator[None]:
    """At an interrupt (Ctrl-C, or the notebook's stop button), tell all workers to stop.

    Otherwise the end of an executor's `with` block would wait until the whole queue is done. Workers look for the file
    STOP before each item, in whatever process they are; what is under way ends by itself, at a time-out at the latest.
    Threads that nobody joins are waited for: in the next run they would go on with what is left of their queue.
    """
    if threading.current_thread() is not threading.main_thread():  # only there a signal can be handled
        yield
        return
    before, unraisable = signal.getsignal(signal.SIGINT), sys.unraisablehook
    interrupts: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        for folder in folders:
            journal.stop(folder)
        journal.stopping.set()  # ends pauses; whoever wakes up must find STOP
        interrupts.append(number)
        if len(interrupts) > 1 or not _in_a_pool(frame):  # else the function goes on, and has little left to do
            (before if callable(before) else signal.default_int_handler)(number, frame)

    def lost(problem: sys.UnraisableHookArgs) -> None:
        if not issubclass(problem.exc_type, KeyboardInterrupt):
            unraisable(problem)

    signal.signal(signal.SIGINT, stop)
    sys.unraisablehook = lost  # Python prints an interrupt that falls into a callback, and goes on
    try:
        with deaf_workers():
            try:
                yield
            finally:
                if journal.stopping.is_set():
                    raise KeyboardInterrupt
    finally:
        sys.unraisablehook = unraisable
        signal.signal(signal.SIGINT, before)
        try:
            while journal.stopping.is_set() and journal.under_way:
                time.sleep(0.02)
        finally:
            journal.stopping.clear()


def _in_a_pool(frame: FrameType | None) -> bool:
    """Whether an interrupt here could leave a pool with a lock that nobody gives back, or with workers that never end.

    as_completed() takes the locks of all futures one after the other, and no `finally` gives them back; a thread that
    is joined counts as ended if its join() is interrupted; a Pool that is terminated at work may wait for ever; the
    tracker of multiprocessing, interrupted while it starts, ends unnoticed.
    """
    while frame and frame.f_globals is not globals():
        if str(frame.f_globals.get("__name__", "")).startswith(("concurrent.futures", "multiprocessing")):
            return True
        frame = frame.f_back  # it may be in a module that a pool calls: threading, signal, ...
    return False


def _empty(name: str) -> Path:
    """An empty folder for a timed run, with the journal in it; another notebook in the same folder has its own."""
    folder = CACHE / "runs" / str(os.getpid()) / name
    with on_disk("The run"):
        if folder.exists():
            shutil.rmtree(folder)
        (folder / journal.JOURNAL).mkdir(parents=True)
    return folder


def problems(run: Run) -> list[str]:
    """Why the time of this run does not count; an empty list if it does."""
    found = []
    asked, noted = (Counter(map(same_item, run.items)), Counter(same_item(outcome.item) for outcome in run.outcomes))
    missing, surplus = asked - noted, noted - asked
    late = [outcome for outcome in run.outcomes if outcome.finished > run.started + run.wall]
    failed = [outcome for outcome in run.outcomes if outcome.status is Status.FAILED]
    skipped = [outcome for outcome in run.outcomes if outcome.status is Status.SKIPPED]
    strayed = [o for o in run.done if same_item(os.path.dirname(o.path)) != same_item(os.fspath(run.folder))]
    if failed:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in Counter(o.error for o in failed).most_common(3))
        found.append(f"{len(failed):,} of {len(run.items):,} items failed: {reasons}")
    if missing:
        found.append(f"{missing.total():,} of {len(run.items):,} items were never done")
    if surplus:
        found.append(f"{surplus.total():,} items were done more than once, or were not on the list")
    if late:
        found.append(f"{len(late):,} items were finished after the clock had stopped")
    if strayed:
        found.append(f"{len(strayed):,} files were written to another folder than the one that was given")
    if skipped:
        found.append(f"{len(skipped):,} items were skipped because their file was there already")
    if 2 * len(run.gone) > len(run.items):
        found.append(f"{len(run.gone):,} of {len(run.items):,} photos are gone, so their addresses must be wrong")
    if not found and len(run.files) != len(run.items) - len(run.gone):
        found.append(f"{len(run.files):,} files stand in the folder, not {len(run.items) - len(run.gone):,}")
    return found


def same_item(name: str) -> str:
    """One spelling for each item: paths may be relative or absolute; an id stays as it is."""
    return os.path.normcase(os.path.abspath(name)) if os.path.dirname(name) else name


def compare(baseline: Run, other: Run) -> float:
    """Speed-up: the baseline's wall time divided by the other run's. Both must have done equal work.

    Raises:
        UnequalWork: the runs differ in stage, items, files or bytes, or one of them has failures.
    """
    for run in (baseline, other):
        if found := problems(run):
            raise UnequalWork(f"The {run.mode} {run.task} does not count: {'; '.join(found)}.")
    if baseline.task != other.task:
        raise UnequalWork(f"The two runs were of different stages: {baseline.task} and {other.task}.")
    if Counter(map(same_item, baseline.items)) != Counter(map(same_item, other.items)):
        raise UnequalWork("The two runs had different items to do.")
    if baseline.gone != other.gone:
        raise UnequalWork("Photos that one run got were gone in the other. Run both again.")
    if different := sum(baseline.files[name] != other.files.get(name) for name in baseline.files):
        raise UnequalWork(f"{different:,} files of the {other.mode} run differ from those of the {baseline.mode} run.")
    return baseline.wall / other.wall


def sweep(
    functions: Sequence[Callable],
    items: Sequence[Photo | Path],
    counts: Sequence[int],
    *arguments: object,
    repetitions: int = 3,
    once: int = 0,
) -> list[tuple[int, Run]]:
    """Timed runs with each number of workers, in alternation, so that a disturbance does not hit one alone.

    Args:
        counts: numbers of workers.
        arguments: what each function gets between the folder and the number of workers.
        once: up to this number of workers, which take longest, one repetition must do.

    Returns:
        (number of workers, Run), all proved to be of equal work, or UnequalWork is raised; their files are deleted.
    """
    runs: list[tuple[int, Run]] = []
    plan = [
        (function, count)
        for repetition in range(repetitions)
        for function in functions
        for count in counts
        if repetition == 0 or count > once
    ]
    with progress_line(len(plan), f"Measuring {len(items)} items", unit=" runs") as line, quiet():
        for function, count in plan:
            run = timed_run(function, items, *arguments, count)
            compare(runs[0][1] if runs else run, run)
            run.discard()
            runs.append((count, run))
            line.update()
    return runs


def keep(run: Run, folder: Path | str) -> list[Path]:
    """Move the files of a run to their place, for example `images/`; returns their paths, sorted by name.

    Other files in the folder stay; a file of the same name is replaced.

    Raises:
        FileProblem: there is none; or one can't be moved, and it and those after it are still in the run's folder.
    """
    if not run.files:
        why = "; ".join(problems(run)) or "there was nothing to do"
        raise FileProblem(f"No file came of this {run.task}: {why}. Mend that, and run this cell again.")
    folder = Path(folder)
    with on_disk("Keeping the files"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in run.files:
            if (run.folder / name).exists() or not (folder / name).exists():  # else moved before: a cell ran twice
                move(run.folder / name, folder / name)
    run.discard()
    return [folder / name for name in run.files]
