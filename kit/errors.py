"""The errors that tell what to do. A notebook shows each as one sentence, without a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


class AssignmentError(Exception):
    """Something that you can mend yourself: the text says how."""

    def _render_traceback_(self) -> list[str]:  # IPython calls this in place of its own traceback
        return [f"{type(self).__name__}: {self}"]


class SettingsError(AssignmentError):
    """config.ini holds something that can't be used."""


class SourceError(AssignmentError):
    """The API could not be reached or gave an answer that makes no sense."""


class KeyRejected(AssignmentError):
    """The API refused the access key."""


class QuotaReached(AssignmentError):
    """The requests of this hour are used up; what was collected is kept."""


class FileProblem(AssignmentError):
    """Files can't be read or written as a step needs it; the text says why and what to do."""


class UnequalWork(AssignmentError):
    """Two runs may not be compared; the text says which rule broke."""


class WorkerLost(AssignmentError):
    """A worker process ended in the middle of a timed run; the text says what may be the cause."""


class ClusterError(AssignmentError):
    """No cluster can be used; the text says what to do."""


class Interrupted(KeyboardInterrupt):
    """A step was interrupted; the text says how far it came."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@contextlib.contextmanager
def interruptible(so_far: Callable[[], str]) -> Iterator[None]:
    """Turn an interrupt inside into one sentence.

    Raises:
        Interrupted: its text is what `so_far` returns then.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(so_far()) from None
