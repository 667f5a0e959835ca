"""Sets the stage of a rehearsal (kit/rehearsal.py) and gives the cues, beside the function that is rehearsed."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path

import psutil  # comes with Jupyter

from kit import rehearsal
from kit.journal import STOP, under_way

PATIENCE = 20  # seconds for which an item waits for another one in work: starting a worker takes a part of that
QUIET = 3  # seconds without anything new after which nothing more is expected beside the item that is held
MOMENT = 0.3  # seconds for which it is held longer, so that who does not wait for it has returned


class Conductor(threading.Thread):
    """A context manager around the call of the function.

    Args:
        journal: folder of the run that is rehearsed.
        items: how many items there are.
        held: file name of the item that is held until nothing else happens any more.
        together: whether items wait until another one is in work.
        arguments: what the one-item function should be given besides item and folder.
        picture: what stands for a finished file, because a function may look at it.
    """

    def __init__(self, journal: Path, items: int, held: str, together: bool, arguments: list, picture: bytes):
        super().__init__(daemon=True)
        self.journal, self.items = journal.absolute(), items  # the function may change the directory
        self.stage = self.journal / rehearsal.STAGE
        self.picture = picture
        self.script = {"held": held, "together": together, "arguments": arguments}
        self.ended, self.caller = threading.Event(), threading.get_ident()
        self.threads, self.processes = set(threading.enumerate()), _processes()

    def __enter__(self) -> Conductor:
        self.stage.mkdir(exist_ok=True)
        (self.stage / rehearsal.PICTURE).write_bytes(self.picture)
        (self.stage / rehearsal.SCRIPT).write_text(json.dumps(self.script), encoding="utf-8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
        with contextlib.suppress(FileNotFoundError):  # the function has deleted its folder
            self._cue(rehearsal.RELEASED, rehearsal.ALONE)

    def run(self) -> None:
        count, changed, longest = -1, time.monotonic(), 0.0
        tried = 0.0  # at 1, enough items were done alone: no other one waits
        while not self.ended.wait(0.03):
            with contextlib.suppress(OSError):
                if (now := self._finished()) != count:
                    longest = max(longest, time.monotonic() - changed) if count > 0 else 0
                    count, changed = now, time.monotonic()
                still, quiet = time.monotonic() - changed, min(QUIET, max(0.5, 10 * longest)) if count else QUIET
                others = count >= self.items - 1
                last = 2 * count > self.items and still > quiet  # the last chunk may be alone
                if others or last or tried >= 1 or (self.journal / STOP).exists():
                    self._cue(rehearsal.ALONE)
                elif (nobody := self._nobody_else()) or still > PATIENCE:  # one may be done alone, to try
                    self._cue(*(rehearsal.ALONE + name for name in self._in_work()))
                    tried, changed = tried + (0.05 if nobody else 0.5), time.monotonic()
                begun = (self.stage / rehearsal.BEGUN).exists()
                if begun and (others or still > quiet) and not self.ended.wait(MOMENT):
                    self._cue(rehearsal.RELEASED)

    def _nobody_else(self) -> bool:
        """Whether the caller itself is in work, and has started neither threads nor processes that could join it."""
        started = set(threading.enumerate()) - self.threads - {self}
        return self.caller in under_way and not started and _processes() <= self.processes

    def _in_work(self) -> list[str]:
        """The workers that are in work now."""
        found = self.stage.glob(f"{rehearsal.IN_WORK}*")
        return [path.name.removeprefix(rehearsal.IN_WORK) for path in found if not path.stat().st_size]

    def _finished(self) -> int:
        """How many items have been noted."""
        return sum(path.read_bytes().count(b"\n") for path in self.journal.iterdir() if "-" in path.name)

    def _cue(self, *names: str) -> None:
        for name in names:
            (self.stage / name).touch()


def _processes() -> set[int]:
    return {process.pid for process in psutil.Process().children()}
