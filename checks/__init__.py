"""Checks of the exercises: NOT ATTEMPTED YET, WRONG with the reason and the next step, or RIGHT with the proof.

`check()` first rehearses the student's function twice, without downloading or resizing anything, and then runs it once
with the clock on, in an empty folder. It looks at what the workers noted (Outcome), at the files, and at what is still
running. Nothing is decided by how long something took.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from checks.attempt import KEPT, Attempt, is_empty
from checks.exploring import STEPS, explore
from checks.judge import other_items, rehearsed, verdict_on
from checks.reading import read_off, read_right
from checks.verdict import Verdict
from helpers import thumbnail_bytes
from kit.journal import name_of
from kit.runs import Run
from kit.source import Source

if TYPE_CHECKING:
    from practice import PracticeServer

__all__ = ["STEPS", "Verdict", "check", "explore", "read_off", "read_right"]

SECOND = 100  # items of the second rehearsal


def check(
    function: Callable,
    baseline: Run,
    items: Sequence,
    *arguments: object,
    source: Source | None = None,
    graded: bool = False,
    rehearsed_with: Sequence | None = None,
) -> Verdict:
    """Run `function(items, folder, *arguments)` and judge it against the serial run of the same items.

    Args:
        function: the student's download_parallel or resize_parallel.
        baseline: the serial run, whose files are in images/ or thumbnails/.
        items: what the serial run got.
        arguments: the rest of the function's arguments; the last one is the number of workers.
        source: where the photos come from. A practice server is asked what it sent; Unsplash does not tell.
        graded: whether the grader asks. While a submission is graded, the notebook's own checks do nothing: the grader
            would do the same work a second time.
        rehearsed_with: more items for the rehearsals, where `items` are too few for whoever works in large chunks.
    """
    if is_empty(function):
        name = f"{baseline.task}_parallel"
        return Verdict("NOT ATTEMPTED YET", f"write {name} in the cell above, then run this cell again.")
    if os.environ.get("NBGRADER_EXECUTION") == "autograde" and not graded:
        return Verdict("NOT ATTEMPTED YET", "a grader calls the function by itself, in the cell with points.")
    from IPython.utils.capture import capture_output  # here, because writing submission.zip needs no IPython

    if wrong := other_items(baseline, items):
        return wrong
    server = source.server if source and baseline.task == "download" else None
    if server and not all(photo.url.startswith(f"{server.images}/") for photo in items):
        return Verdict(
            "WRONG",
            "the photos are those of another practice server than `source`: its cell was run again.\n"
            "Next step: run the cell below that one (collect_photos) again, too, and then this one.",
        )
    prepared = _rehearsals(baseline, list(rehearsed_with or items), arguments)
    for number, (some, other_arguments, rehearsal) in enumerate(prepared, start=1):
        attempt = Attempt(function, baseline.task, some, other_arguments, rehearsal)
        with capture_output() as printed:
            attempt.carry_out()
            verdict = rehearsed(attempt, number)
        if verdict:
            printed.show()
            return verdict
    before = _sent(server)
    attempt = Attempt(function, baseline.task, items, arguments)
    attempt.carry_out()
    if before is not None and (sent := _sent(server)) is not None:
        attempt.sent = {name: number - before.get(name, 0) for name, number in sent.items()}
    return verdict_on(attempt, baseline)


def _sent(server: PracticeServer | None) -> dict[str, int] | None:
    """How often each photo was sent; None if nobody can tell. What a server that has ended means, the run says."""
    with contextlib.suppress(OSError):
        return server.sent() if server else None
    return None


def _rehearsals(baseline: Run, items: list, arguments: tuple) -> Iterator[tuple[list, tuple, dict]]:
    """Items, arguments and what a Conductor is told, for each: other ones each time, and never those of the run.

    In the first one, items wait for each other and the last one is held. It has nearly the whole list, because who
    sends 750 items to a worker works side by side only then. In the second one, the first of some items is held.
    """
    *others, workers = arguments
    short = min(len(items) - 1, SECOND)
    for number, some in enumerate((items[: max(1, len(items) - 1)], items[-short:]), start=1):
        given = [other + number if isinstance(other, int) else other for other in others]
        many = isinstance(workers, int) and len(some) > 2
        count = workers
        if isinstance(workers, int):  # at least two, so that it can be seen whether the number is passed on
            count = max(2, workers) if number == 1 else 2 if workers != 2 else 3
        held = some[-1] if number == 1 else some[0]
        rehearsal = {
            "held": f"{Path(name_of(held)).stem}.jpg",
            "together": many and number == 1,
            "arguments": given,
            "picture": _picture(baseline, some, given),
        }
        yield some, (*given, count), rehearsal


def _picture(baseline: Run, items: list, given: list) -> bytes:
    """One of the files that the function would make."""
    if baseline.task == "resize":
        return thumbnail_bytes("", Path(items[0]).read_bytes(), *given)[1]
    places = (folder / name for name in baseline.files for folder in (baseline.folder, KEPT["download"]))
    return next((path.read_bytes() for path in places if path.exists()), b"")
