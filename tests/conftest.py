"""A real practice server for the tests: 60 drawn photos, hardly any latency, a quota that does not matter."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

import helpers
import practice

ROOT = Path(__file__).parent.parent
PHOTOS = 60
PATIENCE = 60  # seconds; only a hang takes that long
KEY = "Qz9Xw4Vt8Jm2Kl6Pr3Hs7Fd5Gb1Nc0Ty_Ue-Aq8Wk2M"  # as long as a real one


LONG = (
    "test_teacher.py",
    "test_browser.py",
    "test_checks.py",
    "test_notebook.py",
    "test_readme.py",
    "test_practice.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: each is work for one worker, and none should be left alone with one at the end."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def copy_project(folder: Path, pictures: Path, **options: int | str) -> None:
    """What the notebook needs to run, and the notebook, in this folder; config.ini with these options changed.

    The practice photographs are drawn already, as they are in the second run of a notebook.
    """
    for name in ("helpers.py", "config.ini.example", "requirements.txt", "assignment.ipynb"):
        shutil.copy(ROOT / name, folder)
    for name in ("practice", "checks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("images", "thumbnails"):
        (folder / name).mkdir()
    shutil.copytree(pictures, folder / "cache" / "practice")
    settings = (ROOT / "config.ini.example").read_text(encoding="utf-8")
    for option, value in options.items():
        settings, replaced = re.subn(rf"(?m)^{option} = .*$", f"{option} = {value}", settings)
        assert replaced == 1
    (folder / "config.ini").write_text(settings, encoding="utf-8")


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


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


# --- Fixtures ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the drawn photographs, which all servers of the tests share; with xdist, those of all workers."""
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


@dataclass
class Host:
    """Another host, which notes what it is asked and answers with what `reply` returns: status, type, body."""

    address: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # path and headers
    headers: dict[str, str] = field(default_factory=dict)  # further ones of its answers
    reply: Callable[[], tuple[int, str, bytes]] = lambda: (200, "application/json", b"[]")

    def source(self) -> helpers.Source:
        return helpers.Source("Unsplash", "host", self.address, [self.address], helpers.Secret(KEY))


@contextlib.contextmanager
def another_host() -> Iterator[Host]:
    found = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.seen.append((self.path, dict(self.headers)))
            status, kind, body = found.reply()
            self.send_response(status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def host() -> Iterator[Host]:
    with another_host() as found:
        yield found


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in an empty folder, without an access key or a proxy of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "UNSPLASH_ACCESS_KEY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
