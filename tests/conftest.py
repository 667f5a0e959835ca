"""A real practice server for the tests: 60 drawn photos, hardly any latency, a quota that does not matter."""

from __future__ import annotations

import contextlib
import functools
import io
import multiprocessing
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from hypothesis import settings
from jupyter_client.manager import start_new_kernel
from PIL import Image
from published import published
from xdist.scheduler import LoadScopeScheduling

import helpers
import practice
from kit import transport

settings.register_profile("same", derandomize=True)  # in each run the same examples: what is found stays found
settings.load_profile("same")
T = TypeVar("T")
ROOT = Path(__file__).parent.parent
# Whatever reads a notebook imports jsonschema, and that compiles a grammar of addresses for almost two seconds, which
# no notebook needs. Here, and in what tests start, it is as if this optional package were not installed.
WITHOUT = str(ROOT / "tests" / "without")
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (WITHOUT, os.environ.get("PYTHONPATH"))))
PHOTOS = 60
PATIENCE = 60  # seconds; only a hang takes that long
KEY = "Qz9Xw4Vt8Jm2Kl6Pr3Hs7Fd5Gb1Nc0Ty_Ue-Aq8Wk2M"  # as long as a real one


# What one worker does: a file, files that share what is costly to make, or the part of a file whose tests have this
# word in their names and share nothing with the others. The longest begin, so that none is left alone at the end.
LONG = ("release", "teacher", "notebook", "result", "grade", "checks", "browser", "interrupts", "practice",
        "benchmarks", "real_key", "class", "readme", "own_copy", "records", "sharing")  # fmt: skip
TOGETHER = {"release": "teacher"}
APART = {"browser": ("open_run",), "checks": ("right_solution",), "interrupts": ("[Kernel", "[Terminal")}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--busy", action="store_true", help="run two busy loops beside the checks of the exercises")


@pytest.fixture(scope="module")
def busy(pytestconfig: pytest.Config) -> Iterator[None]:
    """With --busy, two programs that use all CPU time they can get run beside the tests of a file."""
    loops = 2 if pytestconfig.getoption("busy") else 0
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    yield
    for program in programs:
        program.kill()
        program.wait()


class Groups(LoadScopeScheduling):
    """In place of xdist's own groups, because xdist 3.8 does not see their marks with pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        name = Path(path).stem.removeprefix("test_")
        return TOGETHER.get(name, name) + next((word for word in APART.get(name, ()) if word in test), "")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups:
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = {item: item.path.stem.removeprefix("test_") for item in items}
    items.sort(key=lambda item: LONG.index(names[item]) if names[item] in LONG else len(LONG))


def copy_project(folder: Path, pictures: Path, **options: int | str) -> None:
    """What the notebook needs to run, and the notebook, in this folder; config.ini with these options changed.

    The practice photographs are drawn already, as they are in the second run of a notebook.
    """
    for name in ("helpers.py", "config.ini.example", "requirements.txt", "assignment.ipynb"):
        shutil.copy(ROOT / name, folder)
    for name in ("kit", "practice", "checks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("images", "thumbnails"):
        (folder / name).mkdir()
    shutil.copytree(pictures, folder / "cache" / "practice")
    settings = (ROOT / "config.ini.example").read_text(encoding="utf-8")
    for option, value in options.items():
        settings, replaced = re.subn(rf"(?m)^{option} = .*$", f"{option} = {value}", settings)
        assert replaced == 1
    (folder / "config.ini").write_text(settings, encoding="utf-8")


def with_free_ports(start: Callable[[], T]) -> T:
    """Start a kernel. Jupyter looks for ports that are free, and the kernel takes them later: one may be gone then."""
    for _ in range(2):
        try:
            return start()
        except RuntimeError as problem:
            if "Kernel died before replying" not in str(problem):
                raise
    return start()


class Kernel:
    """Cells that run in a Jupyter kernel; it is interrupted as JupyterLab does it."""

    missed = 0

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        start = functools.partial(start_new_kernel, 2 * PATIENCE, cwd=str(folder), env=environment)
        self.manager, self.client = with_free_ports(start)
        self.process = psutil.Process(self.manager.provisioner.pid)
        self.errors: list[str] = []

    def run(self, cell: str) -> tuple[str, str]:
        printed = []

        def note(message: dict) -> None:
            if message["msg_type"] == "stream":
                file = {"stdout": printed, "stderr": self.errors}[message["content"]["name"]]
                file.append(message["content"]["text"])

        reply = self.client.execute_interactive(cell, timeout=5 * PATIENCE, output_hook=note)["content"]
        return "".join(printed), "\n".join(reply.get("traceback", []))

    def complaints(self) -> str:
        return "".join(self.errors)

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def kernel(folder: Path, **environment: str) -> Iterator[Callable[[str], str]]:
    """A kernel in this folder: a function that runs a cell and returns what it prints, and its traceback."""
    own = Kernel(folder, os.environ | environment)
    try:
        yield lambda cell: "".join(own.run(cell))
    finally:
        own.close()


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether something that another process does has happened before so many seconds were over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    assert within(PATIENCE, condition), f"waited in vain until {what}"


def ended(process: psutil.Process) -> bool:
    """Gone, or waiting for someone to take note of its end."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def assert_all_end(processes: list[psutil.Process]) -> None:
    try:
        until(lambda: all(map(ended, processes)), f"{processes} had ended")
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def jpeg(image: Image.Image, **options: object) -> bytes:
    body = io.BytesIO()
    image.save(body, "JPEG", **options)
    return body.getvalue()


def closed_port() -> str:
    """An address at which nobody listens, and which nobody else gets."""
    _CLOSED.append(unused := socket.socket())
    unused.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{unused.getsockname()[1]}"


_CLOSED: list[socket.socket] = []


def one_line(kind: type[Exception], function: Callable, *arguments: object, **named: object) -> str:
    """The text with which the call fails: one plain line, in a notebook and anywhere; no key, no whole path."""
    with pytest.raises(kind) as caught:
        function(*arguments, **named)
    text = str(caught.value)
    assert type(caught.value) is kind and caught.value._render_traceback_() == [f"{kind.__name__}: {text}"]
    assert len(text.splitlines()) == 1 and len(text) < 300
    assert not re.search(r"\w(Error|Exception)\b|Errno|object at", text), text
    assert "practice server did not start" in text or str(Path.cwd()) not in text, text
    assert not shows_key("".join(traceback.format_exception(caught.value)))
    return text


def shows_key(text: str) -> bool:
    """Whether 8 neighbouring characters of KEY stand in the text, in whatever case: a Secret shows 4."""
    key, text = KEY.lower(), text.lower()
    return any(key[i : i + 8] in text for i in range(len(KEY) - 7))


def download_serial(photos: list[helpers.Photo], folder: Path) -> None:
    for photo in photos:
        helpers.download_photo(photo, folder)


def resize_serial(paths: list[Path], folder: Path, size: int = 200) -> None:
    for path in paths:
        helpers.make_thumbnail(path, folder, size)


def resize_processes(paths: list[Path], folder: Path, method: str = "spawn") -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as executor:
        list(executor.map(helpers.make_thumbnail, paths, repeat(folder), repeat(200)))


def download_threads(photos: list[helpers.Photo], folder: Path) -> None:
    with ThreadPoolExecutor(32) as executor:
        list(executor.map(helpers.download_photo, photos, [folder] * len(photos)))


# --- Fixtures ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the drawn photographs, which all servers of the tests share; with xdist, those of all workers."""
    if drawn := os.environ.get("DRAWN_FOR_TESTS"):  # for tests that a test runs
        return Path(drawn)
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    # One worker draws and the others wait: SQLite locks on any system, and a lock ends with the process that holds it.
    with contextlib.closing(sqlite3.connect(folder / "practice.lock", timeout=300, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        practice.start(folder / "practice", photos=PHOTOS).close()
    return folder / "practice"


@pytest.fixture(scope="session")
def start(pictures: Path) -> Iterator[Callable[..., practice.PracticeServer]]:
    """Start further practice servers with other options; they end with the tests."""
    servers = []

    def start(**options: object) -> practice.PracticeServer:
        defaults = {"photos": PHOTOS, "latency": 0.002, "bandwidth": 0, "quota": 100_000, "hour": 1e12}
        servers.append(practice.start(pictures, **defaults | options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def _shared(start: Callable[..., practice.PracticeServer]) -> practice.PracticeServer:
    return start()


@pytest.fixture
def server(_shared: practice.PracticeServer) -> Iterator[practice.PracticeServer]:
    """The practice server that most tests share; faults are off again after each test."""
    yield _shared
    _shared.faults()


def source_of(server: practice.PracticeServer) -> helpers.Source:
    """A client for this server."""
    key = helpers.Secret(server.key)
    return helpers.Source("the practice server", "practice-test", server.api, [server.images], key, server)


@pytest.fixture
def source(server: practice.PracticeServer) -> helpers.Source:
    return source_of(server)


@pytest.fixture(scope="session")
def records(_shared: practice.PracticeServer) -> list[dict]:
    """Metadata of 30 photos of the shared server."""
    return source_of(_shared).get("/photos/random", count=30)


@pytest.fixture
def photos(source: helpers.Source, records: list[dict]) -> list[helpers.Photo]:
    return source.photos(records)


@pytest.fixture
def images(server: practice.PracticeServer, pictures: Path) -> list[Path]:
    """Twelve practice photographs, drawn before the server started."""
    return sorted(pictures.glob("pictures-*/*.jpg"))[:12]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "thumbnails").mkdir()
    return folder


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds for which the client wanted to wait between two tries; it does not."""
    seconds: list[float] = []
    monkeypatch.setattr(transport.stopping, "wait", seconds.append)
    return seconds


def of_a_teacher(folder: Path) -> dict[str, str]:
    """Variables of the environment: programs of this Python, and no settings of whoever runs the tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "JUPYTER_CONFIG_DIR": str(folder / "none")}


def copy_for_a_teacher(folder: Path) -> None:
    """A teacher's copy of the project, with own files and some of an earlier call."""
    for name in ("helpers.py", "config.ini.example", "requirements.txt", "LICENSE", "README.md", "nbgrader_config.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("kit", "checks", "practice", "teacher", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "assignment.ipynb").write_bytes(published("assignment.ipynb"))
    own = ("config.ini", ".env", "cache/metadata/pages.jsonl", ".venv/bin/python", "assignment.html",
           "images/of-the-teacher.jpg", "thumbnails/of-the-teacher.jpg")  # fmt: skip
    old = ("source/assignment/kit/old.py", "release/assignment/solutions.md")
    kept = dict.fromkeys((*own, *old), f"[unsplash]\naccess_key = {KEY}\n")
    for name, text in (kept | {"images/.gitkeep": "", "thumbnails/.gitkeep": ""}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture(scope="session")
def handed_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's copy of the project, in which release/ was built."""
    copy_for_a_teacher(folder := tmp_path_factory.mktemp("teacher"))
    command, own_settings = [sys.executable, "teacher/release.py"], of_a_teacher(folder)
    done = subprocess.run(command, cwd=folder, env=own_settings, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0 and "Done: release/assignment/" in done.stdout, done.stdout + done.stderr
    return folder


@dataclass
class Host:
    """Another host, which notes what it is asked and answers with what `reply` returns: status, type, body."""

    address: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # path and headers
    clients: set[tuple] = field(default_factory=set)  # one for each connection
    headers: dict[str, str] = field(default_factory=dict)  # further ones of its answers
    announces: bool = True  # whether an answer says how long it is; else it ends with the connection
    reply: Callable[[], tuple[int, str, bytes]] = lambda: (200, "application/json", b"[]")

    def source(self) -> helpers.Source:
        return helpers.Source("Unsplash", "host", self.address, [self.address], helpers.Secret(KEY))


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *client: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a client may go away, if it does not trust a certificate
            super().handle_error(*client)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """A server on loopback, in threads of this process; gives its port."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def another_host() -> Iterator[Host]:
    found = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together: no wait for a delayed acknowledgement

        def do_GET(self) -> None:
            found.clients.add(self.client_address)
            found.seen.append((self.path, dict(self.headers)))
            status, kind, body = found.reply()
            self.send_response(status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header(*(("Content-Length", str(len(body))) if found.announces else ("Connection", "close")))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        found.address = f"http://127.0.0.1:{port}"
        yield found


@pytest.fixture
def host() -> Iterator[Host]:
    with another_host() as found:
        yield found


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in an empty folder, without an access key or a proxy of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("unsplash_access_key", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
