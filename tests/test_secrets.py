"""The access key: whatever a run does and whatever goes wrong, no file, message, traceback or object shows it."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from conftest import copy_project
from nbclient import NotebookClient
from PIL import Image

import helpers
from kit.settings import QUALITIES

ROOT = Path(helpers.__file__).parent
KEY = "Sn7Tq-Xw4Vt8Jm2Kl6Pr3Hs7Fd5Gb1Nc0Ty_Ue-Aq8Wk"  # as long as a real one
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
    "interrupt": "",
}

SCRIPT = '''
"""The notebook's stages with a key, and every fault; leaves all that could show the key in files beside it."""

import gc, json, logging, multiprocessing, os, pickle, signal, socket, sys, traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import helpers


def download_parallel(photos, folder):
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(helpers.download_photo, photos, repeat(folder)))


def resize_parallel(paths, folder):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        list(executor.map(helpers.make_thumbnail, paths, repeat(folder)))


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
    UNSPLASH, UNSPLASH_IMAGES = api, (images,)
    helpers._back_off = lambda *_, **__: None
    TIMEOUT = (5, 0.5)
    settings = helpers.load_settings()
    source = helpers.connect(settings)
    made = stages(settings, source, 6)
    messages = {}
    for fault in faults:
        if fault == "refused":
            source = helpers.Source("Unsplash", "unsplash", closed, [images], settings.access_key)
        try:
            source.get("/photos/random", count=30, fault=fault)
        except (helpers.AssignmentError, KeyboardInterrupt) as problem:
            messages[fault] = str(problem)
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


def jpeg() -> bytes:
    body = io.BytesIO()
    Image.effect_noise((300, 200), 50).convert("RGB").save(body, "JPEG")
    return body.getvalue()


@dataclass
class Trace:
    """A host that answers as the API or as the image host, and notes every request, byte by byte."""

    address: str = ""
    images: str = ""
    seen: list[str] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)  # a request hangs, to be interrupted
    body: bytes = field(default_factory=jpeg)

    def records(self) -> bytes:
        urls = [dict.fromkeys(QUALITIES, f"{self.images}/photo-{n}?w=1080") for n in range(PHOTOS)]
        return json.dumps([{"id": f"photo-{n}", "urls": found} for n, found in enumerate(urls)]).encode()


@pytest.fixture
def hosts() -> Iterator[tuple[Trace, Trace]]:
    """API and image host, each on a port of its own."""
    found: list[Trace] = [Trace(), Trace()]
    ended = threading.Event()

    def handler(trace: Trace) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                trace.seen.append(f"{self.requestline}\n{self.headers}")
                fault = self.path.partition("fault=")[2]
                if trace is found[1]:
                    return self.answer(200, trace.body)
                if fault in ("cut", "stall", "reset", "interrupt"):
                    if fault == "cut":
                        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")
                    elif fault == "reset":
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    else:
                        if fault == "interrupt":
                            trace.waiting.set()
                        self.connection.settimeout(30)
                        self.connection.recv(1)  # until the client gives up
                    self.close_connection = True
                    return None
                if fault == "redirect":
                    return self.answer(302, b"", Location=f"{trace.images}/photos?{fault}")
                status, body = {
                    "401": (401, b'{"errors": ["OAuth error"]}'), "quota": (403, b"Rate Limit Exceeded"),
                    "quota-json": (403, b'{"errors": ["Rate Limit Exceeded"]}'), "500": (500, b""),
                    "html": (200, b"<html>"),
                }.get(fault, (200, trace.records()))  # fmt: skip
                return self.answer(status, body)

            def answer(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    servers = [Server(("127.0.0.1", 0), handler(trace)) for trace in found]
    for trace, server in zip(found, servers, strict=True):
        trace.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    found[0].images = found[1].address
    yield found[0], found[1]
    ended.set()
    for server in servers:
        server.shutdown()
        server.server_close()


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


def closed_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def test_no_file_message_frame_pickle_or_object_of_a_run_shows_the_key(
    project: Path, hosts: tuple[Trace, Trace], record_property
) -> None:
    api, images = hosts
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
    assert not [request for request in images.seen if KEY in request or "authorization" in request.lower()]


CELLS = [
    "import helpers; UNSPLASH, UNSPLASH_IMAGES = {api!r}, ({images!r},)",
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
    project: Path, hosts: tuple[Trace, Trace], record_property
) -> None:
    api, images = hosts
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


def test_the_key_of_a_practice_server_is_in_no_file_either(project: Path, start, record_property) -> None:
    """That key opens nothing but the server of this run. Still, nobody needs it."""
    server = start()
    os.chdir(project)
    source = helpers.Source(
        "the practice server", "practice-test", server.api, [server.images], helpers.Secret(server.key), server
    )
    photos = source.photos(helpers.collect_photos(source, 30))
    run = helpers.timed_run(download_some, photos[:4])
    helpers.keep(run, "images")
    (project / "seen.txt").write_text(f"{source} {source.describe()} {server} {run} {run.row()}")
    record_property("fault", "access key of the practice server")
    record_property("times", 1)
    assert shown(project, server.key) == []
    assert server.stats()["leaks"] == 0


def download_some(photos: list[helpers.Photo], folder: Path) -> None:
    for photo in photos:
        helpers.download_photo(photo, folder)
