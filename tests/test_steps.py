"""What students do besides the two exercises: exploratory steps, predictions, numbers read off, three kinds of work."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import download_serial, download_threads, resize_serial

import checks
import helpers
from checks import grading, reading
from kit import kinds, predictions, sentences

DATA = pd.DataFrame(
    {
        "downloads": [*range(0, 2000, 20)],
        "likes": [*range(95), 400, 500, 600, np.nan, 2],
        "width": [4000, 3000] * 50,
        "height": [3000, 4000] * 50,
        "description": ["a lake", None] * 50,
    }
)

# name of the step: right ways, each an expression of its arguments
RIGHT = {
    "bin_edges(downloads, bins)": ["np.geomspace(min(downloads), max(downloads) + 1, bins + 1)",
                                   "np.logspace(*np.log10([downloads.min(), downloads.max() + 1]), bins + 1).tolist()"],
    "five_numbers(likes)": ["likes.describe()[['min', '25%', '50%', '75%', 'max']]",
                            "np.percentile(likes, [0, 25, 50, 75, 100])"],
    "outliers(likes, five)": ["[n for n in likes if not 2.5 * five[1] - 1.5 * five[3] <= n <= "
                              "2.5 * five[3] - 1.5 * five[1]]"],
    "aspect_ratio(width, height)": ["width / height", "[w / h for w, h in zip(width, height)]"],
    "filled(description)": ["description.fillna('Not provided')", "description.where(description.notna(), "
                            "'Not provided').tolist()"],
}  # fmt: skip
WRONG = {
    "bin_edges(downloads, bins)": ["np.geomspace(min(downloads), max(downloads), bins)",
                                   "np.linspace(1, 2000, bins + 1)",                                   "bins", "None"],
    "five_numbers(likes)": ["likes.quantile([0, 0.5, 0.25, 0.75, 1])", "[0, 24, 48.5, 73, 600]", "likes.mean()"],
    "outliers(likes, five)": ["likes[likes > five[3]]", "likes > 400", "len(likes)"],
    "aspect_ratio(width, height)": ["height / width", "(width / height).mean()", "data['width']"],
    "filled(description)": ["description.dropna()", "description.fillna('')", "description"],
}  # fmt: skip


def function(head: str, expression: str):
    names = {"np": np}
    exec(f"def {head}:\n    return {expression}", names)  # noqa: S102
    return names[head.split("(")[0]]


@pytest.mark.parametrize(("head", "way"), [(head, way) for head, ways in RIGHT.items() for way in ways])
def test_every_right_way_of_a_step_passes(head: str, way: str) -> None:
    verdict = checks.explore(function(head, way), DATA)
    assert verdict.right, verdict
    assert len(verdict.value) > 0


@pytest.mark.parametrize(("head", "way"), [(head, way) for head, ways in WRONG.items() for way in ways])
def test_a_wrong_step_is_told_what_is_asked(head: str, way: str) -> None:
    verdict = checks.explore(function(head, way), DATA)
    if way == "None":
        assert verdict.word == "NOT ATTEMPTED YET"
    else:
        assert verdict.word == "WRONG" and "Next step: " in verdict.text
    assert verdict.value is None


def test_a_step_that_is_not_written_changes_nothing() -> None:
    verdict = checks.explore(function("filled(description)", "not_written()"), DATA)
    assert "NameError" in verdict.text and verdict.word == "WRONG"

    def outliers(likes: pd.Series, five: list) -> None:
        likes.clear = five.clear()
        raise NotImplementedError

    assert checks.explore(outliers, DATA).word == "NOT ATTEMPTED YET"


def test_a_grader_runs_the_steps_on_records_of_its_own() -> None:
    functions = {head.partition("(")[0]: function(head, ways[0]) for head, ways in RIGHT.items()}
    assert grading.explored(functions) == 5
    known = function("five_numbers(likes)", repr(DATA["likes"].quantile([0, 0.25, 0.5, 0.75, 1]).tolist()))
    assert grading.explored({"five_numbers": known, "bin_edges": functions["bin_edges"]}) == 1  # and three are missing
    assert grading.explored(dict.fromkeys(functions, functions["aspect_ratio"])) == 1
    assert checks.explore(lambda width, height: width / height, DATA).word == "WRONG"


# --- numbers that are read off -----------------------------------------------------------------------------------


@pytest.fixture
def run(photos: list[helpers.Photo]) -> helpers.Run:
    return helpers.timed_run(download_threads, photos)


def known(run: helpers.Run, *names: str) -> dict:
    return {name: reading.FACTS[name][0](run) for name in names}


def test_what_is_read_off_is_judged_by_the_run_itself(run: helpers.Run, photos: list[helpers.Photo]) -> None:
    names = ("idle_at_the_end", "took_longest", "second_worker_began", "cpus_busy")
    right = known(run, *names)
    about = {name: value if isinstance(value, str) else round(1.08 * value, 3) for name, value in right.items()}
    assert checks.read_off(run, about).right and checks.read_off(run, right).value == 1
    slow = replace(run, outcomes=[replace(o, finished=o.finished + 9 * (o is run.outcomes[0])) for o in run.outcomes])
    verdict = checks.read_off(replace(slow, wall=run.wall + 9), right)
    assert verdict.word == "WRONG" and "idle_at_the_end is not what your run shows" in verdict.text
    blank = checks.read_off(run, {"idle_at_the_end": None, "took_longest": ""})
    assert blank.word == "NOT ATTEMPTED YET" and blank.value == 0
    half = checks.read_off(run, right | {"took_longest": "another", "cpus_busy": "many"})
    assert half.value == 0.5 and half.word == "WRONG"
    assert checks.read_off(None, right).word == "NOT ATTEMPTED YET"


def test_a_grader_judges_by_what_the_submitted_notebook_shows(
    run: helpers.Run, photos: list[helpers.Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = known(run, "idle_at_the_end", "took_longest")
    shown = json.loads(json.dumps(checks.read_off(run, answers)._repr_mimebundle_()[reading.MIME]))
    assert shown == answers
    others = [photo for photo in photos if photo.id != answers["took_longest"]]
    again = helpers.timed_run(download_serial, others)  # at another time and place
    assert not checks.read_off(again, answers).right
    reading.SUBMITTED.parent.mkdir(exist_ok=True)
    reading.SUBMITTED.write_text(json.dumps(shown))
    assert not checks.read_off(again, answers).right  # the file means nothing in a student's own run
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert checks.read_off(again, answers).right and checks.read_off(None, answers).right
    given = {"threads_download": again, "download_answers": answers}
    assert grading.read_right(given) == grading.read_right({"download_answers": answers}) == 2
    assert grading.read_right(given | {"resize_answers": answers | {"another": 1}}) == 2  # each counts where it belongs
    assert not checks.read_off(again, answers | {"took_longest": "another"}).right


# --- predictions -------------------------------------------------------------------------------------------------


def test_a_run_keeps_what_was_predicted_before_it(
    photos: list[helpers.Photo], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers.predict("download", None)
    assert helpers.timed_run(download_serial, photos[:2]).prediction is None
    helpers.predict("download", 20, because="there are 32")
    run = helpers.timed_run(download_serial, photos[:2])
    helpers.predict("download", 31.5, because="now I know")
    assert (run.prediction.number, run.prediction.because) == (20, "there are 32")
    assert predictions.beside(31.73, run.prediction) == "31.73 (predicted: 20)"
    said = capsys.readouterr().out
    assert "not predicted yet" in said and "you predict 20, because there are 32" in said
    for nonsense in ("20", 0, -1, True, float("nan"), float("inf")):
        helpers.predict("download", nonsense)
        assert "a prediction is a number above 0" in capsys.readouterr().out
        assert helpers.predicted("download") is None


# --- waiting, computing, and waiting for a CPU ---------------------------------------------------------------------


def test_three_kinds_of_work_give_the_same_in_every_way(images: list[Path]) -> None:
    walls = kinds.three_ways(images[:4], 2)
    assert walls.keys() == kinds.KINDS.keys()
    assert all(times.keys() == {"serial", "threads", "processes"} for times in walls.values())
    assert len({kinds.python_code(path) for path in images}) == len(images)


def test_processes_that_give_something_else_are_no_measurement(
    images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kinds.KINDS, "waiting", _never_the_same)
    with pytest.raises(AssertionError, match="another result in"):
        kinds.three_ways(images[:3], 2)


def _never_the_same(path: Path) -> int:
    return int.from_bytes(os.urandom(8), "big")


def test_what_a_step_prints_while_it_is_graded_costs_no_points(capsys: pytest.CaptureFixture) -> None:
    """nbgrader takes an output to standard error for a mistake."""

    def aspect_ratio(width: pd.Series, height: pd.Series) -> pd.Series:
        print("a warning", file=sys.stderr)
        logger.critical("another one")
        return width / height

    logger = logging.getLogger("own")
    logger.addHandler(logging.StreamHandler(sys.stderr))  # it keeps this stream
    assert grading.explored({"aspect_ratio": aspect_ratio}) == 1
    assert capsys.readouterr().err == ""
    logger.critical("shown again")
    assert capsys.readouterr().err == "shown again\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a thread waited for a CPU")
def test_waiting_for_a_cpu_is_neither_waiting_nor_computing(images: list[Path]) -> None:
    """A busy loop on the same CPU takes half of the time; the work stays what it is."""

    def best() -> helpers.Run:  # waiting for a disk, which other tests keep busy, is neither of the two
        return max((helpers.timed_run(resize_serial, images) for _ in range(5)), key=lambda run: run.busy)

    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        alone = best()
        endless = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
        with subprocess.Popen(endless, stdout=subprocess.PIPE) as busy:
            try:
                busy.stdout.readline()
                beside = best()
            finally:
                busy.kill()
    finally:
        os.sched_setaffinity(0, cpus)
    assert beside.crowded > 0.2 and beside.busy > 0.7
    (said,) = sentences.warnings([replace(beside, others=0.0)], [])[:1]  # own workers may be too many
    assert "of the items' time went by in waiting for a CPU" in said
    (said,) = sentences.warnings([replace(beside, others=beside.wall)], [])[:1]
    assert said == "resize, serial: other programs used 1.00 CPUs meanwhile"
    assert beside.busy > beside.cpu / (beside.overlap * beside.wall) > 0
    assert alone.busy > 0.7
