"""What students get: teacher/release.py builds a folder in which nothing is missing and no link is dead."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import of_a_teacher
from test_readme import anchors, links, prose

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "teacher"))

import release  # noqa: E402

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install -r requirements-teacher.txt")

APPEAR = {"config.ini", "submission.zip", ".venv", "cache"}  # when a student works, or asks for it


def build(project: Path) -> subprocess.CompletedProcess:
    command, own = [sys.executable, "teacher/release.py"], of_a_teacher(project)
    return subprocess.run(command, cwd=project, env=own, capture_output=True, text=True, encoding="utf-8", timeout=300)


@pytest.fixture(scope="module")
def folder(handed_out: Path) -> Path:
    """What students get."""
    return handed_out / "release" / "assignment"


@pytest.fixture(scope="module")
def texts(folder: Path) -> dict[str, str]:
    """The pages, and what the notebook says between its cells of code, by name."""
    pages = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}
    notebook = nbformat.read(folder / "assignment.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return pages | {"assignment.ipynb": "\n\n".join(cells)}


def test_nothing_of_an_earlier_call_is_left(handed_out: Path, folder: Path) -> None:
    assert not list(handed_out.rglob("old.py")) and not (folder / "solutions.md").exists()


def test_no_link_is_dead(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        relative = [link for link in links(text) if not re.match(r"https?:", link)]
        assert relative
        for link in relative:
            path, _, anchor = link.partition("#")
            target = ((folder / name).parent / path).resolve() if path else folder / name
            assert target.exists(), f"{name} links to {link}, which students don't get"
            if anchor and target.suffix == ".md":
                assert anchor in anchors(texts[target.relative_to(folder).as_posix()]), f"{name}: {link}"


def test_every_named_file_is_there(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        here = re.sub(r"`[^`]+`\s+of\s+the\s+project\b", "", prose(text))  # said to be elsewhere
        named = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:py|md|txt|ini|ipynb|zip|example))`", here)
        assert named or name == "docs/concepts.md"
        for file in named:
            assert (folder / file).exists() or file.split("/")[0] in APPEAR, f"{name} names {file}"


def test_no_command_needs_make(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        assert re.findall(r"(?:`|(?m:^))make [a-z]+", text) == [], name


def test_the_students_readme_is_the_projects_without_what_is_left_out(texts: dict[str, str]) -> None:
    page = texts["README.md"]
    assert "<!--" not in page and "\n\n\n" not in page
    for word in ("`make", "nbgrader", "benchmarks", "teacher/", "tests/", "docs/packages.md", "Further pages"):
        assert word not in page
    whole = re.sub(r"<!--.*?-->", "", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [line for line in page.splitlines() if line not in whole] == []
    for heading in ("The assignment", "Creating a Developer Account", "What are All These Files?"):
        assert f"\n## {heading}\n" in page


def test_a_link_to_a_page_that_is_not_handed_out_becomes_text() -> None:
    page = "See [the **one**](docs/a.md#b), [two](docs/c.md), [three](#here) and [four](https://example.org/c)."
    assert release.students_readme(page, {"docs/a.md"}) == (
        "See [the **one**](docs/a.md#b), two, [three](#here) and [four](https://example.org/c)."
    )


def test_marked_parts_are_left_out_as_blocks_and_within_lines() -> None:
    page = """One.

<!-- students: leave out -->
| a |
<!-- /students -->
Two <!--run:x-->2<!--/run-->.<!-- students: leave out --> Not
this.<!-- /students -->

Three.
"""
    assert release.students_readme(page, ()) == "One.\n\nTwo 2.\n\nThree.\n"


def test_marks_come_in_pairs() -> None:
    marks = re.findall(r"<!-- (/?students)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert marks and marks == ["students", "/students"] * (len(marks) // 2)


@pytest.mark.parametrize(
    ("name", "before", "after", "reason"),
    [
        ("assignment.ipynb", "### END SOLUTION", "", "nbgrader failed"),
        ("LICENSE", None, None, "Missing here, so nothing was built: LICENSE"),
        ("assignment.ipynb", "10 * graded", "12 * graded", "download-points is worth 10 points, and says 12"),
        ("assignment.ipynb", '"points": 3', '"points": 5', "question-bound is worth 5 points, and says 3; all cells "
         "together are worth 42 points, and the table at the top says 40."),
    ],
)  # fmt: skip
def test_a_failure_is_told_and_leaves_nothing_to_hand_out(
    handed_out: Path, tmp_path: Path, name: str, before: str | None, after: str | None, reason: str
) -> None:
    shutil.copytree(handed_out, tmp_path / "project")
    path = tmp_path / "project" / name
    if before:
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    else:
        path.unlink()
    done = build(tmp_path / "project")
    assert done.returncode != 0 and reason in done.stderr
    assert "Done" not in done.stdout and not (tmp_path / "project" / "release" / "assignment").exists()


def test_the_points_on_the_teachers_page_are_those_of_the_notebook(folder: Path) -> None:
    page = (ROOT / "teacher" / "README.md").read_text(encoding="utf-8")
    stated = [int(points) for points in re.findall(r"(?m)^\| (\d+) \| ", page)]
    cells = nbformat.read(folder / "assignment.ipynb", as_version=4).cells
    assert stated == [points for cell in cells if (points := cell.metadata.get("nbgrader", {}).get("points"))]
