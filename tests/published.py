"""What is committed. Tests of the published run read that: a run of your own changes the notebook beside the pages."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def published(path: str) -> bytes:
    """A file of the last commit. Without git, or in a folder that is no clone, the test is skipped.

    Args:
        path: from the folder of the project, with slashes.
    """
    # The dot: a folder that was unpacked inside of another repository is not looked up there.
    return _git("show", f"HEAD:./{path}")


def unpack_published(folder: Path, *paths: str) -> None:
    """Write files and folders of the last commit into this folder."""
    for name in _git("ls-tree", "-r", "-z", "--name-only", "HEAD", *paths).decode().split("\0")[:-1]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(published(name))


def cell(notebook: dict[str, Any], cell_id: str) -> Any:
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def _git(*command: str) -> bytes:
    try:
        clone = subprocess.run(["git", "ls-tree", "HEAD", "README.md"], cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        pytest.skip("git is not installed, so nothing says what was published")
    if clone.returncode or not clone.stdout:
        pytest.skip("this folder is no clone of the repository, so nothing says what was published")
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, check=True).stdout
