"""Single values drawn from `random.Random`: letters, one of several, a figure of a distribution.

Python promises that a seeded `random()` gives the same numbers in every version; NumPy does not promise that for its
generators, and is slower at single numbers. Nothing here knows what a value is for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import TypeVar

from .data import Knots

T = TypeVar("T")


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of `items`, all equally likely, from a single `random()`."""
    return items[int(rng.random() * len(items))]


def between(knots: Knots, share: float) -> float:
    """The value at `share`, straight lines between the knots."""
    (p0, v0), (p1, v1) = next((pair for pair in pairwise(knots) if share <= pair[1][0]), knots[-2:])
    return v0 + (v1 - v0) * (share - p0) / (p1 - p0)


def between_ratios(knots: Knots, share: float) -> float:
    """The value at `share`, with equal ratios for equal steps: counts spread over powers of ten."""
    return math.exp(between([(part, math.log(value)) for part, value in knots], share))


def letters(rng: Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))
