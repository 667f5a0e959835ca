"""Checks of the two exercises: NOT ATTEMPTED YET, WRONG with the reason and the next step, or RIGHT with the proof.

`check()` runs the student's function once, with the clock on, in an empty folder. It then looks at what the workers
noted (Outcome), at the files, and at what is still running. Nothing is decided by how long something took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checks.attempt import Attempt, is_empty
from checks.judge import Verdict, verdict_on
from kit.runs import Run

__all__ = ["Verdict", "check"]


def check(function: Callable, baseline: Run, items: Sequence, *arguments: object) -> Verdict:
    """Run `function(items, folder, *arguments)` and judge it against the serial run of the same items.

    Args:
        function: the student's download_parallel or resize_parallel.
        baseline: the serial run, whose files are in images/ or thumbnails/.
        items: what the serial run got.
        arguments: the rest of the function's arguments; the last one is the number of workers.
    """
    if is_empty(function):
        name = f"{baseline.task}_parallel"
        return Verdict("NOT ATTEMPTED YET", f"write {name} in the cell above, then run this cell again.")
    attempt = Attempt(function, baseline.task, items, arguments)
    attempt.carry_out()
    return verdict_on(attempt, baseline)
