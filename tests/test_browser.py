"""JupyterLab, Notebook 7 and the HTML report in a real browser, headless. Skipped where Chromium is not installed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT, copy_project
from playwright.sync_api import Page, sync_playwright
from published import published

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: on Debian and Ubuntu, apt-get install chromium")
PHOTOS = 40
PATIENCE = 240  # seconds until a page that shows nothing new is given up; no test passes or fails by being quicker
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WINDOW = {"width": 1300, "height": 1000}  # pixels
HIGH = WINDOW | {"height": 3000}  # for reading: scrolling takes time
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = chromium.new_page(viewport=WINDOW)
        page.set_default_timeout(PATIENCE * 1000)
        yield page
        chromium.close()


def wait_for(what: str, condition: Callable[[], object], pause: float = 0.3) -> object:
    """The first true value of condition(); asked again and again until PATIENCE ends."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"still waiting for {what}"
        time.sleep(pause)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A copy of the project with few photos."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder, pictures, photos=PHOTOS, threads=8, processes=2, latency_ms=5, going_further="no")
    return folder


@pytest.fixture(scope="module")
def jupyter(folder: Path) -> Iterator[str]:
    """Address of a Jupyter server for that folder, with %s where the path goes."""
    runtime = folder / "runtime"
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTER_CONFIG_DIR": str(folder / "settings")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1"]
    # News and updates are asked for on the internet, and a question about news would cover the page.
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        found = wait_for("Jupyter", lambda: [*runtime.glob("jpserver-*.json")] or server.poll() is not None)
        assert found is not True, (folder / "server.log").read_text()
        facts = wait_for("the server's facts", lambda: _json(found[0]))
        yield f"http://127.0.0.1:{facts['port']}/%s?token={facts['token']}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _json(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except ValueError:  # not written to its end yet
        return None


def connected(page: Page, jupyter: str, name: str) -> bool:
    """Whether the server has an idle kernel for this notebook, to which the page is connected."""
    sessions = page.request.get(jupyter % "api/sessions").json()
    kernels = [one["kernel"] for one in sessions if one["path"] == name]
    return any(kernel["execution_state"] == "idle" and kernel["connections"] for kernel in kernels)


def on_disk(path: Path) -> nbformat.NotebookNode | None:
    try:
        return nbformat.read(path, as_version=4)
    except Exception:  # noqa: BLE001 - being written
        return None


def counts(notebook: nbformat.NotebookNode) -> list[int | None]:
    return [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]


def assert_shows(page: Page, charts: set[str], lines: list[str]) -> None:
    """The page shows pictures with these ends of their sources, no others, and lines that match these expressions.

    Cells out of sight may not be drawn, and those that come into sight are drawn a moment later: scroll, look again.
    """
    pictures, texts = set(), []
    scroller = page.locator(".jp-WindowedPanel-outer").first

    def all_seen() -> bool:
        top = -1
        scroller.evaluate("element => element.scrollTop = 0")
        while (now := scroller.evaluate("element => element.scrollTop")) != top:
            top = now
            page.wait_for_timeout(200)  # for most pages enough to be drawn; if not, the next round sees the rest
            pictures.update(
                page.eval_on_selector_all(".jp-RenderedImage img", "all => all.map(one => one.src.slice(-250))")
            )
            texts.append(scroller.inner_text())
            scroller.evaluate("element => element.scrollTop += element.clientHeight * 0.8")
        return pictures >= charts and all(re.search(line, "\n".join(texts)) for line in lines)

    page.set_viewport_size(HIGH)
    wait_for("pictures and lines in the page", all_seen)
    page.set_viewport_size(WINDOW)
    assert pictures == charts


@pytest.mark.parametrize("path", ["lab/tree", "notebooks"], ids=["JupyterLab 4", "Notebook 7"])
def test_open_run_all_save_and_reload(path: str, page: Page, jupyter: str, folder: Path) -> None:
    name = f"{path.split('/')[0]}.ipynb"
    notebook = nbformat.reads(published("assignment.ipynb").decode(), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / name)

    page.goto(jupyter % f"{path}/{name}")
    page.wait_for_selector(IDLE, state="attached")
    # The page can say "idle" before the notebook has a kernel; "run all" would then ask for one and run nothing.
    wait_for("a kernel with a connection", lambda: connected(page, jupyter, name))
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()

    def finished() -> nbformat.NotebookNode | None:
        found = on_disk(folder / name)
        if found and None not in counts(found):
            return found
        if connected(page, jupyter, name):  # its kernel is idle: at the end, or between two cells
            page.keyboard.press("Control+s")
        return None

    saved = wait_for("the last cell", finished, pause=1)
    outputs = [output for cell in saved.cells if cell.cell_type == "code" for output in cell.outputs]
    assert counts(saved) == list(range(1, len(counts(saved)) + 1))
    assert not [output for output in outputs if output.output_type == "error"]
    charts = {output.data["image/png"].strip()[-250:] for output in outputs if "image/png" in output.get("data", {})}
    assert len(charts) >= 10

    page.goto("about:blank")
    page.goto(jupyter % f"{path}/{name}")
    page.wait_for_selector(IDLE, state="attached")
    progress = [rf"{stage} serially: 100%\|\W+\| {PHOTOS}/{PHOTOS} " for stage in ("Downloading", "Resizing")]
    workers = [rf"✓ RIGHT\s+{PHOTOS} items, each done exactly once by {n}" for n in ("8 threads", "2 processes")]
    box = ["download RIGHT, resize RIGHT"]  # at the top; the last cells fill it
    assert_shows(page, charts, progress + workers + box)


def test_the_report_passes_axe(page: Page, tmp_path: Path) -> None:
    """No violation in the page of `make report`, made of the saved notebook; every picture has a text of its own."""
    (tmp_path / "assignment.ipynb").write_bytes(published("assignment.ipynb"))
    shutil.copytree(ROOT / "docs" / "report", tmp_path / "docs" / "report")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    command = re.search(r"(?m)^report:.*\n\t\$\(BIN\)/python (.*)", makefile)
    subprocess.run([sys.executable, *shlex.split(command[1])], cwd=tmp_path, check=True, capture_output=True)
    page.goto((tmp_path / "assignment.html").as_uri())
    found = Axe().run(page)
    rules = {one["id"]: [node["html"][:200] for node in one["nodes"]][:3] for one in found.response["violations"]}
    assert not rules, json.dumps(rules, indent=1)
    assert len(found.response["passes"]) > 10  # it has looked
    texts = page.eval_on_selector_all("img", "all => all.map(one => one.alt)")
    assert len(texts) >= 13 and all(len(text) > 30 for text in texts) and len(set(texts)) == len(texts)
