"""Why a call was not right: what was seen, said with its true reason and the next step; "" if it does not hold.

Each function looks at one kind of thing. The order in which they count stands in judge.py.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from PIL import Image

from checks.attempt import KEPT, Attempt
from checks.watch import cannot_travel
from kit import journal
from kit.items import Status
from kit.rehearsal import NOT_GIVEN, PICTURE, STAGE
from kit.runs import Run, same_item

ONE_ITEM = {"download": "download_photo", "resize": "make_thumbnail"}


def did_not_return(attempt: Attempt) -> str:
    """The function raised, hung or was never really called."""
    problems = [attempt.error, *attempt.unread]
    sent = next(filter(cannot_travel, problems), None)
    if sent and (attempt.error or attempt.gave_up):
        return (
            f"what you send can't travel to a worker process ({str(sent)[:150]}). Plain data and functions of a module "
            "can: no lock, no lambda, no function inside of a function, none of a notebook cell.\n"
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
            "or join() without task_done(), one end mark in a queue for many workers, a result that is asked for after "
            "the `with` block of its Pool, a `while` loop without an end. Restart the kernel before the next try."
        )
    if attempt.error and not (attempt.folder / journal.JOURNAL).exists():
        return (
            "your function deleted the folder that it was given, and with it what the workers had noted.\n"
            "Next step: leave the folder as it is: it is there, and it is empty."
        )
    picture = attempt.folder / journal.JOURNAL / STAGE / PICTURE
    changed = attempt.rehearsal and picture.exists() and picture.read_bytes() != attempt.rehearsal["picture"]
    if attempt.error and changed:
        return f"your function changes files that {ONE_ITEM[attempt.task]} made.\nNext step: leave them as they are."
    if attempt.error:
        name, message = type(attempt.error).__name__, str(attempt.error).splitlines() or [""]
        if "not callable" in message[0]:
            return _called(attempt)
        what = f"{name}: {message[0][:200]}"
        step = _step(what) or "call it in a cell of its own with the first ten items to see the whole traceback."
        return f"your function stopped with {what}\nNext step: {step}"
    nothing = attempt.run and not attempt.run.outcomes and not attempt.late and not attempt.unread
    kind = next((kind for kind, fits in _LAZY.items() if nothing and fits(attempt.result)), "")
    if inspect.iscoroutine(attempt.result):
        attempt.result.close()
    if kind:
        return (
            f"your function returned a {kind} that nobody runs, so no work was done.\n"
            "Next step: run it to its end inside of your function (list(...) for a generator; for a coroutine "
            "write a plain `def` that runs asyncio.run(...) in a thread, because a notebook has a loop already)."
        )
    return ""


_MISTAKES = {  # words of an exception -> the next step
    r"argument after \*": "write args as a tuple, with a comma at its end if there is one argument: args=(item,).",
    "PathLike object, not list|too many positional": "hand over one item for each call, not the whole list.",
    "context has already been set": "ask get_context('spawn') for the Pool, or hand it over as mp_context.",
    "[Cc]an't (pickle|get) ": "send a function of a module itself: no lambda, no inner function.",
    r"(Path|int)' object is not iterable": "map() takes one element of each list for a call: write repeat(folder), not "
    "folder, and the same for every other value.",
    "missing .*argument": "hand over all arguments: map(function, items, repeat(folder), ...), submit(function, item, "
    "folder, ...) or args=(item, folder, ...).",
    "NoneType.* 'join'": "put the thread itself into your list, and then start it: start() returns None.",
    r"_parallel\(\) takes": "keep the parameters as they were given, in their order.",
    "TimeoutError": "leave the timeout out: wait for as long as the work takes.",
    "FileExistsError": "leave mkdir out: `folder` is there, and it is empty.",
    r"no attribute '(result|_condition)'": "ask only what submit() returns for its result(): map() gives the results "
    "themselves, and as_completed() wants futures.",
    "cannot unpack non-iterable": "give joblib calls that it can make later: delayed(function)(item, folder).",
    "schedule new futures|Pool not running": "open the pool inside of your function, and use it before its end.",
    "event loop": "run the coroutine in a thread of its own: a notebook has a running event loop already.",
}
_LAZY: dict[str, Callable[[object], bool]] = {  # what a function may return that has not done any work yet
    "coroutine": inspect.iscoroutine,
    "generator": inspect.isgenerator,
    "lazy iterator": lambda result: isinstance(result, map | filter | zip | itertools.starmap | itertools.chain),
}


def _step(what: str) -> str:
    """What to do about an exception that is known well."""
    return next((step for words, step in _MISTAKES.items() if re.search(words, what)), "")


def _died(attempt: Attempt, what: str) -> str:
    """Worker processes that ended with an error: mostly because of a function that they can't import."""
    mine = sorted(attempt.in_notebook() & attempt.names)
    said = f" The last thing that a worker said: {attempt.complaints[-1][:150]}" if attempt.complaints else ""
    if module := re.search(r"No module named '(.+?)'", said):
        return (
            f"{what} A worker process starts as a fresh Python and can't import {module[1]}.{said}\nNext step: put "
            f"{module[1]}.py beside this notebook, or send {ONE_ITEM[attempt.task]} itself to the workers."
        )
    if mine and not said and not any(name.startswith("Spawn") for name in attempt.crashed):
        return (
            f"{what} They said nothing: something ends them, such as os._exit() or a lack of memory.\n"
            f"Next step: send {ONE_ITEM[attempt.task]} itself to the workers, and let it return."
        )
    if mine:
        return (
            f"{what} The likely cause: {', '.join(mine)} is defined in this notebook. A worker process starts "
            f"as a fresh Python and can't import a notebook.{said}\n"
            f"Next step: send {ONE_ITEM[attempt.task]} itself to the workers, with its arguments beside it."
        )
    return f"{what}{said}\nNext step: send one small task to a pool and call .result() on it: it shows the error."


def wrong_place(attempt: Attempt, run: Run) -> str:
    """Files written or found somewhere else than in the folder that was given."""
    outcomes = (*run.outcomes, *attempt.late)
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


def wrong_work(attempt: Attempt, run: Run) -> str:
    """Items missing, late, failed or done twice."""
    one_item = ONE_ITEM[attempt.task]
    asked = Counter(map(same_item, run.items))
    noted = Counter(same_item(outcome.item) for outcome in run.outcomes)
    missing, surplus = (asked - noted).total(), noted - asked
    failed = [outcome for outcome in run.outcomes if outcome.status is Status.FAILED]
    if attempt.late:
        return (
            f"your function returned before the work was done: {len(attempt.late):,} of {len(run.items):,} items "
            "finished after the clock had stopped. They were submitted, but not waited for.\n"
            "Next step: keep the futures and call .result() on each, or let the `with` block of the executor end; "
            "for a Pool call .get(), or .close() and .join(); for threads and processes of your own, join() each."
        )
    if {outcome.worker for outcome in run.outcomes} == {run.caller} and _calls(attempt):
        return _called(attempt)
    if not run.outcomes and run.files:
        return (
            f"the files are there, but {one_item} did not write them, so nothing can be said about the work.\n"
            f"Next step: call helpers.{one_item} for each item."
        )
    if attempt.unread and (missing or failed or surplus):
        problem = attempt.unread[0]
        what = f"{type(problem).__name__}: {str(problem).splitlines()[0][:200] if str(problem) else ''}"
        return (
            f"{len(attempt.unread):,} exceptions happened in workers and nobody looked at them. The first one: {what}\n"
            "Next step: call .result() (or .get()) on every future: it raises what went wrong. Then "
            f"{_step(what) or 'mend the cause.'}"
        )
    strangers = [name for name in surplus if name not in asked]
    if strangers and {Path(name).name for name in strangers} <= {Path(name).name for name in asked}:
        return (
            f"{len(strangers):,} items were handed over with another path than your function was given, for example "
            f"{Path(strangers[0]).name}.\nNext step: pass each path on as it is, with its folder."
        )
    if strangers:
        return (
            f"{len(strangers):,} items were done that are not on the list that your function was given.\n"
            "Next step: work on the argument, not on a variable of the notebook with the same photos."
        )
    own = sum(outcome.worker == run.caller for outcome in run.outcomes)
    if surplus and own and own < len(run.outcomes):
        return (
            f"{surplus.total():,} times an item was done that had been done already: by a worker, and by the "
            "notebook's own thread.\nNext step: take away the loop or the `except` of yours that does items once more."
        )
    if surplus and sum(noted.values()) > len(run.items):
        return (
            f"{surplus.total():,} times an item was done that had been done already: {len(noted):,} "
            f"different items, {sum(noted.values()):,} calls of {one_item}. Does each worker go over the whole list "
            "or do threads share a counter without a lock?\n"
            "Next step: submit every item once; the executor shares them out."
        )
    skipped = [outcome for outcome in run.outcomes if outcome.status is Status.SKIPPED]
    if skipped and not surplus:
        return (
            f"{len(skipped):,} files were there before {one_item} was called, so it had nothing to do: a copy or a "
            f"link is no work.\nNext step: let {one_item} make each file."
        )
    if any(outcome.error == NOT_GIVEN for outcome in failed):
        return (
            f"{len(failed):,} thumbnails would have the wrong size: {one_item} was given another one than your "
            "function.\nNext step: pass the `size` that your function is given on."
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
            "item again and again?\nNext step: pass each item of the list to a worker exactly once. A lambda sees a "
            "loop's variable as it is when it runs, so hand it the item as an argument."
        )
    if missing:
        return (
            f"{missing:,} of {len(run.items):,} items were never done: nothing was saved for them.\n"
            f"Next step: call {one_item}(item, folder, ...) for every item, and wait for all of them."
        )
    return ""


def wrong_sending(attempt: Attempt, run: Run) -> str:
    """What the practice server saw, against what the workers noted."""
    if attempt.sent is None:
        return ""
    tries = Counter[str]()
    for outcome in run.outcomes:
        tries[outcome.item] += outcome.tries
    never = [outcome.item for outcome in run.done if not attempt.sent.get(outcome.item)]
    often = [name for name, number in attempt.sent.items() if number > tries[name]]
    if never:
        return (
            f"{len(never):,} photos were never sent by the practice server, though they are noted as downloaded.\n"
            "Next step: call helpers.download_photo as it is, and let it do its work."
        )
    if often:
        return (
            f"{len(often):,} photos were fetched more often than download_photo did it: something else fetches them, "
            "too.\nNext step: fetch each photo once, by download_photo."
        )
    return ""


def wrong_files(attempt: Attempt, run: Run, baseline: Run) -> str:
    """The right calls, but other files than the serial run made."""
    kept = KEPT[attempt.task]
    extra = run.files.keys() - baseline.files.keys()
    absent = baseline.files.keys() - run.files.keys()
    different = [name for name in baseline.files.keys() & run.files.keys() if run.files[name] != baseline.files[name]]
    if vanished := run.gone - baseline.gone:
        return (
            f"{len(vanished):,} photos that the serial run got are gone now: their host knows them no longer.\nNext "
            "step: your function is not to blame; run the cells from *Metadata* on once more."
        )
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
    except OSError:
        return (
            f"{len(different):,} files are not whole images, for example {name}: half-written.\n"
            f"Next step: let {ONE_ITEM[attempt.task]} write them; it never leaves half a file."
        )
    expected = size
    with contextlib.suppress(OSError), Image.open(kept / name) as image:  # a run before may have lost it
        expected = image.size
    if size != expected and attempt.task == "resize":
        return (
            f"{len(different):,} thumbnails were changed after make_thumbnail had written them: {name} has {size[0]} x "
            f"{size[1]} pixels instead of {expected[0]} x {expected[1]}.\nNext step: leave them as they are."
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


def not_parallel(run: Run) -> str:
    """The work of a rehearsal, in which every item waits for another one, was done one item after the other."""
    beside = _beside(run)
    if 2 * beside >= len(run.outcomes):
        return ""
    if run.mode == "serial":
        return (
            "all items were done by the notebook's own thread, one after the other.\n"
            "Next step: give the function and its arguments to an executor, which has workers of its own. A thread or "
            "process is begun by start(), not by run(). If your function goes back to a loop after an error, mend that."
        )
    if beside:
        return (
            f"only {beside:,} of {len(run.items):,} items were ever in work beside another one; the rest was done one "
            "after the other.\nNext step: give all items to the workers, and none to a loop of your own."
        )
    if run.workers == 1:
        return (
            "never were two items in work at the same time: one worker did all of them. Either the pool has only one, "
            "or it was sent the whole list as one task, or each item was waited for before the next was sent, or a "
            "coroutine called the function itself, which holds up all others (await asyncio.to_thread(...) does not).\n"
            "Next step: give the number of `workers` to the pool and submit every item; only then ask for the results."
        )
    return (
        f"never were two items in work at the same time, though {run.workers:,} workers took turns: each was waited "
        "for before the next was sent, or a lock lets only one of them work.\n"
        "Next step: submit all items first, and only then ask for the results (no .result() inside of that loop); and "
        "hold no lock while an item is in work."
    )


def _beside(run: Run) -> int:
    """How many items were in work beside another one, for however short a time."""
    found, last = set(), None
    for outcome in sorted(run.outcomes, key=lambda outcome: outcome.started):
        if last and outcome.started < last.finished:
            found |= {last.item, outcome.item}
        if not last or outcome.finished > last.finished:
            last = outcome
    return len(found)


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
    return any("not callable" in str(problem) for problem in attempt.unread)


def _folder(path: Path | str) -> str:
    return os.path.normcase(os.path.realpath(path))


def _below(path: str, folders: set[str]) -> bool:
    """Whether a path lies in one of the folders or in a folder below."""
    parents = {_folder(parent) for parent in Path(path).parents} if path else set()
    return bool(parents & folders)
