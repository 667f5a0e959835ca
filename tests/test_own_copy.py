"""Saved is separate from yours: what a user did to their own copy makes no test of the published run fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import KEY
from published import ROOT, published

# The tests that read the notebook or the pages, but for those that take long and read nothing else: they run the
# notebook or code of the pages, draw, or call the scripts more than once.
FILES = [f"tests/test_{name}.py" for name in ("notebook", "readme")]
LONG = ("fresh", "pictures_are", "another_picture", "code_does", "code_that", "by_hand", "of_this_python")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A clone in which a user ran 60 photos without the last part, edited a cell, and stopped in another one."""
    published("assignment.ipynb")  # else skipped
    folder = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    notebook = json.loads((folder / "assignment.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = re.sub(r"1,500|\b1500\b", "60", "".join(output["text"]))
        if cell["id"].startswith(("further", "pipeline", "cluster")) and cell["cell_type"] == "code":
            cell["outputs"] = []
        if cell["id"] == "likes":
            cell["source"] = ["import os,sys  # mine, and longer than a line of this notebook may be " + 50 * "x"]
        if cell["id"] == "contact":
            cell["outputs"] = [{"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}]
    (folder / "assignment.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    settings = (folder / "config.ini.example").read_text(encoding="utf-8")
    for option, value in {"access_key": KEY, "photos": "60", "going_further": "no"}.items():
        settings, found = re.subn(rf"(?m)^{option} =.*$", f"{option} = {value}", settings)
        assert found == 1
    (folder / "config.ini").write_text(settings, encoding="utf-8")
    (folder / "images" / "mine.jpg").write_bytes(b"mine")
    (folder / "mine.py").write_text("import os,sys\n", encoding="utf-8")
    (folder / "submission.zip").write_bytes(b"")
    return folder


def run(folder: Path) -> str:
    """What pytest says last of these tests in the copy, which must not fail."""
    options = ["-n", "0", "--assert=plain", "-p", "no:cacheprovider", "-k", f"not ({' or '.join(LONG)})"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    environment["UNSPLASH_ACCESS_KEY"] = KEY
    command = [sys.executable, "-m", "pytest", *options, *FILES]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout.splitlines()[-1]


def test_an_own_run_edited_cells_settings_and_a_key_make_no_test_fail(copy: Path) -> None:
    assert int(re.search(r"(\d+) passed", run(copy))[1]) > 30


def test_without_git_what_was_published_is_skipped(copy: Path) -> None:
    shutil.rmtree(copy / ".git")
    said = run(copy)
    assert int(re.search(r"(\d+) passed", said)[1]) > 10
    assert int(re.search(r"(\d+) skipped", said)[1]) > 10
