"""What one call of a one-item function did, noted by whoever did it. Nothing here knows how an item is done.

A timed run's folder holds the journal, a folder with one file for each worker. So it is known what every worker did,
whatever the student's function returns. An interrupt is told to all workers by a file there, too.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from kit.errors import FileProblem
from kit.items import Outcome, Photo, Status, failed
from kit.machine import end_with_parent, waited_before, waited_for_a_cpu
from kit.rehearsal import SCRIPT, STAGE, rehearse

JOURNAL = ".outcomes"  # folder inside of a timed run's folder: one file for each worker
JOURNAL_VARIABLE = "ASSIGNMENT_JOURNAL"  # the same for work that goes to another folder by mistake
STOP = os.path.join(STAGE, "stop")  # file inside of the journal: nothing more is begun
INTERRUPTED = "interrupted"
_RAISED = "raised-"  # begins the name of a file there: exceptions that a worker's calls stopped with
_LOST = "lost-"  # begins the name of an empty file there: a worker could not note an Outcome, for this reason (errno)

clock = time.perf_counter  # a function under test can't change it
stopping = threading.Event()  # set while an interrupt ends a timed run of this process
under_way: set[int] = set()  # threads of this process that work on an item
_own = threading.local()  # .journal: of the item that this thread works on; a worker may outlive the variable's run

Item = TypeVar("Item", bound=Photo | Path | str)
Rest = ParamSpec("Rest")


def recorded(
    function: Callable[Concatenate[Item, Path | str, Rest], Outcome],
) -> Callable[Concatenate[Item, Path | str, Rest], Outcome]:
    """Decorator of a function (item, folder, ...) -> Outcome: adds times and worker, and notes the Outcome.

    A worker process finds the decorated function by its module and name, as any other.
    """

    work: Callable[..., Outcome] = function
    parameters = inspect.signature(function)

    @functools.wraps(function)
    def recorded_function(*arguments: Any, **named: Any) -> Outcome:
        started, cpu, queued = clock(), time.thread_time(), waited_before()
        end_with_parent()
        try:
            item, folder, *rest = parameters.bind(*arguments, **named).arguments.values()
            under_way.add(threading.get_ident())
            # Few calls of the system: with many threads, each one is a turn with the GIL.
            _own.journal = journal = _journal_of(folder)
            if journal and os.path.exists(stage := os.path.join(journal, STAGE)):
                if os.path.exists(os.path.join(journal, STOP)):
                    return replace(failed(name_of(item), INTERRUPTED, tries=0), worker=worker())
                if os.path.exists(os.path.join(stage, SCRIPT)):
                    outcome = rehearse(stage, name_of(item), worker(), folder, rest)
                    return _note(outcome, journal, started)
            outcome = work(item, folder, *rest)
            return _note(outcome, journal, started, time.thread_time() - cpu, waited_for_a_cpu() - queued)
        except Exception as problem:  # a programming error, such as a missing argument: its caller may hide it
            if journal := os.environ.get(JOURNAL_VARIABLE, ""):
                with contextlib.suppress(OSError):
                    _append(journal, _RAISED + worker(), f"{type(problem).__name__}: {problem}".splitlines()[0][:200])
            raise
        finally:
            _own.journal = ""
            under_way.discard(threading.get_ident())

    return recorded_function


def note(outcome: Outcome, folder: Path | str, started: float) -> Outcome:
    """Complete an Outcome, which ends now, and write it into the journal of the timed run in `folder`, if there is one.

    Args:
        started: when the item was begun, in seconds on time.perf_counter.
    """
    return _note(outcome, _journal_of(folder), started)


def _note(outcome: Outcome, journal: str, started: float, cpu: float = 0.0, queued: float = 0.0) -> Outcome:
    finished = clock()
    queued = min(queued, max(0.0, finished - started - cpu))  # it may hold what came before the item
    outcome = replace(outcome, started=started, finished=finished, cpu=cpu, queued=queued, worker=worker())
    if not journal or outcome.error == INTERRUPTED:
        return outcome
    try:
        _append(journal, outcome.worker, json.dumps(vars(outcome)))
    except FileNotFoundError:
        pass  # the run is over, and its folder deleted
    except OSError as problem:
        with contextlib.suppress(OSError):
            Path(journal, f"{_LOST}{problem.errno}").touch()
    return outcome


def _append(journal: str, name: str, line: str) -> None:
    """Add a line to a file, by one call of the system: a kill leaves no part of it."""
    file = os.open(os.path.join(journal, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        data = (line + "\n").encode()
        if (written := os.write(file, data)) < len(data):  # a disk that gets full takes a part, without an error
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def raised(folder: Path) -> list[str]:
    """The exceptions with which calls of a one-item function stopped in a timed run, each in one line."""
    files = (folder / JOURNAL).glob(f"{_RAISED}*")
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def read(folder: Path) -> tuple[Outcome, ...]:
    """What the workers noted in a timed run's folder, in the order in which they finished.

    Raises:
        FileProblem: one of them could not note it.
    """
    outcomes = []
    for path in (folder / JOURNAL).iterdir():
        if path.is_dir() or path.name.startswith(_RAISED):
            continue
        if path.name.startswith(_LOST):
            reason = os.strerror(int(path.name.removeprefix(_LOST)))
            raise FileProblem(f"The records of this run could not be written: {reason}. Make room, and run it again.")
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                values = json.loads(line)
                same = {"status": Status(values["status"]), "worker": sys.intern(values["worker"])}
                outcomes.append(Outcome(**values | same))
    return tuple(sorted(outcomes, key=lambda outcome: outcome.finished))


def name_of(item: Photo | Path | str) -> str:
    """What an Outcome calls an item: a photo's id, or the path of an image file."""
    return item.id if isinstance(item, Photo) else os.fspath(item)


def worker() -> str:
    """Who runs this: process id and thread id."""
    return f"{os.getpid()}-{threading.get_native_id()}"


def stop(folder: Path) -> None:
    """Let all workers of the timed run in this folder begin nothing more."""
    with contextlib.suppress(OSError):
        order = folder / JOURNAL / STOP
        order.parent.mkdir(exist_ok=True)
        order.touch()


def interrupted() -> bool:
    """Whether the timed run in which this is called was interrupted, in this process or in the notebook's."""
    journal = getattr(_own, "journal", "") or os.environ.get(JOURNAL_VARIABLE, os.devnull)
    return stopping.is_set() or os.path.exists(os.path.join(journal, STOP))


def _journal_of(folder: Path | str) -> str:
    """The journal for work that goes to this folder; "" outside of a timed run."""
    journal, named = os.path.join(folder, JOURNAL), os.environ.get(JOURNAL_VARIABLE, "")
    return journal if journal == named or os.path.exists(journal) else named
