"""Builds release/assignment/, which is what students get: `make student`, or `python teacher/release.py`.

It copies what a student needs to source/assignment/ and calls `nbgrader generate_assignment`. That removes the
solutions and all outputs, and notes cells and points in gradebook.db, which `nbgrader autograde` reads.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Container
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HANDED_OUT = (
    "assignment.ipynb", "helpers.py", "kit/*.py", "checks/*.py", "practice/**/*.py", "config.ini.example",
    "requirements.txt", "README.md", "LICENSE", "images/.gitkeep", "thumbnails/.gitkeep",
    # Pages that show no solution, and the pictures of these pages and of the README.
    "docs/concepts.md", "docs/troubleshooting.md", "docs/evidence.md", "docs/concurrency-*.webp", "docs/threads-*.png",
    "docs/timeline-*.png", "docs/unsplash-steps.gif",
)  # fmt: skip

# Parts of README.md that students don't get, as lines of their own or within a line; and all other comments.
_LEFT_OUT = re.compile(
    r"^<!-- students: leave out -->\n.*?^<!-- /students -->\n|<!-- students: leave out -->.*?<!-- /students -->",
    re.DOTALL | re.MULTILINE,
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)[^)]*\)")


def students_readme(page: str, handed_out: Container[str]) -> str:
    """README.md without what is marked to be left out; a link to a page that students don't get becomes plain text."""
    page = _COMMENT.sub("", _LEFT_OUT.sub("", page))
    page = _LINK.sub(lambda link: link[0] if link[2] in handed_out else link[1], page)
    return re.sub(r"\n{3,}", "\n\n", page)


def unequal_points(notebook: dict) -> list[str]:
    """Where a text names other points than the gradebook will: that takes those of *Create Assignment*."""
    found, total = [], 0
    for cell in notebook["cells"]:
        worth = cell["metadata"].get("nbgrader", {}).get("points", 0)
        named = re.findall(r"(?m)(?<=\()\d+(?= points?\))|^\d+(?= \* graded)", "".join(cell["source"]))
        if other := [number for number in named if worth and int(number) != worth]:
            found.append(f"{cell['id']} is worth {worth:g} points, and says {other[0]}")
        total += worth
    table = "\n".join(re.findall(r"(?m)^\|.*\|([ \d+]+)\|$", "".join(notebook["cells"][0]["source"])))
    if table and (stated := sum(map(int, re.findall(r"\d+", table)))) != total:
        found.append(f"all cells together are worth {total:g} points, and the table at the top says {stated}")
    return found


def main(*options: str) -> int:
    """Build it; options are for nbgrader."""
    source = ROOT / "source" / "assignment"
    for old in (source, ROOT / "release" / "assignment"):  # nothing of an earlier call is handed out
        if old.exists():
            shutil.rmtree(old)
    # Without .ipynb_checkpoints, where JupyterLab puts copies.
    found = {name: [p for p in ROOT.glob(name) if p.parent.name[:1] != "."] for name in HANDED_OUT}
    if missing := [pattern for pattern, paths in found.items() if not paths]:
        print(f"Missing here, so nothing was built: {', '.join(missing)}", file=sys.stderr)
        return 1
    names = {path.relative_to(ROOT).as_posix() for paths in found.values() for path in paths}
    for name in names:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    notebook = json.loads((source / "assignment.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:  # what the reference predicts is not for students
        for ours, theirs in cell["metadata"].pop("students", {}).items():
            cell["source"] = "".join(cell["source"]).replace(ours, theirs)
    if unequal := unequal_points(notebook):
        print(f"Points differ, so nothing was built: {'; '.join(unequal)}.", file=sys.stderr)
        return 1
    (source / "assignment.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (source / "README.md").write_text(students_readme(page, names), encoding="utf-8")
    nbgrader = [sys.executable, "-m", "nbgrader", "generate_assignment", "assignment", "--force", "--log-level=ERROR"]
    nbgrader += options
    # nbgrader calls a program that is installed beside it, by its bare name.
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(nbgrader, cwd=ROOT, env={**os.environ, "PATH": beside})
    if done.returncode == 0:
        print("Done: release/assignment/ is what students get; hand out the whole folder.")
    else:
        print("nbgrader failed, see above: nothing was built.", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
