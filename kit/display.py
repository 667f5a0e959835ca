"""What a cell shows: one progress line that a saved notebook keeps readable, sentences, a chart with its text."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import io
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from kit.machine import environment

if TYPE_CHECKING:
    from IPython.display import HTML
    from tqdm import tqdm

T = TypeVar("T")


class Source(Protocol):
    """Where the photos come from, in words."""

    def describe(self) -> str: ...


def progress(iterable: Iterable[T], description: str, total: int | None = None, unit: str = " photos") -> Iterator[T]:
    """Pass the items on and count them in one line: live in a notebook or a terminal, readable when saved."""
    total = len(iterable) if total is None else total  # type: ignore[arg-type]
    with progress_line(total, description, unit) as line:
        for item in iterable:
            yield item
            line.update()


def say(text: str) -> None:
    """Print a sentence in lines that a saved notebook shows without breaking words."""
    print(folded(text))


def folded(text: str) -> str:
    """In lines that a saved notebook shows without breaking words: put together again, they are the same text."""
    lines = text.splitlines()
    return "\n".join(textwrap.fill(line, 96, break_long_words=False, break_on_hyphens=False) for line in lines)


def progress_line(total: int, description: str, unit: str = " photos", initial: int = 0) -> tqdm:
    """One line that counts up to `total`; a context manager with `update(by)`."""
    from tqdm import tqdm

    for box in _status:
        box.running(description)
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


def show(description: str) -> None:
    """Show the current matplotlib chart and close it. The description is for readers who can't see it.

    It is the picture's alternative text, which the HTML report reads, and stands in the PNG itself. JupyterLab and
    Notebook give pictures no alternative text (https://github.com/jupyter/enhancement-proposals/issues/120), so it can
    be unfolded below the chart as well. Outside of a notebook the chart is shown without it.
    """
    import matplotlib.pyplot as plt

    if not in_notebook():
        plt.show()
        return
    from IPython.display import display

    png = io.BytesIO()
    plt.savefig(png, format="png", bbox_inches="tight", metadata={"Description": description})
    plt.close()
    picture = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": description}
    unfold = f"<details><summary>The chart in words</summary><p>{html.escape(description)}</p></details>"
    display(picture, raw=True, metadata={"image/png": {"alt": description}})
    display({"text/html": unfold, "text/plain": description}, raw=True)


class StatusBox:
    """The box at the top of the notebook: what runs now, and at the end the facts for whoever reads only that."""

    def __init__(self, name: str, number: str | int):
        from IPython.display import display

        self.who = {"Name": name or "(not given)", "Student number": number or "(not given)"}
        self.given = name, str(number)  # without quotes, it is an int
        self.full = False
        self.handle = display(_table(self.who | {"Runs now": "nothing yet"}), display_id=True)

    def running(self, what: str) -> None:
        """Show what is running, unless the box has been filled."""
        if not self.full and self.handle:
            self.handle.update(_table(self.who | {"Runs now": what}))

    def fill(self, source: Source, facts: Mapping[str, object], warnings: Sequence[str]) -> None:
        """Show the facts of the whole run in place of that."""
        here = environment()
        machine = "; ".join(here[name] for name in ("CPUs", "Operating system", "Python"))
        told = {"Warnings": "; ".join(warnings) or "none"}
        self.full = True
        self.handle.update(_table(self.who | {"Source": source.describe(), "Machine": machine} | dict(facts) | told))


def status_box(name: str, number: str | int) -> StatusBox:
    """Make the box here; progress lines tell it what runs."""
    _status.clear()
    _status.append(StatusBox(name, number))
    return _status[0]


_status: list[StatusBox] = []


def student() -> str:
    """Eight hexadecimal digits of the name and number that the box shows; "" if neither was given."""
    return digest_of(*_status[0].given) if _status else ""


def digest_of(name: str, number: str) -> str:
    return hashlib.sha256(f"{name}|{number}".encode()).hexdigest()[:8] if name + number else ""


def _table(facts: Mapping[str, object]) -> HTML:
    """A table of two columns, names and facts."""
    from IPython.display import HTML

    left = "style='text-align:left'"
    pairs = ((html.escape(name), html.escape(str(fact))) for name, fact in facts.items())
    rows = (f"<tr><th {left}>{name}</th><td {left}>{fact}</td></tr>" for name, fact in pairs)
    return HTML(f"<table>{''.join(rows)}</table>")
