"""Classroom 50: a student's repository is graded in a folder as its runner makes one, and result.json is what it wants.

The contract is the page Advanced Autograding of foundation50/classroom50, in its wiki/ at commit 6b0b83c.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import KEY, ROOT, copy_for_a_teacher
from jsonschema import validate
from test_teacher import SHORT, Course, cell, published_notebook, reference

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install -r requirements-teacher.txt")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Classroom 50 grades on Linux")

GIVEN = {
    "CLASSROOM": "class-a", "ASSIGNMENT": "photos", "SUBMISSION_TAG": "submit/2026-09-01T10-00-00Z-a1b2c3d",
    "OWNER": "alice", "ASSIGNMENT_TYPE": "individual", "COMMIT_URL": "https://example.org/commit/a1b2c3d",
    "RELEASE_URL": "https://example.org/releases/tag/submit", "REVIEW_URL": "https://example.org/compare/0...a1b2c3d",
}  # fmt: skip
SECRET = {"GITHUB_TOKEN": "token", "GITHUB_OUTPUT": "output", "UNSPLASH_ACCESS_KEY": KEY, "SECRET": "address"}
POINTS = {"type": "integer", "minimum": 0}
TEXTS = ("classroom", "assignment", "owner", "commit", "release", "review")
ROW = {"test-name": {"type": "string", "minLength": 1}, "passed": {"type": "boolean"}, "score": POINTS,
       "max-score": POINTS}  # fmt: skip
FIELDS = {name: {"type": "string", "minLength": 1} for name in TEXTS} | {
    "schema": {"const": "classroom50/result/v1"}, "assignment_type": {"enum": ["individual", "group", "team"]},
    "submission": {"type": "string", "pattern": "^submit/"}, "score": POINTS, "max-score": POINTS,
    "datetime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    "tests": {"type": "array", "items": {"type": "object", "required": [*ROW], "properties": ROW}},
}  # fmt: skip
SCHEMA = {"type": "object", "required": [*FIELDS], "properties": FIELDS, "additionalProperties": False}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = Course(tmp_path_factory.mktemp("classroom"))
    copy_for_a_teacher(copied.folder)
    folder = copied.folder / "autograders" / "photos"
    add = "from nbgrader.api import Gradebook; Gradebook('sqlite:///gradebook.db').add_student('ada-of-last-year')"
    copied.run("-c", add)
    shutil.copy(ROOT / "requirements-teacher.txt", copied.folder)
    copied.run("-m", "teacher.result", "--bundle", folder)
    return folder


def grade(bundle: Path, repository: Path, *options: str) -> tuple[dict, str]:
    """What the runner does: start autograder.py in the checkout, and take what it left there."""
    variables = os.environ | GIVEN | SECRET | {"JUPYTER_CONFIG_DIR": str(bundle / "none")}
    command = [sys.executable, str(bundle / "autograder.py"), *options]
    done = subprocess.run(command, cwd=repository, env=variables, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert not re.search("^::", done.stdout, re.MULTILINE)
    result = json.loads((repository / "result.json").read_bytes())
    validate(result, SCHEMA)
    for points in ("score", "max-score"):
        assert result[points] == sum(row[points] for row in result["tests"])
    assert all(row["score"] <= row["max-score"] for row in result["tests"]) and result["max-score"] == 29
    assert {name: result[name] for name in ("classroom", "owner", "submission")} == {
        "classroom": "class-a", "owner": "alice", "submission": GIVEN["SUBMISSION_TAG"],
    }  # fmt: skip
    return result, (repository / "release-body.md").read_text(encoding="utf-8")


def handed_out(bundle: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(bundle / "source" / "assignment" / "assignment.ipynb", as_version=4)
    notebook.cells = [one for one in notebook.cells if one.id in SHORT]
    return notebook


def test_what_is_right_has_its_points_what_is_untouched_none_and_its_code_sees_no_secret(
    bundle: Path, tmp_path: Path
) -> None:
    seen, untouched = tmp_path / "seen", cell(handed_out(bundle), "resize-parallel").source
    reference(notebook := handed_out(bundle), tmp_path)
    cell(notebook, "resize-parallel").source = untouched
    look = f"import os\nopen({str(seen)!r}, 'w').write(repr(dict(os.environ)))\n"
    cell(notebook, "download-parallel").source = look + cell(notebook, "download-parallel").source
    (repository := tmp_path / "repository").mkdir()
    nbformat.write(notebook, repository / "assignment.ipynb")
    shutil.copytree(bundle / "source" / "assignment" / "kit", repository / "teacher")  # not what is imported
    result, page = grade(bundle, repository)
    rows = {row["test-name"]: (row["score"], row["max-score"], row["passed"]) for row in result["tests"]}
    assert rows == {"download_parallel": (10, 10, True), "resize_parallel": (0, 10, False),
                    "Exploration": (5, 5, True), "Read off": (2, 4, False)}  # fmt: skip
    assert result["tests"][0]["message"].startswith("RIGHT: 24 items, each done exactly once by 6 threads")
    assert page.count("NOT ATTEMPTED YET: write ") == 1
    assert "17 of 29 points by the program" in page and "The answers in words are read by people" in page
    assert "'PATH'" in seen.read_text() and KEY not in seen.read_text()
    assert [name for name in GIVEN | SECRET if f"'{name}'" in seen.read_text()] == []


def test_an_endless_loop_that_writes_its_own_result_has_none(bundle: Path, tmp_path: Path) -> None:
    forged = [tmp_path / name for name in ("result.json", "release-body.md")]
    notebook = handed_out(bundle)
    forge = f"import time\nfor name in {[*map(str, forged)]}:\n    open(name, 'w').write('29')\n"
    forge += "while True:\n    time.sleep(1)"
    cell(notebook, "environment").source = forge
    nbformat.write(notebook, tmp_path / "assignment.ipynb")
    result, page = grade(bundle, tmp_path, "--minutes=0.1")
    assert result["score"] == 0 and page.count("Not graded: it took more than 0.1 minutes.") == 3


@pytest.mark.parametrize(("content", "said"), {
    None: "there is no assignment.ipynb at the top of the repository", b"{": "this is not a notebook",
}.items())  # fmt: skip
def test_what_is_no_notebook_is_told(bundle: Path, tmp_path: Path, content: bytes | None, said: str) -> None:
    if content:
        (tmp_path / "assignment.ipynb").write_bytes(content)
    result, _ = grade(bundle, tmp_path)
    assert result["score"] == 0 and {row["message"] for row in result["tests"]} == {f"Not graded: {said}."}


def test_nothing_is_graded_without_knowing_whose_it_is(bundle: Path, tmp_path: Path) -> None:
    variables = {name: value for name, value in (os.environ | GIVEN).items() if name != "SUBMISSION_TAG"}
    command = [sys.executable, str(bundle / "autograder.py")]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 1 and "SUBMISSION_TAG" in done.stderr and not (tmp_path / "result.json").exists()


def test_the_bundle_holds_no_solution_and_no_student(bundle: Path) -> None:
    """Who finds its address can read it. What lies in source/ is what students get."""
    assert {path.name for path in bundle.iterdir()} >= {"autograder.py", "gradebook.db", "source", "teacher"}
    files = [path for path in bundle.rglob("*") if path.is_file() and "source" not in path.relative_to(bundle).parts]
    content = b"\n".join(path.read_bytes() for path in files)
    sources = "\n".join(cell.source for cell in published_notebook().cells)
    solutions = re.findall(r"BEGIN SOLUTION[^\n]*\n(.*?)\n[^\n]*END SOLUTION", sources, re.DOTALL)
    lines = [line.strip() for solution in solutions for line in solution.splitlines() if len(line.strip()) > 40]
    assert len(lines) > 20
    assert [line for line in lines if line.encode() in content] == []
    assert KEY.encode() not in content and b"ada-of-last-year" not in content


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "gradebook.db").write_text("the grades of a course")
    command = [sys.executable, "-m", "teacher.result", "--bundle", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 1 and "holds other files" in done.stderr
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("gradebook.db", "the grades of a course")
    ]
