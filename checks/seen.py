"""The facts of a watched call, each counted in one place. What they mean stands in the table of reasons.py."""

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
PARAMETERS = {"download": ["photos", "folder", "workers"], "resize": ["paths", "folder", "size", "workers"]}
_LAZY: dict[str, Callable[[object], bool]] = {  # what a function may return that has not done any work yet
    "coroutine": inspect.iscoroutine,
    "generator": inspect.isgenerator,
    "lazy iterator": lambda result: isinstance(result, map | filter | zip | itertools.starmap | itertools.chain),
}


class Seen:
    """What one call left behind. A fact that does not hold is empty, 0, "" or False.

    Args:
        attempt: the call.
        baseline: the serial run, if the same work was really done; None in a rehearsal.
    """

    def __init__(self, attempt: Attempt, baseline: Run | None = None):
        self.attempt, self.baseline, self.run = attempt, baseline, attempt.run
        self.one, self.of = ONE_ITEM[attempt.task], len(attempt.items)
        self.in_time = self.run.outcomes if self.run else ()
        self.late, self.lost = attempt.late, attempt.lost
        self._look_at_the_call()
        self._look_at_the_places()
        self._look_at_the_work()
        self._look_at_the_order()
        self._look_at_the_files()

    def _look_at_the_call(self) -> None:
        attempt, result, error = self.attempt, self.attempt.result, self.attempt.error
        problems = [*([error] if error else []), *attempt.unread]
        self.error, self.gave_up = _words(error) if error else "", attempt.gave_up
        self.other_order = ""  # the parameters, if they are the right ones in another order
        with contextlib.suppress(TypeError, ValueError):
            names, asked = list(inspect.signature(attempt.call).parameters), PARAMETERS[attempt.task]
            if names != asked and sorted(names) == sorted(asked):
                self.other_order = ", ".join(asked)
        sent = next(filter(cannot_travel, problems), None)
        self.stuck_in_pickle = str(sent)[:150] if sent and (error or self.gave_up) else ""
        broken = any(isinstance(problem, BrokenProcessPool) for problem in problems)
        self.broken = broken and len(self.in_time) < self.of and not self.gave_up  # giving up ends the workers, too
        self.last_words = attempt.complaints[-1][:150] if attempt.complaints else ""  # of a worker process
        self.no_module = _found(r"No module named '(.+?)'", self.last_words)
        self.of_a_cell = _found(r"[Cc]an't get attribute '(.+?)' on <module '__(?:mp_)?main__'", self.last_words)
        self.of_a_cell = self.of_a_cell or _found(r"'__(?:mp_)?main__' has no attribute '(.+?)'", self.last_words)
        self.folder_gone = error and not (attempt.folder / journal.JOURNAL).exists()
        picture = attempt.folder / journal.JOURNAL / STAGE / PICTURE
        right = attempt.rehearsal["picture"] if attempt.rehearsal and error and picture.exists() else None
        self.spoilt_picture = right is not None and picture.read_bytes() != right
        serial = self.run and {outcome.worker for outcome in self.in_time} == {self.run.caller}
        self.called = (error or serial) and any("not callable" in str(problem) for problem in problems)
        nothing = self.run and not self.in_time and not self.late and not attempt.unread
        self.lazy = next((kind for kind, fits in _LAZY.items() if nothing and fits(result)), "")
        if inspect.iscoroutine(result):
            result.close()

    def _look_at_the_places(self) -> None:
        outcomes, own = (*self.in_time, *self.late) if self.run else (), _folder(self.attempt.folder)
        resized = self.run.items if self.run and self.attempt.task == "resize" else ()
        sources = {_folder(Path(item).parent) for item in resized}
        small = {own, _folder(KEPT["resize"])} - sources
        self.folder_as_item = [o for o in outcomes if _folder(o.item) == own]
        self.of_thumbnails = [o for o in outcomes if sources and _folder(Path(o.item).parent) in small]
        self.beside_originals = [o for o in outcomes if "overwrite" in (o.error or "") or _below(o.path, sources)]
        elsewhere = [o for o in outcomes if o.path and _folder(Path(o.path).parent) != own]
        self.elsewhere = [Path(o.path).parent for o in elsewhere]
        self.there_elsewhere = [Path(o.path).parent for o in elsewhere if o.status is Status.SKIPPED]

    def _look_at_the_work(self) -> None:
        asked = Counter(map(same_item, self.run.items if self.run else ()))
        noted = Counter(same_item(outcome.item) for outcome in self.in_time)
        late = Counter(same_item(outcome.item) for outcome in self.late)
        self.calls, self.different = len(self.in_time), len(noted)
        self.missing = (asked - noted - late).total()
        self.surplus = (noted - asked).total()  # done without being asked for, or once more
        self.strangers = [name for name in noted if name not in asked]
        names, known = ({Path(name).name for name in some} for some in (self.strangers, asked))
        self.other_paths = sorted(names) if names <= known else []
        own = sum(outcome.worker == self.run.caller for outcome in self.in_time) if self.run else 0
        self.by_both = self.surplus if 0 < own < self.calls else 0
        self.skipped = [o for o in self.in_time if o.status is Status.SKIPPED and not self.surplus]
        failed = [o.error for o in self.in_time if o.status is Status.FAILED]
        self.failed = ", ".join(f"{reason} ({n:,})" for reason, n in Counter(failed).most_common(3))
        self.not_given = [error for error in failed if error == NOT_GIVEN]
        wrong = self.missing or failed or self.surplus
        self.never_awaited = self.attempt.never_awaited if wrong else []
        self.unread = [_words(problem) for problem in self.attempt.unread] if wrong else []
        self.raised = self.attempt.raised if self.missing else []
        crashed = self.attempt.crashed if self.missing or self.gave_up else []
        died = "The worker processes died at once (BrokenProcessPool)." if self.broken else ""
        crashes = f"{len(crashed):,} worker processes ended with an error." if crashed else ""
        self.deaths = self.gave_up if self.gave_up and (crashed or "died" in self.gave_up) else died or crashes
        nothing = self.missing == self.of and not self.calls
        self.files_of_others = self.run and nothing and not self.late and self.run.files
        self.cut_off = nothing and self.attempt.ended_early
        self.idle = nothing and not self.attempt.started

    def _look_at_the_order(self) -> None:
        """Whether the items of a rehearsal, in which each waits for another one, were done one after the other."""
        beside, last = set(), None  # in work beside another one, for however short a time
        for outcome in sorted(self.in_time, key=lambda outcome: outcome.started):
            if last and outcome.started < last.finished:
                beside |= {last.item, outcome.item}
            if not last or outcome.finished > last.finished:
                last = outcome
        together = self.run and self.attempt.rehearsal and self.attempt.rehearsal["together"]
        lone = [one for one in self.in_time if self.run and one.worker == self.run.caller and one.item not in beside]
        self.apart = together and (2 * len(beside) < self.calls or 10 * len(lone) > self.calls)
        self.few_beside = beside if self.apart else set()
        self.serial = self.apart and self.run and self.run.mode == "serial"
        self.workers = self.run.workers if self.run else 0

    def _look_at_the_files(self) -> None:
        """What the practice server sent, and the files, in the run that counts."""
        sent, tries = self.attempt.sent or {}, Counter[str]()
        for outcome in self.in_time:
            tries[outcome.item] += outcome.tries
        done = self.run.done if self.run and self.attempt.sent is not None else []
        self.never_sent = [outcome.item for outcome in done if not sent.get(outcome.item)]
        self.sent_too_often = [name for name, number in sent.items() if number > tries[name]]
        mine, right = (run.files if run and self.baseline else {} for run in (self.run, self.baseline))
        self.vanished = self.run.gone - self.baseline.gone if self.run and self.baseline else set()
        self.other_names = mine.keys() ^ right.keys() if self.run else set()
        self.other_bytes = sorted(name for name in mine if mine[name] != right.get(name, mine[name]))
        self.size = self.expected = ""
        if self.other_bytes:
            self.size = _pixels(self.attempt.folder / self.other_bytes[0])
            self.expected = _pixels(KEPT[self.attempt.task] / self.other_bytes[0]) or self.size  # it may be lost
        self.half_written = self.other_bytes if not self.size else []
        self.other_pixels = self.other_bytes if self.size != self.expected else []


def _words(problem: BaseException) -> str:
    lines = str(problem).splitlines() or [""]
    return f"{type(problem).__name__}: {lines[0][:200]}"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


def _pixels(path: Path) -> str:
    """Width and height of a whole image file; "" for any other."""
    try:
        with Image.open(path) as image:
            image.load()
            return "{} x {}".format(*image.size)
    except OSError:
        return ""


def _folder(path: Path | str) -> str:
    return os.path.normcase(os.path.realpath(path))


def _below(path: str, folders: set[str]) -> bool:
    """Whether a path lies in one of the folders or in a folder below."""
    parents = {_folder(parent) for parent in Path(path).parents} if path else set()
    return bool(parents & folders)
