"""download_photo: one photo, whole or not at all, and the same Outcome from every kind of executor."""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

import helpers
from helpers import Outcome, Photo, Status, download_photo
from kit.transport import BAD_BODY_TRIES, RETRIED, TRIES
from practice import PracticeServer

METHODS = multiprocessing.get_all_start_methods()
RETRIES = range(1, TRIES)


class Replies(ThreadingHTTPServer):
    """An HTTP server of this process: counts connections and remembers requests.

    Each GET is answered with `body` and the next of `statuses`, or 200 when there are none left.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reply)
        picture = io.BytesIO()
        Image.effect_noise((120, 80), 60).save(picture, "JPEG")
        self.body = picture.getvalue()
        self.connections = 0
        self.statuses: list[int] = []
        self.addresses: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def get_request(self) -> tuple[socket.socket, tuple]:
        accepted = super().get_request()
        self.connections += 1
        return accepted


class _Reply(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together: no wait for a delayed acknowledgement
    server: Replies

    def do_GET(self) -> None:
        self.server.addresses.append(self.path)
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def replies() -> Iterator[Replies]:
    with Replies() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "around" / "photos"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def photo(photos: list[Photo]) -> Photo:
    return photos[0]


@pytest.fixture
def small_photo(photo: Photo) -> Photo:
    """The same photo 60 pixels wide: even a byte at a time it arrives within seconds."""
    assert "w=1080" in photo.url
    return replace(photo, url=photo.url.replace("w=1080", "w=60"))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds for which the client wanted to wait between two tries; it does not."""
    seconds: list[float] = []
    monkeypatch.setattr(helpers._stop, "wait", seconds.append)
    return seconds


@pytest.fixture
def fresh_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No session has been opened yet, and none of this test stays."""
    monkeypatch.setattr(helpers, "_hosts", {})


def served(photo: Photo) -> bytes:
    with urllib.request.urlopen(photo.url, timeout=30) as answer:
        return answer.read()


def break_photo(server: PracticeServer, photo: Photo, **rule: object) -> None:
    server.faults({"path": re.escape(urlsplit(photo.url).path), **rule})


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- a photo that arrives ----------------------------------------------------------------------------------------


def test_downloaded_file_is_the_served_image_and_the_outcome_describes_it(photo: Photo, folder: Path) -> None:
    expected = served(photo)
    before = time.perf_counter()
    outcome = download_photo(photo, folder)
    after = time.perf_counter()
    assert (outcome.item, outcome.status, outcome.error, outcome.tries) == (photo.id, Status.DONE, None, 1)
    assert outcome.path == str(folder / f"{photo.id}.jpg")
    assert Path(outcome.path).read_bytes() == expected
    assert outcome.bytes == len(expected)
    assert files(folder) == [f"{photo.id}.jpg"]
    assert before <= outcome.started < outcome.finished <= after
    assert 0 < outcome.waited < outcome.finished - outcome.started
    assert outcome.cpu >= 0
    assert outcome.worker == f"{os.getpid()}-{threading.get_native_id()}"


def test_waited_is_the_time_until_the_answer_begins(server: PracticeServer, photo: Photo, folder: Path) -> None:
    break_photo(server, photo, fault="delay", value=0.3)
    assert download_photo(photo, folder).waited >= 0.3


def test_photo_that_is_there_is_skipped_and_not_touched(server: PracticeServer, photo: Photo, folder: Path) -> None:
    target = folder / f"{photo.id}.jpg"
    target.write_bytes(b"my own")
    os.utime(target, ns=(10**18, 10**18))
    asked = server.stats()["images"]
    outcome = download_photo(photo, folder)
    assert (outcome.status, outcome.path, outcome.bytes) == (Status.SKIPPED, str(target), 6)
    assert target.read_bytes() == b"my own"
    assert target.stat().st_mtime_ns == 10**18
    assert server.stats()["images"] == asked


@pytest.mark.parametrize("name", ["my photos", "Größe 写真 ñ", "-x", "a;b&c%20d"])
def test_folder_may_have_any_name(photo: Photo, folder: Path, name: str) -> None:
    target = folder / name
    target.mkdir()
    outcome = download_photo(photo, target)
    assert outcome.status is Status.DONE
    assert Path(outcome.path).parent == target
    assert files(target) == [f"{photo.id}.jpg"]


def test_folder_may_be_relative_text(photo: Photo, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert download_photo(photo, "photos").path == str(Path("photos", f"{photo.id}.jpg"))
    assert files(folder) == [f"{photo.id}.jpg"]


def test_same_photo_from_many_threads_at_once_is_one_whole_file(photo: Photo, folder: Path) -> None:
    start = threading.Barrier(8)

    def work(_: int) -> Outcome:
        start.wait(60)
        return download_photo(photo, folder)

    with ThreadPoolExecutor(8) as executor:
        outcomes = list(executor.map(work, range(8)))
    assert {outcome.status for outcome in outcomes} <= {Status.DONE, Status.SKIPPED}
    assert files(folder) == [f"{photo.id}.jpg"]
    assert (folder / f"{photo.id}.jpg").read_bytes() == served(photo)


def test_bytes_after_the_announced_length_spoil_neither_this_photo_nor_the_next(
    server: PracticeServer, photos: list[Photo], folder: Path
) -> None:
    expected = [served(photo) for photo in photos[:2]]
    break_photo(server, photos[0], fault="long")
    first, second = (download_photo(photo, folder) for photo in photos[:2])
    assert (first.status, first.tries, second.status) == (Status.DONE, 1, Status.DONE)
    assert second.tries <= 2  # the server ends the connection, possibly just when it is used again
    assert [(folder / f"{photo.id}.jpg").read_bytes() for photo in photos[:2]] == expected


# --- trouble that passes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["429", "500", "502", "503"])
@pytest.mark.parametrize("times", RETRIES)
def test_retried_status_is_overcome(
    server: PracticeServer, photo: Photo, folder: Path, pauses: list[float], fault: str, times: int
) -> None:
    expected = served(photo)
    break_photo(server, photo, fault=fault, times=times)
    outcome = download_photo(photo, folder)
    assert (outcome.status, outcome.tries, len(pauses)) == (Status.DONE, times + 1, times)
    assert Path(outcome.path).read_bytes() == expected


@pytest.mark.parametrize("status", RETRIED)
def test_retried_status_that_stays_fails_in_plain_words_after_all_tries(
    replies: Replies, folder: Path, pauses: list[float], status: int
) -> None:
    replies.statuses = [status] * TRIES
    outcome = download_photo(Photo("abc", f"{replies.url}/abc"), folder)
    assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, f"status {status}", TRIES)
    assert len(replies.addresses) == TRIES
    assert len(pauses) == TRIES - 1
    assert files(folder) == []


BROKEN = [
    ({"fault": "cut"}, "the answer was cut off"),
    ({"fault": "reset"}, "the connection broke off"),
    ({"fault": "stall"}, "no answer in time"),
    ({"fault": "delay", "value": 5}, "no answer in time"),
    ({"fault": "drip", "value": 0.005}, "no answer in time"),
    ({"fault": "empty"}, "the answer was empty"),
    ({"fault": "html"}, "the answer is not a JPEG (a log-in page of the Wi-Fi?)"),
    ({"fault": "json"}, "the answer is not a JPEG (a log-in page of the Wi-Fi?)"),
    ({"fault": "png"}, "the answer is not a JPEG (a log-in page of the Wi-Fi?)"),
    ({"fault": "truncated"}, "the JPEG ends in the middle"),
]
BAD_BODIES = ("cut", "empty", "html", "json", "png", "truncated")


@pytest.mark.parametrize(("rule", "words"), BROKEN, ids=[rule["fault"] for rule, _ in BROKEN])
def test_broken_answer_leaves_no_file_and_is_named(
    server: PracticeServer,
    small_photo: Photo,
    folder: Path,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    rule: dict,
    words: str,
) -> None:
    monkeypatch.setattr(helpers, "TIMEOUT", (10, 0.3))
    monkeypatch.setattr(helpers, "DEADLINE", 0.3)
    break_photo(server, small_photo, **rule)
    outcome = download_photo(small_photo, folder)
    tries = BAD_BODY_TRIES if rule["fault"] in BAD_BODIES else TRIES
    assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, words, tries)
    assert (outcome.path, outcome.bytes) == ("", 0)
    assert files(folder) == []


@pytest.mark.parametrize("rule", [rule for rule, _ in BROKEN], ids=[rule["fault"] for rule, _ in BROKEN])
def test_broken_answer_is_overcome_when_it_passes(
    server: PracticeServer,
    small_photo: Photo,
    folder: Path,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    rule: dict,
) -> None:
    expected = served(small_photo)
    monkeypatch.setattr(helpers, "TIMEOUT", (10, 1))
    monkeypatch.setattr(helpers, "DEADLINE", 1)
    break_photo(server, small_photo, times=1, **rule)
    outcome = download_photo(small_photo, folder)
    assert (outcome.status, outcome.tries, len(pauses)) == (Status.DONE, 2, 1)
    assert (folder / f"{small_photo.id}.jpg").read_bytes() == expected
    assert files(folder) == [f"{small_photo.id}.jpg"]


@pytest.mark.parametrize("announced", [1, 3, 10, 3600])
def test_retry_after_is_obeyed_up_to_ten_seconds(
    server: PracticeServer, photo: Photo, folder: Path, pauses: list[float], announced: int
) -> None:
    break_photo(server, photo, fault="503", value=announced, times=1)
    assert download_photo(photo, folder).status is Status.DONE
    assert len(pauses) == 1
    assert min(10, announced) <= pauses[0] <= 10


@pytest.mark.parametrize("announced", [None, "0", "-5", "soon", "²", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_pauses_grow_whatever_else_retry_after_says(
    server: PracticeServer, photo: Photo, folder: Path, pauses: list[float], announced: str | None
) -> None:
    break_photo(server, photo, fault="429", value=announced)
    assert download_photo(photo, folder).status is Status.FAILED
    assert len(pauses) == TRIES - 1
    for attempt, seconds in enumerate(pauses):
        assert 0.5 <= seconds / (0.25 * 2**attempt) <= 1.5


# --- trouble that stays ------------------------------------------------------------------------------------------


def test_unknown_photo_is_not_asked_for_again(server: PracticeServer, folder: Path, pauses: list[float]) -> None:
    outcome = download_photo(Photo("abc", f"{server.images}/photo-0-none?w=1080"), folder)
    assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, "status 404", 1)
    assert pauses == []
    assert files(folder) == []


@pytest.mark.parametrize("target", ["the other photo", "/", ""])
def test_redirect_is_not_followed(
    server: PracticeServer, photos: list[Photo], folder: Path, pauses: list[float], target: str
) -> None:
    break_photo(server, photos[0], fault="redirect", value=photos[1].url if target == "the other photo" else target)
    asked = server.stats()["images"]
    outcome = download_photo(photos[0], folder)
    assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, "status 302", 1)
    assert server.stats()["images"] == asked + 1
    assert files(folder) == []


def test_redirect_to_an_impossible_address_gives_a_failed_outcome(
    server: PracticeServer, photo: Photo, folder: Path, pauses: list[float]
) -> None:
    break_photo(server, photo, fault="redirect", value="http://[")
    outcome = download_photo(photo, folder)
    assert outcome.status is Status.FAILED
    assert outcome.error
    assert files(folder) == []


def test_refused_connection_is_named(folder: Path, pauses: list[float]) -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        outcome = download_photo(Photo("abc", f"http://127.0.0.1:{closed.getsockname()[1]}/abc"), folder)
    assert (outcome.status, outcome.error) == (Status.FAILED, "the connection was refused")
    assert (outcome.tries, len(pauses)) == (TRIES, TRIES - 1)
    assert files(folder) == []


def test_host_name_that_is_not_found_is_named(folder: Path, pauses: list[float]) -> None:
    outcome = download_photo(Photo("abc", "http://photos.invalid/abc"), folder)
    assert (outcome.status, outcome.error) == (Status.FAILED, "the host's name was not found (no network?)")
    assert files(folder) == []


@pytest.mark.parametrize("url", ["", "photos/abc.jpg", "ftp://127.0.0.1/abc", "http://[bad/abc", "http://a..b/abc"])
def test_address_that_is_none_gives_a_failed_outcome(folder: Path, pauses: list[float], url: str) -> None:
    outcome = download_photo(Photo("abc", url), folder)
    assert outcome.status is Status.FAILED
    assert outcome.error
    assert files(folder) == []


BAD_IDS = [
    "",
    ".",
    "..",
    "../evil",
    "a/b",
    "a\\b",
    "/etc/evil",
    "a\0b",
    "a b",
    "a\n",
    "é" * 11,
    "x" * 65,
    "CON",
    "lpt1",
]


@pytest.mark.parametrize("bad", [*BAD_IDS, None, 7], ids=repr)
def test_bad_id_never_becomes_a_path(
    server: PracticeServer, photo: Photo, folder: Path, record_property: Callable, bad: object
) -> None:
    asked = server.stats()["images"]
    outcome = download_photo(Photo(bad, photo.url), folder)
    assert (outcome.status, outcome.error, outcome.path) == (Status.FAILED, "the id can't be a file name", "")
    assert server.stats()["images"] == asked
    assert files(folder.parent) == []
    record_property("fault", "id that attacks")
    record_property("times", 1)


@pytest.mark.parametrize("obstacle", ["missing", "a file"])
def test_folder_that_is_none_gives_a_failed_outcome_without_another_try(
    photo: Photo, folder: Path, pauses: list[float], obstacle: str
) -> None:
    target = folder / "there"
    if obstacle == "a file":
        target.write_bytes(b"in the way")
    before = files(folder)
    outcome = download_photo(photo, target)
    assert (outcome.status, outcome.tries, pauses) == (Status.FAILED, 1, [])
    assert outcome.error
    assert files(folder) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_folder_that_is_read_only_gives_a_failed_outcome(photo: Photo, folder: Path, pauses: list[float]) -> None:
    folder.chmod(0o500)
    outcome = download_photo(photo, folder)
    folder.chmod(0o700)
    assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, "Permission denied", 1)
    assert files(folder) == []


# --- one contract for every executor -----------------------------------------------------------------------------


def _in_a_loop(photos: list[Photo], folder: Path) -> list[Outcome]:
    return [download_photo(photo, folder) for photo in photos]


def _in_threads(photos: list[Photo], folder: Path) -> list[Outcome]:
    with ThreadPoolExecutor(32) as executor:
        return list(executor.map(download_photo, photos, [folder] * len(photos)))


def _in_processes(method: str) -> Callable:
    def run(photos: list[Photo], folder: Path) -> list[Outcome]:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as executor:
            return list(executor.map(download_photo, photos, [folder] * len(photos)))

    return run


WAYS = {"loop": _in_a_loop, "threads": _in_threads} | {
    method: _in_processes(method) for method in METHODS if method != "fork"
}


@pytest.mark.parametrize("way", WAYS)
def test_every_executor_returns_the_same_outcomes(
    server: PracticeServer, photos: list[Photo], folder: Path, way: str
) -> None:
    good, there, gone, bad = photos[:20], photos[20], Photo("gone", f"{server.images}/none"), Photo("../evil", "")
    (folder / f"{there.id}.jpg").write_bytes(b"mine")
    break_photo(server, good[0], fault="500", times=1)

    before = time.perf_counter()
    outcomes = WAYS[way]([*good, there, gone, bad], folder)
    after = time.perf_counter()

    server.faults()
    assert [(o.item, o.status, o.bytes, o.path, o.tries, o.error) for o in outcomes] == [
        (p.id, Status.DONE, len(served(p)), str(folder / f"{p.id}.jpg"), 2 if p is good[0] else 1, None) for p in good
    ] + [
        (there.id, Status.SKIPPED, 4, str(folder / f"{there.id}.jpg"), 1, None),
        (gone.id, Status.FAILED, 0, "", 1, "status 404"),
        (bad.id, Status.FAILED, 0, "", 1, "the id can't be a file name"),
    ]
    assert all(isinstance(outcome.status, Status) for outcome in outcomes)
    assert all((folder / f"{photo.id}.jpg").read_bytes() == served(photo) for photo in good)
    assert files(folder) == sorted(f"{photo.id}.jpg" for photo in [*good, there])
    # One clock for all processes, and the workers are who they should be.
    assert all(before <= outcome.started <= outcome.finished <= after for outcome in outcomes)
    me = f"{os.getpid()}-{threading.get_native_id()}"
    in_this_process = {outcome.worker.split("-")[0] == str(os.getpid()) for outcome in outcomes}
    assert in_this_process == {way in ("loop", "threads")}
    assert {outcome.worker == me for outcome in outcomes} == {way == "loop"}


# --- what goes over the network ----------------------------------------------------------------------------------


def test_no_key_and_no_password_is_sent_to_the_image_host(
    server: PracticeServer,
    source: helpers.Source,
    folder: Path,
    fresh_sessions: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder.parent / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    (folder.parent / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(folder.parent / "netrc"))
    leaks = server.stats()["leaks"]
    photos = source.photos(source.get("/photos/random", count=5))
    assert [outcome.status for outcome in _in_threads(photos, folder)] == [Status.DONE] * 5
    assert server.stats()["leaks"] == leaks


def test_proxy_of_the_environment_is_used_for_other_hosts_and_looked_up_once(
    replies: Replies, folder: Path, fresh_sessions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", replies.url)
    assert download_photo(Photo("one", "http://photos.invalid/1"), folder).status is Status.DONE
    monkeypatch.delenv("http_proxy")
    assert download_photo(Photo("two", "http://photos.invalid/2"), folder).status is Status.DONE
    assert replies.addresses == ["http://photos.invalid/1", "http://photos.invalid/2"]


def test_no_proxy_of_the_environment_is_honoured(
    replies: Replies, folder: Path, fresh_sessions: None, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", replies.url)
    monkeypatch.setenv("no_proxy", "photos.invalid")
    assert download_photo(Photo("one", "http://photos.invalid/1"), folder).status is Status.FAILED
    assert replies.addresses == []


def test_practice_server_is_reached_directly_in_spite_of_a_proxy(
    source: helpers.Source,
    photo: Photo,
    replies: Replies,
    folder: Path,
    fresh_sessions: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, replies.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    outcome = download_photo(photo, folder)
    assert replies.addresses == []
    assert outcome.status is Status.DONE
    assert len(source.get("/photos/random", count=2)) == 2
    assert replies.addresses == []


def test_one_worker_keeps_one_connection(replies: Replies, folder: Path) -> None:
    outcomes = _in_a_loop([Photo(f"p{n}", f"{replies.url}/{n}") for n in range(30)], folder)
    assert {outcome.status for outcome in outcomes} == {Status.DONE}
    assert (len(replies.addresses), replies.connections) == (30, 1)


def test_threads_share_one_session_and_open_no_more_connections_than_there_are_threads(
    replies: Replies, folder: Path
) -> None:
    start = threading.Barrier(16)
    sessions = []

    def work(number: int) -> None:
        start.wait(60)
        sessions.append(helpers._host(f"{replies.url}/{number}"))
        for n in range(8):
            assert download_photo(Photo(f"p{number}-{n}", f"{replies.url}/{n}"), folder).status is Status.DONE

    with ThreadPoolExecutor(16) as executor:
        list(executor.map(work, range(16)))
    assert len({id(session) for session in sessions}) == 1
    assert len(replies.addresses) == 16 * 8
    assert replies.connections <= 16


@pytest.mark.skipif("fork" not in METHODS, reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_child_does_not_share_the_connection_of_its_parent(replies: Replies, folder: Path) -> None:
    first, second, third = (Photo(f"p{n}", f"{replies.url}/{n}") for n in range(3))
    assert download_photo(first, folder).status is Status.DONE
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor:
        assert executor.submit(download_photo, second, folder).result(120).status is Status.DONE
        assert replies.connections == 2
        assert download_photo(third, folder).status is Status.DONE
    assert replies.connections == 2
    assert files(folder) == ["p0.jpg", "p1.jpg", "p2.jpg"]
