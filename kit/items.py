"""What is worked on, and what became of it: Photo, Status, Outcome. Only data: they travel between processes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Photo:
    """One photo to download: its id and the address of its image file."""

    id: str
    url: str


class Status(StrEnum):
    """How the work on one item ended."""

    DONE = "done"
    SKIPPED = "skipped"  # the file was there already
    FAILED = "failed"
    GONE = "gone"  # its host says that it is no more (HTTP status 404 or 410)


@dataclass(frozen=True)
class Outcome:
    """What became of one item.

    Attributes:
        item: id of the photo, or path of the image file.
        bytes: size of the file that was written.
        path: where it was written.
        started, finished: seconds on time.perf_counter, whose clock is the same for all processes of a machine.
        waited: seconds between sending the request and the first byte of the answer (downloads only).
        cpu: seconds in which this item kept a CPU busy.
        queued: seconds in which it could have gone on and waited for a CPU; 0 where the system does not tell.
        worker: process id and thread id.
        tries: how often it was tried.
        error: why it failed, or None.
    """

    item: str
    status: Status
    bytes: int = 0
    path: str = ""
    started: float = 0.0
    finished: float = 0.0
    waited: float = 0.0
    cpu: float = 0.0
    queued: float = 0.0
    worker: str = ""
    tries: int = 1
    error: str | None = None


def failed(item: str, error: str, tries: int = 1, waited: float = 0.0) -> Outcome:
    """The Outcome of an item that could not be done."""
    return Outcome(item, Status.FAILED, error=error, tries=tries, waited=waited)


def is_id(text: object) -> bool:
    """Whether this may become a file name: an id has 11 of [A-Za-z0-9_-]; up to 64 are accepted."""
    return isinstance(text, str) and bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text)) and not _RESERVED.match(text)


_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)  # no file names on Windows
