"""The practice server over real HTTP: it must look like Unsplash, survive bad clients and end with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from conftest import PATIENCE, PHOTOS, assert_all_end, ended, until
from PIL import Image, ImageCms

import practice
from practice.catalogue import Catalogue
from practice.scenes import dominant_colour
from practice.server import CHUNK, Server

CATALOGUE = Catalogue(PHOTOS)
KNOWN, NO_PHOTO = CATALOGUE.entries[0].id, "/photos/AAAAAAAAAAA"
JSON, TXT, JPEG = "application/json", "text/plain", "image/jpeg"

Start = Callable[..., practice.PracticeServer]


def fetch(address: str, method: str = "GET", **options: object) -> requests.Response:
    """One request on a connection of its own, without settings of the environment and without redirects."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, address, allow_redirects=False, timeout=PATIENCE, **options)


def ask(server: practice.PracticeServer, path: str, method: str = "GET", **options: object) -> requests.Response:
    """One API request with the access key."""
    return fetch(server.api + path, method, headers={"Authorization": f"Client-ID {server.key}"}, **options)


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)


def request_for(server: practice.PracticeServer, base: str, target: str, method: str = "GET") -> bytes:
    """The bytes of a request for exactly this target, which a library would tidy up; with the key for the API."""
    key = f"Authorization: Client-ID {server.key}\r\n" if base == server.api else ""
    return f"{method} {target} HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n{key}Connection: close\r\n\r\n".encode()


def read_all(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of the answer, as they came over the wire until the other side ended the connection."""
    head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    return head, body


def send(server: practice.PracticeServer, base: str, target: str, method: str = "GET") -> tuple[bytes, bytes]:
    with connect(base) as connection:
        connection.sendall(request_for(server, base, target, method))
        return read_all(connection)


def opened(body: bytes) -> Image.Image:
    """The picture in these bytes, decoded to its end."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def times_of(folder: Path) -> dict[str, int]:
    """When each drawn picture below `folder` was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.jpg")}


def listed(server: practice.PracticeServer) -> list[dict]:
    """The short form of all photos, read page by page."""
    pages = [ask(server, f"/photos?per_page=30&page={page}").json() for page in (1, 2, 3)]  # for 90 photos at most
    return [record for page in pages for record in page]


@pytest.fixture
def record(server: practice.PracticeServer) -> dict:
    """The photo of which the fewest pixels have to be computed at full size."""
    return min(listed(server), key=lambda record: record["width"] * record["height"])


@pytest.fixture
def image(server: practice.PracticeServer, record: dict) -> tuple[str, bytes]:
    """Target and body of a `regular` image."""
    address = record["urls"]["regular"]
    return address.removeprefix(server.images), fetch(address).content


# --- records: /photos/random, /photos, /photos/:id -------------------------------------------------------------


@pytest.mark.parametrize("target, count", [
    ("random", None), ("random/", None), ("random?count=1", 1), ("random/?count=30", 30), ("random?count=31", 30),
    ("random?count=999999999", 30),
])  # fmt: skip
def test_random_gives_an_array_exactly_when_count_is_given(server, target: str, count: int | None) -> None:
    answer = ask(server, f"/photos/{target}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    assert (len(answer.json()) if isinstance(answer.json(), list) else None) == count


def test_a_deck_deals_every_photo_once_and_one_answer_never_holds_a_photo_twice(start: Start) -> None:
    """Not even where one deck ends and the next begins."""
    with start(photos=7) as server:
        answers = [[record["id"] for record in ask(server, "/photos/random?count=5").json()] for _ in range(28)]
        answers.append([ask(server, "/photos/random").json()["id"] for _ in range(7)])
    assert all(len(answer) == len(set(answer)) for answer in answers)
    ids = [name for answer in answers for name in answer]
    assert [len(set(ids[deck : deck + 7])) for deck in range(0, len(ids), 7)] == [7] * 21


def expected(server: practice.PracticeServer, records: list[dict], full: bool = True) -> list[dict]:
    """These photos as the catalogue describes them (test_catalogue.py), with the colours that the server measured."""
    entries = [CATALOGUE.find(record["id"]) for record in records]
    colours = {entry.index: record["color"] for entry, record in zip(entries, records, strict=True)}
    catalogue = Catalogue(PHOTOS, colours=colours)
    return [catalogue.record(entry, server.api, server.images, full) for entry in entries]


def test_records_are_those_of_the_catalogue(server) -> None:
    records = ask(server, "/photos/random?count=30").json()
    assert records == expected(server, records)
    path = f"/photos/{records[0]['id']}"
    assert ask(server, path).json() == ask(server, path + "/").json() == records[0]
    assert ask(server, path + "/download").json() == {"url": records[0]["urls"]["raw"]}


@pytest.mark.parametrize("parameters, size", [("", 10), ("&per_page=7", 7), ("&per_page=30", 30), ("&per_page=31", 30)])
def test_pages_of_10_photos_or_what_is_asked_for_hold_each_photo_once(server, parameters: str, size: int) -> None:
    pages = [ask(server, f"/photos?page={page}{parameters}") for page in range(1, PHOTOS // size + 3)]
    assert {(page.headers["X-Total"], page.headers["X-Per-Page"]) for page in pages} == {(str(PHOTOS), str(size))}
    assert len(pages[0].json()) == size and pages[-1].json() == []
    records = [record for page in pages for record in page.json()]
    assert [record["id"] for record in records] == [entry.id for entry in CATALOGUE.entries]
    assert records == expected(server, records, full=False)
    assert ask(server, "/photos?page=999999999").json() == []


# --- the access key and the quota -----------------------------------------------------------------------------


def test_the_key_is_accepted_as_header_or_parameter(server) -> None:
    header = {"Authorization": f"Client-ID {server.key}"}
    for headers, parameters in (header, ""), (header | {"Accept-Version": "v1"}, ""), ({}, f"?client_id={server.key}"):
        answer = fetch(f"{server.api}/photos{parameters}", headers=headers)
        assert answer.status_code == 200
        assert server.key not in answer.text + str(answer.headers)


@pytest.mark.parametrize("authorisation, parameters", [
    (None, ""), ("Client-ID wrong", ""), ("Client-ID ", ""), ("Client-ID {key}x", ""), ("Bearer {key}", ""),
    ("{key}", ""), (b"Client-ID \xe4\xff", ""), (None, "?client_id=wrong"), (None, "?client_id=%FF%00"),
])  # fmt: skip
def test_no_key_or_a_wrong_one_is_401(server, authorisation: str | bytes | None, parameters: str) -> None:
    if isinstance(authorisation, str):
        authorisation = authorisation.format(key=server.key)
    for path in ("/photos/random", "/practice/stats", "/practice/faults", "/no-such-path"):
        before = server.stats()
        method, body = ("POST", '[{"path": ".", "fault": "500"}]') if path == "/practice/faults" else ("GET", None)
        answer = fetch(server.api + path + parameters, method, headers={"Authorization": authorisation}, data=body)
        assert answer.status_code == 401
        assert answer.json() == {"errors": ["OAuth error: The access token is invalid"]}
        assert server.stats() == before | {"refused": before["refused"] + 1}
    assert ask(server, "/photos").status_code == 200  # no fault was switched on


def test_the_quota_counts_down_on_each_answer_and_then_refuses_in_plain_text(start: Start) -> None:
    with start(quota=5) as server:
        [record] = ask(server, "/photos?per_page=1").json()
        for target, status, remaining in (
            (f"/photos/{record['id']}/download", 200, 3), (NO_PHOTO, 404, 2), ("/photos?page=0", 400, 1),
            ("/photos/random?count=30", 200, 0), ("/photos/random", 403, 0),
        ):  # fmt: skip
            answer = ask(server, target)
            shown = answer.headers["X-Ratelimit-Limit"], answer.headers["X-Ratelimit-Remaining"]
            assert (answer.status_code, *shown) == (status, "5", str(remaining))
            # Neither images nor refused keys nor the counts themselves use it up.
            assert fetch(record["urls"]["regular"]).status_code == 200
            assert fetch(server.api + target).status_code == 401
            assert server.stats()["remaining"] == remaining
        assert (answer.text, answer.headers["Content-Type"]) == ("Rate Limit Exceeded", TXT)
        assert server.stats()["requests"] == 5


def test_the_quota_is_whole_again_after_the_hour(start: Start) -> None:
    with start(quota=1, hour=0.5) as server:
        for renewed in (lambda: server.stats()["remaining"] == 1, lambda: ask(server, "/photos").status_code == 200):
            until(lambda: ask(server, "/photos").status_code == 403, "the quota was used up")
            until(renewed, "the hour had passed")


@pytest.mark.parametrize("target", [
    *(f"/photos/random?count={value}" for value in ("-1", "0", "x", "1.5", "1e9", "1000000000000", "%D9%A3", "+1")),
    *(f"/photos?{name}={value}" for name in ("page", "per_page") for value in ("x", "0", "99999999999999999999")),
    *(f"&w=50&{odd}" for odd in ("w=0", "w=-5", "w=x", "w=1e3", "w=1000000000", "q=0", "q=x", "fit=crop", "fm=png")),
])  # fmt: skip
def test_an_impossible_parameter_is_refused(server, record: dict, target: str, record_property) -> None:
    record_property("practice server: odd parameters and methods", 1)
    if target.startswith("/"):
        answer = ask(server, target)
        assert re.fullmatch(r"\w+ does not have a valid value", *answer.json()["errors"])
    else:
        answer = fetch(record["urls"]["raw"] + target)
        assert answer.headers["Content-Type"] == TXT
    assert answer.status_code == 400


# --- images ---------------------------------------------------------------------------------------------------


def test_regular_images_fit_their_metadata_and_differ(server) -> None:
    """1080 wide and of the stated shape; saving as a JPEG may have changed a colour that was nearly another one."""
    bodies, right = set(), 0
    for record in listed(server):
        answer = fetch(record["urls"]["regular"])
        body, picture = answer.content, opened(answer.content)
        assert (answer.headers["Content-Type"], picture.mode, picture.width) == (JPEG, "RGB", 1080)
        assert picture.height == pytest.approx(1080 * record["height"] / record["width"], abs=1)
        bodies.add(body)
        right += dominant_colour(picture) == record["color"]
    assert len(bodies) == PHOTOS and right > 0.8 * PHOTOS


@pytest.mark.parametrize("size, parameters, width", [
    ("regular", "", 1080), ("small", "", 400), ("small_s3", "", 400), ("thumb", "", 200), ("raw", "&w=50&w=", 50),
    ("raw", "&w=333&fm=jpg&fit=max&q=20", 333), ("full", "", None), ("raw", "&q=1&w=999999999", None),
])  # fmt: skip
def test_sizes_and_their_limit(server, record: dict, size: str, parameters: str, width: int | None) -> None:
    """Each has its width, but never more than the original, and an sRGB profile that is the same on every machine."""
    picture = opened(fetch(record["urls"][size] + parameters).content)
    width = width or record["width"]
    profile = picture.info["icc_profile"]
    header = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    assert (header.profile_description, header.creation_date) == ("sRGB built-in", datetime(2024, 1, 1))
    assert len(profile) < 1000 and profile[40:44] == bytes(4)  # no name of a system
    assert picture.format == "JPEG"
    assert picture.size == (width, pytest.approx(width * record["height"] / record["width"], abs=1))


def test_quality_is_honoured(server, record: dict) -> None:
    coarse, fine = (fetch(f"{record['urls']['raw']}&w=333&q={quality}").content for quality in (10, 95))
    assert len(fine) > 2 * len(coarse)


@pytest.mark.parametrize("as_header", [True, False])
def test_a_key_sent_to_the_image_host_is_refused_and_counted_as_a_leak(server, record: dict, as_header: bool) -> None:
    before = server.stats()
    address = record["urls"]["regular"] + ("" if as_header else f"&client_id={server.key}")
    answer = fetch(address, headers={"Authorization": f"Client-ID {server.key}"} if as_header else {})
    assert answer.status_code == 400 and "image host" in answer.text
    assert server.stats() == before | {"leaks": before["leaks"] + 1}


BEHAVIOUR = {"latency": 0, "spread": 0, "bandwidth": 0, "quota": 1, "hour": 1, "repeats": 0}


@pytest.mark.parametrize("latency, spread", [(0.06, practice.OPTIONS["spread"][0]), (1.0, 0.25), (0.06, 0)])
def test_latency_varies_by_address_around_its_median_and_is_the_same_again(latency: float, spread: float) -> None:
    addresses = [f"/{entry.image}?w=1080" for entry in Catalogue(1500).entries]
    options = BEHAVIOUR | {"latency": latency, "spread": spread}
    waits, again = (list(map(Server(CATALOGUE, Path(), **options).wait_for, addresses)) for _ in range(2))
    assert waits == again
    assert statistics.median(waits) == pytest.approx(latency, rel=0.05)
    assert statistics.stdev(map(math.log, waits)) == pytest.approx(spread, rel=0.1)
    assert len(set(waits)) > 1400 or not spread


def test_a_body_takes_its_time_by_the_bandwidth(pictures: Path, server, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on only while the server sleeps, in a thread of this process."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    async def serve() -> int:
        slow = Server(CATALOGUE, pictures / f"pictures-{server.version}", **BEHAVIOUR | {"bandwidth": 100_000})
        slow.listen()
        monkeypatch.setattr("practice.server.asyncio.sleep", sleep)
        monkeypatch.setattr("practice.server.monotonic", lambda: now[0])
        answer = await asyncio.to_thread(fetch, f"{slow.images}/{CATALOGUE.entries[0].image}?w=1080&q=80")
        return len(answer.content)

    size = asyncio.run(serve())
    assert size > CHUNK and now[0] == pytest.approx(size / 100_000)


# --- requests that are not meant for it -----------------------------------------------------------------------


def test_another_host_name_is_refused(server, image: tuple[str, bytes]) -> None:
    """A web page under a name that leads to 127.0.0.1 must not read what is served here."""
    for address in (f"{server.api}/photos?client_id={server.key}", server.images + image[0]):
        port = urlsplit(address).port
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.2:{port}"):
            assert fetch(address, headers={"Host": host}).status_code == 400
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert fetch(address, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW", "get", "G ET", "<script>", "X" * 5000])
def test_another_method_is_refused(server, image: tuple[str, bytes], method: str, record_property) -> None:
    record_property("practice server: odd parameters and methods", 2)
    before = server.stats()
    for base, target in ((server.api, "/photos"), (server.images, image[0])):
        head, body = send(server, base, target, method)
        assert re.match(rb"HTTP/1.1 405 " if method.isupper() and method.isalpha() else rb"HTTP/1.1 4\d\d |$", head)
        assert b"Traceback" not in body
    assert server.stats() == before


@pytest.mark.parametrize("target", [
    "/", "/../../../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd",
    "//etc/passwd", "/00000.jpg", "/pictures-{version}/00000.jpg", "/..\\..\\config.ini", "//[", "/photos/%00",
    "/photos/random/..", "/" + "a" * 8000, "http://evil.example/photos", "/photos%3Fpage=1", "/photos;page=1", "/%",
    NO_PHOTO, NO_PHOTO + "/download", "/photos/random/download",
    *(f"/photos/{name}" for name in (KNOWN.swapcase(), KNOWN + "A", KNOWN + "/downloads")),
])  # fmt: skip
def test_an_odd_path_is_404_and_never_a_file(server, target: str, record_property) -> None:
    record_property("practice server: path traversal and odd paths", 2)
    for base in (server.api, server.images):
        head, body = send(server, base, target.format(version=server.version))
        assert head.startswith(b"HTTP/1.1 404 ")
        assert len(body) < 100 and b"root:" not in body
        assert (body == b'{"errors": ["Couldn\'t find Photo"]}') == (base == server.api and target[:8] == "/photos/")


def test_hundreds_of_failures_leave_the_server_able_to_answer(pictures: Path, server, tmp_path: Path) -> None:
    """With its pictures deleted each image request fails inside the server, which has a lot to say about it."""
    cache = tmp_path / "cache"
    shutil.copytree(pictures, cache)
    with practice.start(cache, photos=PHOTOS, latency=0, bandwidth=0, quota=1000) as server:
        records = listed(server)
        shutil.rmtree(cache)
        for record in records * 5:
            assert fetch(record["urls"]["regular"]).status_code == 500
        assert ask(server, "/photos").status_code == 200


BEGIN = b"GET /photos HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BAD = {
    "half a request": BEGIN + b"X: ",
    "a body that never comes": BEGIN + b"Content-Length: 1000\r\n\r\n",
    "only line ends": b"\r\n" * 10_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506),
    "a huge header": BEGIN + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "a huge body": BEGIN + b"Content-Length: 999999999999\r\n\r\n",
    "garbage": bytes(range(256)) * 1000,
    "an old version": b"GET /photos HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("number, name", list(enumerate(BAD)))
def test_a_bad_client_does_not_disturb_others(server, image: tuple, number: int, name: str, record_property) -> None:
    record_property("practice server: huge headers, garbage, half requests", 10)
    for base in (server.api, server.images):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(base)) for _ in range(5)]
            for client in clients:
                with contextlib.suppress(ConnectionError):  # the server may hang up before it has read everything
                    client.sendall(BAD[name])
            assert ask(server, "/photos").status_code == 200
            assert fetch(server.images + image[0]).content == image[1]
            for client in clients[: 5 * (number > 3)]:  # the first four are unfinished: there is no answer yet
                with contextlib.suppress(ConnectionError):
                    assert re.match(rb"HTTP/1.1 4\d\d |$", read_all(client)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow a process fewer connections")
def test_500_slow_clients_at_once_are_all_served(server, image: tuple[str, bytes], record_property) -> None:
    record_property("practice server: 500 connections at once", 500)
    request = request_for(server, server.images, image[0])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server.images)) for _ in range(500)]
        for client in clients:
            client.sendall(request[:-10])
        assert ask(server, "/photos").status_code == 200  # while all of them wait
        for client in clients:
            client.sendall(request[-10:])
        for client in clients:
            head, body = read_all(client)
            assert head.startswith(b"HTTP/1.1 200 ") and body == image[1]


def test_it_listens_on_the_loopback_address_alone(server) -> None:
    listening = [connection.laddr for connection in psutil.Process(server.process.pid).net_connections("inet")
                 if connection.status == psutil.CONN_LISTEN]  # fmt: skip
    assert {f"http://{ip}:{port}" for ip, port in listening} == {server.api, server.images}
    assert {urlsplit(address).hostname for address in (server.api, server.images)} == {"127.0.0.1"}


# --- faults ---------------------------------------------------------------------------------------------------
# What a client makes of each is tested in test_faults.py.


@pytest.mark.parametrize("fault", ["cut", "long", "stall", "drip", "drip-head"])
def test_a_fault_of_the_connection_spoils_the_bytes_that_it_should(server, fault: str) -> None:
    _, body = send(server, server.api, NO_PHOTO)
    half = body[: len(body) // 2]
    server.faults({"path": NO_PHOTO, "fault": fault, "value": 0.001})
    wanted, received = {"cut": half, "stall": half, "long": body + b"more"}.get(fault, body), b""
    with connect(server.api) as connection:
        connection.sendall(request_for(server, server.api, NO_PHOTO))
        while received.partition(b"\r\n\r\n")[2] != wanted:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
        assert f"\r\nContent-Length: {len(body)}\r\n".encode() in received
        assert fault == "stall" or connection.recv(1) == b""


def test_times_limits_a_fault_for_each_address_by_itself(server) -> None:
    server.faults({"path": "^/photos[?]", "fault": "500", "times": 2}, {"path": "page=2", "fault": "503", "times": 1})
    for page, expected in ((1, [500, 500, 200, 200]), (2, [500, 500, 503, 200]), (3, [500, 500, 200, 200])):
        assert [ask(server, f"/photos?page={page}").status_code for _ in expected] == expected
    server.faults({"path": "^/photos", "fault": "quota"})  # looks like a real refusal
    assert {"X-Ratelimit-Limit", "X-Ratelimit-Remaining"} <= set(ask(server, "/photos/random").headers)
    server.faults({"path": "^/photos[?]", "fault": "500", "times": 1})  # new rules count from the beginning
    assert [ask(server, "/photos?page=1").status_code for _ in range(2)] == [500, 200]


def test_share_hits_a_part_of_the_addresses_and_the_same_ones_again(server) -> None:
    targets = {f"/photos?per_page=1&page={page}" for page in range(1, PHOTOS + 1)}

    def hit(share: float) -> set[str]:
        server.faults({"path": ".", "fault": "500", "share": share})
        return {target for target in targets if ask(server, target, "HEAD").status_code == 500}

    half = hit(0.5)
    assert PHOTOS * 0.2 < len(half) < PHOTOS * 0.8
    assert hit(0.5) == half
    assert hit(0) == set() and hit(1) == targets
    server.faults({"path": ".", "fault": "500", "share": 0.5})  # so that a client which tries again gets through
    assert 4 < [ask(server, "/photos", "HEAD").status_code for _ in range(40)].count(500) < 36


def test_faults_spare_other_addresses_and_the_controls(server, image: tuple[str, bytes]) -> None:
    server.faults({"path": "^/photos", "fault": "500"})
    assert fetch(server.images + image[0]).content == image[1]
    server.faults({"path": ".", "fault": "reset"})
    assert server.stats()["images"] > 0
    for path, method in (("/practice/faults", "GET"), ("/practice/", "GET"), ("/practice/nothing", "POST")):
        assert ask(server, path, method).status_code == 404
    server.faults()
    assert ask(server, "/photos").status_code == 200


@pytest.mark.parametrize("body", [
    "no JSON", b"\xff\xfe", "5", '["x"]', '[{"path": "."}]', '[{"fault": "500"}]', '[{"path": "(", "fault": "500"}]',
    '[{"path": 5, "fault": "500"}]', '[{"path": ".", "fault": "nonsense"}]', '[{"path": ".", "fault": "delay"}]',
    "[" * 60_000, f'[{{"path": "{"(" * 30_000}", "fault": "500"}}]',
    *(f'[{{"path": ".", "fault": "delay", "value": 0, "{name}": {number}}}]' for name in ("times", "share", "value")
      for number in ("1e400", "NaN", "-Infinity", '"inf"', "1" + "0" * 400)),
])  # fmt: skip
def test_rules_that_make_no_sense_are_refused_and_change_nothing(server, body: str | bytes) -> None:
    server.faults({"path": "^/photos", "fault": "503"})
    answer = ask(server, "/practice/faults", "POST", data=body)
    assert answer.status_code == 400 and "fault rules" in answer.json()["errors"][0]
    assert ask(server, "/photos").status_code == 503


def test_stats_count_requests_images_and_the_most_images_at_once(start: Start) -> None:
    with start() as server, contextlib.ExitStack() as stack:
        nothing = {"requests": 0, "images": 0, "peak": 0, "refused": 0, "leaks": 0, "remaining": 100_000}
        assert server.stats() == nothing
        urls = [record["urls"]["regular"].removeprefix(server.images) for record in ask(server, "/photos").json()]
        server.faults({"path": ".", "fault": "stall"})
        # API requests that are under way at the same time are no images.
        held = [(server.api, f"/photos?page={page}") for page in (1, 2, 3)] + [(server.images, url) for url in urls[:4]]
        for base, target in held:
            connection = stack.enter_context(connect(base))
            connection.sendall(request_for(server, base, target))
            assert connection.recv(1)  # the answer has begun and will not end
        assert server.stats() == nothing | {"requests": 4, "images": 4, "peak": 4, "remaining": 99_996}
        stack.close()
        server.faults()
        assert fetch(server.images + urls[5]).status_code == 200
        assert (server.stats()["images"], server.stats()["peak"]) == (5, 4)


# --- the process and its pictures -----------------------------------------------------------------------------

PARENT = """
import signal, sys
import practice
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
report = lambda done, total: print("drawn", done, flush=True)
server = practice.start(sys.argv[1], photos=int(sys.argv[2]), latency=0, workers=2, report=report)
"""


@contextlib.contextmanager
def parent_of_a_server(cache: Path, photos: int) -> Iterator[tuple[subprocess.Popen, Callable[[str], list[str]]]]:
    """Another Python that starts a server, and a function that reads its output up to a line with this word."""
    command = [sys.executable, "-c", PARENT, str(cache), str(photos)]
    process = subprocess.Popen(command, cwd=practice.ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def read_until(word: str) -> list[str]:
        for line in process.stdout:
            if line.startswith(word):
                return line.split()
        raise AssertionError(f"it ended before it said {word!r}")

    with process:
        try:
            yield process, read_until
        finally:
            process.kill()


def test_an_interrupted_parent_keeps_its_server_and_a_killed_one_leaves_no_process(tmp_path: Path) -> None:
    """What it was drawing is continued."""
    with parent_of_a_server(tmp_path, 40) as (parent, read_until):
        read_until("drawn")
        if os.name != "nt":  # Windows has no process groups to interrupt
            os.killpg(parent.pid, signal.SIGINT)
            read_until("interrupted")
            read_until("drawn")
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) >= 3  # the server and two that draw
        parent.kill()
        assert_all_end(family)
    before = times_of(tmp_path)
    assert 0 < len(before) < 40
    (folder,) = tmp_path.iterdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    until(lambda: ended(psutil.Process(gone.pid)), "a process had ended, of which nobody has taken note yet")
    (folder / f"00039.jpg.{gone.pid}-1.part").write_bytes(b"half of a picture")
    (folder / f"00038.jpg.{os.getpid()}-1.part").write_bytes(b"another server is drawing this one")
    reports = []
    with practice.start(tmp_path, photos=40, latency=0, report=lambda *report: reports.append(report)) as server:
        assert before.items() <= times_of(tmp_path).items()  # drawn once, not again
        gone.wait()
        assert reports == [(done, 40) for done in range(len(before) + 1, 41)]
        assert [path.name for path in folder.glob("*.part")] == [f"00038.jpg.{os.getpid()}-1.part"]
        for record in listed(server):
            assert opened(fetch(record["urls"]["regular"]).content).width == 1080


def test_two_servers_share_the_pictures_but_not_the_key(start: Start, pictures: Path, image, server) -> None:
    """The larger catalogue shows them again under other ids."""
    target, body = image
    before = times_of(pictures)
    reports = []
    with start(photos=90, pictures=PHOTOS, report=lambda *report: reports.append(report)) as second:
        assert reports == [] and times_of(pictures) == before and len(before) == PHOTOS
        assert len({server.api, server.images, second.api, second.images}) == 4
        assert fetch(second.images + target).content == fetch(server.images + target).content == body
        assert fetch(f"{second.api}/photos?client_id={server.key}").status_code == 401
        records = listed(second)
        assert len({record["id"] for record in records}) == 90
        colours = [record["color"] for record in listed(server)]  # of the drawn pictures, and as their files keep them
        assert [record["color"] for record in records] == colours + colours[:30]
        first, again = (fetch(records[index]["urls"]["regular"]).content for index in (7, PHOTOS + 7))
        assert first == again
    assert fetch(server.images + target).content == body  # the first goes on after the second has ended


def test_a_closed_server_refuses_and_closing_twice_does_no_harm(start: Start) -> None:
    with start() as server:
        assert server.key not in repr(server)
    for address in (server.api, server.images):
        with pytest.raises(requests.ConnectionError):
            fetch(address)
    assert server.process.returncode == 0
    server.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows can't send Ctrl-C to one process")
def test_by_hand_it_says_address_and_key_and_ctrl_c_ends_it(pictures: Path, server) -> None:
    # As in a terminal, where Ctrl-C interrupts even if it is ignored here.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "runpy.run_module('practice', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", code, f"--cache={pictures}", f"--photos={PHOTOS}", "--latency=0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=practice.ROOT, **pipes) as process:
        try:
            found = re.search(r"API (\S+), images (\S+), access key (\S+);", process.stdout.readline())
            api, images, key = found.groups()
            records = fetch(f"{api}/photos?client_id={key}").json()
            assert records[0]["urls"]["regular"].startswith(images)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()


def by_hand(*options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "practice", *options]
    return subprocess.run(command, cwd=practice.ROOT, capture_output=True, text=True, timeout=PATIENCE)


def test_a_port_in_use_is_told_in_one_line(pictures: Path, server) -> None:
    run = by_hand(f"--cache={pictures}", f"--photos={PHOTOS}", f"--port={urlsplit(server.api).port}")
    assert run.returncode != 0
    assert len(run.stderr.splitlines()) == 1 and "127.0.0.1" in run.stderr


def test_help_explains_every_option() -> None:
    run = by_hand("--help")
    assert run.returncode == 0 and run.stderr == ""
    for option in [*practice.OPTIONS, "port", "cache"]:
        assert re.search(rf"--{option} {option.upper()}\s+[a-zA-Z]", run.stdout)


def test_a_catalogue_of_ones_own(start: Start) -> None:
    with start(seed="s123") as own, start() as common:
        found = [{record["id"] for record in ask(one, "/photos?per_page=30").json()} for one in (own, common)]
        assert len(found[0]) == 30 and not found[0] & found[1]
        assert own.version == common.version  # the same drawings
