"""Checks of the exploratory steps: a student's function is called with the data, and its result is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from checks.attempt import is_empty
from checks.verdict import Verdict

if TYPE_CHECKING:  # pandas and NumPy take a second to load, and writing submission.zip needs neither
    import numpy as np
    import pandas as pd

BINS = 30


class Step(NamedTuple):
    """One row: what the function is given, what is right, and what to look at if the result is another one."""

    given: Callable[[pd.DataFrame], tuple]  # from the records as tidy() gives them
    right: Callable[..., Any]
    hint: str


def _bin_edges(downloads: pd.Series, bins: int) -> np.ndarray:
    import numpy as np

    return np.geomspace(downloads.min(), downloads.max() + 1, bins + 1)


def _outliers(likes: pd.Series) -> pd.Series:
    lower, upper = likes.quantile([0.25, 0.75])
    reach = 1.5 * (upper - lower)
    return likes[(likes < lower - reach) | (likes > upper + reach)]


STEPS = {
    "bin_edges": Step(
        lambda data: (data["downloads"][data["downloads"] > 0], BINS),
        _bin_edges,
        "bins + 1 numbers, from the smallest number of downloads to one more than the largest, each the same multiple "
        "of the one before: np.geomspace(first, last, how_many).",
    ),
    "five_numbers": Step(
        lambda data: (data["likes"].dropna(),),
        lambda likes: likes.quantile([0, 0.25, 0.5, 0.75, 1]),
        "minimum, lower quartile, median, upper quartile, maximum, in this order: likes.quantile([...]) takes a list.",
    ),
    "outliers": Step(
        lambda data: (data["likes"].dropna(), data["likes"].dropna().quantile([0, 0.25, 0.5, 0.75, 1]).tolist()),
        lambda likes, five: _outliers(likes),
        "the likes themselves, below the lower quartile by more than 1.5 box lengths, or above the upper quartile by "
        "more: likes[(likes < low) | (likes > high)].",
    ),
    "aspect_ratio": Step(
        lambda data: (data["width"], data["height"]),
        lambda width, height: width / height,
        "the width of each photo divided by its height; two columns can be divided as a whole.",
    ),
    "filled": Step(
        lambda data: (data["description"].astype(object),),
        lambda description: description.fillna("Not provided"),
        "the same column, with 'Not provided' where a description is missing, and nothing else changed: fillna().",
    ),
}


def explore(function: Callable, data: pd.DataFrame, name: str = "") -> Verdict:
    """Call one of the functions of STEPS with the data and with a part of them.

    Args:
        name: which one it should be; "": the one that has its name.

    Returns:
        A Verdict; if it is RIGHT, `value` is what the function returned for all the data.
    """
    import numpy as np

    name = name or getattr(function, "__name__", "")
    if name not in STEPS:
        said = f"this is none of {', '.join(STEPS)}.\nNext step: write it with def, under the name that it had."
        return Verdict("WRONG", said)
    step = STEPS[name]
    # A part first: who knows the answer for all photos by heart, or uses a variable of the notebook, is found out.
    parts = [step.given(some) for some in (data.iloc[: len(data) // 2], data)]
    if not (parts := [given for given in parts if len(given[0].dropna())]):
        return Verdict("NOT ATTEMPTED YET", f"the records hold nothing that {name} could work on.")
    for given in parts:
        try:
            value = function(*(thing.copy() if hasattr(thing, "copy") else thing for thing in given))
            same = _same(value, step.right(*given))
        except NotImplementedError:
            return Verdict("NOT ATTEMPTED YET", f"write {name} in this cell, then run it again.")
        except Exception as problem:  # noqa: BLE001 - whatever it raises is told
            what = f"{type(problem).__name__}: {str(problem)[:200]}"
            return Verdict("WRONG", f"{name} stopped with {what}\nNext step: it should return {step.hint}")
        if value is None and is_empty(function):
            return Verdict("NOT ATTEMPTED YET", f"write {name} in this cell, then run it again.")
        if not same:
            got = "nothing (return it)" if value is None else f"{type(value).__name__} {np.ravel(value)[:3]}"
            return Verdict("WRONG", f"{name} gave {got}, and not what it should.\nNext step: return {step.hint}")
    said = f"{name} gives what it should, for all {len(data):,} records and for half of them."
    return Verdict("RIGHT", said, value=value)


def _same(value: Any, right: Any) -> bool:
    """Whether both have the same values in the same order; whether it is a list, an array or a Series is all one."""
    import numpy as np

    if value is None or np.shape(value) != np.shape(right):
        return False
    found, expected = (np.asarray(thing, dtype=object) for thing in (value, right))
    numbers = all(isinstance(one, int | float | np.number) for one in expected)
    if not numbers:
        return bool((found == expected).all())
    return bool(np.allclose(found.astype(float), expected.astype(float), rtol=1e-3, equal_nan=True))
