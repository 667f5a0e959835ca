"""The class report: what is found in a class of 40, what learning platforms send, and submissions that are hostile."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_saved
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import Page
from published import published
from test_browser import WINDOW, page  # noqa: F401 - the fixture

from benchmarks import classroom
from checks import saved
from teacher import class_report, collected

CHANGED = {  # number of the student -> what somebody did to the notebook
    3: "a number in the box at the top", 7: "the code of an exercise after its run", 11: "the records deleted",
    17: "a picture for another student's", 23: "the wall time in the records, halved", 31: "a speed-up in a sentence",
}  # fmt: skip
CLASS = 40


@pytest.fixture(scope="module")
def made() -> list[bytes]:
    """Notebooks of a class, most of them consistent."""
    notebooks = [classroom.student(test_saved.of_few(), number) for number in range(CLASS)]
    for number, name in CHANGED.items():
        notebook = json.loads(notebooks[number])
        test_saved.CHANGES[name][0](notebook, json.loads(notebooks[number + 1]))
        notebooks[number] = json.dumps(notebook).encode()
    return notebooks


def answered(notebook: bytes, words: str) -> bytes:
    changed = json.loads(notebook)
    for cell in changed["cells"]:
        if cell["id"] == "question-gil":
            cell["source"] = saved.joined(cell["source"]).rpartition("\n\n")[0] + "\n\n" + words
    return json.dumps(changed).encode()


@pytest.fixture(scope="module")
def report(made: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """Rows and folder of the report of that class, handed in as nbgrader collects it, with some that share things."""
    folder = tmp_path_factory.mktemp("class")
    for number, notebook in enumerate(made):
        place = folder / "submitted" / f"student{number:02d}" / "assignment" / "assignment.ipynb"
        place.parent.mkdir(parents=True)
        own = f"The threads of number {number} wait for the network, and so the lock is free for others to take."
        if number in (5, 6):
            own = "Both of us wrote the same sentence here, which is long enough to be no chance, word for word."
        place.write_bytes(answered(made[8] if number == 9 else notebook, own))
    version = test_saved.records(json.loads(made[0]), "resize-serial")["machine"]["Modules"].split()[1]
    (folder / "assignment.ipynb").write_bytes(published("assignment.ipynb"))  # the one here may be somebody's own
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_report, "ROOT", folder)
        rows = class_report.report(folder / "submitted", folder / "class", 2, version)
    return rows, folder / "class"


def test_all_that_was_seeded_is_found_and_nothing_else(report: tuple[list[dict[str, Any]], Path]) -> None:
    rows, _ = report
    assert [row["student"] for row in rows] == [f"student{number:02d}" for number in range(CLASS)]
    for number, row in enumerate(rows):
        found = "\n".join(row["findings"])
        if number in CHANGED:
            assert re.search(test_saved.CHANGES[CHANGED[number]][1], found), (number, found)
        elif number in (5, 6):
            (said,) = row["findings"]
            assert said == f"the answer to question-gil is, word for word, also that of student{11 - number:02d}"
        elif number in (8, 9):
            assert f"are also those of student{17 - number:02d}" in found
        else:
            assert not row["findings"], (number, found)
        # All but one have the reference's code.
        assert row.get("alike", {}).get("download", 0) == (0 if "the code of" in CHANGED.get(number, "") else CLASS - 2)


def test_the_table_has_a_row_a_student(report: tuple[list[dict[str, Any]], Path]) -> None:
    rows, folder = report
    with (folder / "class.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows) == CLASS
    assert {line["verdict download"] for line in table} == {"RIGHT"}
    assert float(table[0]["speed-up download"]) == pytest.approx(rows[0]["gains"]["download"], abs=0.01)
    assert table[3]["findings"].startswith("the box at the top") and table[0]["not read because"] == ""
    charts = {one["file"] for row in rows for one in row["pictures"]}
    assert charts == {path.name for path in (folder / "charts").iterdir()} and len(charts) == 5 * CLASS


# --- in a browser ----------------------------------------------------------------------------------------------


@pytest.fixture
def opened(report: tuple[list[dict[str, Any]], Path], request: pytest.FixtureRequest) -> Page:
    """The report, opened from the disk."""
    browser = request.getfixturevalue("page")
    browser.goto((report[1] / "index.html").as_uri())
    browser.evaluate("localStorage.clear()")
    return browser


def titled(opened: Page, title: str) -> None:
    opened.get_by_role("heading", name=title, exact=True, level=1).wait_for()


def test_sort_search_and_filter(opened: Page) -> None:
    rows = opened.locator("tbody tr")
    assert rows.count() == CLASS
    opened.get_by_role("button", name="speed-up download").click()
    shown = [float(text) for text in opened.locator("tbody td:nth-child(10)").all_inner_texts() if text]
    assert shown == sorted(shown)
    opened.get_by_label("Show").select_option("look")
    assert rows.count() == len(CHANGED) + 4
    opened.get_by_label("Search").fill("box student03")
    assert rows.count() == 1 and "student03" in rows.inner_text()


def test_from_student_to_student_by_keys(opened: Page) -> None:
    opened.get_by_role("link", name="student00", exact=True).click()
    titled(opened, "student00")
    for key, expected in (("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0), ("k", 0)):
        opened.keyboard.press(key)
        titled(opened, f"student{expected:02d}")
    widths = opened.locator(".charts img").evaluate_all(
        "all => Promise.all(all.map(async one => (one.loading = 'eager', await one.decode(), one.naturalWidth)))"
    )
    assert len(widths) == 5 and all(widths)
    assert "ThreadPoolExecutor" in opened.locator("main").inner_text()
    opened.keyboard.press("Escape")
    titled(opened, "Class report")


def test_points_are_kept_and_written_out(opened: Page) -> None:
    opened.get_by_role("link", name="question-gil").click()
    assert "Model answer" in opened.locator("main").inner_text()
    opened.get_by_label("Points").first.fill("3.5")
    opened.get_by_label("Remark").first.fill('=why "so"?')
    opened.reload()
    assert opened.get_by_label("Points").first.input_value() == "3.5"
    with opened.expect_download() as waiting:
        opened.get_by_role("button", name="Write them out").click()
    with Path(waiting.value.path()).open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.reader(file))
    assert found == [["student", "question", "points", "remark"], ["student00", "question-gil", "3.5", '\'=why "so"?']]


@pytest.mark.parametrize("place", ["", "student-3", "question-gil", "class"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_anybody_can_read_it_on_any_screen(opened: Page, place: str, theme: str) -> None:
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    opened.set_viewport_size({"width": 390, "height": 844})
    opened.goto(opened.url.partition("#")[0] + f"#{place}")
    opened.wait_for_selector("h1")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    found = Axe().run(opened).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []
    assert not said
    opened.set_viewport_size(WINDOW)


# --- what teachers have -----------------------------------------------------------------------------------------


def zipped(path: Path, **members: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def submission(notebook: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("assignment.ipynb", notebook)
        archive.writestr("helpers.py", "raise SystemExit('never run')")
    return file.getvalue()


PLACES: dict[str, tuple[str, ...]] = {  # path, with members of an archive after it -> the student
    "plain notebooks": ("ada.ipynb", "ada"),
    "folders": ("ada/assignment.ipynb", "ada"),
    "our own zip": ("submission-s123.zip", "submission-s123"),
    "nbgrader": ("ada/assignment/assignment.ipynb", "ada"),
    "nbgrader, like Canvas": ("kurs_2026_03_ada/assignment/assignment.ipynb", "kurs_2026_03_ada"),
    "Moodle, folders": ("Ada Lovelace_4711_assignsubmission_file_/submission-s1.zip", "Ada Lovelace"),
    "Moodle, files": ("Ada Lovelace_4711_assignsubmission_file_assignment.ipynb", "Ada Lovelace"),
    "Canvas": ("lovelaceada_12345_67890_submission-s1.zip", "lovelaceada"),
    "Canvas, late": ("lovelaceada_LATE_12345_67890_assignment-2.ipynb", "lovelaceada"),
    "Blackboard": ("Photos 2026_ada1_attempt_2026-11-26-10-20-30_submission.zip", "ada1"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_submission_is_found_in_what_a_teacher_has(made: list[bytes], tmp_path: Path, name: str) -> None:
    path, student = PLACES[name]
    place = tmp_path / "in" / path
    place.parent.mkdir(parents=True)
    place.write_bytes(submission(made[0]) if path.endswith(".zip") else made[0])
    for other in (".ipynb_checkpoints/x.ipynb", "autograded/ada/x.ipynb"):
        (tmp_path / "in" / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / other).write_bytes(made[1])
    (found,) = collected.found_in(tmp_path / "in")
    assert found[0] == student and collected.content_of(*found[1:]) == made[0]


def test_a_whole_class_in_one_archive(made: list[bytes], tmp_path: Path) -> None:
    names = ("lovelaceada_1_2_submission.zip", "dijkstraedsger_3_4_submission.zip")
    zipped(tmp_path / "in" / "submissions.zip", **{name: submission(made[n]) for n, name in enumerate(names)})
    found = list(collected.found_in(tmp_path / "in"))
    assert [one[0] for one in found] == ["lovelaceada", "dijkstraedsger"]
    assert [collected.content_of(*one[1:]) for one in found] == made[:2]


def test_of_two_notebooks_of_one_student_the_assignment_is_read(made: list[bytes], tmp_path: Path) -> None:
    both = {"photos/Untitled.ipynb": b"{}", "photos/assignment.ipynb": made[0]}
    own = zipped(tmp_path / "in" / "Ada Lovelace_4711_assignsubmission_file_" / "work.zip", **both)
    names = ("Edsger_1_assignsubmission_file_/a.zip", "Grace_2_assignsubmission_file_/b.zip")
    zipped(tmp_path / "in" / "class.zip", **dict.fromkeys(names, own.read_bytes()))
    names = ("Niklaus_3_assignsubmission_file_/assignment.ipynb", "Tony_4_assignsubmission_file_/assignment.ipynb")
    zipped(tmp_path / "in" / "PP_2026_1_WS.zip", **dict.fromkeys(names, made[0]))  # a class, named like one student
    found = sorted(collected.found_in(tmp_path / "in"))
    assert [one[0] for one in found] == ["Ada Lovelace", "Edsger", "Grace", "Niklaus", "Tony"]
    assert [collected.content_of(*one[1:]) for one in found] == [made[0]] * 5


# --- hostile ones -------------------------------------------------------------------------------------------------

BAD = "<img src=x onerror=alert(1)>"


def bomb(path: Path) -> None:
    zipped(path, **{"assignment.ipynb": bytes(200_000_000)})


def outside(path: Path) -> None:
    zipped(path, **{"../../assignment.ipynb": b"{}"})


def encrypted(path: Path) -> None:
    zipped(path, **{"assignment.ipynb": b"{}"})
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + place] |= 1  # bit 0 of the flags: encrypted
    path.write_bytes(raw)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a bomb.zip": bomb,
    "outside.zip": outside,
    "encrypted.zip": encrypted,
    "no archive.zip": lambda path: path.write_bytes(b"PK but not really"),
    "empty.zip": zipped,
    "huge.ipynb": lambda path: path.write_bytes(b"{" + b" " * 100_000_000),
    "a million outputs.ipynb": lambda path: path.write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [{}] * 1_000_000}]})
    ),
    "deep.ipynb": lambda path: path.write_text("[" * 1_000_000),
    "no text.ipynb": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


def test_hostile_submissions_are_rows_that_say_so(made: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, make in HOSTILE.items():
        make(folder / name)
    (folder / f"{BAD.replace('/', '')}.ipynb").write_bytes(answered(made[0].replace(b"Student 0", BAD.encode()), BAD))
    (folder / "=HYPERLINK(1).ipynb").write_bytes(made[1])
    if sys.platform == "linux":  # a name that was unpacked in another encoding
        (folder / os.fsdecode(b"M\xfcller")).mkdir()
        (folder / os.fsdecode(b"M\xfcller/assignment.ipynb")).write_bytes(made[1])
    command = [sys.executable, "-m", "teacher.class_report", folder, "--to", tmp_path / "class"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"}
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert f"{len(HOSTILE) + 2 + (sys.platform == 'linux')} submissions: {len(HOSTILE)} can't be read" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"in", "class"}
    shown = (tmp_path / "class" / "index.html").read_text(encoding="utf-8")
    assert shown.count("<script") == 2 and "<img" not in shown.partition("<script>")[0]
    with (tmp_path / "class" / "class.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {line["file"]: line for line in csv.DictReader(file)}
    assert "'=HYPERLINK(1)" in {line["student"] for line in table.values()}
    for name in HOSTILE:
        (line,) = (line for file, line in table.items() if file.startswith(name))
        assert line["not read because"], name


def test_no_more_of_a_bomb_is_unpacked_than_a_notebook_may_have(tmp_path: Path) -> None:
    bomb(path := tmp_path / "a bomb.zip")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="larger than"):
            collected.content_of(str(path), "assignment.ipynb")
        assert tracemalloc.get_traced_memory()[1] < 5 * saved.LARGEST
    finally:
        tracemalloc.stop()


def ends_the_process(one: tuple[int, str, str, str], rest: tuple[str, str]) -> tuple[int, dict]:
    if "killer" in one[1]:
        os._exit(1)
    return one[0], {"student": one[1], "file": one[2]}


def test_one_that_ends_its_process_loses_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_report, "numbered", ends_the_process)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    names = ["ada", "killer", "edsger", "grace", "alan"]
    rows = list(class_report.read_all([(name, f"{name}.ipynb", "") for name in names], tmp_path, 2, ""))
    assert sorted(row["student"] for row in rows) == sorted(names)
    assert [row["student"] for row in rows if row.get("broken")] == ["killer"]


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    for folder, said in ((tmp_path / "no", "is not a folder"), (tmp_path, "No notebook")):
        command = [sys.executable, "-m", "teacher.class_report", folder, "--to", tmp_path / "class"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
