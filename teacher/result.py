"""Grade one repository for Classroom 50: writes result.json, schema classroom50/result/v1, and release-body.md.

With --bundle it builds the folder that Classroom 50 fetches for that. Grading is that of `make grade`, by teacher.grade
and nbgrader, in a temporary folder. Whose repository it is stands in the environment.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import os
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import helpers
from checks import saved
from kit import files
from teacher import grade, release

SCHEMA = "classroom50/result/v1"
STUDENT, NOTEBOOK = "student", f"{grade.ASSIGNMENT}.ipynb"
BUNDLED = (
    "nbgrader_config.py", "requirements.txt", "requirements-teacher.txt", "teacher/__init__.py", "teacher/grade.py",
    "teacher/release.py", "teacher/result.py",
)  # fmt: skip
# Fields of result.json, and the variables in which Classroom 50's runner says what belongs there.
IDENTITY = {
    "classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "assignment_type": "ASSIGNMENT_TYPE", "owner": "OWNER",
    "submission": "SUBMISSION_TAG", "commit": "COMMIT_URL", "release": "RELEASE_URL", "review": "REVIEW_URL",
}  # fmt: skip
STAMPED = {"assignment_type", "owner"}  # by the runner, whatever stands there
# All that a student's code gets of the environment: no key, no token, no file that the runner reads afterwards.
KEPT = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONUTF8", "JUPYTER_CONFIG_DIR"}
NAMES = {
    "download-points": "download_parallel", "resize-points": "resize_parallel",
    "steps-points": "Exploration and Read off",
}  # fmt: skip
READ = "The answers in words are read by people. Their points are not among these."


def main() -> None:
    parser = argparse.ArgumentParser("python -m teacher.result", description=__doc__)
    parser.add_argument("folder", type=Path, help="a student's repository; with --bundle, the folder to build")
    parser.add_argument("--bundle", action="store_true", help="build what belongs in CLASSROOM/autograders/ASSIGNMENT/")
    parser.add_argument("--minutes", type=float, default=9, help="limit (9, of the 15 for the whole job)")
    asked = parser.parse_args()
    if asked.bundle:
        sys.exit(bundle(asked.folder))
    about = {field: os.environ.get(name, "") for field, name in IDENTITY.items()}
    about["review"] = about["review"] or about["commit"]
    if missing := [IDENTITY[field] for field, value in about.items() if not value and field not in STAMPED]:
        sys.exit(f"Nothing was graded: Classroom 50's runner sets {', '.join(missing)}, which are missing here.")
    for name in {*os.environ} - KEPT:
        del os.environ[name]
    repository = asked.folder.resolve()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as course, contextlib.chdir(course):
        rows = graded(repository, asked.minutes)
    score, most = (sum(row[points] for row in rows) for points in ("score", "max-score"))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    result = {"schema": SCHEMA, **about, "datetime": now, "score": score, "max-score": most, "tests": rows}
    # Last of all, when nothing of the student's runs any more: what that left under these names is replaced.
    files.write(repository / "result.json", json.dumps(result, indent=2).encode())
    files.write(repository / "release-body.md", page(score, most, rows).encode())
    print(f"{score} of {most} points", *(f"  {row['test-name']}: {row['message']}" for row in rows), sep="\n")


def bundle(folder: Path) -> int:
    """Build a folder to grade from. No solution is in it, because what Classroom 50 fetches can be read by anybody."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / "autograder.py").exists():
        sys.exit(f"{folder} holds other files: name a new folder, or one that was built before.")
    book = folder.resolve() / "gradebook.db"  # a new one: that of the project may hold names and grades
    book.unlink(missing_ok=True)
    if failed := release.main() or release.main(f"--CourseDirectory.db_url=sqlite:///{book}"):
        return failed
    shutil.rmtree(folder / "source", ignore_errors=True)
    shutil.copytree(release.ROOT / "release" / grade.ASSIGNMENT, folder / "source" / grade.ASSIGNMENT)
    (folder / "teacher").mkdir(exist_ok=True)
    for name in BUNDLED:
        shutil.copy(release.ROOT / name, folder / name)
    shutil.copy(release.ROOT / "teacher" / "autograder.py", folder)
    print(f"Done: {folder} is what Classroom 50 grades with.")
    return 0


def graded(repository: Path, minutes: float) -> list[dict[str, Any]]:
    """The rows of result.json for a student's repository; the current folder becomes a course with this one student."""
    from nbgrader.api import Gradebook, MissingEntry

    shutil.copytree(release.ROOT / "source", "source", ignore=shutil.ignore_patterns("*.ipynb"))
    for name in ("gradebook.db", "nbgrader_config.py"):
        shutil.copy(release.ROOT / name, name)
    try:
        content = _handed_in(repository / NOTEBOOK)
    except ValueError as problem:
        reason = str(problem)
    else:
        (place := Path("submitted", STUDENT, grade.ASSIGNMENT)).mkdir(parents=True)
        (place / NOTEBOOK).write_bytes(content)
        reason = grade.grade_all([STUDENT], helpers.usable_cpus(), grade.Limits(minutes)).get(STUDENT, "")
        if reason:  # the log is for the teacher; no line of it can begin as a command to GitHub does
            log = (grade.OWN / f"{STUDENT}.log").read_text(encoding="utf-8", errors="replace")
            print("The end of the log:", *log.splitlines()[-20:], sep="\n  | ")
            reason = "a cell ended the notebook's process" if "DeadKernelError" in log else reason
    with Gradebook("sqlite:///gradebook.db") as book:
        notebook = book.find_notebook(grade.ASSIGNMENT, grade.ASSIGNMENT)
        worth = {cell.name: cell.max_score for cell in notebook.grade_cells if cell.cell_type == "code"}
        points: dict[str, float | None] = {}
        with contextlib.suppress(MissingEntry):
            given = book.find_submission_notebook(grade.ASSIGNMENT, grade.ASSIGNMENT, STUDENT)
            points = {cell.name: cell.auto_score for cell in given.grades}
    said = {} if reason else _said(Path("autograded", STUDENT, grade.ASSIGNMENT, NOTEBOOK))
    rows = []
    for name in sorted(worth):
        text = f"Not graded: {reason}." if reason else said.get(name, "")
        rows += _rows(NAMES.get(name, name), 0 if reason else points.get(name) or 0, worth[name], text)
    return rows


def _rows(name: str, score: float, worth: float, text: str) -> list[dict[str, Any]]:
    """One row, or one for each part if the cell says which: "Exploration: 5 of 5. Read off: 2 of 4."

    Points are whole numbers here; what a teacher made a fraction is rounded down.
    """
    found = re.findall(r"(\w[\w ]*): (\d+(?:\.\d+)?) of (\d+)", text)
    parts = [(part, float(own), float(of), f"{own} of {of}.") for part, own, of in found]
    if (sum(part[1] for part in parts), sum(part[2] for part in parts)) != (score, worth):
        parts = [(name, score, worth, text)]
    return [
        {"test-name": part, "passed": own >= of, "score": int(own), "max-score": int(of), "message": message}
        for part, own, of, message in parts
    ]


def _handed_in(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"there is no {NOTEBOOK} at the top of the repository")
    saved.cells_of(content := path.read_bytes())
    return content


def _said(path: Path) -> dict[str, str]:
    """The first sentence of what each cell with points printed, or its error, by the cell's name."""
    found = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and about.get("grade"):
            texts = [
                f"{out['ename']}: {out['evalue']}" if "ename" in out else saved.joined(out.get("text", ""))
                for out in cell["outputs"]
            ]
            # A verdict is wrapped into lines; its next part begins with words like "Next step: ".
            first = " ".join(re.split(r"\n(?=[A-Z][a-z ]+: )", "\n".join(filter(None, texts)))[0].split())
            found[about["grade_id"]] = "".join(c if c.isprintable() else "?" for c in first[:300])
    return found


def page(score: int, most: int, rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, for the page of the submission. Words of a student's code are shown as they are."""
    lines = [f"### {score} of {most} points by the program", "", "| For | Points | |", "| --- | ---: | --- |"]
    for row in rows:
        text = re.sub(r"([\\`*_\[\]|~@#])", r"\\\1", html.escape(row["message"], quote=False))
        lines.append(f"| {row['test-name']} | {row['score']} of {row['max-score']} | {text} |")
    return "\n".join([*lines, "", READ, ""])


if __name__ == "__main__":
    main()
