"""Builds release/assignment/, which is what students get: `make student`, or `python teacher/release.py`.

It copies what a student needs to source/assignment/ and calls `nbgrader generate_assignment`. That removes the
solutions and all outputs, and notes cells and points in gradebook.db, which `nbgrader autograde` reads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HANDED_OUT = (
    "assignment.ipynb", "helpers.py", "checks/*.py", "practice/*.py", "config.ini.example",
    "requirements.txt", "LICENSE", "images/.gitkeep", "thumbnails/.gitkeep",
    # The page that the notebook links, with its pictures. Other pages show solutions.
    "docs/concepts.md", "docs/concurrency-*.webp", "docs/threads-*.png", "docs/timeline-*.png",
)  # fmt: skip


def main() -> int:
    source = ROOT / "source" / "assignment"
    shutil.rmtree(source, ignore_errors=True)
    for path in (path for pattern in HANDED_OUT for path in ROOT.glob(pattern)):
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(ROOT / "teacher" / "README-for-students.md", source / "README.md")
    nbgrader = [sys.executable, "-m", "nbgrader", "generate_assignment", "assignment", "--force", "--log-level=ERROR"]
    # nbgrader calls a program that is installed beside it, by its bare name.
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(nbgrader, cwd=ROOT, env={**os.environ, "PATH": beside})
    if done.returncode == 0:
        print("Done: release/assignment/ is what students get; hand out the whole folder.")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
