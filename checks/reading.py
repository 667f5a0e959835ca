"""Numbers that students read from the charts and tables of their own run, judged against the records of that run.

A grader runs the notebook again, on another machine and with other times. So what is right stands in the notebook's
output, beside the verdict, and grading reads it from what was submitted (nbgrader_config.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from checks.verdict import Verdict
from kit.files import CACHE
from kit.runs import Run

MIME = "application/vnd.parallel-photos.reading+json"
SUBMITTED = CACHE / "submitted-readings.json"  # while a submission is graded: what its own outputs say
EYE, LEAST = 0.15, 0.05  # share by which a number that is read from a chart may be off, and how much always


def _ends(run: Run) -> list[float]:
    """When each worker finished its last item, in seconds since the run began."""
    return sorted({outcome.worker: outcome.finished - run.started for outcome in run.outcomes}.values())


def _begins(run: Run) -> list[float]:
    latest_first = sorted(run.outcomes, key=lambda outcome: outcome.started, reverse=True)
    return sorted({outcome.worker: outcome.started - run.started for outcome in latest_first}.values())


def _slowest(run: Run) -> str:
    return max(run.outcomes, key=lambda outcome: outcome.finished - outcome.started).item


# What is asked: what is right, and how it is told.
FACTS: dict[str, tuple[Callable[[Run], float | str], str]] = {
    "idle_at_the_end": (
        lambda run: run.wall - _ends(run)[0],
        "from the end of the lane that ends first to that of the run",
    ),
    "took_longest": (_slowest, "the id in the first row of the table of the slowest photos"),
    "second_worker_began": (lambda run: _begins(run)[min(1, run.workers - 1)], "where the second lane begins"),
    "cpus_busy": (lambda run: run.cpu / run.wall, "CPU time (s) divided by wall time (s), from the table"),
}


# The notebook's variables: a run, and the dict with what was read from it.
READINGS = {
    ("threads_download", "download_answers"): ("idle_at_the_end", "took_longest"),
    ("processes_resize", "resize_answers"): ("second_worker_began", "cpus_busy"),
}


@dataclass(frozen=True)
class Reading(Verdict):
    """A Verdict that also carries what is right, for grading. Its value is the share (0..1) of right answers."""

    facts: dict[str, float | str] = field(default_factory=dict)

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return super()._repr_mimebundle_() | {MIME: self.facts}


def read_off(run: Run | None, answers: Mapping[str, float | str | None]) -> Reading:
    """Judge what was read off, with the tolerance of the eye.

    Args:
        run: the run that was read; None if there is none yet.
        answers: the numbers, by the names of FACTS; None or "": not read yet.
    """
    graded = os.environ.get("NBGRADER_EXECUTION") == "autograde" and SUBMITTED.exists()
    submitted = json.loads(SUBMITTED.read_text(encoding="utf-8")) if graded else {}
    facts = {name: FACTS[name][0](run) for name in answers if run and run.outcomes}
    facts |= {name: submitted[name] for name in answers if name in submitted}
    wrong, open_ = [], []
    for name, answer in answers.items():
        if answer in (None, ""):
            open_.append(name)
        elif name not in facts or not _close(answer, facts[name]):
            wrong.append(name)
    if not facts or len(open_) == len(answers):
        word, text = "NOT ATTEMPTED YET", f"read off {', '.join(answers)}, put them above, and run this again."
    elif wrong or open_:
        said = [f"{name} is not what your run shows. Look again: {FACTS[name][1]}." for name in wrong]
        word, text = "WRONG", "\n".join([*said, *(f"{name} is not read yet." for name in open_)])
    else:
        word, text = "RIGHT", f"{', '.join(answers)}: that is what your run shows."
    return Reading(word, text, value=(len(answers) - len(wrong) - len(open_)) / len(answers), facts=facts)


def read_right(given: Mapping[str, Any]) -> float:
    """How many numbers were read off rightly, from the notebook's variables; what is missing there is not read."""
    right = 0.0
    for (run, answers), names in READINGS.items():
        told = given.get(answers)
        told = {name: told.get(name) if isinstance(told, dict) else None for name in names}
        right += len(names) * read_off(found if isinstance(found := given.get(run), Run) else None, told).value
    return right


def _close(answer: object, right: float | str) -> bool:
    if isinstance(right, str):
        return str(answer).strip() == right
    try:
        return abs(float(str(answer)) - right) <= max(EYE * right, LEAST)
    except ValueError:
        return False
