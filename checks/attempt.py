"""One watched call of a student's function, and all that was seen of it. What it means is said in judge.py."""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import os
import signal
import threading
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from checks import watch
from checks.conductor import Conductor
from kit import journal
from kit.errors import WorkerLost
from kit.files import CACHE
from kit.runs import Run, timed_run, whole_microseconds

KEPT = {"download": Path("images"), "resize": Path("thumbnails")}  # where the files of the serial run are
SETTLE = 30  # seconds without anything new after which a thread or process that outlives the function is not waited for

_numbers = itertools.count(1)  # of the attempts


class Attempt:
    def __init__(self, function: Callable, task: str, items: Sequence, arguments: tuple, rehearsal: dict | None = None):
        self.call, self.items, self.arguments = function, items, arguments
        self.rehearsal = rehearsal  # what a Conductor is told, if nothing is really to be done
        self.task, self.name = (task, f"{task}_parallel")  # a lambda or a decorated function has another name
        self.folder = CACHE / "runs" / str(os.getpid()) / f"{self.name}-{next(_numbers)}"
        for old in self.folder.parent.glob(f"{self.name}-*"):
            _end(old)
        self.error: BaseException | None = None
        self.result: object = None
        self.unread: list[BaseException] = []  # exceptions inside of workers
        self.complaints: list[str] = []  # last lines of what worker processes wrote to standard error
        self.started: list = []  # workers that the function started
        self.never_awaited: list[str] = []  # coroutines that were made in a rehearsal
        self.raised: list[str] = []  # exceptions with which calls of the one-item function stopped
        self.lost: list[str] = []  # files of the serial runs that are gone or have another size
        self.sent: dict[str, int] | None = None  # how often the server sent each photo, if it tells
        self.gave_up = ""
        self.returned = 0.0  # when the function did, in seconds on journal.clock
        self.run: Run | None = None
        self.late: tuple = ()  # what finished only after the function had returned

    def carry_out(self) -> None:
        before = set(threading.enumerate()), set(multiprocessing.active_children())

        kept = _sizes()

        def remembering(items: Sequence, folder: Path, *arguments: object) -> None:
            with contextlib.ExitStack() as stack:
                if self.rehearsal:
                    stack.enter_context(watch.without_sleep(getattr(plain_function(self.call), "__globals__", {})))
                    stack.enter_context(watch.noting_coroutines(self.never_awaited))
                    stack.enter_context(Conductor(folder / journal.JOURNAL, len(items), **self.rehearsal))
                stack.enter_context(watch.noting_workers(self.started))
                self.result = self.call(items, folder, *arguments)
                self.returned = journal.clock()  # before the item that is held is let go

        with watch.noting_exceptions(self.unread), watch.noting_complaints(self.complaints):
            self.gave_up = self.watched(remembering)
        after = _sizes()
        self.lost = [path for path, size in kept.items() if after.get(path) != size]
        if self.run:
            self._settle(*before)
            everything = whole_microseconds(journal.read(self.folder), self.run.started)
            self.late = tuple(outcome for outcome in everything if outcome.finished > self.returned)
            in_time = tuple(outcome for outcome in everything if outcome.finished <= self.returned)
            self.run = replace(self.run, outcomes=in_time)
            self.raised = journal.raised(self.folder)

    @property
    def crashed(self) -> list[int]:
        """Exit codes of worker processes that ended with an error."""
        return [code for code in map(watch.exit_code, self.started) if code not in (0, -signal.SIGTERM)]

    @property
    def ended_early(self) -> list[int]:
        """Those of worker processes that were ended from outside, such as by the end of their Pool."""
        return [code for code in map(watch.exit_code, self.started) if code == -signal.SIGTERM]

    def watched(self, function: Callable) -> str:
        """Run the function with the clock on; returns why it was given up, if it was."""
        function.__name__ = self.folder.name
        guard = watch.Watch(self.folder / journal.JOURNAL, self.unread, len(self.items))
        try:
            with guard:
                try:
                    self.run = timed_run(function, self.items, *self.arguments)
                except KeyboardInterrupt:  # no trouble of the function: whose it is, is asked below
                    raise
                except WorkerLost as problem:
                    self.error = problem.__cause__
                except BaseException as problem:  # noqa: BLE001 - whatever it raises is explained, SystemExit too
                    self.error = problem
        except KeyboardInterrupt:  # the watch sends more than one: the last may come after the function's end
            if not guard.gave_up:  # it was the student who interrupted
                raise
        return guard.gave_up

    def _settle(self, threads: set, processes: set) -> None:
        """Wait until work that outlives the function has ended, if there is any."""
        folder, size, quiet = self.folder / journal.JOURNAL, -1, time.monotonic()
        while len(journal.read(self.folder)) < len(self.items):
            grown = watch.size_of(folder)
            if grown != size:
                size, quiet = grown, time.monotonic()
            alive = (set(threading.enumerate()) - threads) | (set(multiprocessing.active_children()) - processes)
            if time.monotonic() - quiet > (SETTLE if alive else 1):
                break
            time.sleep(0.1)


def _end(old: Path) -> None:
    """Let work that an attempt before left behind begin nothing more, and delete what it has made.

    The folder of its journal stays: without one, it would be noted in the journal of the attempt that runs now.
    """
    journal.stop(old)
    with contextlib.suppress(OSError):
        for path in (*old.iterdir(), *(old / journal.JOURNAL).iterdir()):
            if path.is_file():
                path.unlink()


def plain_function(function: Callable) -> Callable:
    """The plain function inside of a partial, or of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if hasattr(function, "__globals__") else type(function).__call__


def _sizes() -> dict[str, int]:
    """Size of every file of the serial runs: a student's function should leave them alone."""
    sizes: dict[str, int] = {}
    for folder in KEPT.values():
        with contextlib.suppress(OSError):
            sizes |= {entry.path: entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()}
    return sizes


def is_empty(function: Callable) -> bool:
    """Whether the body does nothing: only a docstring, `pass`, `...` or `raise NotImplementedError`."""
    code = getattr(plain_function(function), "__code__", None)
    if code is None or any(isinstance(const, types.CodeType) for const in code.co_consts):
        return False
    return set(code.co_names) <= {"NotImplementedError"} and not code.co_freevars
