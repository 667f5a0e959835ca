"""What is committed. Tests of the published run read that: a run of your own changes the notebook beside the pages."""

from __future__ import annotations

import base64
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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
    packed = _git("-c", "core.autocrlf=false", "archive", "--format=zip", "HEAD", *paths)  # as it is, on Windows too
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(folder)


def cell(notebook: dict[str, Any], cell_id: str) -> Any:
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def with_tiny_pictures(notebook: dict[str, Any]) -> dict[str, Any]:
    """The same, and each chart is one pixel that says what the chart says: read in a fraction of the time."""
    for out in (out for cell in notebook["cells"] for out in cell.get("outputs", ())):
        if "image/png" in out.get("data", {}):
            file, about = io.BytesIO(), PngInfo()
            about.add_itxt("Description", out["metadata"]["image/png"]["alt"])
            Image.new("L", (1, 1)).save(file, "PNG", pnginfo=about)
            out["data"]["image/png"] = base64.b64encode(file.getvalue()).decode()
    return notebook


def _git(*command: str) -> bytes:
    try:
        clone = subprocess.run(["git", "ls-tree", "HEAD", "README.md"], cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        pytest.skip("git is not installed, so nothing says what was published")
    if clone.returncode or not clone.stdout:
        pytest.skip("this folder is no clone of the repository, so nothing says what was published")
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, check=True).stdout
