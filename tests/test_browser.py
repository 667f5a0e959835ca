"""JupyterLab, Notebook 7 and the HTML report in a real browser, headless. Skipped where Chromium is not installed."""

from __future__ import annotations

import io
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
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from published import published

from checks.judge import Verdict

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHOTOS = 40
PATIENCE = 240  # seconds until a page that shows nothing new is given up; no test passes or fails by being quicker
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WINDOW = {"width": 1300, "height": 1000}  # pixels
HIGH = WINDOW | {"height": 3000}  # for reading: scrolling takes time
PHONE = 390  # pixels
KINDS = [
    "h1", "p", "li", "p a", "p code", ".jp-RenderedMarkdown td", ".dataframe td", ".dataframe th", "th[style]",
    "div[style*=border] > b", "div[style*=border]", ".jp-RenderedText pre", "[data-mime-type$=stderr] span", "summary",
    ".highlight .k", ".highlight .s2", ".highlight .c1", ".highlight .ow", ".highlight .mi", ".highlight .nb",
]  # fmt: skip
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if not CHROMIUM:
        pytest.skip("no Chromium here: on Debian and Ubuntu, apt-get install chromium")
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
    whole = path == "lab/tree"  # the other one shows the same kinds of outputs in its first half
    if not whole:
        del notebook.cells[[cell.id for cell in notebook.cells].index("resize") :]
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
    assert len(charts) >= (10 if whole else 8)

    page.goto("about:blank")
    page.goto(jupyter % f"{path}/{name}")
    page.wait_for_selector(IDLE, state="attached")
    stages = {"Downloading": "8 threads"} | ({"Resizing": "2 processes"} if whole else {})
    progress = [rf"{stage} serially: 100%\|\W+\| {PHOTOS}/{PHOTOS} " for stage in stages]
    workers = [rf"✓ RIGHT\s+{PHOTOS} items, each done exactly once by {n}" for n in stages.values()]
    box = ["download RIGHT, resize RIGHT"] if whole else []  # at the top; the last cells fill it
    assert_shows(page, charts, progress + workers + box)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the page of `make report`, made of the saved notebook with an error and a wrong solution added.

    Code of all kinds stands in the first cells; of the rest only first lines are left, because each word is looked at.
    """
    folder = tmp_path_factory.mktemp("report")
    notebook = nbformat.reads(published("assignment.ipynb").decode(), as_version=4)
    for cell in notebook.cells[20:]:
        if cell.cell_type == "code":
            cell.source = cell.source.partition("\n")[0]
    traceback = ["\x1b[31mZeroDivisionError\x1b[39m", "\x1b[32m----> 1\x1b[39m \x1b[43m1 / 0\x1b[49m"]
    error = nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="", traceback=traceback)
    wrong = nbformat.v4.new_output("display_data", Verdict("WRONG", "too few")._repr_mimebundle_())
    notebook.cells.append(nbformat.v4.new_code_cell("1 / 0", outputs=[wrong, error]))
    nbformat.write(notebook, folder / "assignment.ipynb")
    shutil.copytree(ROOT / "docs" / "report", folder / "docs" / "report")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    command = re.search(r"(?m)^report:.*\n\t\$\(BIN\)/python (.*)", makefile)
    subprocess.run([sys.executable, *shlex.split(command[1])], cwd=folder, check=True, capture_output=True)
    return (folder / "assignment.html").as_uri()


@pytest.fixture
def read(page: Page, report: str) -> Iterator[Callable[[str, int], Page]]:
    """The report, opened with a colour scheme and a width of the window."""
    opened = []

    def read(scheme: str, width: int) -> Page:
        opened.append(page.context.browser.new_page(viewport=WINDOW | {"width": width}, color_scheme=scheme))
        opened[-1].goto(report)
        return opened[-1]

    yield read
    for one in opened:
        one.close()


def background(page: Page) -> int:
    """From 0, black, to 255, white."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(map(int, re.findall(r"\d+", colour)))


@pytest.mark.parametrize(("scheme", "width"), [("light", WINDOW["width"]), ("dark", PHONE)])
def test_the_report_passes_axe(scheme: str, width: int, read: Callable[[str, int], Page]) -> None:
    """No violation, and text of every kind has been compared with its background."""
    page = read(scheme, width)
    assert background(page) == 255 if scheme == "light" else background(page) < 40
    found = Axe().run(page, options={"resultTypes": ["violations", "passes"]}).response
    rules = {one["id"]: [node["html"][:200] for node in one["nodes"]][:3] for one in found["violations"]}
    assert not rules, json.dumps(rules, indent=1)
    assert len(found["passes"]) > 10  # it has looked
    compared = [node["target"][0] for one in found["passes"] if one["id"] == "color-contrast" for node in one["nodes"]]
    unseen = """([kinds, compared]) => {
        const elements = compared.map(one => document.querySelector(one));
        return kinds.filter(kind => !elements.some(one => one.matches(kind)));
    }"""
    assert page.evaluate(unseen, [KINDS, compared]) == []
    page.emulate_media(media="print")
    assert background(page) == 255  # on paper, in both


def test_every_picture_of_the_report_has_a_text_of_its_own(read: Callable[[str, int], Page]) -> None:
    texts = read("light", WINDOW["width"]).eval_on_selector_all("img", "all => all.map(one => one.alt)")
    assert len(texts) >= 13 and all(len(text) > 30 for text in texts) and len(set(texts)) == len(texts)


def test_charts_keep_their_colours_in_the_dark(read: Callable[[str, int], Page]) -> None:
    """The histogram has blue bars on white: its text stays dark on light, and its bars stay blue."""
    page = read("dark", WINDOW["width"])
    assert background(page) < 40
    shot = page.locator("img").nth(1).screenshot()
    colours = Image.open(io.BytesIO(shot)).convert("RGB").getcolors(1 << 24)
    (_, paper), (_, bars) = sorted(colours)[:-3:-1]
    assert min(paper) > 200
    assert bars[2] > bars[1] > bars[0] + 50


def test_the_report_can_be_read_on_a_phone(read: Callable[[str, int], Page]) -> None:
    """The page does not scroll sideways. What is wider scrolls to its end, each in a box of its own."""
    page = read("light", PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert page.locator(".jp-InputPrompt:visible, .jp-OutputPrompt:visible").count() == 0
    widths = page.eval_on_selector_all("img", "all => all.map(one => one.clientWidth)")
    assert len(widths) >= 13 and min(widths) >= 600  # of about 900: shrunk to a phone, no letter can be read
    wide, lost = page.evaluate("""() => {
        const end = one => {
            const range = document.createRange();
            range.selectNode(one);
            return range.getBoundingClientRect().right;
        };
        const scrolls = one => {
            one.scrollLeft = 1e6;
            return one.scrollLeft > 0 && getComputedStyle(one).overflowX == "auto";
        };
        const wide = [...document.querySelectorAll("pre, table, img, p, li")].filter(one => end(one) > innerWidth);
        const lost = wide.filter(one => {
            let box = one;
            while (box && !scrolls(box)) box = box.parentElement;
            return !box || box.matches("body, main, .jp-MarkdownCell *") || end(one) > innerWidth;
        });
        return [wide.map(one => one.tagName), lost.map(one => one.outerHTML.slice(0, 200))];
    }""")
    assert {"PRE", "TABLE", "IMG"} <= set(wide)
    assert lost == []
