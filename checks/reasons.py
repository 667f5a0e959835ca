"""Why a call was not right: what is seen -> what is said -> the next step. The first row that holds counts.

A further reason is one row here and, if it needs one, one fact in seen.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sized
from typing import NamedTuple

from checks.seen import Seen


class Reason(NamedTuple):
    """One row. In its texts {s} is what was seen, {n} the number that `holds` found, and {first} the first of them."""

    holds: Callable[[Seen], object]
    says: str
    step: str


REASONS = (
    # --- the function raised, hung, or was never really called ---
    Reason(
        lambda s: s.other_order,
        "your function has other parameters, or in another order, than the exercise gave it.",
        "keep them as they were: ({s.other_order}).",
    ),
    Reason(
        lambda s: s.stuck_in_pickle,
        "what you send can't travel to a worker process ({s.stuck_in_pickle}). Plain data and functions of a module "
        "can: no lock, no lambda, no function inside of a function, none of a notebook cell.",
        "send {s.one} itself, with its arguments beside it.",
    ),
    Reason(
        lambda s: s.deaths and s.no_module,
        "{s.deaths} A worker process starts as a fresh Python and can't import {s.no_module}. The last thing that a "
        "worker said: {s.last_words}",
        "put {s.no_module}.py beside this notebook, or send {s.one} itself to the workers.",
    ),
    Reason(
        lambda s: s.deaths and s.of_a_cell,
        "{s.deaths} The cause: {s.of_a_cell} is defined in this notebook. A worker process starts as a fresh Python "
        "and can't import a notebook. The last thing that a worker said: {s.last_words}",
        "send {s.one} itself to the workers, with its arguments beside it.",
    ),
    Reason(
        lambda s: s.deaths and s.last_words,
        "{s.deaths} The last thing that a worker said: {s.last_words}",
        "mend that. To see the whole error, send one small task to a pool and call .result() on it.",
    ),
    Reason(
        lambda s: s.deaths,
        "{s.deaths} They said nothing: something ends them, such as os._exit() or a lack of memory, or they can't "
        "import a function of this notebook.",
        "send {s.one} itself to the workers, and let it return.",
    ),
    Reason(
        lambda s: s.gave_up,
        "{s.gave_up}",
        "look for what waits for ever: a lock that nobody releases, a queue.get() or join() without task_done(), one "
        "end mark in a queue for many workers, a result that is asked for after the `with` block of its Pool, a "
        "`while` loop without an end. Restart the kernel before the next try.",
    ),
    Reason(
        lambda s: s.folder_gone,
        "your function deleted the folder that it was given, and with it what the workers had noted.",
        "leave the folder as it is: it is there, and it is empty.",
    ),
    Reason(lambda s: s.spoilt_picture, "your function changes files that {s.one} made.", "leave them as they are."),
    Reason(
        lambda s: s.called and not s.late,
        "{s.one} was called instead of passed: the notebook's own thread did all the work, one item after the other, "
        "and the workers got only the results.",
        "hand over the function without brackets, with its arguments beside it: submit({s.one}, item, folder).",
    ),
    Reason(
        lambda s: s.error if advice(s.error) else "",
        "your function stopped with {s.error}",
        "{advice}",
    ),
    Reason(
        lambda s: s.error,
        "your function stopped with {s.error}",
        "call it in a cell of its own with the first ten items to see the whole traceback.",
    ),
    Reason(
        lambda s: s.lazy,
        "your function returned a {s.lazy} that nobody runs, so no work was done.",
        "run it to its end inside of your function (list(...) for a generator; for a coroutine write a plain `def` "
        "that runs asyncio.run(...) in a thread, because a notebook has a loop already).",
    ),
    # --- files in another place ---
    Reason(
        lambda s: s.folder_as_item,
        "{n:,} times {s.one} was given the folder in place of the item.",
        "keep its order of arguments: the item first, then the folder.",
    ),
    Reason(
        lambda s: s.of_thumbnails,
        "{n:,} thumbnails were made of thumbnails, not of photos.",
        "work on the list of paths that your function is given; don't list a folder into which it writes.",
    ),
    Reason(
        lambda s: s.beside_originals,
        "{n:,} thumbnails were to be written beside the originals.",
        "pass the `folder` that your function is given on to make_thumbnail.",
    ),
    Reason(
        lambda s: s.there_elsewhere,
        "{n:,} items were skipped because their files were already there, in {first}: that took no time because "
        "it was no work.",
        "write into the `folder` that your function is given; it is empty.",
    ),
    Reason(
        lambda s: s.elsewhere,
        "{n:,} files were written into another folder than the one that was given.",
        "pass `folder` on, exactly as your function gets it.",
    ),
    Reason(
        lambda s: s.lost,
        "your function changed or deleted {n:,} files of the serial run.",
        "write into the `folder` that your function is given, and leave all other files alone.",
    ),
    # --- items that are missing, late, failed or done twice ---
    Reason(
        lambda s: s.late,
        "your function returned before the work was done: {n:,} of {s.of:,} items finished after the clock had "
        "stopped. They were submitted, but not waited for.",
        "keep the futures and call .result() on each, or let the `with` block of the executor end; for a Pool call "
        ".get(), or .close() and .join(); for threads and processes of your own, join() each.",
    ),
    Reason(
        lambda s: s.files_of_others,
        "the files are there, but {s.one} did not write them, so nothing can be said about the work.",
        "call helpers.{s.one} for each item.",
    ),
    Reason(
        lambda s: s.unread,
        "{n:,} exceptions happened in workers and nobody looked at them. The first one: {first}",
        "call .result() (or .get()) on every future: it raises what went wrong. Then {advice}",
    ),
    Reason(
        lambda s: s.never_awaited,
        "{n:,} coroutines were made, and nobody awaited them, so they did nothing. The first one: {first}",
        "a coroutine runs when it is awaited, for example by asyncio.gather(...), or handed to asyncio.run(...).",
    ),
    Reason(
        lambda s: s.other_paths,
        "{n:,} items were handed over with another path than your function was given, for example {first}.",
        "pass each path on as it is, with its folder.",
    ),
    Reason(
        lambda s: s.strangers,
        "{n:,} items were done that are not on the list that your function was given.",
        "work on the argument, not on a variable of the notebook with the same photos.",
    ),
    Reason(
        lambda s: s.by_both,
        "{n:,} times an item was done that had been done already: by a worker, and by the notebook's own thread.",
        "take away the loop or the `except` of yours that does items once more.",
    ),
    Reason(
        lambda s: s.surplus if s.calls > s.of else 0,
        "{n:,} times an item was done that had been done already: {s.different:,} different items, {s.calls:,} calls "
        "of {s.one}. Does each worker go over the whole list or do threads share a counter without a lock?",
        "submit every item once; the executor shares them out.",
    ),
    Reason(
        lambda s: s.skipped,
        "{n:,} files were there before {s.one} was called, so it had nothing to do: a copy or a link is no work.",
        "let {s.one} make each file.",
    ),
    Reason(
        lambda s: s.not_given,
        "{n:,} thumbnails would have the wrong size: {s.one} was given another one than your function.",
        "pass the `size` that your function is given on.",
    ),
    Reason(lambda s: s.failed, "some of the {s.of:,} items failed: {s.failed}.", "mend the cause, run again."),
    Reason(
        lambda s: s.raised,
        "{n:,} calls of {s.one} stopped with an exception, and your code hides it (an `except`, a suppress). The first "
        "one: {first}",
        "take away what hides it. Then {advice}",
    ),
    Reason(
        lambda s: s.cut_off,
        "none of the {s.of:,} items was done when your function returned, and its worker processes were ended with it: "
        "the items were submitted, but not waited for.",
        "wait for all results before you return: .get() on what apply_async and map_async give, list(...) around imap, "
        "or .close() and .join().",
    ),
    Reason(
        lambda s: s.idle,
        "none of the {s.of:,} items was done, and no worker was started.",
        "give the items to workers that are really started: submit() or map() of an executor, or start() of a thread, "
        "with its brackets.",
    ),
    Reason(
        lambda s: s.missing if s.surplus else 0,
        "{n:,} items of the list were never done, and others were done instead: one item again and again?",
        "pass each item of the list to a worker exactly once. A lambda sees a loop's variable as it is when it runs, "
        "so hand it the item as an argument.",
    ),
    Reason(
        lambda s: s.missing,
        "{n:,} of {s.of:,} items were never done: nothing was saved for them.",
        "call {s.one}(item, folder, ...) for every item, and wait for all of them. `folder` is empty at the start, so "
        "leave nothing out; and let no `except` of yours hide what goes wrong.",
    ),
    # --- side by side, in a rehearsal ---
    Reason(
        lambda s: s.serial,
        "all items were done by the notebook's own thread, one after the other.",
        "give the function and its arguments to an executor, which has workers of its own. A thread or process is "
        "begun by start(), not by run(). If your function goes back to a loop after an error, mend that.",
    ),
    Reason(
        lambda s: s.few_beside,
        "only {n:,} of {s.of:,} items were ever in work beside another one; the rest was done one after the other.",
        "give all items to the workers, and none to a loop of your own.",
    ),
    Reason(
        lambda s: s.apart and s.workers == 1,
        "never were two items in work at the same time: one worker did all of them. Either the pool has only one, or "
        "it was sent the whole list as one task, or each item was waited for before the next was sent (.result() or "
        "`await` in a loop), or a coroutine called the function itself, which holds up all others (await "
        "asyncio.to_thread(...) does not).",
        "give the number of `workers` to the pool and submit every item; only then ask for the results.",
    ),
    Reason(
        lambda s: s.apart,
        "never were two items in work at the same time, though {s.workers:,} workers took turns: each was waited for "
        "before the next was sent, or a lock lets only one of them work.",
        "submit all items first, and only then ask for the results (no .result(), join() or `await` inside of that "
        "loop); and hold no lock while an item is in work.",
    ),
    # --- what the practice server sent, and the files, in the run that counts ---
    Reason(
        lambda s: s.never_sent,
        "{n:,} photos were never sent by the practice server, though they are noted as downloaded.",
        "call helpers.download_photo as it is, and let it do its work.",
    ),
    Reason(
        lambda s: s.sent_too_often,
        "{n:,} photos were fetched more often than download_photo did it: something else fetches them, too.",
        "fetch each photo once, by download_photo.",
    ),
    Reason(
        lambda s: s.vanished,
        "{n:,} photos that the serial run got are gone now: their host knows them no longer.",
        "your function is not to blame; run the cells from *Photos and their metadata* on once more.",
    ),
    Reason(
        lambda s: sorted(s.other_names),
        "{n:,} files are missing in the folder, or are there and should not be, for example {first}.",
        "leave the files as {s.one} writes them.",
    ),
    Reason(
        lambda s: s.half_written,
        "{n:,} files are not whole images, for example {first}: half-written.",
        "let {s.one} write them; it never leaves half a file.",
    ),
    Reason(
        lambda s: s.other_pixels if s.one == "make_thumbnail" else [],
        "{n:,} thumbnails were changed after make_thumbnail had written them: {first} has {s.size} pixels instead of "
        "{s.expected}.",
        "leave them as they are.",
    ),
    Reason(
        lambda s: s.other_pixels,
        "{n:,} photos have the wrong quality: {first} has {s.size} pixels instead of {s.expected}. Smaller files are "
        "faster, but not the same work.",
        "download the photos that your function is given, with their own addresses.",
    ),
    Reason(
        lambda s: s.other_bytes,
        "{n:,} files have other bytes than those of the serial run, for example {first}.",
        "leave the files as {s.one} writes them.",
    ),
)

MISTAKES = {  # words of an exception -> the next step
    r"argument after \*": "write args as a tuple, with a comma at its end if there is one argument: args=(item,).",
    "PathLike object, not list|too many positional": "hand over one item for each call, not the whole list.",
    "PathLike object, not Photo": "keep the order of arguments: the item first, then the folder.",
    "context has already been set": "ask get_context('spawn') for the Pool, or hand it over as mp_context.",
    "[Cc]an't (pickle|get) |'__main__' has no attribute": "send a function of a module itself: no lambda, no inner "
    "function.",
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
    "NotShareable|subinterpreter": "take ProcessPoolExecutor, or threads for what waits: interpreters of one process "
    "can't load Pillow.",
    "event loop": "run the coroutine in a thread of its own: a notebook has a running event loop already.",
}


def advice(what: str) -> str:
    """What to do about an exception that is known well; "" for any other."""
    return next((step for words, step in MISTAKES.items() if re.search(words, what)), "")


def reason(seen: Seen) -> str:
    """The first reason that holds, with its next step; "" if nothing is wrong."""
    for holds, says, step in REASONS:
        if found := holds(seen):
            return f"{says}\nNext step: {step}".format(s=seen, **_fields(found))
    return ""


def _fields(found: object) -> dict[str, object]:
    """What the texts of a row can name."""
    first = next(iter(found)) if isinstance(found, Collection) and not isinstance(found, str) else found
    number = found if isinstance(found, int) or not isinstance(found, Sized) else len(found)
    return {"n": number, "first": first, "advice": advice(str(first)) or "mend the cause."}
