"""make grade: several submissions at once, hostile ones among them, and the same points as one after the other gives.

The assignment is a small one, because here it is the grading that is tried; test_teacher.py grades the real one.
"""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from conftest import PATIENCE, PHOTOS, ROOT, WITHOUT, assert_all_end, of_a_teacher, until
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install -r requirements-teacher.txt")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader can't hand out and collect on Windows")

SLEEPS = [sys.executable, "-c", f"import time; time.sleep(999)  # {os.getpid()}"]  # of this call of the tests
SUBMITTED = {  # a student's code -> points of the program, or why there are none
    "right": ("x = 2", 4.0),
    "wrong": ("x = 3", 0.0),
    "error": ("x = 1 / 0", 0.0),
    "prints": ("x = 2\nprint('my own line')", 4.0),
    "leaves": (f"import os\nfor _ in range(9): os.system({shlex.join(SLEEPS)!r} + ' &')\nx = 2", 4.0),
    "hungry": ("import time\nx = bytearray(700_000_000)\ntime.sleep(99)", "it took more than 600 MB of memory"),
    "many": (
        f"import subprocess\nx = [subprocess.Popen({SLEEPS}, start_new_session=True) for _ in range(30)]\nx[0].wait()",
        "it started more than 20 processes",
    ),
    "filling": ("import time\nopen('full', 'wb').truncate(400_000_000)\ntime.sleep(99)", "it wrote more than 300 MB"),
}  # fmt: skip
ENDLESS = "import time\nwhile True:\n    time.sleep(0.1)"
LIMITS = ("--memory=600", "--processes=20", "--disk=300", "--workers=2")


def about(name: str, **more: object) -> dict:
    known = {"grade_id": name, "schema_version": 3, "task": False, "grade": False, "solution": False, "locked": False}
    return {"nbgrader": known | more}


def assignment() -> nbformat.NotebookNode:
    own = new_code_cell("### BEGIN SOLUTION\nx = 2\n### END SOLUTION", metadata=about("own", solution=True), id="own")
    hidden = "### BEGIN HIDDEN TESTS\nfour = 4 if x == 2 else 0\n### END HIDDEN TESTS\nfour"
    four = new_code_cell(hidden, metadata=about("four", grade=True, locked=True, points=4), id="four")
    text = "Why?\n\n### BEGIN SOLUTION\nBecause.\n### END SOLUTION"
    said = new_markdown_cell(
        text, metadata=about("question-why", grade=True, solution=True, points=3), id="question-why"
    )
    return new_notebook(cells=[own, four, said])


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A teacher's folder, with what was handed in; one has outputs of an own run. Two photographs are not drawn yet."""
    folder = tmp_path_factory.mktemp("grade")
    (folder / "source" / "assignment").mkdir(parents=True)
    nbformat.write(assignment(), folder / "source" / "assignment" / "assignment.ipynb")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    run(folder, "nbgrader", "generate_assignment", "assignment", "--log-level=ERROR")
    shutil.copy(folder / "gradebook.db", folder / "new.db")
    shutil.copytree(pictures, folder / "cache" / "grading")
    for drawn in sorted((folder / "cache" / "grading").glob("*/*.jpg"))[:2]:
        drawn.unlink()
    for name, (code, _) in (SUBMITTED | {"endless": (ENDLESS, "")}).items():
        notebook = nbformat.read(folder / "release" / "assignment" / "assignment.ipynb", as_version=4)
        notebook.cells[0].source = code
        if name != "wrong":
            notebook.cells[2].source = "Why?\n\nBecause it is so."
        if name == "right":
            notebook.cells[0].outputs = [new_output("stream", text="of the student's own run")]
        (place := folder / "submitted" / name / "assignment").mkdir(parents=True)
        nbformat.write(notebook, place / "assignment.ipynb")
    return folder


def run(folder: Path, module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a teacher, whom a read-only file stops, also where the tests are run by root."""
    bound = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if hasattr(os, "geteuid") else ()
    as_teacher = bound if bound and not os.geteuid() and shutil.which("setpriv") else ()
    command = [*as_teacher, sys.executable, "-m", module, *arguments]
    own = with_modules(folder) | variables
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, encoding="utf-8", timeout=300)


def with_modules(folder: Path) -> dict[str, str]:
    return of_a_teacher(folder) | {"PYTHONPATH": f"{ROOT}{os.pathsep}{WITHOUT}"}


def grades(folder: Path) -> dict[tuple[str, str], tuple]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {
            (given.student.id, grade.name): (grade.auto_score, grade.needs_manual_grade)
            for given in book.assignment_submissions("assignment")
            for grade in given.notebooks[0].grades
        }


@pytest.fixture(scope="module")
def told(course: Path) -> str:
    done = run(course, "teacher.grade", *SUBMITTED, *LIMITS)
    assert done.returncode == 1, done.stderr  # some could not be graded
    assert not any(word in done.stderr for word in ("Traceback", "Warning")), done.stderr
    return done.stdout


def test_each_has_its_points_or_its_reason(course: Path, told: str) -> None:
    found = grades(course)
    for name, (_, points) in SUBMITTED.items():
        if isinstance(points, str):
            assert f"{name}: NOT GRADED: {points}" in told
            assert (name, "four") not in found and not (course / "autograded" / name / "assignment").exists()
        else:
            assert found[name, "four"] == (points, False)
            assert f"{name}: {points:g} of 7 points" in told
    assert "5 graded now, 0 before." in told
    assert len(list((course / "cache" / "grading").glob("*/*.jpg"))) == PHOTOS
    assert told.count("not read yet: question-why") == 4  # one is blank


def test_nothing_goes_on_that_was_ended(told: str) -> None:
    sleepers = [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[1:] == SLEEPS[1:]]
    assert_all_end(sleepers)


def test_the_gradebook_is_that_of_one_after_the_other(course: Path, told: str, tmp_path: Path) -> None:
    # nbgrader itself waits for what a submission leaves running.
    right = [name for name, (_, points) in SUBMITTED.items() if isinstance(points, float) and name != "leaves"]
    for name in ("source", "release"):
        shutil.copytree(course / name, tmp_path / name)
    for name in right:
        shutil.copytree(course / "submitted" / name, tmp_path / "submitted" / name)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copy(course / "new.db", tmp_path / "gradebook.db")
    done = run(tmp_path, "nbgrader", "autograde", "assignment", "--log-level=ERROR")
    assert done.returncode == 0, done.stderr
    assert grades(tmp_path) == {key: given for key, given in grades(course).items() if key[0] in right}


def test_what_stays_is_the_notebook_with_the_students_own_outputs(course: Path, told: str) -> None:
    folder = course / "autograded" / "right" / "assignment"
    assert [path.name for path in folder.iterdir()] == ["assignment.ipynb"]
    own, four, _ = nbformat.read(folder / "assignment.ipynb", as_version=4).cells
    assert own.outputs[0].text == "of the student's own run"
    assert four.outputs[0].data["text/plain"] == "4" and "HIDDEN" not in four.source
    graded = nbformat.read(course / "autograded" / "prints" / "assignment" / "assignment.ipynb", as_version=4)
    assert graded.cells[0].outputs[0].text == "my own line\n"  # it was handed in without outputs
    assert not list((course / "grading").glob("right.*"))


def test_going_on_grades_only_the_rest(course: Path, told: str) -> None:
    before = (course / "autograded" / "right" / "assignment" / "assignment.ipynb").stat().st_mtime_ns
    shutil.rmtree(course / "autograded" / "wrong")
    done = run(course, "teacher.grade", "right", "wrong", "wrong", *LIMITS, "--workers=0")
    assert done.returncode == 0 and "1 graded now, 1 before." in done.stdout
    assert (course / "autograded" / "right" / "assignment" / "assignment.ipynb").stat().st_mtime_ns == before


def test_a_kernel_that_did_not_start_is_started_again(course: Path, told: str, tmp_path: Path) -> None:
    (startup := tmp_path / "profile_default" / "startup").mkdir(parents=True)
    once = f"import os\nif not os.path.exists(p := {str(tmp_path / 'x')!r}):\n    open(p, 'w').close()\n    os._exit(1)"
    (startup / "fail.py").write_text(once)
    done = run(course, "teacher.grade", "right", "--again", *LIMITS, IPYTHONDIR=str(tmp_path))
    assert (tmp_path / "x").exists() and "1 graded now, 0 before." in done.stdout and done.returncode == 0, done.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT] if sys.platform != "win32" else [])
def test_a_call_that_is_stopped_leaves_nothing_running_and_is_not_taken_for_graded(
    course: Path, told: str, number: int
) -> None:
    # A shell that starts the tests in its background lets them ignore interrupts.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", heard + "from teacher.grade import main; main()", "endless"]
    process = subprocess.Popen(command, cwd=course, env=with_modules(course), stderr=subprocess.PIPE, encoding="utf-8")
    begun = course / "autograded" / "endless" / "assignment" / "assignment.ipynb"
    until(begun.exists, "the endless one had begun")  # nbgrader writes it before it runs it
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1]
    assert ("Stopped. What was graded is in gradebook.db" in said) == (number == signal.SIGINT)
    assert children
    assert_all_end(children)
    if number == signal.SIGKILL:  # the next call begins as if nothing had been there
        shutil.rmtree(course / "autograded" / "endless")
        return
    done = run(course, "teacher.grade", "right", "endless", "--minutes=0.05")  # a limit that an endless loop reaches
    assert "0 graded now, 1 before." in done.stdout and "endless: NOT GRADED: it took more than 0.05 min" in done.stdout
    assert not (course / "autograded" / "endless" / "assignment").exists()


def test_points_of_the_class_report_are_taken(course: Path, told: str, tmp_path: Path) -> None:
    from nbgrader.api import Gradebook

    rows = [["student", "question", "points", "remark"], ["right", "question-why", "2.5", "Two\nlines"],
            ["nobody", "question-why", "1"], ["prints", "question-why", "9", ""],
            ["prints", "question-why", "", "'-1: no number named"]]  # fmt: skip
    with (tmp_path / "points.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    done = run(course, "teacher.grade", f"--points={tmp_path / 'points.csv'}")
    assert done.returncode == 0, done.stderr
    assert "right: 6.5 of 7 points\n" in done.stdout and "nobody, question-why: not in the gradebook" in done.stdout
    assert "prints, question-why: 9 is more than the 3 points" in done.stdout
    assert "prints: 4 of 7 points; not read yet: question-why" in done.stdout  # a remark alone gives no points
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        remark = book.find_comment("question-why", "assignment", "assignment", "prints").manual_comment
    assert remark == "-1: no number named"
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    done = run(course, "teacher.grade", f"--points={tmp_path / 'other.csv'}")
    assert done.returncode == 1 and "is not a table of the class report" in done.stderr


def test_what_is_missing_is_said(tmp_path: Path, course: Path) -> None:
    assert "run make student once" in run(tmp_path, "teacher.grade").stderr
    assert "Not in submitted/: nobody" in run(course, "teacher.grade", "nobody").stderr
