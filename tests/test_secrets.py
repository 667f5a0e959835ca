"""The access key: whatever a run does and whatever goes wrong, no file, message, traceback or object shows it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from conftest import KEY, ROOT, Host, closed_port, copy_project, download_serial, jpeg, source_of
from nbclient import NotebookClient
from PIL import Image

import helpers
from kit.settings import QUALITIES
from practice import PracticeServer

PHOTOS = 6

# What goes wrong at the API, in this order, and the word that the message must hold.
FAULTS = {
    "401": "refused the access key",
    "quota": "quota",
    "quota-json": "quota",
    "500": "status 500",
    "html": "not JSON",
    "cut": "cut off",
    "redirect": "status 302",
    "reset": "broke off",
    "stall": "no answer in time",
    "refused": "refused",
    "interrupt": "KeyboardInterrupt",
}

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
    api, images, closed, faults = json.loads(sys.argv[1])
    kit.source.UNSPLASH, kit.source.UNSPLASH_IMAGES = api, (images,)
    kit.transport.stopping.wait = lambda seconds: False  # no pauses
    settings = helpers.load_settings()
    source = helpers.connect(settings)
    made = stages(settings, source, 6)
    messages = {}
    for fault in faults:
        if fault == "refused":
            source = helpers.Source("Unsplash", "unsplash", closed, [images], settings.access_key)
        kit.transport.TIMEOUT = (5, 60 if fault == "interrupt" else 0.5)
        try:
            source.get("/photos/random", count=30, fault=fault)
        except (helpers.AssignmentError, KeyboardInterrupt) as problem:
            messages[fault] = repr(problem)
            Path(f"{fault}.txt").write_text(written(problem), encoding="utf-8", errors="replace")
        if fault == "refused":
            source = helpers.connect(settings)
    for value in (settings, settings.access_key, source):
        try:
            Path("pickle.bin").write_bytes(pickle.dumps(value))
        except TypeError as problem:
            Path(f"pickle-{type(value).__name__}.txt").write_text(written(problem))
    Path("made.bin").write_bytes(pickle.dumps(made))
    Path("messages.json").write_text(json.dumps(messages))
    Path("holders.json").write_text(json.dumps(holders(settings.access_key)))
'''


class Api(ThreadingHTTPServer):
    """Answers as the API, or with the fault that the query names, and notes every request, byte by byte."""

    def __init__(self, images: str):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address, self.images = f"http://127.0.0.1:{self.server_port}", images
        self.seen: list[str] = []
        self.waiting = threading.Event()  # a request hangs, to be interrupted
        urls = [dict.fromkeys(QUALITIES, f"{images}/photo-{n}?w=1080") for n in range(PHOTOS)]
        records = json.dumps([{"id": f"photo-{n}", "urls": found} for n, found in enumerate(urls)]).encode()
        self.answers = {
            "": (200, records), "401": (401, b'{"errors": ["OAuth error"]}'), "quota": (403, b"Rate Limit Exceeded"),
            "quota-json": (403, b'{"errors": ["Rate Limit Exceeded"]}'), "500": (500, b""), "html": (200, b"<html>"),
            "redirect": (302, b""),
        }  # fmt: skip

    def handle_error(self, *_: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self) -> None:
        self.server.seen.append(f"{self.requestline}\n{self.headers}")
        fault = self.path.partition("fault=")[2]
        if fault in self.server.answers:
            status, body = self.server.answers[fault]
            self.send_response(status)
            if fault == "redirect":
                self.send_header("Location", f"{self.server.images}/photos?redirect")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.close_connection = True
        if fault == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            if fault == "interrupt":
                self.server.waiting.set()
            self.connection.recv(1)  # until the client gives up

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def images(host: Host) -> Host:
    """The host of the images, on another port than the API."""
    picture = jpeg(Image.effect_noise((300, 200), 50).convert("RGB"))
    host.reply = lambda: (200, "image/jpeg", picture)
    return host


@pytest.fixture
def api(images: Host) -> Iterator[Api]:
    with Api(images.address) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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
def project(tmp_path: Path, pictures: Path) -> Path:
    copy_project(tmp_path, pictures, photos=PHOTOS)
    config = (tmp_path / "config.ini").read_text(encoding="utf-8")
    (tmp_path / "config.ini").write_text(config.replace("access_key =", f"access_key = {KEY}"), encoding="utf-8")
    return tmp_path


def test_no_file_message_frame_pickle_or_object_of_a_run_shows_the_key(
    project: Path, api: Api, images: Host, record_property: Callable
) -> None:
    (project / "stages.py").write_text(SCRIPT, encoding="utf-8")
    arguments = json.dumps([api.address, images.address, closed_port(), list(FAULTS)])
    with (project / "output.txt").open("w") as output:
        script = subprocess.Popen(
            [sys.executable, "stages.py", arguments], cwd=project, stdout=output, stderr=subprocess.STDOUT
        )
        if api.waiting.wait(60):
            script.send_signal(signal.SIGINT)
        code = script.wait(60)
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

    record_property("fault", "access key in play while the API fails or the user interrupts")
    record_property("times", len(FAULTS))
    assert shown(project, KEY) == []
    assert json.loads((project / "holders.json").read_text()) == []

    # The trace: every request to the API carries the key, in one header, and none to the image host does.
    assert len(api.seen) > len(FAULTS)
    assert len(images.seen) >= PHOTOS
    assert [request.count(KEY) for request in api.seen] == [1] * len(api.seen)
    assert all(f"Authorization: Client-ID {KEY}\n" in request for request in api.seen)
    assert not [request for request in images.seen if KEY in str(request) or "authorization" in str(request).lower()]


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


def test_neither_a_notebook_nor_its_report_shows_the_key(
    project: Path, api: Api, images: Host, record_property: Callable
) -> None:
    cells = [source.format(api=api.address, images=images.address) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(project)}}).execute()
    nbformat.write(notebook, project / "assignment.ipynb")
    shutil.copytree(ROOT / "docs" / "report", project / "docs" / "report")
    subprocess.run(
        [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "assignment.ipynb", "--template", "report",
         "--TemplateExporter.extra_template_basedirs=docs"],
        cwd=project, check=True, capture_output=True,
    )  # fmt: skip
    text = (project / "assignment.html").read_text(encoding="utf-8")
    assert "refused the access key" in text
    assert f"*{KEY[-4:]}" in text
    assert text.count("Traceback") >= 2
    record_property("fault", "access key in a notebook with errors, and in its report")
    record_property("times", len(CELLS))
    assert shown(project, KEY) == []


def test_the_key_of_a_practice_server_is_in_no_file_either(
    project: Path, start: Callable[..., PracticeServer], record_property: Callable
) -> None:
    """That key opens nothing but the server of this run. Still, nobody needs it."""
    server = start()
    source = source_of(server)
    photos = source.photos(helpers.collect_photos(source, 30))
    run = helpers.timed_run(download_serial, photos[:4])
    helpers.keep(run, "images")
    (project / "seen.txt").write_text(f"{source} {source.describe()} {server} {run} {run.row()}")
    record_property("fault", "access key of the practice server")
    record_property("times", 1)
    assert shown(project, server.key) == []
    assert server.stats()["leaks"] == 0
