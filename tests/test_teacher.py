"""What a teacher does, with nbgrader itself: hand out, collect, grade, give feedback. And a student's first day."""

from __future__ import annotations

import csv
import functools
import html
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from conftest import KEY, ROOT, WITHOUT, of_a_teacher, with_free_ports
from published import cell, published

import checks
import helpers
import practice
from checks import attempt, conductor, grading, judge, reasons
from checks.reading import MIME
from checks.watch import noting_complaints
from kit import journal, transport
from kit.machine import modules_in
from tests import solutions

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install -r requirements-teacher.txt")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader can't hand out and collect on Windows")

PHOTOS = 12  # of whoever runs the notebook; the grader takes photos of its own
QUESTIONS = {"question-bound": 3, "question-gil": 4, "question-gap": 4}
STEPS = {"downloads-histogram", "likes", "aspect", "descriptions"}  # cells with functions of the exploration
MOST = 40  # points
# What is left of a submission that is graded only, to save time: no chart, none of the last part.
SHORT = {
    "summary", "environment", "settings", "source", "metadata", "sample", *STEPS, *QUESTIONS, "download-reading",
    "resize-reading", "steps-points", *(
        f"{task}-{part}" for task in ("download", "resize")
        for part in ("serial", "parallel", "check", "points")
    ),
}  # fmt: skip

SERIAL_DOWNLOAD = solutions.WRONG_DOWNLOADS["the serial loop again"][1]
SERIAL_RESIZE = """
def resize_parallel(paths, folder, size, workers):
    for path in paths:
        make_thumbnail(path, folder, size)
"""
ALWAYS_RIGHT = "lambda function, baseline, *rest, **named: checks.Verdict('RIGHT', 'believe me', baseline)"


def published_notebook() -> nbformat.NotebookNode:
    return nbformat.reads(published("assignment.ipynb").decode(), as_version=4)


def shown(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    """What a cell printed and its value, with single spaces: a verdict is wrapped into lines."""
    outputs = cell(notebook, cell_id).outputs
    return " ".join(" ".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs).split())


def trouble(notebook: nbformat.NotebookNode) -> list[str]:
    """Errors, and what went to standard error: nbgrader takes away the points for both."""
    return [
        f"{cell.id}: {output.get('evalue') or output.get('text')}"
        for cell in notebook.cells for output in cell.get("outputs", [])
        if output.output_type == "error" or output.get("name") == "stderr"
    ]  # fmt: skip


# --- The submissions ------------------------------------------------------------------------------------------


def reference(notebook: nbformat.NotebookNode, folder: Path) -> None:
    solved = published_notebook()
    for name in ("download-parallel", *STEPS, *QUESTIONS):
        cell(notebook, name).source = cell(solved, name).source
    # Another way, in large chunks, and with an own progress line, which goes to standard error.
    pooled = solutions.in_processes("make_thumbnail, paths, repeat(folder), repeat(size), chunksize=500")
    cell(notebook, "resize-parallel").source = f"import sys\n{pooled}    print('all resized', file=sys.stderr)\n"
    # Two of the four numbers are right; what is right stands in the outputs of the student's own run.
    for task, facts, answers in (
        ("download", {"idle_at_the_end": 0.51, "took_longest": "abcdefghijk"}, ("0.5", "'abcdefghijk'")),
        ("resize", {"second_worker_began": 0.4, "cpus_busy": 1.9}, ("0.8", "None")),
    ):
        reads = cell(notebook, f"{task}-reading")
        for blank, answer in zip(re.findall(r'None|""', reads.source), answers, strict=True):
            reads.source = reads.source.replace(blank, answer, 1)
        reads.outputs = [nbformat.v4.new_output("execute_result", {MIME: facts}, execution_count=1)]


def tampered(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Functions that look fast; other modules, other settings, other check cells, one cell with points deleted."""
    cell(notebook, "download-parallel").source = solutions.WRONG_DOWNLOADS["submitted, not waited for"][1]
    cell(notebook, "resize-parallel").source = solutions.WRONG_RESIZES["apply_async without a join"][1]
    cell(notebook, "download-check").source = f"download_verdict = ({ALWAYS_RIGHT})(0, 0)"
    cell(notebook, "download-points").source = "10"
    cell(notebook, "resize-check").source = f"resize_verdict = ({ALWAYS_RIGHT})(0, 0)"
    notebook.cells = [cell for cell in notebook.cells if cell.id != "resize-points"]
    cell(notebook, "download-reading").outputs = [nbformat.v4.new_output("display_data", {MIME: [1, "no table"]})]
    for room in ("checks", "kit"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    changes = {
        "checks/__init__.py": f"check = {ALWAYS_RIGHT.replace('checks.', '')}",
        "checks/grading.py": "grade = lambda *_: __import__('checks').Verdict('RIGHT', 'believe me')",
        "helpers.py": "download_photo = lambda photo, folder: Outcome(photo.id, Status.DONE)",
        "kit/journal.py": "note = lambda outcome, *rest: outcome",
    }
    for name, line in changes.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        (folder / name).write_text(f"{text}\n\n{line}\n", encoding="utf-8")
    (folder / "config.ini").write_text(f"[unsplash]\naccess_key = {KEY}\n[parallel]\nthreads = 1\nprocesses = 1\n")


def cheating(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """No file is changed, but a function is replaced, then a variable of the check cell, and what calls the grader."""
    replaced = f"checks.kept, checks.check = checks.check, {ALWAYS_RIGHT}\n"
    back = "import dataclasses\n\nchecks.check = checks.kept\nsettings = dataclasses.replace(settings, processes=1)\n"
    back += f"import runpy\n\nrunpy.run_path = lambda path: {{'grade': lambda *_: ({ALWAYS_RIGHT})(0, 0)}}\n"
    cell(notebook, "download-parallel").source = replaced + SERIAL_DOWNLOAD
    cell(notebook, "resize-parallel").source = back + SERIAL_RESIZE


SUBMISSIONS = {make.__name__: make for make in (reference, tampered, cheating)}


# --- The cycle ------------------------------------------------------------------------------------------------


class Course:
    """A teacher's copy of the project, and what came of it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.release = folder / "release" / "assignment"
        self.autograded: dict[str, nbformat.NotebookNode] = {}
        self.points: dict[str, dict[str, float | None]] = {}  # of each cell with points; None: the teacher's turn
        self.score: dict[str, float] = {}
        self.first_day: nbformat.NotebookNode = None

    def run(self, *command: str | Path, folder: Path | None = None, **variables: str) -> None:
        """Run Python with these arguments; it must succeed."""
        own = of_a_teacher(self.folder) | {"UNSPLASH_ACCESS_KEY": KEY} | variables  # a key, which nothing may pass on

        def call() -> None:
            done = subprocess.run(
                [sys.executable, *command], cwd=folder or self.folder, env=own,
                capture_output=True, text=True, encoding="utf-8", timeout=300,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(done.stdout + done.stderr)

        with_free_ports(call)

    def nbgrader(self, *command: str, folder: Path | None = None) -> None:
        exchange = (f"--Exchange.root={self.folder / 'exchange'}", f"--Exchange.cache={self.folder / 'fetched'}")
        self.run("-m", "nbgrader", *command, "--log-level=ERROR", *exchange, folder=folder)

    def spend_first_day(self) -> None:
        """A student fetches what was handed out, runs it untouched, without nbgrader, and submits it.

        The photographs are drawn during this run, and the optional last part is on, as it is by default.
        """
        (self.folder / "exchange").mkdir()
        (self.folder / "exchange").chmod(0o777)
        self.nbgrader("release_assignment", "assignment")
        (home := self.folder / "student").mkdir()
        shutil.copy(self.folder / "nbgrader_config.py", home)
        self.nbgrader("fetch_assignment", "assignment", folder=home)
        own = home / "assignment"
        (own / "config.ini").write_text(f"[unsplash]\nphotos = {PHOTOS}\n[practice]\nlatency_ms = 5\n")
        shutil.copytree(WITHOUT, without := self.folder / "without")
        (without / "nbgrader.py").write_text("raise ImportError('nbgrader is not installed')\n")
        execute = ("-m", "jupyter", "execute", "--inplace", "assignment.ipynb")
        self.run(*execute, folder=own, PYTHONPATH=str(without), UNSPLASH_ACCESS_KEY="")
        self.first_day = nbformat.read(own / "assignment.ipynb", as_version=4)
        (own / "config.ini").write_text(f"[unsplash]\naccess_key = {KEY}\n")
        with (own / "images" / "many.jpg").open("wb") as file:
            file.truncate(150_000_000)  # together, 1,500 photos are beyond nbgrader's own limit of 100 MB
        self.nbgrader("submit", "assignment", "--student=untouched", folder=home)
        self.nbgrader("collect", "assignment")
        self.nbgrader("autograde", "assignment", "--student=untouched")

    def read_grades(self) -> None:
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}") as gradebook:
            for question, points in QUESTIONS.items():  # what a teacher does with the form grader
                grade = gradebook.find_grade(question, "assignment", "assignment", "reference")
                assert grade.needs_manual_grade
                grade.manual_score = points
            gradebook.db.commit()
            for submission in gradebook.assignment_submissions("assignment"):
                name, grades = submission.student.id, submission.notebooks[0].grades
                self.points[name] = {grade.name: grade.auto_score for grade in grades}
                self.score[name] = submission.score
            assert gradebook.find_assignment("assignment").max_score == MOST


@pytest.fixture(scope="module")
def course(handed_out: Path, pictures: Path) -> Course:
    shutil.copytree(pictures, handed_out / "cache" / "grading")  # as `make grade` draws them
    return Course(handed_out)


@pytest.fixture(scope="module")
def graded(course: Course) -> Course:
    for name, change in SUBMISSIONS.items():
        folder = course.folder / "submitted" / name / "assignment"
        folder.mkdir(parents=True)
        notebook = nbformat.read(course.release / "assignment.ipynb", as_version=4)
        kept = SHORT if change is reference else SHORT - STEPS - {"sample", "steps-points"}
        notebook.cells = [cell for cell in notebook.cells if cell.id in kept]
        change(notebook, folder)
        nbformat.write(notebook, folder / "assignment.ipynb")
    with ThreadPoolExecutor(1) as executor:
        first_day = executor.submit(course.spend_first_day)
        # One command for all that was submitted, but for what comes in meanwhile.
        course.nbgrader("autograde", "assignment", "--CourseDirectory.student_id_exclude=untouched")
        first_day.result()
    for name in (*SUBMISSIONS, "untouched"):
        path = course.folder / "autograded" / name / "assignment" / "assignment.ipynb"
        course.autograded[name] = nbformat.read(path, as_version=4)
    course.read_grades()
    course.nbgrader("generate_feedback", "assignment")
    return course


def feedback(course: Course, student: str) -> str:
    page = course.folder / "feedback" / student / "assignment" / "assignment.html"
    return " ".join(html.unescape(page.read_text(encoding="utf-8")).split())


# --- What is handed out ---------------------------------------------------------------------------------------


def test_students_get_what_they_need_and_nothing_else(course: Course) -> None:
    modules = {path.relative_to(ROOT) for room in ("kit", "checks", "practice") for path in modules_in(ROOT / room)}
    names = ("assignment.ipynb", "helpers.py", "config.ini.example", "requirements.txt", "README.md", "LICENSE",
             "images/.gitkeep", "thumbnails/.gitkeep", "docs/concepts.md", "docs/troubleshooting.md",
             "docs/evidence.md", "docs/unsplash-steps.gif")  # fmt: skip
    found = {path.relative_to(course.release) for path in course.release.rglob("*") if path.is_file()}
    pictures = ("concurrency", "threads", "timeline")
    page = {path.relative_to(ROOT) for name in pictures for path in ROOT.glob(f"docs/{name}-*")}
    assert found == modules | set(map(Path, names)) | page
    for name in found - {Path("assignment.ipynb"), Path("README.md")}:
        assert (course.release / name).read_bytes() == (course.folder / name).read_bytes()
    assert "Handing in" in (course.release / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def released(course: Course) -> nbformat.NotebookNode:
    return nbformat.read(course.release / "assignment.ipynb", as_version=4)


def test_the_students_notebook_is_the_reference_without_solutions(released: nbformat.NotebookNode) -> None:
    solved = published_notebook()
    assert [cell.id for cell in released.cells] == [cell.id for cell in solved.cells]
    changed = {new.id for new, old in zip(released.cells, solved.cells, strict=True) if new.source != old.source}
    filled = {f"{task}-{part}" for task in ("download", "resize") for part in ("parallel", "points", "predict")}
    assert changed == filled | {*QUESTIONS, *STEPS, "steps-points", "gil", "further-predict", "sharing-mend"}
    for name in STEPS:
        assert (
            "return" not in cell(released, name).source and "raise NotImplementedError" in cell(released, name).source
        )
    for name in ("download-predict", "resize-predict", "further-predict"):
        assert re.search(r'predict\("\w+",\s+None, because=""\)$', cell(released, name).source)
    assert cell(released, "gil").source.startswith('predicted_in_threads = {"waiting": None, "C code": None, ')
    for task in ("download", "resize"):
        code = cell(released, f"{task}-parallel").source
        assert code.startswith(f"def {task}_parallel(") and "# TODO" in code and "Executor(" not in code
        assert code.endswith("\n    raise NotImplementedError")
    for name in QUESTIONS:
        assert cell(released, name).source.endswith("\n\n*Write your answer here, in place of this line.*")
    assert not re.search("SOLUTION|HIDDEN|iopub", nbformat.writes(released))
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in released.cells)


def test_check_cells_are_locked_and_cells_to_fill_are_not(released: nbformat.NotebookNode) -> None:
    locked = {cell.id for cell in released.cells if cell.metadata.get("editable") is False}
    assert locked == {f"{task}-{part}" for task in ("download", "resize") for part in ("check", "points")} | {
        "steps-points"
    }
    points = {cell.id: cell.metadata.nbgrader.get("points") for cell in released.cells if "nbgrader" in cell.metadata}
    assert {name: n for name, n in points.items() if n} == {
        "download-points": 10, "resize-points": 10, "steps-points": 9, **QUESTIONS,
    }  # fmt: skip
    assert sum(n or 0 for n in points.values()) == MOST


# --- A student's first day ------------------------------------------------------------------------------------


def test_the_untouched_notebook_runs_to_its_end(graded: Course) -> None:
    for notebook in (graded.first_day, graded.autograded["untouched"]):
        assert trouble(notebook) == []
        assert f"{PHOTOS} of {PHOTOS} photos" in shown(notebook, "download-serial")
        for task in ("download", "resize"):
            assert shown(notebook, f"{task}-check").startswith("NOT ATTEMPTED YET")
            assert shown(notebook, f"{task}-points").split()[-1] == "0"
            assert f"waits for a right {task}_parallel" in shown(notebook, f"{task}-compare")
        assert shown(notebook, "todo").count("NOT ATTEMPTED YET") == 2 + 5 + 2
        assert shown(notebook, "further-download").startswith("Skipped: ")
    drawn = rf"Drawing practice photos, once: 100%\|\S+\| {PHOTOS}/{PHOTOS} "
    assert re.search(drawn, shown(graded.first_day, "source"))


def test_filled_exercises_run_without_trouble(graded: Course) -> None:
    notebook = graded.autograded["reference"]
    assert trouble(notebook) == []
    for task in ("download", "resize"):
        assert "RIGHT: 24 items" in shown(notebook, f"{task}-points")
    assert "a grader calls the function by itself" in shown(graded.autograded["cheating"], "resize-check")


# --- Grades ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("student", "points"), [
    ("reference", 10), ("untouched", 0), ("tampered", 0), ("cheating", 0),
])  # fmt: skip
def test_points_are_as_they_should_be(graded: Course, student: str, points: int) -> None:
    answered = None if student == "reference" else 0  # None: a person reads it
    expected = dict.fromkeys(("download-points", "resize-points"), points) | dict.fromkeys(QUESTIONS, answered)
    expected["steps-points"] = steps = 5 + 2 if student == "reference" else 0
    assert {name: graded.points[student][name] for name in expected} == expected
    assert graded.score[student] == (2 * points + steps + (sum(QUESTIONS.values()) if student == "reference" else 0))


def test_grades_are_exported(graded: Course) -> None:
    graded.nbgrader("export")
    with (graded.folder / "grades.csv").open(encoding="utf-8") as file:
        found = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert found == graded.score and found.keys() == {*SUBMISSIONS, "untouched"}


def test_the_feedback_names_what_is_wrong(graded: Course) -> None:
    page = feedback(graded, "tampered")
    assert re.search(r"your function returned before the work was done: \d+ of 999 items finished after", page)
    assert page.count("were submitted, but not waited for") == 2  # whether some items were done, or none
    untouched, right = feedback(graded, "untouched"), feedback(graded, "reference")
    assert "NOT ATTEMPTED YET" in untouched and "RIGHT: 24 items" in right
    assert "Traceback (most recent" not in untouched + right


def test_files_and_cells_that_a_student_changed_are_the_teachers_again(graded: Course) -> None:
    folder, notebook = graded.folder / "autograded" / "tampered" / "assignment", graded.autograded["tampered"]
    assert [path.name for path in folder.iterdir()] == ["assignment.ipynb"]
    assert "RIGHT" not in shown(notebook, "download-points")
    assert "returned before the work was done" in shown(notebook, "download-points")
    again = [c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "resize-points"]
    assert again[0].startswith("# This cell (id:resize-points) was missing")


def test_what_a_notebook_replaces_while_it_runs_gains_nothing(graded: Course) -> None:
    notebook = graded.autograded["cheating"]
    assert shown(notebook, "download-check").startswith("RIGHT: believe me")
    assert "changes what it is graded with: checks.check." in shown(notebook, "download-points")
    assert "by the notebook's own thread, one after the other" in shown(notebook, "resize-points")


def test_only_the_notebook_and_small_files_are_collected(graded: Course) -> None:
    own, collected = graded.folder / "student" / "assignment", graded.folder / "submitted" / "untouched" / "assignment"
    assert len(list(own.glob("images/*.jpg"))) == PHOTOS + 1 and len(list(own.glob("thumbnails/*.jpg"))) == PHOTOS
    left = {path.name for path in own.iterdir()} - {path.name for path in collected.iterdir()}
    assert left - {"__pycache__"} == {"cache", "config.ini"}  # compiled modules are there unless Python is told not to
    assert not list(collected.rglob("*.jpg"))
    assert sum(path.stat().st_size for path in collected.rglob("*")) < 5_000_000


def test_the_key_is_in_nothing_that_is_handed_out_or_graded(graded: Course) -> None:
    files = [
        path for step in ("source", "release", "exchange", "submitted/untouched", "autograded", "feedback")
        for path in (graded.folder / step).rglob("*") if path.is_file()
    ] + [graded.folder / "gradebook.db"]  # fmt: skip
    assert len(files) > 100
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert "without a key" in shown(graded.autograded["cheating"], "source")


def test_the_grader_asks_for_another_size_than_everybody_has() -> None:
    """A solution that ignores its argument is seen."""
    assert helpers.Settings().thumbnail_size != grading.SIZE


# --- What the grader compares ---------------------------------------------------------------------------------

REPLACED = {
    "checks.check": (checks, "check", lambda *_: None),
    "checks.judge.verdict_on": (judge, "verdict_on", functools.wraps(judge.verdict_on)(lambda *_: None)),
    "checks.conductor.PATIENCE": (conductor, "PATIENCE", 0),
    "checks.attempt.timed_run": (attempt, "timed_run", None),
    "checks.reasons.REASONS": (reasons, "REASONS", tuple(row._replace(holds=lambda s: 0) for row in reasons.REASONS)),
    "checks.judge.Verdict": (checks.Verdict, "right", True),
    "helpers.download_photo": (helpers, "download_photo", lambda photo, folder: None),
    "kit.runs.Run": (helpers.Run, "peak", property(lambda run: 9)),
    "kit.journal.clock": (journal, "clock", lambda: 0),
    "helpers.quiet": (helpers, "quiet", noting_complaints),
    "practice.start": (practice, "start", print),
}


def test_replaced_parts_of_the_modules_are_named_and_another_number_to_try_out_is_none() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for replaced in REPLACED.values():
            patch.setattr(*replaced)
        patch.setattr(transport, "TRIES", 1)
        found = grading.replaced()
    assert set(REPLACED) <= set(found) and "kit.transport.TRIES" not in found
    assert grading.replaced() == []
    assert sys.modules["helpers"] is helpers and sys.modules["checks"] is checks
