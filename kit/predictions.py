"""What somebody expects before a run. It is kept with the run's records: to change it means to run again."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from kit.display import say


@dataclass(frozen=True)
class Prediction:
    """A number that is expected, such as a speed-up, and why."""

    number: float
    because: str


_made: dict[str, Prediction] = {}


def predict(what: str, number: float | None, because: str = "") -> None:
    """Note what you expect, and say it. The next run of a stage keeps it.

    Args:
        what: "download" or "resize", the stage whose speed-up is predicted, or any other name.
        number: what you expect; None: not predicted yet.
        because: the reason, in a sentence.
    """
    _made.pop(what, None)
    if number is None:
        say(f"{what.capitalize()}: not predicted yet. Put a number in place of None, and run this cell again.")
    elif not isinstance(number, Real) or isinstance(number, bool) or not 0 < number < 1e6:
        say(f"{what.capitalize()}: a prediction is a number above 0, not {number!r}. Correct it, and run again.")
    else:
        _made[what] = Prediction(float(number), because)
        say(f"{what.capitalize()}: you predict {number:g}, because {because or '... (no reason given)'}")


def predicted(what: str) -> Prediction | None:
    """The last prediction under this name."""
    return _made.get(what)


def beside(measured: float, prediction: Prediction | None) -> str:
    """ "31.7 (predicted: 20)": a measured number beside the expected one."""
    return f"{measured:.2f} ({f'predicted: {prediction.number:g}' if prediction else 'not predicted'})"
