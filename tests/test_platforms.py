"""What differs between Windows, macOS and Linux, as far as Linux can show it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, resize_serial

import helpers
from helpers import Photo, Secret, Source
from kit.files import digests
from kit.machine import code_digest
from practice import PracticeServer

PROGRAM = """
import json, sys, warnings
from pathlib import Path
warnings.filterwarnings("error", category=EncodingWarning, module="helpers|kit|checks|practice|__main__")
import checks, helpers, practice
settings = helpers.load_settings()
assert helpers.environment() and settings.photos == 7 and sys.flags.utf8_mode == 0
source = helpers.Source("here", "here", "http://127.0.0.1:9", [], settings.access_key)
assert helpers.collect_photos(source, 1) == [{"id": "abcdefghijk", "description": "K\\u00e4se"}]
photo = helpers.Photo(*json.loads(Path("photo.json").read_text(encoding="utf-8")))
def download_serial(photos, folder):
    for photo in photos:
        helpers.download_photo(photo, folder)
run = helpers.timed_run(download_serial, [photo])
helpers.keep(run, "images")
def download_parallel(photos, folder, workers):
    download_serial(photos, folder)
print(checks.check(download_parallel, run, [photo], 1))
try:
    open("photo.json")
except EncodingWarning:
    print("warnings are on")
"""


def test_text_files_are_utf8_whatever_the_system_thinks(photos: list[Photo]) -> None:
    """Python warns where an encoding is left to the system; here the warning of our own modules is an error."""
    example = (ROOT / "config.ini.example").read_text(encoding="utf-8").replace("photos = 1500", "photos = 7")
    line = json.dumps({"source": "here", "photos": [{"id": "abcdefghijk", "description": "Käse"}]}, ensure_ascii=False)
    Path("cache/metadata").mkdir(parents=True)
    for name, text in {
        "config.ini.example": "; Größe\n" + example, "cache/metadata/here.jsonl": line + "\n",
        "photo.json": json.dumps([photos[0].id, photos[0].url]), "program.py": PROGRAM,
    }.items():  # fmt: skip
        Path(name).write_text(text, encoding="utf-8")
    system = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-X", "warn_default_encoding", "program.py"]
    environment = {**os.environ, **system, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0 and "warnings are on" in done.stdout, done.stderr[-1000:]


def test_of_two_ids_that_differ_in_capitals_one_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """On Windows and macOS their files would be the same one."""
    pages = [[{"id": "abcdefghijk", "likes": 1}, {"id": "ABCDEFGHIJK", "likes": 2}], [{"id": "lmnopqrstuv"}]]
    source = Source("a list", "list", "http://127.0.0.1:9", [], Secret())
    source.get = lambda *_, **__: pages.pop(0)
    records = helpers.collect_photos(source, 2, cache=tmp_path)
    assert [record["id"] for record in records] == ["abcdefghijk", "lmnopqrstuv"] and not pages
    lines = (tmp_path / "list.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(json.loads(lines[0])["photos"]) == 2  # what was paid for is kept
    assert helpers.collect_photos(source, 2, cache=tmp_path) == records
    assert "no request was needed" in capsys.readouterr().out


# --- Where a notebook is opened: Colab, VS Code, another folder ------------------------------------------------


def test_workers_find_helpers_after_a_change_of_folder(tmp_path: Path) -> None:
    """Colab starts its kernel elsewhere, and the student changes the folder with %cd."""
    program = (
        "import multiprocessing.pool, os; os.chdir('project'); import helpers\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "    print(pool.apply(helpers.thumbnail_bytes, ['a', b'', 200])[0].status)\n"
    )
    shutil.copytree(ROOT / "kit", tmp_path / "project" / "kit")
    shutil.copy(ROOT / "helpers.py", tmp_path / "project")
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=60)
    assert done.stdout == "failed\n", done.stderr[-500:]


@pytest.fixture
def first_cell() -> str:
    notebook = nbformat.read(ROOT / "assignment.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == "project-files")


def test_the_notebook_alone_says_what_is_missing(first_cell: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"helpers\.py, kit, checks, practice(?s:.*)Colab(?s:.*)VS Code"):
        exec(first_cell, {})  # noqa: S102 - in an empty folder, as Colab does


def test_the_first_cell_names_a_package_that_is_missing(first_cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(first_cell, {})  # noqa: S102
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pandas" else name)
    with pytest.raises(ModuleNotFoundError, match=r"lacks: pandas\b(?s:.*)%pip install -r requirements\.txt"):
        exec(first_cell, {})  # noqa: S102


def test_a_version_that_nobody_tried_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "asks for" not in helpers.environment()["Packages"]
    monkeypatch.setattr("importlib.metadata.version", lambda name: "11.3.0" if name == "Pillow" else "99.0")
    packages = helpers.environment()["Packages"]
    assert "Pillow 11.3.0 (requirements.txt asks for ~=" in packages and "tornado 99.0" in packages
    assert "tornado 99.0 (" not in packages  # not in requirements.txt


# --- The version of the modules -----------------------------------------------------------------------------------

CODE = """
import os
from itertools import repeat as again


def twice(text: str, width: int = 7, *, mark="\\N{SNOWMAN}ä\\U0001fae9") -> str:
    if width > 3:
        return f"{mark}{text:>{width}} {text!r:{width}.{width}}{{}}" f"{width=}{text:}"
    return f"" "" f"{os.sep}" + b"\\xff".decode("latin-1")


class Some:
    sizes = {n: n**2 for n in (1, 2.5, 1e400, 3j, None, ..., True)}
"""


@pytest.fixture
def digest(tmp_path: Path) -> Callable[..., str]:
    def digest(code: str | bytes, name: str = "room/a.py") -> str:
        shutil.rmtree(tmp_path / "project", ignore_errors=True)
        (path := tmp_path / "project" / name).parent.mkdir(parents=True)
        path.write_bytes(code if isinstance(code, bytes) else code.encode())
        return code_digest(tmp_path / "project", [path])

    return digest


def test_the_digest_of_code_is_the_same_on_all_versions_of_python(digest: Callable[..., str]) -> None:
    """Seen on 3.11 to 3.15; these differ in syntax trees of f-strings and imports, and in what repr shows."""
    assert digest(CODE) == "0f55ae08"


@pytest.mark.parametrize("change", [
    lambda code: code.replace("\n", "\r\n"),
    lambda code: '\ufeff# a comment\n"""What this is for."""\n' + code,
    lambda code: code.replace("str:\n", "str:\n    '''What it does.\n\n    More.'''  # and why\n"),
    lambda code: code.replace("Some:\n", "Some:\n    'What it is.'\n\n\n"),
    lambda code: code.replace("1, 2.5", "\n        0x1,\n\n  2.50"),
    lambda code: code.replace("n**2 for", "(n ** 2) for").replace('""', "''"),
])  # fmt: skip
def test_the_digest_of_code_ignores_comments_and_layout(digest: Callable[..., str], change: Callable) -> None:
    assert change(CODE) != CODE
    assert digest(change(CODE)) == digest(CODE)


@pytest.mark.parametrize(("old", "new"), [
    ("7", "8"), ("2.5", "2"), ("True", "1"), ("ä", "a"), ("width", "length"), ("twice", "thrice"), ("os", "io"),
    ("again", "anew"), ("n**2", "n*2"), (">=", ">"), (":>{", ":<{"), ("!r", "!s"), ("-> str", ""), (" *,", ""),
    ("xff", "xfe"), ("{{}}", "{{{{"), ("class Some:", "class Some(str):"), ("if width", "while width"),
    ("        return", "        yield"),
])  # fmt: skip
def test_the_digest_of_code_changes_with_what_the_code_does(digest: Callable[..., str], old: str, new: str) -> None:
    code = CODE.replace("> 3", ">= 3")
    assert digest(code.replace(old, new)) != digest(code)


def test_the_digest_of_code_tells_modules_apart_but_not_places(digest: Callable[..., str], tmp_path: Path) -> None:
    assert len({digest(CODE), digest(CODE, "room/b.py"), digest(CODE, "a.py"), digest("no Python (")}) == 4
    (folder := tmp_path / "other" / "room").mkdir(parents=True)
    (one := folder / "a.py").write_text(CODE, encoding="utf-8")
    (two := folder / "b.py").write_text("pass", encoding="utf-8")
    assert code_digest(folder.parent, [one]) == digest(CODE)
    assert code_digest(folder, [two, one]) == code_digest(folder, [one, two])


# --- What other systems don't have ---------------------------------------------------------------------------------


def test_without_an_affinity_or_a_count_one_cpu_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert helpers.usable_cpus() == 1
    assert helpers.environment()["CPUs"] == "1 usable by this process, unknown logical CPUs in the machine"


def test_a_build_without_the_gil_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GIL" not in helpers.environment()["Python"] or sysconfig.get_config_var("Py_GIL_DISABLED")
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1)
    for enabled, words in ((False, "free-threaded, without a GIL"), (True, "free-threaded, with the GIL")):
        monkeypatch.setattr(sys, "_is_gil_enabled", lambda enabled=enabled: enabled, raising=False)
        assert words in helpers.environment()["Python"]


def test_a_clock_of_cpu_time_that_ticks_seldom_gives_the_same_share(
    images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: in 15.6 ms. A single photo shows nothing or a whole tick; all of them the truth, up to a tick."""
    tick, exact = 1 / 64, time.thread_time
    monkeypatch.setattr(time, "thread_time", lambda: exact() // tick * tick)
    began = exact()
    run = helpers.timed_run(resize_serial, images)
    assert {round(outcome.cpu / tick, 3) % 1 for outcome in run.outcomes} == {0}
    assert 0 <= run.cpu <= exact() - began + tick


def test_waiting_for_a_cpu_before_an_item_is_not_the_items(images: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a thread waits between two items as well."""
    monkeypatch.setattr("kit.journal.waited_before", lambda: 0.0)
    monkeypatch.setattr("kit.journal.waited_for_a_cpu", lambda: 60.0)
    run = helpers.timed_run(resize_serial, images)
    assert all(0 <= o.queued <= o.finished - o.started - o.cpu + 3e-6 for o in run.outcomes)
    assert 0.99 < run.busy < 1.01


def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program = "import helpers, checks; from kit import charts; print(helpers.load_settings().photos)"
    shutil.copy(ROOT / "config.ini.example", tmp_path)
    own = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "file" / "none")}
    done = subprocess.run([sys.executable, "-c", program], env=own, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("1500\n"), done.stderr[-500:]


def test_64_threads_that_take_turns_all_the_time_get_nothing_wrong(
    server: PracticeServer, photos: list[Photo], tmp_path: Path
) -> None:
    """What threads share (connections, caches, the journal) must not rest on the GIL; here it changes hands at once."""
    downloads = [(photo, tmp_path / f"images {n}") for n in range(8) for photo in photos]
    for kind in ("images", "thumbnails"):
        for n in range(8):
            (tmp_path / f"{kind} {n}").mkdir()
    before, interval = server.sent(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(64) as executor:
            images = list(executor.map(helpers.download_photo, *zip(*downloads, strict=True)))
            paths = [Path(outcome.path or "") for outcome in images]
            folders = [tmp_path / path.parent.name.replace("images", "thumbnails") for path in paths]
            thumbnails = list(executor.map(helpers.make_thumbnail, paths, folders, repeat(200)))
    finally:
        sys.setswitchinterval(interval)
    assert {outcome.status for outcome in images + thumbnails} == {helpers.Status.DONE}
    sent = {name: number - before.get(name, 0) for name, number in server.sent().items()}
    assert {name: number for name, number in sent.items() if number} == {photo.id: 8 for photo in photos}
    for kind in ("images", "thumbnails"):
        found = [digests(tmp_path / f"{kind} {n}") for n in range(8)]
        assert len(found[0]) == len(photos) and found == found[:1] * 8
