"""A saved notebook, read and never run: consistent ones are told nothing, and what was changed is found, or not.

docs/evidence.md publishes the table of changes.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from PIL import Image
from published import cell, published, with_tiny_pictures

from benchmarks import classroom
from checks import saved
from kit import evidence
from kit.display import StatusBox, folded
from kit.runs import Run

Notebook = dict[str, Any]
FEW = 60  # photos


@pytest.fixture(scope="module")
def reference() -> bytes:
    return published("assignment.ipynb")


@functools.cache
def of_few() -> bytes:
    """The reference as a run of its first photos, which is read in a fraction of the time."""

    def few(run: Run) -> Run:
        kept = tuple(one for one in run.outcomes if Path(one.item).stem in photos)
        return replace(run, outcomes=kept, wall=max(one.finished for one in kept) + 0.001)

    reference = published("assignment.ipynb")
    photos = {outcome.item for outcome in saved.read(reference).pairs["download"][0].done[:FEW]}
    return classroom.remade(with_tiny_pictures(json.loads(reference)), few, "", "")


@pytest.fixture(scope="module")
def own() -> bytes:
    return classroom.student(of_few(), 1, "Ada Lovelace")


@pytest.fixture(scope="module")
def other() -> bytes:
    return classroom.student(of_few(), 2, "Edsger Dijkstra")


def looked_at(notebook: Notebook | bytes) -> list[str]:
    found = saved.read(notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode())
    return [*found.refused, *found.findings]


# --- changes: what somebody might do to a notebook before handing it in --------------------------------------------


def text_of(
    notebook: Notebook, cell_id: str, old: str, new: str, forms: tuple[str, ...] = ("text/plain", "text/html")
) -> None:
    """Another text in the outputs of a cell."""
    changed = 0
    for out in cell(notebook, cell_id)["outputs"]:
        places = [(out, "text")] if "text" in out else [(out["data"], form) for form in forms if form in out["data"]]
        for place, form in places:
            before = saved.joined(place[form])
            place[form] = re.sub(old, new, before)
            changed += place[form] != before
    assert changed, f"{cell_id} has no {old}"


def records(notebook: Notebook, cell_id: str) -> dict:
    return next(o["data"] for o in cell(notebook, cell_id)["outputs"] if evidence.MIME in o.get("data", {}))[
        evidence.MIME
    ]


def slower(notebook: Notebook, cell_id: str, factor: float) -> None:
    data = records(notebook, cell_id)
    data["wall"] = int(data["wall"] * factor)


def packed(notebook: Notebook, other: Notebook) -> None:
    data = records(notebook, "download-check")
    data["packed"] = data["packed"][:2000] + "0" * 20 + data["packed"][2020:]


def picture(notebook: Notebook, other: Notebook) -> None:
    mine, theirs = (cell(one, "download-compare")["outputs"][0]["data"] for one in (notebook, other))
    mine["image/png"] = theirs["image/png"]


def outputs_of_another(notebook: Notebook, other: Notebook, *cells: str) -> None:
    for name in cells:
        cell(notebook, name)["outputs"] = cell(other, name)["outputs"]


def code(notebook: Notebook, other: Notebook) -> None:
    place = cell(notebook, "download-parallel")
    place["source"] = saved.joined(place["source"]).replace("max_workers=workers", "max_workers=workers + 1")


def out_of_order(notebook: Notebook, other: Notebook) -> None:
    first, second = cell(notebook, "likes"), cell(notebook, "colours")
    first["execution_count"], second["execution_count"] = second["execution_count"], first["execution_count"]


def outputs_deleted(notebook: Notebook, other: Notebook) -> None:
    for one in notebook["cells"]:
        if one["cell_type"] == "code":
            one.update(execution_count=None, outputs=[])


def records_deleted(notebook: Notebook, other: Notebook) -> None:
    for one in notebook["cells"]:
        for out in one.get("outputs", []):
            out.get("data", {}).pop(evidence.MIME, None)


def own_name_in_it(notebook: Notebook, other: Notebook) -> None:
    """The other student's notebook with this one's name."""
    mine = cell(notebook, "summary")["source"]
    notebook["cells"] = other["cells"]
    cell(notebook, "summary")["source"] = mine


def own_name_in_box_too(notebook: Notebook, other: Notebook) -> None:
    own_name_in_it(notebook, other)
    text_of(notebook, "summary", "Edsger Dijkstra", "Ada Lovelace")
    text_of(notebook, "summary", "s000002", "s000001")


def own_name_everywhere(notebook: Notebook, other: Notebook) -> None:
    """Also in the records, which takes a program."""
    who = records(notebook, "download-serial")["student"]
    own_name_in_box_too(notebook, other)
    for place in ("download-serial", "download-check", "resize-serial", "resize-check"):
        records(notebook, place)["student"] = who


def all_computed_again(notebook: Notebook, other: Notebook) -> None:
    """Twice as fast in parallel, and everything that follows from the records made anew, by a program."""
    faster = classroom.remade(
        notebook, lambda run: run if run.mode == "serial" else classroom.scaled(run, 0.5), "Ada Lovelace", "s000001"
    )
    notebook["cells"] = json.loads(faster)["cells"]


# what is done -> what is said of it; "": it is not found
GAIN = r"speed-up\s+of\s+[\d.]+\d"
CHANGES: dict[str, tuple[Callable[[Notebook, Notebook], object], str]] = {
    "a speed-up in a sentence": (
        lambda mine, _: text_of(mine, "conclusion-sentences", r"(Speed-up with\s+32\s+threads:\s)[\d.]+", r"\g<1>58.4"),
        "its output is not what its records give"),
    "a speed-up in the verdict of a check": (
        lambda mine, _: text_of(mine, "download-check", GAIN, "speed-up of 58.40"),
        "its output is not what its records give"),
    "the same where only a browser shows it": (
        lambda mine, _: text_of(mine, "download-check", GAIN, "speed-up of 58.40", ("text/html",)),
        "its output is not what its records give"),
    "a number in a table": (
        lambda mine, _: text_of(mine, "conclusion-table", r"\b32\b", "64", ("text/html",)),
        "its table is not that of its records"),
    "a number in the box at the top": (
        lambda mine, _: text_of(mine, "summary", r"(Speed-up, download</th><td[^>]*>)[\d.]+", r"\g<1>58.40"),
        "the box at the top is not that of the records"),
    "the wall time in the records, halved": (
        lambda mine, _: slower(mine, "download-check", 0.5), "items ended after the clock had stopped"),
    "the serial wall time in the records, doubled": (
        lambda mine, _: slower(mine, "download-serial", 2), "the clock went on for"),
    "some letters of the packed records": (packed, "can't be read"),
    "a picture for another student's": (picture, "a picture is not the chart that its text names"),
    "a picture and its text for another student's": (
        lambda mine, other: outputs_of_another(mine, other, "download-compare"),
        "a chart is missing, or shows other numbers"),
    "a chart deleted": (
        lambda mine, _: cell(mine, "resize-compare")["outputs"].pop(0), "a chart is missing"),
    "the code of an exercise after its run": (code, "is not the code that was timed"),
    "a comment in the code of an exercise": (
        lambda mine, _: cell(mine, "download-parallel")["source"].insert(0, "# my own solution\n"), ""),
    "two cells run in another order": (out_of_order, "was not run in its turn"),
    "all outputs deleted": (outputs_deleted, "never run, or its outputs were cleared. Restart the kernel"),
    "the records deleted": (records_deleted, "there are no records of two runs"),
    "a cell added after the run": (
        lambda mine, _: mine["cells"].append(
            {"cell_type": "code", "id": "x", "source": "1", "execution_count": 3, "outputs": [], "metadata": {}}),
        "was not run in its turn"),
    "another student's notebook with one's own name": (own_name_in_it, "name or student number is not that of the run"),
    "the same, and the name in the box": (own_name_in_box_too, "name or student number is not that of the run"),
    "the same, and in the records by a program": (own_name_everywhere, ""),
    "another student's parallel run": (
        lambda mine, other: outputs_of_another(mine, other, "download-check"),
        "name or student number is not that of the run"),
    "the serial run's records as the parallel one's": (
        lambda mine, _: records(mine, "download-check").update(records(mine, "download-serial")),
        "the records of one run are there"),
    "all outputs but the box for another student's": (
        lambda mine, other: outputs_of_another(
            mine, other, *(one["id"] for one in mine["cells"] if "outputs" in one and one["id"] != "summary")),
        "the box at the top is not that"),
    "the box edited, and two cells out of order": (
        lambda mine, other: (out_of_order(mine, other), CHANGES["a number in the box at the top"][0](mine, other)),
        "the box at the top is not that"),
    "records and all that follows from them, by a program": (all_computed_again, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_or_is_published_as_not_found(own: bytes, other: bytes, name: str) -> None:
    change, said = CHANGES[name]
    notebook = json.loads(own)
    change(notebook, json.loads(other))
    found = looked_at(notebook)
    assert any(re.search(said, one) for one in found) if said else not found, found


def test_the_page_lists_what_was_tried() -> None:
    page = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| ([^|]+?) \| (found|not found) \|$", page)
    assert rows == [(name, "found" if said else "not found") for name, (_, said) in CHANGES.items()]


# --- consistent ones --------------------------------------------------------------------------------------------


def test_the_reference_and_a_class_are_consistent(reference: bytes) -> None:
    assert looked_at(reference) == looked_at(classroom.student(reference, 1)) == []
    for number in range(12):
        assert looked_at(classroom.student(of_few(), number)) == []


def test_only_what_was_handed_out_is_expected(own: bytes) -> None:
    version = records(json.loads(own), "download-serial")["machine"]["Modules"].split()[1]
    assert saved.read(own, version).findings == []
    (said,) = saved.read(own, "00000000").findings
    assert said.startswith("other modules than those that were handed out")


def test_what_a_run_says_of_itself_comes_back(own: bytes) -> None:
    found = saved.read(own)
    assert (found.name, found.number) == ("Ada Lovelace", "s000001")
    for name in ('Grace "Amazing" O\'Hopper', "Łukasz", "{x}"):
        assert saved.read(classroom.remade(json.loads(own), lambda run: run, name, "s1")).findings == []
    assert found.verdicts == {"download": "RIGHT", "resize": "RIGHT"} and set(found.code) == {"download", "resize"}
    assert len(found.answers) == 3 and found.box["Student number"] == "s000001"
    for stage, (serial, parallel) in found.pairs.items():
        assert serial.mode == "serial" and parallel.mode == {"download": "threads", "resize": "processes"}[stage]
        assert len(serial.done) == len(parallel.done) == FEW


def test_what_is_probably_not_meant_is_noted(reference: bytes, own: bytes) -> None:
    notes = [one for one in saved.read(reference).notes if "student number" not in one]
    assert saved.read(classroom.student(reference, 1)).notes == notes
    assert set(saved.read(own).notes) - set(notes) == {f"{FEW} photos were downloaded, and 1,500 are asked for"}


def test_a_sentence_is_read_as_it_was_however_its_lines_end() -> None:
    """A line that ends within a word with a hyphen would be a finding against an honest student."""
    for letters in range(60, 100):
        sentence = f"{'x' * letters} CPU-bound work has a speed-up of 1.9 with 2 processes"
        assert " ".join(folded(sentence).split()) == sentence


def test_runs_of_other_bytes_are_no_equal_work(own: bytes) -> None:
    notebook = json.loads(own)
    records(notebook, "resize-check")["bytes"] = "0" * 16
    assert looked_at(notebook) == ["resize: the two runs did not do equal work"]


def test_a_seed_that_is_not_the_students_is_told(own: bytes) -> None:
    notebook = json.loads(own)
    for place in ("download-serial", "download-check"):
        records(notebook, place)["settings"]["seed"] = "s000001"
    assert looked_at(notebook) == []
    for place in ("download-serial", "download-check"):
        records(notebook, place)["settings"]["seed"] = "s000002"
    (said,) = looked_at(notebook)
    assert "the seed 's000002'" in said


# --- records ------------------------------------------------------------------------------------------------------


def test_the_records_of_1500_items_are_small_and_hold_nothing_of_the_machine(reference: bytes) -> None:
    notebook = json.loads(reference)
    for place in ("download-serial", "download-check", "resize-serial", "resize-check"):
        data = records(notebook, place)
        assert data["items"] == 1500 and len(json.dumps(data)) <= 40_000
        told = json.dumps({name: value for name, value in data.items() if name != "packed"})
        assert not re.search(r"/home|/root|/tmp|\\\\Users|images/|key", told), told


SPOILED: dict[str, object] = {
    "no dictionary": [1, 2],
    "nothing": {},
    "another form": {"form": 2},
    "too many items": {"items": 10**9},
    "no items": {"items": 0, "names": 0},
    "no moment": {"began": "soon"},
    "no number": {"items": "many"},
    "no wall time": {"wall": 0},
    "no number predicted": {"prediction": ["nan", "no JSON knows it"]},
    "no base 85": {"packed": "ö"},
    "no zlib": {"packed": "0000000000"},
    "cut off": lambda data: data["packed"][:500],
    "a bomb": lambda data: base64.b85encode(__import__("zlib").compress(bytes(10**8))).decode(),
    "a path for an id": lambda data: data["packed"],
}


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_records_are_refused_with_a_reason(own: bytes, name: str) -> None:
    data = records(json.loads(own), "resize-serial")
    spoil = SPOILED[name]
    if callable(spoil):
        spoil = {"packed": spoil(data)}
    if name == "a path for an id":
        spoil = {"names": data["names"] - 20}  # the columns begin inside of the names
    with pytest.raises(ValueError, match=r"\w"):
        evidence.unpack(data | spoil if isinstance(spoil, dict) and spoil else spoil)  # type: ignore[operator]


def test_a_trace_has_the_numbers_of_its_run(own: bytes, tmp_path: Path) -> None:
    runs = [run for pair in saved.read(own).pairs.values() for run in pair]
    evidence.trace(runs, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    for pid, run in enumerate(runs, start=1):
        mine = [event for event in events if event["pid"] == pid]
        items = [event for event in mine if event["ph"] == "X" and "args" in event]
        assert len(items) == FEW and len({event["tid"] for event in items}) == run.workers
        assert sum(event["dur"] for event in items) / 1e6 == pytest.approx(run.overlap * run.wall)
        assert max(event["args"]["photos"] for event in mine if event["ph"] == "C") == run.peak
        names = [event["args"]["name"] for event in mine if event["ph"] == "M"]
        assert names[0] == f"{run.task}, {run.label()}" and len(names) == run.workers + 1
        for waiting in (event for event in mine if event["name"].startswith("waiting")):
            assert any(
                one["tid"] == waiting["tid"] and one["ts"] <= waiting["ts"]
                and waiting["ts"] + waiting["dur"] <= one["ts"] + one["dur"]
                for one in items
            )  # fmt: skip
            break
    starts, ends = ({event["id"] for event in events if event["ph"] == kind} for kind in "sf")
    assert starts == ends and len(starts) == FEW


# --- hostile notebooks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a notebook"),
        (b"\xff\xfe", "not a notebook"),
        (b'{"cells": {"a": 1}}', "not a notebook"),
        (b'{"cells": [5]}', "not a notebook"),
        (b'{"cells": ' + b"[" * 100_000, "not a notebook"),
        (b" " * (saved.LARGEST + 1), "more than a notebook of this assignment has"),
        (json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [{}] * 20_001}]}).encode(), "outputs"),
        (json.dumps({"cells": [{"cell_type": "code", "source": "-" * 200_000}]}).encode(), "more than 100,000 char"),
    ],
)  # fmt: skip
def test_what_is_no_notebook_of_this_assignment_is_told(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        saved.read(content)


@pytest.mark.parametrize("value", [None, 5, "x", [1], {"a": 2}, [None, {"data": 7}], {"data": {"image/png": 5}}])
@pytest.mark.parametrize("field", ["outputs", "metadata", "execution_count", "id", "source"])
def test_odd_fields_are_read_or_refused_but_never_trouble(own: bytes, field: str, value: object) -> None:
    notebook = json.loads(own)
    for name in ("summary", "download-check", "conclusion-table", "question-gil"):
        cell(notebook, name)[field] = value if field != "id" else f"{name}{value}"
    try:
        looked_at(notebook)
    except ValueError as problem:
        assert str(problem)


def test_ids_are_found_where_older_notebooks_have_them(own: bytes) -> None:
    notebook = json.loads(own)
    for one in notebook["cells"]:
        one["metadata"]["id"] = one.pop("id")
    found = saved.read(json.dumps(notebook).encode())
    assert not found.findings and found.answers == saved.read(own).answers != {}


def test_name_and_number_are_read_in_whatever_way_they_are_given(own: bytes) -> None:
    notebook = json.loads(own)
    lines = cell(notebook, "summary")["source"]
    lines[:2] = "your_name: str = 'Ada Lovelace'  # me\n", "student_number = 's000001'\n"
    assert not looked_at(notebook)
    lines[1] = "student_number = {[]}\n"
    assert saved.read(json.dumps(notebook).encode()).number == ""
    lines[1] = "student_number = 12\n"
    assert saved.read(json.dumps(notebook).encode()).number == StatusBox("Ada Lovelace", 12).given[1] == "12"


def test_only_a_few_records_are_unpacked(own: bytes) -> None:
    notebook = json.loads(own)
    outputs = cell(notebook, "download-check")["outputs"]
    outputs += [out for out in outputs if evidence.MIME in out.get("data", {})] * 20
    assert len(saved.read(json.dumps(notebook).encode()).runs["download"]) == saved.MOST_RUNS


def test_pictures_that_are_none_are_told(own: bytes) -> None:
    huge = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(huge, "PNG")
    for content in (b"", b"<svg onload=alert(1)>", huge.getvalue()):
        notebook = json.loads(own)
        data = cell(notebook, "download-compare")["outputs"][0]["data"]
        data["image/png"] = base64.b64encode(content).decode()
        assert any("chart" in one for one in looked_at(notebook))
