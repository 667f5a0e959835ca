"""Checks of the two exercises: NOT ATTEMPTED YET, WRONG with the reason and the next step, or RIGHT with the proof.

`check()` runs the student's function once, with the clock on, in an empty folder. It then looks at what the workers
noted (helpers.Outcome), at the files, and at what is still running. Nothing is decided by how long something took.
"""

from __future__ import annotations

import ast
import concurrent.futures
import contextlib
import functools
import gc
import inspect
import itertools
import multiprocessing
import multiprocessing.pool
import multiprocessing.process
import os
import pickle
import shutil
import signal
import tempfile
import textwrap
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

import helpers
from helpers import Run, Status

KEPT = {"download": Path("images"), "resize": Path("thumbnails")}  # where the files of the serial run are
ONE_ITEM = {"download": "download_photo", "resize": "make_thumbnail"}
ASKED_FOR = {"download": "threads", "resize": "processes"}
STALL = 120  # seconds without any finished item after which a run is given up: far beyond all time-outs
PATIENCE = 20  # seconds for which the first item waits for a second one in work, see helpers._meet
SENDING = frozenset(
    {"submit", "apply_async", "map_async", "starmap_async", "imap", "imap_unordered"}
    | {"run_in_executor", "create_task", "ensure_future", "Process", "Thread", "start"}
)  # names of methods that only send work

_numbers = itertools.count(1)  # of the attempts


@dataclass(frozen=True)
class Verdict:
    """What a check found. `run` is there if the solution is right."""

    word: str  # RIGHT, WRONG or NOT ATTEMPTED YET
    text: str
    run: Run | None = None

    @property
    def right(self) -> bool:
        return self.word == "RIGHT"

    def __str__(self) -> str:
        lines = f"{self.word}: {self.text}".splitlines()
        return "\n".join(textwrap.fill(line, 96, break_long_words=False, break_on_hyphens=False) for line in lines)


def check(function: Callable, baseline: Run, items: Sequence, *arguments: object) -> Verdict:
    """Run `function(items, folder, *arguments)` and judge it against the serial run of the same items.

    Args:
        function: the student's download_parallel or resize_parallel.
        baseline: the serial run, whose files are in images/ or thumbnails/.
        items: what the serial run got.
        arguments: the rest of the function's arguments; the last one is the number of workers.
    """
    if _is_empty(function):
        name = f"{baseline.task}_parallel"
        return Verdict("NOT ATTEMPTED YET", f"write {name} in the cell above, then run this cell again.")
    attempt = Attempt(function, baseline.task, items, arguments)
    attempt.carry_out()
    return _judge(attempt, baseline)


class Attempt:
    """One watched call of the student's function, and all that was seen of it."""

    def __init__(self, function: Callable, task: str, items: Sequence, arguments: tuple):
        self.call, self.function, self.items, self.arguments = (function, _plain(function), items, arguments)
        self.task, self.name = (task, f"{task}_parallel")  # a lambda or a decorated function has another name
        # A folder of its own: work that an attempt before left behind goes on in that one's folder and journal.
        number = next(_numbers)
        self.folder = helpers.CACHE / "runs" / str(os.getpid()) / f"{self.name}-{number}"
        for old in self.folder.parent.glob(f"{self.name}-*"):
            if old.name != f"{self.name}-{number - 1}":
                shutil.rmtree(old, ignore_errors=True)
        self.error: BaseException | None = None
        self.result: object = None
        self.unread: list[BaseException] = []  # exceptions inside of workers
        self.complaints: list[str] = []  # last lines of what worker processes wrote to standard error
        self.crashed: list[str] = []  # names of worker processes that ended with an error
        self.lost: list[str] = []  # files of the serial runs that are gone or have another size
        self.gave_up = ""
        self.run: Run | None = None
        self.late: tuple = ()  # what finished only after the function had returned

    def carry_out(self) -> None:
        before = set(threading.enumerate()), set(multiprocessing.active_children())

        kept = _sizes()

        def remembering(*arguments: object) -> None:
            self.result = self.call(*arguments)

        with _noting_exceptions(self.unread), _noting_processes(self.crashed), _noting_complaints(self.complaints):
            self.gave_up = self.watched(remembering)
        after = _sizes()
        self.lost = [path for path, size in kept.items() if after.get(path) != size]
        if self.run:
            end = self.run.started + self.run.wall
            self._settle(*before)
            everything = helpers._read_journal(self.folder)
            self.late = tuple(outcome for outcome in everything if outcome.finished > end)
            in_time = tuple(outcome for outcome in everything if outcome.finished <= end)
            self.run = replace(self.run, outcomes=in_time)

    def watched(self, function: Callable) -> str:
        """Run the function with the clock on; returns why it was given up, if it was."""
        function.__name__ = self.folder.name
        watch = _Watch(self.folder / helpers.JOURNAL, self.unread)
        try:
            with watch:
                try:
                    self.run = helpers.timed_run(function, self.items, *self.arguments)
                except KeyboardInterrupt:
                    if not watch.gave_up:  # it was the student who interrupted
                        raise
                except BaseException as problem:  # noqa: BLE001 - whatever it raises is explained, SystemExit too
                    self.error = problem
        except KeyboardInterrupt:  # the watch sends more than one: the last may come after the function's end
            if not watch.gave_up:
                raise
        return watch.gave_up

    def _settle(self, threads: set, processes: set) -> None:
        """Wait until work that outlives the function has ended, if there is any."""
        journal, size, quiet = self.folder / helpers.JOURNAL, -1, time.monotonic()
        while len(helpers._read_journal(self.folder)) < len(self.items):
            grown = _size(journal)
            if grown != size:
                size, quiet = grown, time.monotonic()
            alive = (set(threading.enumerate()) - threads) | (set(multiprocessing.active_children()) - processes)
            if time.monotonic() - quiet > (30 if alive else 1):
                break
            time.sleep(0.1)

    @property
    def names(self) -> set[str]:
        """All names in the code of the function and of the notebook's functions that it uses."""
        return {name for code in self.codes() for name in code.co_names + code.co_varnames}

    @property
    def sends(self) -> set[str]:
        """Names of methods that only send work, without the function's variables (`start = time.time()`)."""
        return SENDING & {name for code in self.codes() for name in code.co_names}

    def codes(self) -> list[types.CodeType]:
        found, seen = [self.function], []
        while found:
            function = found.pop()
            code = getattr(function, "__code__", None)
            cells = getattr(function, "__closure__", None) or ()
            with contextlib.suppress(ValueError):  # an empty cell
                found += [cell.cell_contents for cell in cells if isinstance(cell.cell_contents, types.FunctionType)]
            stack = [code] if code else []
            while stack:
                code = stack.pop()
                if code in seen:
                    continue
                seen.append(code)
                stack += [const for const in code.co_consts if isinstance(const, types.CodeType)]
                for thing in [self.function.__globals__[n] for n in code.co_names if n in self.in_notebook()]:
                    found += vars(thing).values() if isinstance(thing, type) else [thing]
        return seen

    def in_notebook(self) -> set[str]:
        """Functions that the notebook itself defines, by name."""
        home = self.function.__globals__
        return {
            name
            for name, value in home.items()
            if (isinstance(value, types.FunctionType) and value.__globals__ is home)
            or (isinstance(value, type) and value.__module__ == home.get("__name__"))
            if not hasattr(helpers, name) and value is not self.function and name != self.name
        }

    def swallows(self) -> bool:
        """Whether an `except` in the student's code does nothing with what it catches."""
        if "suppress" in self.names:
            return True
        home = self.function.__globals__
        for function in [self.function, *(home[name] for name in self.in_notebook() & self.names)]:
            with contextlib.suppress(OSError, TypeError, SyntaxError):
                for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
                    if isinstance(node, ast.ExceptHandler) and all(
                        isinstance(line, ast.Pass | ast.Continue | ast.Return | ast.Expr) for line in node.body
                    ):
                        return True
        return False


# --- The judgement --------------------------------------------------------------------------------------------


def _judge(attempt: Attempt, baseline: Run) -> Verdict:
    if isinstance(attempt.error, NotImplementedError):
        return Verdict("NOT ATTEMPTED YET", f"write {attempt.name}, then run this cell again.")
    text = (
        _did_not_return(attempt)
        or _wrong_place(attempt, baseline)
        or _wrong_work(attempt, baseline)
        or _wrong_files(attempt, baseline)
        or _not_parallel(attempt)
    )
    if attempt.lost:
        folders = " and ".join(sorted({f"{Path(path).parent.name}/" for path in attempt.lost}))
        text = text or (
            f"your function changed or deleted {len(attempt.lost):,} files of the serial run.\n"
            "Next step: write into the `folder` that your function is given, and leave all other files alone."
        )
        text += f"\nBesides: {len(attempt.lost):,} files in {folders} are lost. Run the serial cells again."
    if text:
        return Verdict("WRONG", text)
    proof = _proof(attempt.run, baseline)
    if attempt.unread:
        proof += (
            f"\nNote: {len(attempt.unread):,} exceptions in workers were read by nobody, without harm to the work; "
            f"the first one is {type(attempt.unread[0]).__name__}."
        )
    return Verdict("RIGHT", proof, attempt.run)


def _did_not_return(attempt: Attempt) -> str:
    """The function raised, hung or was never really called."""
    problems = [attempt.error, *attempt.unread]
    sent = next(filter(_cannot_travel, problems), None)
    if sent and (attempt.error or attempt.gave_up):
        return (
            f"a function can't travel to a worker process ({str(sent)[:150]}). Only functions "
            "of a module can: no lambda, no function inside of a function, none of a notebook cell.\n"
            f"Next step: send {ONE_ITEM[attempt.task]} itself, with its arguments beside it."
        )
    complete = attempt.run and len(attempt.run.outcomes) >= len(attempt.run.items)
    broken = any(isinstance(problem, BrokenProcessPool) for problem in problems)
    broken = broken and not complete and not attempt.gave_up  # giving up ends the workers, too
    died = "died" in attempt.gave_up or broken or attempt.crashed
    if (attempt.gave_up or broken) and died:
        return _died(attempt, attempt.gave_up or "The worker processes died at once (BrokenProcessPool).")
    if attempt.gave_up:
        return (
            f"{attempt.gave_up}\nNext step: look for what waits for ever: a lock that nobody releases, a queue.get() "
            "or join() without task_done(), a `while` loop without an end. Restart the kernel before the next try."
        )
    if attempt.error and not (attempt.folder / helpers.JOURNAL).exists():
        return (
            "your function deleted the folder that it was given, and with it what the workers had noted.\n"
            "Next step: leave the folder as it is: it is there, and it is empty."
        )
    if attempt.error:
        name, message = type(attempt.error).__name__, str(attempt.error).splitlines() or [""]
        if "not callable" in message[0]:
            return _called(attempt)
        return (
            f"your function stopped with {name}: {message[0][:200]}\n"
            "Next step: call it in a cell of its own with the first ten items to see the whole traceback."
        )
    kinds = {"coroutine": inspect.iscoroutine, "generator": inspect.isgenerator, "lazy iterator": _is_lazy}
    for kind, fits in kinds.items():
        if fits(attempt.result) and not attempt.run.outcomes and not attempt.late and not attempt.unread:
            if kind == "coroutine":
                attempt.result.close()
            return (
                f"your function returned a {kind} that nobody runs, so no work was done.\n"
                "Next step: run it to its end inside of your function (list(...) for a generator; for a coroutine "
                "write a plain `def` that runs asyncio.run(...) in a thread, because a notebook has a loop already)."
            )
    return ""


def _cannot_travel(problem: BaseException | None) -> bool:
    """Whether this says that something can't be pickled; the words differ from one Python version to the next."""
    words = ("pickle", "get attribute", "get local object")
    return isinstance(problem, pickle.PicklingError) or any(word in str(problem) for word in words)


def _died(attempt: Attempt, what: str) -> str:
    """Worker processes that ended with an error: mostly because of a function that they can't import."""
    mine = sorted(attempt.in_notebook() & attempt.names)
    said = f" The last thing that a worker said: {attempt.complaints[-1][:150]}" if attempt.complaints else ""
    if mine:
        return (
            f"{what} The likely cause: {', '.join(mine)} is defined in this notebook. A worker process starts "
            f"as a fresh Python and can't import a notebook.{said}\n"
            f"Next step: send {ONE_ITEM[attempt.task]} itself to the workers, or move your function into "
            "helpers.py and import it from there."
        )
    return f"{what}{said}\nNext step: send one small task to a pool and call .result() on it: it shows the error."


def _wrong_place(attempt: Attempt, baseline: Run) -> str:
    """Files written or found somewhere else than in the folder that was given."""
    run, outcomes = attempt.run, (*attempt.run.outcomes, *attempt.late)
    own = _folder(run.folder)
    if attempt.task == "resize":
        sources = {_folder(Path(item).parent) for item in run.items}
        small = [o for o in outcomes if _folder(Path(o.item).parent) in {own, _folder(KEPT["resize"])} - sources]
        if small:
            return (
                f"{len(small):,} thumbnails were made of thumbnails, not of photos.\n"
                "Next step: work on the list of paths that your function is given; don't list a folder into which "
                "it writes."
            )
        beside = [o for o in outcomes if "overwrite" in (o.error or "") or _below(o.path, sources)]
        if beside:
            return (
                f"{len(beside):,} thumbnails were to be written beside the originals.\n"
                "Next step: pass the `folder` that your function is given on to make_thumbnail."
            )
    there = [o for o in outcomes if o.status is Status.SKIPPED and _folder(Path(o.path).parent) != own]
    if there:
        return (
            f"{len(there):,} items were skipped because their files were already there, in "
            f"{Path(there[0].path).parent}: that took no time because it was no work.\n"
            "Next step: write into the `folder` that your function is given; it is empty."
        )
    strayed = [o for o in outcomes if o.path and _folder(Path(o.path).parent) != own]
    if strayed:
        return (
            f"{len(strayed):,} files were written into another folder than the one that was given.\n"
            "Next step: pass `folder` on, exactly as your function gets it."
        )
    return ""


def _wrong_work(attempt: Attempt, baseline: Run) -> str:
    """Items missing, late, failed or done twice."""
    run, one_item = attempt.run, ONE_ITEM[attempt.task]
    asked = Counter(map(helpers._same, run.items))
    noted = Counter(helpers._same(outcome.item) for outcome in run.outcomes)
    missing, surplus = (asked - noted).total(), noted - asked
    failed = [outcome for outcome in run.outcomes if outcome.status is Status.FAILED]
    if attempt.late:
        return (
            f"your function returned before the work was done: {len(attempt.late):,} of {len(run.items):,} items "
            "finished after the clock had stopped. They were submitted, but not waited for.\n"
            "Next step: keep the futures and call .result() on each, or let the `with` block of the executor end; "
            "for a Pool call .get(), or .close() and .join()."
        )
    if {outcome.worker for outcome in run.outcomes} == {run.caller} and _calls(attempt):
        return _called(attempt)
    if not run.outcomes and run.files.keys() >= baseline.files.keys():
        return (
            f"the files are there, but {one_item} did not write them, so nothing can be said about the work.\n"
            f"Next step: call helpers.{one_item} for each item."
        )
    if attempt.unread and (missing or failed or surplus):
        problem = attempt.unread[0]
        return (
            f"{len(attempt.unread):,} exceptions happened in workers and nobody looked at them. The first one: "
            f"{type(problem).__name__}: {str(problem).splitlines()[0][:200] if str(problem) else ''}\n"
            "Next step: call .result() (or .get()) on every future: it raises what went wrong. Then mend the cause."
        )
    if surplus and surplus.total() > 0 and sum(noted.values()) > len(run.items):
        return (
            f"{surplus.total():,} times an item was done that had been done already: {run.items and len(noted):,} "
            f"different items, {sum(noted.values()):,} calls of {one_item}. Does each worker go over the whole list "
            "or do threads share a counter without a lock?\n"
            "Next step: submit every item once; the executor shares them out."
        )
    if failed:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in Counter(o.error for o in failed).most_common(3))
        return f"{len(failed):,} of {len(run.items):,} items failed: {reasons}.\nNext step: mend the cause, run again."
    looks = {"exists", "is_file", "listdir", "glob"} & attempt.names
    if missing and looks and not {"mkdir", "makedirs"} & attempt.names:
        return (
            f"{missing:,} of {len(run.items):,} items were left out, and your function looks for files that exist: "
            "it skipped what was already there.\nNext step: do every item; `folder` is empty at the start."
        )
    if missing and attempt.crashed:
        return _died(attempt, f"{len(attempt.crashed):,} worker processes ended with an error.")
    if missing and attempt.sends and not run.outcomes and not attempt.swallows():
        sent = ", ".join(sorted(attempt.sends))
        return (
            f"none of the {len(run.items):,} items was done when your function returned, though it sends work away "
            f"({sent}): it was submitted, but not waited for, and ended with your function.\n"
            "Next step: wait for all results before you return: .result(), .get(), .join(), or the `with` block."
        )
    if missing and attempt.swallows():
        return (
            f"{missing:,} of {len(run.items):,} items were never done, and your code has an `except` that hides "
            "exceptions (or a suppress).\nNext step: take it away, run again, and mend what appears."
        )
    if surplus:
        return (
            f"{missing:,} items of the list were never done, and {surplus.total():,} others were done instead: one "
            "item again and again?\nNext step: pass each item of the list to a worker exactly once."
        )
    if missing:
        return (
            f"{missing:,} of {len(run.items):,} items were never done: nothing was saved for them.\n"
            f"Next step: call {one_item}(item, folder, ...) for every item, and wait for all of them."
        )
    return ""


def _wrong_files(attempt: Attempt, baseline: Run) -> str:
    """The right calls, but other files than the serial run made."""
    run, kept = attempt.run, KEPT[attempt.task]
    if run.damaged:
        return (
            f"{len(run.damaged):,} photos are broken inside, such as {min(run.damaged)}.jpg: damaged on the way, or "
            "changed after they were written.\n"
            f"Next step: leave the files as {ONE_ITEM[attempt.task]} writes them, and run this cell again."
        )
    extra = run.files.keys() - baseline.files.keys()
    absent = baseline.files.keys() - run.files.keys()
    different = [name for name in baseline.files.keys() & run.files.keys() if run.files[name] != baseline.files[name]]
    if absent or extra:
        return (
            f"{len(absent):,} files are missing in the folder and {len(extra):,} are there that should not be "
            f"(for example {min(absent | extra)}).\nNext step: leave the files as {ONE_ITEM[attempt.task]} writes them."
        )
    if not different:
        return ""
    name = min(different)
    try:
        with Image.open(run.folder / name) as image:
            size = image.size
            image.load()
        with Image.open(kept / name) as image:
            expected = image.size
    except OSError:
        return (
            f"{len(different):,} files are not whole images, for example {name}: half-written.\n"
            f"Next step: let {ONE_ITEM[attempt.task]} write them; it never leaves half a file."
        )
    if size != expected and attempt.task == "resize":
        return (
            f"{len(different):,} thumbnails have the wrong size: {name} has {size[0]} x {size[1]} pixels instead of "
            f"{expected[0]} x {expected[1]}.\nNext step: pass the `size` that your function is given on."
        )
    if size != expected:
        return (
            f"{len(different):,} photos have the wrong quality: {name} has {size[0]} x {size[1]} pixels instead of "
            f"{expected[0]} x {expected[1]}. Smaller files are faster, but not the same work.\n"
            "Next step: download the photos that your function is given, with their own addresses."
        )
    return (
        f"{len(different):,} files have other bytes than those of the serial run, for example {name}.\n"
        f"Next step: leave the files as {ONE_ITEM[attempt.task]} writes them."
    )


def _not_parallel(attempt: Attempt) -> str:
    """The work is right, but it was done one item after the other."""
    run = attempt.run
    workers = attempt.arguments[-1] if attempt.arguments else 0
    if run.peak > 1 or (isinstance(workers, int) and workers < 2) or len(run.items) < 2:
        return ""
    if run.mode == "serial":
        return (
            "all items were done by the notebook's own thread, one after the other.\n"
            "Next step: give the function and its arguments to an executor, which has workers of its own."
        )
    if _meets(attempt):
        return ""
    if run.workers == 1:
        return (
            "never were two items in work at the same time: one worker did all of them. Either the pool has only one, "
            "or it was sent the whole list as one task, or each item was waited for before the next was sent.\n"
            "Next step: give the number of `workers` to the pool and submit every item; only then ask for the results."
        )
    return (
        "never were two items in work at the same time: each was waited for before the next was sent.\n"
        "Next step: submit all items first, and only then ask for the results (no .result() inside of that loop)."
    )


def _meets(attempt: Attempt) -> bool:
    """Run once more, without a clock: the first item waits until a second one is in work (helpers._meet)."""
    original = attempt.folder
    meeting = original / helpers.JOURNAL / helpers.MEETING

    def prepared(items: Sequence, folder: Path, *arguments: object) -> None:
        meeting.mkdir()
        (meeting / "patience").write_text(str(PATIENCE), encoding="utf-8")
        attempt.call(items, folder, *arguments)

    run = attempt.run
    attempt.watched(prepared)
    attempt.run, attempt.error = run, None
    return (meeting / "met").exists()


def _proof(run: Run, baseline: Run) -> str:
    asked = ASKED_FOR[run.task]
    lines = [
        f"{len(run.items):,} items, each done exactly once by {run.label()}, up to {run.peak} at the same time.",
        f"Proved: the same {len(run.files):,} files as the serial run, byte for byte; all of them finished before the "
        "clock stopped; none failed, none was skipped; the folder was empty at the start.",
        f"Measured: {baseline.wall:.2f} s serial, {run.wall:.2f} s now: a speed-up of {baseline.wall / run.wall:.2f}.",
    ]
    if run.mode != asked and run.mode != "serial":
        lines.append(f"Note: the exercise asks for {asked}; this solution uses {run.mode}. That is allowed.")
    return "\n".join(lines)


def _called(attempt: Attempt) -> str:
    one_item = ONE_ITEM[attempt.task]
    return (
        f"{one_item} was called instead of passed: the notebook's own thread did all the work, one item after the "
        "other, and the workers got only the results.\n"
        "Next step: hand over the function without brackets, with its arguments beside it: "
        f"submit({one_item}, item, folder)."
    )


def _calls(attempt: Attempt) -> bool:
    """Whether workers were sent something that can't be called: the result of a call."""
    return any("not callable" in str(problem) for problem in attempt.unread) or bool(
        attempt.sends - {"create_task", "ensure_future"}
    )


# --- Watching -------------------------------------------------------------------------------------------------


class _Watch:
    """Ends a call that can never end: a Pool whose workers die again and again, or one that is stuck."""

    def __init__(self, journal: Path, unread: list[BaseException]):
        self.journal, self.unread, self.gave_up, self.stop = journal, unread, "", threading.Event()
        self.ended = threading.Event()
        self.before = set(multiprocessing.active_children())
        self.died: set[str] = set()  # names of a Pool's workers that ended with an error
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Watch:
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
        self.stop.set()
        self.undo()
        self.thread.join()

    def _watch(self) -> None:
        size, changed = -1, time.monotonic()
        while not self.stop.wait(0.1):
            if (now := _size(self.journal)) != size:
                size, changed = now, time.monotonic()
            # A Pool replaces a worker that died, but waits for ever for the task which that one had.
            if self.died and time.monotonic() - changed > 1:
                self._give_up(f"{len(self.died)} workers of the Pool died, and a Pool waits for their tasks for ever.")
            elif time.monotonic() - changed > 5 and any(map(_cannot_travel, list(self.unread))):
                self._give_up(
                    "The executor is stuck after a task that could not be sent."
                )  # some versions of Python are
            elif time.monotonic() - changed > STALL:
                self._give_up(f"No item was finished for {STALL} seconds: your function is stuck.")

    def _give_up(self, reason: str) -> None:
        self.gave_up = reason
        self.stop.set()
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
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        else:
            import _thread

            _thread.interrupt_main()


@contextlib.contextmanager
def _noting_processes(crashed: list[str]) -> Iterator[None]:
    """Note the names of all processes that are started inside and end with an error of their own."""
    start, started = multiprocessing.process.BaseProcess.start, []

    def noting(process: multiprocessing.process.BaseProcess) -> None:
        started.append(process)
        start(process)

    multiprocessing.process.BaseProcess.start = noting
    try:
        yield
    finally:
        multiprocessing.process.BaseProcess.start = start
        for process in started:
            with contextlib.suppress(ValueError, AssertionError):  # closed, or of another parent
                if (process.exitcode or 0) not in (0, -signal.SIGTERM):
                    crashed.append(process.name)


@contextlib.contextmanager
def _noting_complaints(found: list[str]) -> Iterator[None]:
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
            found += [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()][-1:]


@contextlib.contextmanager
def _noting_exceptions(found: list[BaseException]) -> Iterator[None]:
    """Note every exception that a future, a Pool's result or a thread holds, whether somebody reads it or not."""
    set_exception, hook = concurrent.futures.Future.set_exception, threading.excepthook
    results = (multiprocessing.pool.ApplyResult, multiprocessing.pool.MapResult)
    setters = [kind._set for kind in results]

    def noting_future(future: concurrent.futures.Future, problem: BaseException | None) -> None:
        if problem is not None:
            found.append(problem)
        set_exception(future, problem)

    def noting(setter: Callable) -> Callable:
        def noting_result(result: multiprocessing.pool.ApplyResult, i: int, outcome: tuple) -> None:
            if not outcome[0]:
                found.append(outcome[1])
            setter(result, i, outcome)

        return noting_result

    concurrent.futures.Future.set_exception = noting_future
    for kind, setter in zip(results, setters, strict=True):
        kind._set = noting(setter)

    def noting_thread(problem: threading.ExceptHookArgs) -> None:
        if not issubclass(problem.exc_type, SystemExit):  # sys.exit() is a way to end a thread
            found.append(problem.exc_value)

    threading.excepthook = noting_thread
    try:
        yield
    finally:
        concurrent.futures.Future.set_exception = set_exception
        for kind, setter in zip(results, setters, strict=True):
            kind._set = setter
        threading.excepthook = hook


def _size(journal: Path) -> int:
    """Bytes that the workers have noted so far; -1 before the folder is there."""
    with contextlib.suppress(OSError):
        return sum(entry.stat().st_size for entry in os.scandir(journal) if entry.is_file())
    return -1


def _is_empty(function: Callable) -> bool:
    """Whether the body does nothing: only a docstring, `pass`, `...` or `raise NotImplementedError`."""
    code = getattr(_plain(function), "__code__", None)
    if code is None or any(isinstance(const, types.CodeType) for const in code.co_consts):
        return False
    return set(code.co_names) <= {"NotImplementedError"} and not code.co_freevars


def _plain(function: Callable) -> Callable:
    """The plain function inside of a partial, or of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if hasattr(function, "__globals__") else type(function).__call__


def _sizes() -> dict[str, int]:
    """Size of every file of the serial runs: a student's function should leave them alone."""
    sizes = {}
    for folder in KEPT.values():
        with contextlib.suppress(OSError):
            sizes |= {entry.path: entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()}
    return sizes


def _is_lazy(result: object) -> bool:
    return isinstance(result, map | filter | zip | itertools.starmap | itertools.chain)


def _folder(path: Path | str) -> str:
    return os.path.normcase(os.path.realpath(path))


def _below(path: str, folders: set[str]) -> bool:
    """Whether a path lies in one of the folders or in a folder below."""
    parents = {_folder(parent) for parent in Path(path).parents} if path else set()
    return bool(parents & folders)
