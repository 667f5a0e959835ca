"""The pages: what they name exists, their commands and figures are true, their code runs.

Pages alone are read as they lie here. Pages, figures and pictures beside the saved notebook are read as they were
published, because a run of your own changes your notebook.
"""

from __future__ import annotations

import ast
import doctest
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

import practice
from benchmarks import classroom
from tests import published as publication
from tests.published import published, unpack_published

sys.path.insert(0, str(ROOT / "docs"))

import from_run
import from_tests
import try_packages

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*from_run.PAGES, ROOT / "teacher" / "README.md")
}
README, TESTS = PAGES["README.md"], PAGES["docs/tests.md"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its blocks of code and without comments."""
    return re.sub(r"(?ms)^```.*?^```|<!--.*?-->", "", text)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).strip().lower().replace(" ", "-")
    return "".join(letter for letter in text if letter in "-_" or unicodedata.category(letter)[0] in "LNM")


def anchors(text: str) -> set[str]:
    found: dict[str, int] = {}
    for heading in re.findall(r"(?m)^#{1,6} (.+?) *#*$", prose(text)):
        name = slug(heading)
        found[name] = found.get(name, -1) + 1
        found |= {f"{name}-{found[name]}": 0} if found[name] else {}
    return set(found)


def links(text: str) -> list[str]:
    return [a or b for a, b in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", prose(text))]


# --- what they name exists --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_relative_link_and_anchor_leads_somewhere(name: str) -> None:
    relative = [link for link in links(PAGES[name]) if not re.match(r"https?:", link)]
    assert relative
    for link in relative:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name} links to {link}, which does not exist"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name} links to {link}: no such heading"


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_has_a_text_and_a_dark_twin(name: str) -> None:
    assert "![" not in prose(PAGES[name]), "write <img alt=...>, so that all pictures are checked alike"
    for tag in re.findall(r"<img[^>]*>", PAGES[name]):
        text = re.search(r'alt="([^"]*)"', tag)
        assert text and len(text[1]) > 40, f"{name}: {tag} needs an alt text that says what the picture shows"
    for dark, light in re.findall(r'dark\)" srcset="([^"]+)">\s*<img[^>]*src="([^"]+)"', PAGES[name]):
        assert dark.replace("-dark.", "-light.") == light
    themed = re.findall(r'src="([^"]*-light\.[^"]*)"', PAGES[name])
    assert PAGES[name].count("<picture>") == len(themed)


def test_every_picture_is_used() -> None:
    used = {Path(link).name for text in PAGES.values() for link in links(text)}
    pictures = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".png", ".webp", ".gif", ".svg")}
    assert pictures <= used
    assert (ROOT / "docs" / "unsplash-steps.gif").stat().st_size < 1_000_000


def section(heading: str) -> str:
    found = re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", README)
    assert found, f"README.md has no section {heading}"
    return found[1]


def files_in_table(table: str) -> set[str]:
    """The names in the first column."""
    first_cells = re.findall(r"(?m)^\| (`[^|]+) \|", table)
    return {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}


def test_the_table_of_files_is_complete_and_true() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("this is not a git clone, so nothing says which files belong to the project")
    table, text = section("What are All These Files?").split("These appear")
    belong, appear = files_in_table(table), set(re.findall(r"`([^`]+)`", text))
    assert {path.split("/")[0] for path in tracked.stdout.splitlines()} == {name.rstrip("/") for name in belong}
    ignored = subprocess.run(["git", "check-ignore", *appear], cwd=ROOT, capture_output=True, text=True)
    assert set(ignored.stdout.splitlines()) == appear, "not all of them are ignored by git"


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")
def test_the_container_runs_commands_that_there_are() -> None:
    """No container was started: the commands are looked at as make would run them."""
    about = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    tasks = json.loads((ROOT / ".vscode" / "tasks.json").read_text(encoding="utf-8"))["tasks"]
    for command in (about["postCreateCommand"], *(task["command"] for task in tasks)):
        done = subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
        assert command.startswith("make ") and done.returncode == 0, done.stderr
    oldest = re.search(r"You need Python (3\.\d+)", README)
    assert oldest and float(about["image"].rpartition(":")[2]) >= float(oldest[1])
    assert {task["command"] for task in tasks} == {"make run", "make test"}


def test_the_assignments_own_headings_are_there() -> None:
    for heading in (
        "Introductory Knowledge on Concepts", "Concurrency vs Parallelism", "Threading and Multiprocessing",
        "Packages in Python for Parallel Programming", "Creating a Developer Account", "What are All These Files?",
        "The assignment", "When things go wrong", "Further pages",
    ):  # fmt: skip
        assert len(section(heading)) > 100
    tasks = section("The assignment")
    for heading in ("Tasks", "To-do list", "Handing in"):
        assert f"\n### {heading}\n" in tasks
    for part in ("Setup", "Exploratory Data Analysis", "Downloading", "Resizing", "Conclusion"):
        assert f"\n- [ ] **{part}.** " in tasks
    assert not re.search(r"\bTBD\b|\bTODO\b", "".join(PAGES.values()))


def test_the_readme_is_short_and_names_every_page() -> None:
    assert len(README.splitlines()) <= 220
    inside = {link.partition("#")[0] for link in links(README)}
    growth = {name for name in PAGES if "growth" in name}  # named by benchmarks/results.md
    assert {*PAGES, "benchmarks/results.md"} - {"README.md"} - growth <= inside


def test_every_room_of_the_house_has_a_row() -> None:
    rooms = files_in_table(PAGES["docs/how-it-is-built.md"])
    kit = {f"kit/{path.name}" for path in (ROOT / "kit").glob("*.py")} - {"kit/__init__.py"}
    assert {name for name in rooms if name.startswith("kit/")} == kit
    assert rooms >= {f"{path.parent.name}/" for path in ROOT.glob("[a-z]*/__init__.py")} - {"kit/"}


# --- commands, versions, figures --------------------------------------------------------------------------------


def test_commands_are_those_of_the_makefile() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):.*## ", MAKEFILE))
    phony = re.search(r"(?m)^\.PHONY: (.*)$", MAKEFILE)
    assert phony and set(phony[1].split()) == targets
    named = {name: set(re.findall(r"(?m)(?:`|^)make ([a-z]+)(?=[`\s])", text)) for name, text in PAGES.items()}
    assert set().union(*named.values()) == named["README.md"] == targets


def test_modules_and_scripts_in_commands_exist() -> None:
    text = "\n".join(PAGES.values())
    scripts = set(re.findall(r"\b((?:docs|teacher|tests|kit)/\w+\.py)\b", text))
    assert len(scripts) > 10
    for name in (*scripts, *re.findall(r"requirements[\w-]*\.txt", text)):
        assert (ROOT / name).exists(), name
    for module in set(re.findall(r"python -m (practice|benchmarks|checks[.\w]*)", text)):
        path = ROOT / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_python_version_is_the_one_of_the_settings() -> None:
    text = b"".join(map(published, ("README.md", "assignment.ipynb"))).decode()
    stated = set(re.findall(r"Python (3\.\d+) or newer", text))
    lowest = re.search(r'target-version = "py3(\d+)"', published("pyproject.toml").decode())
    assert lowest and stated == {f"3.{lowest[1]}"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The pages, their pictures and scripts, and the notebook that they show, as they were published."""
    unpack_published(tmp_path, "README.md", "docs", "assignment.ipynb")
    return tmp_path


def from_run_of(project: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, project / "docs" / "from_run.py", *options]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_page_of_the_benchmarks_is_made_of_the_rounds_that_were_kept(tmp_path: Path) -> None:
    from benchmarks.__main__ import results

    unpack_published(tmp_path, "benchmarks")
    assert results(tmp_path / "benchmarks" / "rounds") == published("benchmarks/results.md").decode()


def test_figures_of_a_run_are_those_of_the_saved_notebook(project: Path) -> None:
    found = from_run_of(project, "--check")
    assert found.returncode == 0, found.stderr


def test_every_figure_that_the_script_takes_is_quoted(project: Path) -> None:
    spec = importlib.util.spec_from_file_location("published_from_run", project / "docs" / "from_run.py")
    spec.loader.exec_module(script := importlib.util.module_from_spec(spec))
    saved = script.Saved(json.loads((project / "assignment.ipynb").read_text(encoding="utf-8")))
    quoted = {name for page in script.PAGES for name in script.FIGURE.findall(page.read_text(encoding="utf-8"))}
    assert quoted == set(script.facts(saved))


@pytest.mark.parametrize("name", PAGES)
def test_a_figure_is_never_the_beginning_of_a_line(name: str) -> None:
    """Markdown would take the whole line as HTML and print its marks as they are."""
    assert not re.search(r"(?m)^[ >]*(?:[-*] |\d\. )?<!--run:", PAGES[name])
    assert PAGES[name].count("<!--run:") == PAGES[name].count("<!--/run-->")


def test_a_figure_that_was_changed_by_hand_is_found(project: Path) -> None:
    page = project / "docs" / "concepts.md"
    before = page.read_text(encoding="utf-8")
    text, changed = re.subn(r"(<!--run:each_ms-->)\d+", r"\g<1>99999", before)
    assert changed
    page.write_text(text, encoding="utf-8")
    found = from_run_of(project, "--check")
    assert found.returncode == 1 and "docs/concepts.md" in found.stderr
    assert from_run_of(project).returncode == 0
    assert page.read_text(encoding="utf-8") == before


def test_without_a_clone_or_git_what_was_published_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "ROOT", tmp_path / "unpacked")
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "unpacked" / "README.md").touch()
    with pytest.raises(pytest.skip.Exception, match="no clone"):
        published("README.md")
    (tmp_path / "README.md").write_text("of another project")
    for command in (("init", "-q"), ("add", "README.md"), ("commit", "-qm", "first")):
        own = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *own, *command], cwd=tmp_path, check=True)
    with pytest.raises(pytest.skip.Exception, match="no clone"):  # but within that of another project
        published("README.md")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="git is not installed"):
        published("README.md")


def test_a_file_that_was_not_published_is_no_reason_to_skip() -> None:
    published("README.md")
    with pytest.raises(subprocess.CalledProcessError):
        published("no-such-file")


@pytest.mark.parametrize("script", ["draw_steps.py", "draw_pictures.py"])
def test_pictures_are_what_their_script_draws(script: str) -> None:
    found = subprocess.run([sys.executable, ROOT / "docs" / script, "--check"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_the_race_is_that_of_the_saved_run(project: Path) -> None:
    unpack_published(project, "kit", "practice")
    command = [sys.executable, project / "docs" / "draw_race.py", "--check"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    notebook = project / "assignment.ipynb"
    other = classroom.student(notebook.read_bytes(), 1)
    notebook.write_bytes(other)
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 1 and "of another run" in found.stderr


def test_another_picture_is_noticed() -> None:
    import draw_steps

    drawn = draw_steps.frames()
    assert not draw_steps.differs(draw_steps.TARGET, drawn)
    assert all(draw_steps.differs(draw_steps.TARGET, other) for other in (drawn[::-1], drawn[:-1]))


def test_the_examples_do_what_the_page_says() -> None:
    page, flags = str(ROOT / "docs" / "concepts.md"), doctest.IGNORE_EXCEPTION_DETAIL
    found = doctest.testfile(page, module_relative=False, optionflags=flags)
    assert found.attempted == 12 and not found.failed


def said_by_a_script(folder: Path, text: str) -> str:
    """What a script of a student's own writes to standard error."""
    (folder / "mine.py").write_text(text)
    ended = subprocess.run([sys.executable, "mine.py"], cwd=folder, capture_output=True, text=True, timeout=120)
    return ended.stderr


def test_what_the_pages_say_of_this_python_is_what_it_does(tmp_path: Path) -> None:
    page = PAGES["docs/concepts.md"]
    said = said_by_a_script(tmp_path, "import pickle\npickle.dumps(lambda path: path)\n").splitlines()[-1]
    versions = re.findall(r"`([^`]+)`\s+(?:up to|from)\s+(?:Python )?3\.1[34]", page)
    assert len(versions) == 2 and said.endswith(versions[sys.version_info >= (3, 14)])
    cell = "import pickle\ndef one(path):\n    return path\nprint(len(pickle.dumps(one)))\n"
    assert said_by_a_script(tmp_path, cell) == ""  # it can be packed
    pool = "from concurrent.futures import ProcessPoolExecutor\nfrom multiprocessing import get_context\n"
    unguarded = f'{pool}with ProcessPoolExecutor(1, get_context("spawn")) as e:\n    e.submit(abs, 1).result()\n'
    said = " ".join(said_by_a_script(tmp_path, unguarded).split())
    for words in ("RuntimeError: An attempt has been made to start a new process", "BrokenProcessPool"):
        assert words in said and words in PAGES["docs/troubleshooting.md"]
    if sys.version_info >= (3, 12) and hasattr(os, "fork"):
        fork = "import os, threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()\n"
        fork += "os.fork() or os._exit(0)\n"
        (tmp_path / "inner.py").write_text(fork)
        assert said_by_a_script(tmp_path, "import inner\n") == ""  # hidden by default
        shown = f"import warnings\nwarnings.simplefilter('always')\n{fork}"
        assert "DeprecationWarning" in said_by_a_script(tmp_path, shown)


# --- what was tried ---------------------------------------------------------------------------------------------

REPORT = """<testsuites><testsuite><testcase name="a"><properties>
<property name="reset" value="1200"/><property name="Cut" value="3"/></properties></testcase>
<testcase name="b"><properties><property name="reset" value="34"/></properties></testcase>
<testcase name="c"><properties><property name="failed" value="1"/></properties><failure message="no"/></testcase>
<testcase name="d"><properties><property name="skipped" value="1"/></properties><skipped/></testcase>
<testcase name="e"/></testsuite></testsuites>"""


def test_the_table_of_faults_adds_up_what_passed_tests_say(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(REPORT, encoding="utf-8")
    block = from_tests.table(from_tests.tried(tmp_path / "tests.xml"))
    assert block == "| What was tried | How often |\n| --- | ---: |\n| Cut | 3 |\n| reset | 1,234 |"
    changed = from_tests.page(TESTS, block)
    assert changed.count("| reset | 1,234 |") == 1
    assert from_tests.page(changed, table_of_faults()) == TESTS


def table_of_faults() -> str:
    return TESTS.split(from_tests.BEGIN)[1].split(from_tests.END)[0].strip()


def test_the_table_names_only_faults_that_tests_cause() -> None:
    """Each name stands as a text in a test file that counts faults, or is filled into one where it is counted."""
    written = []  # regular expressions
    for path in (ROOT / "tests").glob("test_*.py"):
        source = path.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(source))) if "record_property(" in source else []
        written += [re.escape(node.value) for node in nodes if isinstance(node, ast.Constant) and node.value in rows()]
        for call in nodes:
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "record_property":
                parts = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else []
                written.append("".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts))
    assert len(rows()) > 20
    assert [fault for fault in rows() if not any(re.fullmatch(name, fault) for name in written)] == []


def rows() -> dict[object, str]:
    """How often each fault was tried, as docs/tests.md says."""
    return dict(re.findall(r"(?m)^\| (.+) \| ([\d,]+) \|$", table_of_faults()))


# --- the code of docs/packages.md -------------------------------------------------------------------------------

BLOCKS = try_packages.blocks(PAGES["docs/packages.md"])


@pytest.fixture(scope="module")
def runs(start: Callable[..., practice.PracticeServer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    try_packages.prepare(folder, start(latency=0.01), 40)
    return folder


def test_every_package_has_a_row_and_a_block() -> None:
    page = PAGES["docs/packages.md"]
    assert set(BLOCKS) == set(try_packages.PACKAGES)
    assert page.count("```python") == len(BLOCKS)
    for name in BLOCKS:
        assert re.search(rf"(?m)^\| \[`?{re.escape(name)}`?\]\(#", page), f"{name} has no row"
        assert re.search(rf"(?m)^\| {re.escape(name)} \|", page), f"{name} has no measurement: docs/try_packages.py"


@pytest.mark.parametrize("name", try_packages.PACKAGES)
def test_the_code_does_the_same_work_as_a_loop(name: str, runs: Path) -> None:
    if not try_packages.installed(name):
        pytest.skip(f"{try_packages.PACKAGES[name]} is not installed; its block was run by docs/try_packages.py")
    found = try_packages.run(name, BLOCKS[name], runs)
    assert found and all(word == "RIGHT" for word, *_ in found.values()), found
