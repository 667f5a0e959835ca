"""What a cell shows in words: one progress line that a saved notebook keeps readable, and sentences."""

from __future__ import annotations

import contextlib
import io
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")


def progress(iterable: Iterable[T], description: str, total: int | None = None, unit: str = " photos") -> Iterator[T]:
    """Pass the items on and count them in one line: live in a notebook or a terminal, readable when saved."""
    total = len(iterable) if total is None else total  # type: ignore[arg-type]
    with progress_line(total, description, unit) as line:
        for item in iterable:
            yield item
            line.update()


def say(text: str) -> None:
    """Print a sentence in lines that a saved notebook shows without breaking words."""
    print("\n".join(textwrap.fill(line, 96) for line in text.splitlines()))


def progress_line(total: int, description: str, unit: str = " photos", initial: int = 0) -> tqdm:
    """One line that counts up to `total`; a context manager with `update(by)`."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        initial=initial,
        ncols=100,
        mininterval=0.25,
        file=_OneOutput() if in_notebook() and not _progress["disable"] else sys.stderr,
        disable=_progress["disable"],
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress lines inside, for measurements that have one of their own."""
    _progress["disable"] = True
    try:
        yield
    finally:
        _progress["disable"] = False


_progress = {"disable": False}


def in_notebook() -> bool:
    """Whether this runs in a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class _OneOutput(io.TextIOBase):
    """A file for tqdm whose text is one notebook output, updated in place.

    tqdm.notebook draws a widget that saved notebooks show as "0%", and plain tqdm leaves a line for each update.
    """

    def __init__(self) -> None:
        from IPython.display import display

        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def write(self, text: str) -> int:
        if line := text.strip():
            self.handle.update({"text/plain": line}, raw=True)
        return len(text)
