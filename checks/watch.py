"""What has to reach into the standard library to see what a student's function does, and to end what never ends.

All private names of other modules that this project uses stand here. What it means is said in judge.py.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import multiprocessing
import multiprocessing.pool
import multiprocessing.process
import os
import pickle
import re
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from kit.journal import under_way

STALL = 120  # seconds without any finished item after which a run is given up: far beyond all time-outs
MOST = 20_000  # bytes that an item may add to the journal, about 50 calls


class Watch:
    """Ends a call that can never end: a Pool whose workers die again and again, or one that is stuck."""

    def __init__(self, journal: Path, unread: list[BaseException], items: int):
        self.journal, self.unread, self.gave_up = journal, unread, ""
        self.most = MOST * (items + 10)
        self.ended = threading.Event()
        self.before = set(multiprocessing.active_children())
        self.died: set[str] = set()  # names of a Pool's workers that ended with an error
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        join_exited = multiprocessing.pool.Pool._join_exited_workers

        def noting(workers: list) -> bool:
            self.died |= {w.name for w in workers if w.exitcode not in (None, 0, -signal.SIGTERM)}
            return join_exited(workers)

        self.undo = lambda: setattr(multiprocessing.pool.Pool, "_join_exited_workers", staticmethod(join_exited))
        multiprocessing.pool.Pool._join_exited_workers = staticmethod(noting)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.undo()
        self.thread.join()

    def _watch(self) -> None:
        size, changed = -1, time.monotonic()
        while not self.ended.wait(0.1):
            if (now := size_of(self.journal)) != size:
                size, changed = now, time.monotonic()
            # A Pool replaces a worker that died, but waits for ever for the task which that one had.
            if self.died and time.monotonic() - changed > 1:
                self._give_up(f"{len(self.died)} workers of the Pool died, and a Pool waits for their tasks for ever.")
            elif time.monotonic() - changed > 5 and any(map(cannot_travel, list(self.unread))):
                self._give_up(
                    "The executor is stuck after a task that could not be sent."
                )  # some versions of Python are
            elif size > self.most:
                self._give_up("The same items were done again and again: a loop does not end.")
            elif time.monotonic() - changed > STALL:
                self._give_up(f"No item was finished for {STALL} seconds: your function is stuck.")

    def _give_up(self, reason: str) -> None:
        self.gave_up = reason
        for thing in gc.get_objects():
            if isinstance(thing, multiprocessing.pool.Pool) and not isinstance(thing, multiprocessing.pool.ThreadPool):
                thing._terminate()  # ends the workers and the thread that replaces them
        while not self.ended.is_set():  # once is not enough: the end of a `with` block waits again
            self._interrupt()
            for process in set(multiprocessing.active_children()) - self.before:
                process.terminate()
            self.ended.wait(2)

    @staticmethod
    def _interrupt() -> None:
        """Wake the main thread, whatever it waits for."""
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            return
        for thing in gc.get_objects():  # on Windows, no signal wakes who waits for a lock, so what it waits for ends
            if isinstance(thing, multiprocessing.pool.Pool):
                for result in list(thing._cache.values()):
                    for _ in range(max(1, getattr(result, "_number_left", 1))):  # chunks of a map
                        result._set(getattr(result, "_index", 0), (False, KeyboardInterrupt()))
            elif isinstance(thing, concurrent.futures.ProcessPoolExecutor):
                for item in list((thing._pending_work_items or {}).values()):
                    with contextlib.suppress(concurrent.futures.InvalidStateError):
                        item.future.set_exception(KeyboardInterrupt())
        signal.raise_signal(signal.SIGINT)  # wakes time.sleep there


@contextlib.contextmanager
def without_sleep(names: dict[str, object]) -> Iterator[None]:
    """In this thread time.sleep takes 10 ms at most: it is no way to wait for work, however long it takes.

    Args:
        names: the variables of the module in which the function stands, which may have imported it by name.
    """
    sleep, caller = time.sleep, threading.get_ident()

    def short(seconds: float) -> None:
        outside = threading.get_ident() == caller and caller not in under_way
        sleep(min(seconds, 0.01) if outside else seconds)

    imported = [name for name, value in names.items() if value is sleep]
    time.sleep = short
    names |= dict.fromkeys(imported, short)
    try:
        yield
    finally:
        time.sleep = sleep
        names |= dict.fromkeys(imported, sleep)


@contextlib.contextmanager
def noting_workers(started: list) -> Iterator[None]:
    """Note all processes and threads that are started inside."""
    kinds = (multiprocessing.process.BaseProcess, threading.Thread)
    starts = [kind.start for kind in kinds]

    def noting(start: Callable) -> Callable:
        def start_and_note(worker: object) -> None:
            started.append(worker)
            start(worker)

        return start_and_note

    for kind, start in zip(kinds, starts, strict=True):
        kind.start = noting(start)
    try:
        yield
    finally:
        for kind, start in zip(kinds, starts, strict=True):
            kind.start = start


def exit_code(worker: object) -> int:
    """That of a process which has ended, negative for a signal; 0 for all else."""
    with contextlib.suppress(AttributeError, ValueError, AssertionError):  # a thread; closed, or of another parent
        return worker.exitcode or 0
    return 0


@contextlib.contextmanager
def noting_coroutines(names: list[str]) -> Iterator[None]:
    """Note the coroutines that nobody awaits, in place of Python's warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        gc.collect()  # what an attempt before has left behind
        warnings.simplefilter("always")
        yield
    found = (re.match("coroutine '(.+)' was never awaited", str(warning.message)) for warning in told)
    names += [match[1] for match in found if match]


@contextlib.contextmanager
def noting_complaints(found: list[str]) -> Iterator[None]:
    """Keep what worker processes write to standard error out of the notebook: a wall of equal tracebacks."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said = re.sub(r"\x1b\[[\d;]*m", "", file.read().decode(errors="replace"))  # from Python 3.14 on in colours
            lines = [line.strip() for line in said.splitlines() if line.strip()]
            # the last line may be the middle of a traceback: the first death ends the other workers
            found += ([line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines)[-1:]


@contextlib.contextmanager
def noting_exceptions(found: list[BaseException]) -> Iterator[None]:
    """Note every exception that a future, a Pool's result or a thread holds, whether somebody reads it or not."""
    set_exception, hook = concurrent.futures.Future.set_exception, threading.excepthook
    results = (multiprocessing.pool.ApplyResult, multiprocessing.pool.MapResult)
    setters = [kind._set for kind in results]

    def noting_future(future: concurrent.futures.Future, problem: BaseException | None) -> None:
        if problem is not None and not isinstance(problem, KeyboardInterrupt):
            found.append(problem)
        set_exception(future, problem)

    def noting(setter: Callable) -> Callable:
        def noting_result(result: multiprocessing.pool.ApplyResult, i: int, outcome: tuple) -> None:
            if not outcome[0] and not isinstance(outcome[1], KeyboardInterrupt):
                found.append(outcome[1])
            setter(result, i, outcome)

        return noting_result

    concurrent.futures.Future.set_exception = noting_future
    for kind, setter in zip(results, setters, strict=True):
        kind._set = noting(setter)

    def noting_thread(problem: threading.ExceptHookArgs) -> None:
        # sys.exit() is a way to end a thread
        if problem.exc_value and not isinstance(problem.exc_value, SystemExit):
            found.append(problem.exc_value)

    threading.excepthook = noting_thread
    try:
        yield
    finally:
        concurrent.futures.Future.set_exception = set_exception
        for kind, setter in zip(results, setters, strict=True):
            kind._set = setter
        threading.excepthook = hook


def size_of(journal: Path) -> int:
    """Bytes that the workers have noted so far; -1 before the folder is there."""
    with contextlib.suppress(OSError):
        return sum(entry.stat().st_size for entry in os.scandir(journal) if entry.is_file())
    return -1


def cannot_travel(problem: BaseException | None) -> bool:
    """Whether this says that something can't be pickled; the words differ from one Python version to the next."""
    words = ("pickle", "get attribute", "get local object", "module '__main__' has no attribute")
    return isinstance(problem, pickle.PicklingError) or any(word in str(problem) for word in words)
