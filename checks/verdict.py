"""What a check says: a word, its reason or proof, and how a notebook shows it."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from kit.display import folded
from kit.runs import Run

_SIGNS = {"RIGHT": ("#2a7", "✓"), "WRONG": ("#c33", "✗"), "NOT ATTEMPTED YET": ("#888", "○")}


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        word: RIGHT, WRONG or NOT ATTEMPTED YET.
        text: the proof, or the reason and the next step.
        run: the student's run, if it is right.
        value: what else a right function gave.
    """

    word: str
    text: str
    run: Run | None = None
    value: Any = None

    @property
    def right(self) -> bool:
        return self.word == "RIGHT"

    @property
    def found(self) -> str:
        """The word, and who did the work."""
        return f"{self.word}, {self.run.label()}" if self.run else self.word

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """As a notebook shows it: a bar and a sign beside the word, and the same as plain text."""
        colour, sign = _SIGNS[self.word]
        lines = "<br>".join(map(html.escape, self.text.splitlines()))
        style = f"border-left: 6px solid {colour}; padding-left: 10px"
        return {
            "text/plain": str(self),
            "text/html": f"<div style='{style}'><b>{sign} {self.word}</b><br>{lines}</div>",
        }

    def __str__(self) -> str:
        return folded(f"{self.word}: {self.text}")
