"""The notebook: the saved one read as a grader would, and a fresh run of it with few photos."""

from __future__ import annotations

import base64
import io
import json
import re
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import psutil
import pytest
from conftest import copy_project, with_free_ports
from nbclient import NotebookClient
from PIL import Image
from published import published

import helpers
from kit.machine import fingerprint

ROOT = Path(__file__).parent.parent
CHARTS = {
    "toy", "downloads-histogram", "likes", "aspect", "colours", "download-compare", "gil", "resize-compare", "contact",
    "conclusion-table", "further-download", "further-resize-chart", "pipeline-timeline",
}  # fmt: skip
STOP = "further"  # the cell that says "You may stop here"
PHOTOS = 40


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    """All text that a cell shows."""
    outputs = next(cell for cell in notebook.cells if cell.id == cell_id).outputs
    texts = [out.text if out.output_type == "stream" else out.get("data", {}).get("text/plain", "") for out in outputs]
    return "\n".join(texts)


def pictures(cell: nbformat.NotebookNode) -> list[Image.Image]:
    encoded = [out.data["image/png"] for out in cell.outputs if "image/png" in out.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in encoded]


@pytest.fixture(scope="module")
def saved() -> nbformat.NotebookNode:
    return nbformat.reads(published("assignment.ipynb").decode(), as_version=4)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> tuple[Path, nbformat.NotebookNode]:
    """The notebook executed in a copy of the project, in a folder with a space and an umlaut in its name.

    What the last part measures three times, it measures once or twice here: each time starts dozens of processes.
    """
    folder = tmp_path_factory.mktemp("my käse copy")
    copy_project(folder, pictures, photos=PHOTOS, threads=8, processes=2, latency_ms=2, bandwidth_mbit=0)
    for name, three, fewer, times in (
        ("kit/runs.py", "repetitions: int = 3", "repetitions: int = 2", 1),
        ("assignment.ipynb", r"3 \* (?=list|\[)", "1 * ", 2),
    ):
        text, found = re.subn(three, fewer, (folder / name).read_text("utf-8"))
        assert found == times
        (folder / name).write_text(text, encoding="utf-8")
    notebook = nbformat.read(folder / "assignment.ipynb", as_version=4)
    with_free_ports(
        lambda: NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    )
    return folder, notebook


# --- the saved notebook ---------------------------------------------------------------------------------------


def test_was_run_from_top_to_bottom_without_an_error(saved: nbformat.NotebookNode) -> None:
    assert [cell.execution_count for cell in code_cells(saved)] == list(range(1, len(code_cells(saved)) + 1))
    kinds = {output.output_type for cell in code_cells(saved) for output in cell.outputs}
    assert "error" not in kinds
    assert not [out.text for cell in code_cells(saved) for out in cell.outputs if out.get("name") == "stderr"]


def test_shows_the_run_of_1500_photos_and_right_verdicts(saved: nbformat.NotebookNode) -> None:
    assert "1,500 of 1,500 photos" in printed(saved, "download-serial")
    assert "1,500 of 1,500 photos" in printed(saved, "resize-serial")
    assert printed(saved, "download-check").split("\n")[1].startswith("RIGHT: 1,500 items")
    assert printed(saved, "resize-check").split("\n")[1].startswith("RIGHT: 1,500 items")


def test_every_chart_is_there_and_no_widget(saved: nbformat.NotebookNode) -> None:
    assert {cell.id for cell in code_cells(saved) if pictures(cell)} >= CHARTS
    for cell in code_cells(saved):
        for image in pictures(cell):
            assert image.width <= 1100, f"{cell.id} is wider than GitHub shows"
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10, f"{cell.id} shows nothing"
    assert "widget" not in json.dumps(saved)


def test_progress_is_one_readable_line(saved: nbformat.NotebookNode) -> None:
    for cell_id in ("metadata", "download-serial", "download-check", "resize-serial", "resize-check"):
        lines = [line for line in printed(saved, cell_id).split("\n") if "%|" in line]
        assert len(lines) == 1 and "100%" in lines[0] and "1500/1500" in lines[0], (cell_id, lines)


def test_names_no_machine_and_no_key(saved: nbformat.NotebookNode) -> None:
    text = json.dumps(saved)
    assert not re.search(r"/(home|root|Users|work|tmp)/\w", text)
    assert "Client-ID" not in text and "access_key       (none)" in printed(saved, "settings")


def test_is_small_enough_for_github() -> None:
    assert len(published("assignment.ipynb")) < 3_000_000


def test_cells_are_short_and_explained(saved: nbformat.NotebookNode) -> None:
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code_cells(saved)}
    exercises = {cell.id for cell in saved.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    assert exercises >= {"download-parallel", "resize-parallel", "likes"}
    assert {name for name, number in lengths.items() if number > 15} <= exercises
    assert statistics.median(lengths.values()) <= 12
    lines = {line for cell in code_cells(saved) for line in cell.source.splitlines()}
    assert [line for line in lines if len(line) > 88] == []  # JupyterLab cuts longer ones at 1,280 pixels
    headings = [
        line for cell in saved.cells if cell.cell_type == "markdown" for line in re.findall(r"(?m)^#+ .*", cell.source)
    ]
    assert [line for line in headings if line.startswith("# ")] == headings[:1]
    assert [line for line in headings if line.startswith("## ")] == [
        "## Setup the Project", "## Exploratory Data Analysis", "## Downloading Images", "## Resizing Images",
        "## Conclusion", "## You may stop here: Going further",
    ]  # fmt: skip


def test_the_required_road_is_short_and_a_third_of_it_is_to_think_or_do(saved: nbformat.NotebookNode) -> None:
    road = saved.cells[: [cell.id for cell in saved.cells].index(STOP)]
    prose = (re.sub(r"(?s)<!-- BEGIN SOLUTION.*?END SOLUTION -->", "", c.source) for c in road if c.cell_type != "code")
    assert len(road) <= 60 and sum(len(text.split()) for text in prose) <= 1600
    assert 3 * sum("yours" in cell.metadata.get("tags", []) for cell in road) >= len(road)


def test_each_word_is_explained_before_it_is_needed(saved: nbformat.NotebookNode) -> None:
    words = ("wall time", "executor", "worker", "speed-up", "latency", "CPU time", "GIL", "process", "start method",
             "pickle")  # fmt: skip
    texts = [cell.source for cell in saved.cells if cell.cell_type == "markdown"][1:]  # the title may promise
    for word in words:
        first = next(text for text in texts if re.search(rf"(?i)\b{word}\b(?! server)", text))
        assert re.search(rf"(?i)\*\*{word}\*\*", first), f"{word}: {first}"


def test_predictions_stand_beside_what_was_measured(saved: nbformat.NotebookNode) -> None:
    shown = printed(saved, "conclusion-sentences")
    assert len(re.findall(r"[\d.]+\s\(predicted: [\d.]+\)", shown)) == 2
    assert "Diamonds: what you predicted" in printed(saved, "gil")


def test_the_cells_that_a_tool_may_swap_are_tagged(saved: nbformat.NotebookNode) -> None:
    tags = {tag: cell.source for cell in saved.cells for tag in cell.metadata.get("tags", [])}
    assert "def download_parallel(photos, folder, workers):" in tags["exercise:download"]
    assert "def resize_parallel(paths, folder, size, workers):" in tags["exercise:resize"]
    assert re.search(r"checks\.check\(\s*download_parallel, serial_download", tags["check:download"])
    assert re.search(r"checks\.check\(\s*resize_parallel, serial_resize", tags["check:resize"])


def test_the_saved_code_is_what_ran(saved: nbformat.NotebookNode) -> None:
    """The modules were not changed after the notebook was executed: it prints their fingerprint."""
    assert fingerprint() in printed(saved, "settings")


def test_the_linter_finds_nothing_in_its_code() -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--stdin-filename", "assignment.ipynb", "-"]
    found = subprocess.run(ruff, input=published("assignment.ipynb"), cwd=ROOT, capture_output=True)
    assert found.returncode == 0, found.stdout.decode()


# --- a fresh run ----------------------------------------------------------------------------------------------


def test_a_fresh_run_fills_images_and_thumbnails(fresh: tuple[Path, nbformat.NotebookNode]) -> None:
    folder, _ = fresh
    photos, thumbnails = (sorted((folder / "images").glob("*")), sorted((folder / "thumbnails").glob("*")))
    assert len(photos) == PHOTOS and [path.name for path in photos] == [path.name for path in thumbnails]
    for photo, thumbnail in zip(photos, thumbnails, strict=True):
        with Image.open(photo) as large, Image.open(thumbnail) as small:
            assert large.width == 1080 and large.format == "JPEG"
            assert max(small.size) == 200 and small.mode == "RGB"


def test_a_fresh_run_reaches_right_verdicts_and_the_summary(fresh: tuple[Path, nbformat.NotebookNode]) -> None:
    _, notebook = fresh
    assert "RIGHT: 40 items" in printed(notebook, "download-check")
    assert "RIGHT: 40 items" in printed(notebook, "resize-check")
    box = next(cell for cell in notebook.cells if cell.id == "summary").outputs[0].data["text/html"]
    assert "download RIGHT, resize RIGHT" in box and f"photos: only {PHOTOS};" in box
    todo = printed(notebook, "todo")
    assert todo.count("☐ open") == 3  # too few photos, and nobody reads anything off


def test_a_fresh_run_does_both_stages_at_once_and_uses_a_cluster(fresh: tuple[Path, nbformat.NotebookNode]) -> None:
    _, notebook = fresh
    assert printed(notebook, "pipeline-sentences").count("times the longer stage") == 2
    sent = " ".join(printed(notebook, "cluster-check").split())
    if find_spec("distributed"):
        for function in ("thumbnail_bytes", "download_photo", "make_thumbnail"):
            assert re.search(
                rf"{function} on the cluster \([^)]*\): {PHOTOS} of {PHOTOS} files with the same bytes", sent
            )
        cost = " ".join(printed(notebook, "cluster-cost-sentence").split())
        assert "times as long to start as the process pool" in cost
    else:
        assert f"%pip install '{helpers.DISTRIBUTED}'" in sent


def test_a_fresh_run_leaves_no_process_and_no_temporary_file(fresh: tuple[Path, nbformat.NotebookNode]) -> None:
    folder, _ = fresh
    assert not list(folder.rglob("*.part"))
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert commands
    assert not any("practice" in command and str(folder) in command for command in commands)
