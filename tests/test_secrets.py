"""The access key: whatever a run does and whatever goes wrong, no file, message, traceback or object shows it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from conftest import PATIENCE, ROOT, Host, closed_port, copy_project, until, with_free_ports
from nbclient import NotebookClient

from practice import PracticeServer

PHOTOS = 6

# What goes wrong at the API, in this order, and the word that the message must hold.
FAULTS = {
    "401": "refused the access key", "quota": "quota", "quota-json": "quota", "500": "status 500", "html": "not JSON",
    "cut": "cut off", "redirect": "status 302", "reset": "broke off", "stall": "no answer in time",
    "refused": "refused", "interrupt": "KeyboardInterrupt",
}  # fmt: skip
ELSEWHERE = ("refused", "interrupt")  # not by the practice server

SCRIPT = '''
"""The notebook's stages with a key, and every fault; leaves all that could show the key in files beside it."""

import gc, json, logging, multiprocessing, os, pickle, signal, socket, sys, traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import helpers
import kit.source, kit.transport

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with SIGINT ignored


def download_parallel(photos, folder):
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(helpers.download_photo, photos, repeat(folder)))


def resize_parallel(paths, folder):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        list(executor.map(helpers.make_thumbnail, paths, repeat(folder), repeat(200)))


def chain(problem):
    """The exception and all that it came from, also where `from None` hides it."""
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__


def written(problem):
    """All that can be read of an exception: message, pickle, and the frames with their variables."""
    texts = []
    for one in chain(problem):
        texts += [repr(one), str(one), repr(one.args), repr(vars(one))]
        texts += traceback.TracebackException(type(one), one, one.__traceback__, capture_locals=True).format()
        try:
            texts.append(repr(pickle.dumps(one)))
        except (TypeError, AttributeError, pickle.PicklingError):
            pass
    return "\\n".join(texts)


def stages(settings, source, count):
    records = helpers.collect_photos(source, count)
    photos = source.photos(records, settings.quality)
    downloads = helpers.timed_run(download_parallel, photos)
    paths = helpers.keep(downloads, "images")
    thumbnails = helpers.timed_run(resize_parallel, paths)
    helpers.keep(thumbnails, "thumbnails")
    for run in (downloads, thumbnails):
        assert helpers.problems(run) == [], helpers.problems(run)
    print(settings, source, source.describe(), vars(settings), downloads, thumbnails, downloads.row())
    return [records, photos, downloads, thumbnails]


def holders(secret):
    """Types of the objects in this process that hold a text with the key, apart from Secret itself."""
    gc.collect()
    text = secret.reveal()
    found = []
    for holder in gc.get_objects():
        if type(holder) is not helpers.Secret and type(holder).__name__ != "frame":
            for part in gc.get_referents(holder):
                if isinstance(part, (str, bytes, bytearray)):
                    if text in (part if isinstance(part, str) else part.decode("latin-1")):
                        found.append(f"{type(holder).__module__}.{type(holder).__name__}")
    return found


if __name__ == "__main__":
    logging.basicConfig(filename="debug.log", level=logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    api, images, elsewhere, faults = json.loads(sys.argv[1])
    kit.source.UNSPLASH, kit.source.UNSPLASH_IMAGES = api, (images,)
    kit.transport.stopping.wait = lambda seconds: False  # no pauses
    settings = helpers.load_settings()
    source = helpers.connect(settings)
    made = stages(settings, source, 6)
    messages = {}
    for fault in faults:
        source = helpers.Source("Unsplash", "unsplash", elsewhere.get(fault, api), [images], settings.access_key)
        kit.transport.TIMEOUT = (5, 0.5 if fault == "stall" else 60)
        try:
            source.get("/photos/random", count=30, fault=fault)
        except (helpers.AssignmentError, KeyboardInterrupt) as problem:
            messages[fault] = repr(problem)
            Path(f"{fault}.txt").write_text(written(problem), encoding="utf-8", errors="replace")
    for value in (settings, settings.access_key, source):
        try:
            Path("pickle.bin").write_bytes(pickle.dumps(value))
        except TypeError as problem:
            Path(f"pickle-{type(value).__name__}.txt").write_text(written(problem))
    Path("made.bin").write_bytes(pickle.dumps(made))
    Path("messages.json").write_text(json.dumps(messages))
    Path("holders.json").write_text(json.dumps(holders(settings.access_key)))
'''


def shown(folder: Path, key: str) -> list[str]:
    """Files below the folder that hold the key, in whatever form; config.ini is where it belongs."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file() and path.name != "config.ini"):
        contents = [path.read_bytes(), str(path).encode()]
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        if any(key.encode() in content for content in contents):
            found.append(path.relative_to(folder).as_posix())
    return found


@pytest.fixture
def project(tmp_path: Path, pictures: Path, server: PracticeServer) -> Path:
    """With the practice server in place of Unsplash: what it calls its key is that of a developer account."""
    server.faults(*({"path": f"fault={fault}$", "fault": fault} for fault in FAULTS if fault not in ELSEWHERE))
    copy_project(tmp_path, pictures, photos=PHOTOS)
    config = (tmp_path / "config.ini").read_text(encoding="utf-8")
    (tmp_path / "config.ini").write_text(config.replace("access_key =", f"access_key = {server.key}"), encoding="utf-8")
    return tmp_path


def test_no_file_message_frame_pickle_or_object_of_a_run_shows_the_key(
    project: Path, server: PracticeServer, host: Host, record_property: Callable
) -> None:
    """`host` never answers, until the user interrupts."""
    ended, before = threading.Event(), server.stats()
    host.reply = lambda: (500 + ended.wait(PATIENCE), "text/plain", b"")
    (project / "stages.py").write_text(SCRIPT, encoding="utf-8")
    elsewhere = dict(zip(ELSEWHERE, (closed_port(), host.address), strict=True))
    arguments = json.dumps([server.api, server.images, elsewhere, list(FAULTS)])
    with (project / "output.txt").open("w") as output:
        script = subprocess.Popen(
            [sys.executable, "stages.py", arguments], cwd=project, stdout=output, stderr=subprocess.STDOUT
        )
        until(lambda: host.seen or script.poll() is not None, "the request was sent that is interrupted")
        script.send_signal(signal.SIGINT)
        code = script.wait(PATIENCE)
        ended.set()
    assert code == 0, (project / "output.txt").read_text()
    messages = json.loads((project / "messages.json").read_text())
    assert list(messages) == list(FAULTS)
    for fault, words in FAULTS.items():
        assert words in messages[fault]
        assert (project / f"{fault}.txt").stat().st_size > 500  # the traceback is there, with its variables
    assert (project / "debug.log").stat().st_size > 0
    for name in ("Settings", "Secret", "Source"):
        assert "access key is not pickled" in (project / f"pickle-{name}.txt").read_text()
    assert len(list((project / "images").glob("*.jpg"))) == len(list((project / "thumbnails").glob("*.jpg"))) == PHOTOS

    record_property("access key in play while the API fails or the user interrupts", len(FAULTS))
    assert shown(project, server.key) == []
    assert json.loads((project / "holders.json").read_text()) == []
    [request] = host.seen
    assert str(request).count(server.key) == 1
    after = server.stats()
    assert (after["images"] - before["images"], after["leaks"]) == (PHOTOS, before["leaks"])


CELLS = [
    "import helpers, kit.source; kit.source.UNSPLASH, kit.source.UNSPLASH_IMAGES = {api!r}, ({images!r},)",
    "settings = helpers.load_settings()\nsettings",
    "vars(settings)",
    "source = helpers.connect(settings)\nsource",
    "print(source.describe())",
    "len(helpers.collect_photos(source, 6))",
    "%xmode Verbose",
    "source.get('/photos/random', count=30, fault='401')",
    "source.get('/photos/random', count=30, fault='quota')",
    "source.get('/photos', **{{'count': object, 'get': 5, 'path': 1}})",  # a mistake in the call: a whole traceback
    "settings.access_key + 1",
]


def test_neither_notebook_nor_report_shows_it(project: Path, server: PracticeServer, record_property: Callable) -> None:
    cells = [source.format(api=server.api, images=server.images) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    where = {"metadata": {"path": str(project)}}
    with_free_ports(lambda: NotebookClient(notebook, timeout=60, allow_errors=True, resources=where).execute())
    nbformat.write(notebook, project / "assignment.ipynb")
    shutil.copytree(ROOT / "docs" / "report", project / "docs" / "report")
    subprocess.run(
        [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "assignment.ipynb", "--template", "report",
         "--TemplateExporter.extra_template_basedirs=docs"],
        cwd=project, check=True, capture_output=True,
    )  # fmt: skip
    text = (project / "assignment.html").read_text(encoding="utf-8")
    assert "refused the access key" in text
    assert f"*{server.key[-4:]}" in text
    assert text.count("Traceback") >= 2
    record_property("access key in a notebook with errors, and in its report", len(CELLS))
    assert shown(project, server.key) == []
