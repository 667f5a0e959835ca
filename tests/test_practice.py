"""The practice server over real HTTP: it must look like Unsplash, survive bad clients and end with its parent."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
import requests
from conftest import PATIENCE, PHOTOS, assert_all_end, until
from PIL import Image

import practice
from practice.catalogue import Catalogue
from practice.server import FAULTS, SPREAD, Server

ALWAYS = 1e12  # seconds: an hour of the quota that does not end
UNAUTHORISED = {"errors": ["OAuth error: The access token is invalid"]}
CATALOGUE = Catalogue(PHOTOS)

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


def request_for(server: practice.PracticeServer, base: str, target: str) -> bytes:
    """The bytes of a GET request for exactly this target, which a library would tidy up; with the key for the API."""
    key = f"Authorization: Client-ID {server.key}\r\n" if base == server.api else ""
    return f"GET {target} HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n{key}Connection: close\r\n\r\n".encode()


def counts(server: practice.PracticeServer) -> dict[str, int]:
    """The statistics without the remaining quota, which may be renewed at any moment."""
    return {name: count for name, count in server.stats().items() if name != "remaining"}


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side ends the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def send(server: practice.PracticeServer, base: str, target: str) -> tuple[bytes, bytes]:
    """Head and body of the answer to `request_for`, as they came over the wire."""
    with connect(base) as connection:
        connection.sendall(request_for(server, base, target))
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    return head, body


def refuses(address: str) -> bool:
    try:
        connect(address).close()
    except ConnectionRefusedError:
        return True
    return False


def opened(body: bytes) -> Image.Image:
    """The picture in these bytes, decoded to its end."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def times_of(folder: Path) -> dict[str, int]:
    """When each drawn picture below `folder` was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.jpg")}


def listed(server: practice.PracticeServer) -> list[dict]:
    """The short form of all photos, found by following the links from page to page."""
    answer = ask(server, "/photos?per_page=7")
    records = answer.json()
    while "next" in answer.links:
        answer = ask(server, answer.links["next"]["url"].removeprefix(server.api))
        records += answer.json()
    return records


@pytest.fixture
def record(server: practice.PracticeServer) -> dict:
    """The photo of which the fewest pixels have to be computed at full size."""
    return min(listed(server), key=lambda record: record["width"] * record["height"])


@pytest.fixture
def image(server: practice.PracticeServer, record: dict) -> tuple[str, bytes]:
    """Target and body of a `regular` image."""
    address = record["urls"]["regular"]
    return address.removeprefix(server.images), fetch(address).content


# --- /photos/random -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target, count", [
    ("random", None), ("random/", None), ("random?count=1", 1), ("random/?count=30", 30), ("random?count=31", 30),
    ("random?count=999999999", 30), ("random?orientation=portrait", None), ("random?orientation=portrait&count=1", 1),
])  # fmt: skip
def test_random_gives_an_array_exactly_when_count_is_given(server, target: str, count: int | None) -> None:
    answer = ask(server, f"/photos/{target}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert (len(answer.json()) if isinstance(answer.json(), list) else None) == count


@pytest.mark.parametrize("orientation", ["landscape", "portrait", "squarish", None])
@pytest.mark.parametrize("words", ["first words", None])
def test_random_deals_only_what_the_filters_ask_for(server, words: str | None, orientation: str | None) -> None:
    if words:  # of a photo of this orientation
        entry = next(entry for entry in CATALOGUE.entries if orientation in (None, entry.orientation))
        words = " ".join(CATALOGUE.record(entry, "", "")["alt_description"].split()[:2])
    matches = {entry.id for entry in CATALOGUE.select(words, orientation)}
    answer = ask(server, "/photos/random", params={"query": words, "orientation": orientation, "count": 30})
    ids = {record["id"] for record in answer.json()}
    assert ids <= matches and len(ids) == min(30, len(matches))
    assert not words or len(matches) < PHOTOS


def test_random_without_a_match_is_404(server) -> None:
    for parameters in ("query=xyzzy", "query=xyzzy&count=5"):
        answer = ask(server, f"/photos/random?{parameters}")
        assert (answer.status_code, answer.json()) == (404, {"errors": ["No photos found."]})


def test_the_deck_deals_every_photo_once_before_it_starts_again(start: Start) -> None:
    with start() as server:
        for _ in range(2):
            singles = [ask(server, "/photos/random").json() for _ in range(10)]
            pages = [ask(server, f"/photos/random?count={count}").json() for count in (30, 20)]
            ids = [record["id"] for record in sum(pages, singles)]
            assert len(ids) == len(set(ids)) == PHOTOS


def test_one_answer_never_holds_a_photo_twice(start: Start) -> None:
    """Not even where one deck ends and the next begins."""
    with start(photos=31) as server:
        for _ in range(10):
            ids = [record["id"] for record in ask(server, "/photos/random?count=30").json()]
            assert len(ids) == len(set(ids)) == 30


def test_repeats_deals_some_photos_again(start: Start) -> None:
    with start(repeats=0.5) as server:
        ids = [record["id"] for _ in range(2) for record in ask(server, "/photos/random?count=30").json()]
    assert len(ids) == PHOTOS
    assert PHOTOS * 0.2 < len(set(ids)) < PHOTOS * 0.9  # half of them are expected


# --- records, /photos, /photos/:id, /search/photos -------------------------------------------------------------


def expected(server: practice.PracticeServer, records: list[dict], full: bool = True) -> list[dict]:
    """These photos as the catalogue describes them (test_catalogue.py), with the colours that the server measured."""
    entries = [CATALOGUE.find(record["id"]) for record in records]
    colours = {entry.index: record["color"] for entry, record in zip(entries, records, strict=True)}
    catalogue = Catalogue(PHOTOS, colours=colours)
    return [catalogue.record(entry, server.api, server.images, full) for entry in entries]


def test_records_are_those_of_the_catalogue_with_the_colours_of_their_pictures(server) -> None:
    records = ask(server, "/photos/random?count=30").json()
    assert records == expected(server, records)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", record["color"]) for record in records)


@pytest.mark.parametrize("parameters, size", [("", 10), ("?per_page=1", 1), ("?per_page=30", 30), ("?per_page=31", 30)])
def test_a_page_holds_10_photos_or_what_is_asked_for_up_to_30(server, parameters: str, size: int) -> None:
    answer = ask(server, f"/photos{parameters}")
    assert len(answer.json()) == size
    assert (answer.headers["X-Total"], answer.headers["X-Per-Page"]) == (str(PHOTOS), str(size))
    assert answer.json() == expected(server, answer.json(), full=False)


@pytest.mark.parametrize("page, expected", [
    (1, {"next": 2, "last": 9}),
    (2, {"first": 1, "prev": 1, "next": 3, "last": 9}),
    (8, {"first": 1, "prev": 7, "next": 9, "last": 9}),
    (9, {"first": 1, "prev": 8}),
])  # fmt: skip
def test_the_link_header_leads_to_the_pages_around(server, page: int, expected: dict[str, int]) -> None:
    links = fetch(f"{server.api}/photos?per_page=7&page={page}&client_id={server.key}").links
    assert {relation: link["url"] for relation, link in links.items()} == {
        relation: f"{server.api}/photos?per_page=7&page={number}" for relation, number in expected.items()
    }


def test_following_next_visits_each_photo_exactly_once(server) -> None:
    assert [record["id"] for record in listed(server)] == [entry.id for entry in CATALOGUE.entries]


def test_where_no_page_follows_no_link_leads_there(server) -> None:
    answer = ask(server, "/photos?page=999999999")
    assert (answer.status_code, answer.json()) == (200, [])
    assert "next" not in answer.links
    assert "Link" not in ask(server, "/search/photos?query=xyzzy").headers


def test_one_photo_by_its_id_has_the_full_form(server, record: dict) -> None:
    for target in (f"/photos/{record['id']}", f"/photos/{record['id']}/"):
        assert ask(server, target).json() == expected(server, [record])[0]


def test_an_unknown_photo_is_404(server, record: dict) -> None:
    known = record["id"]
    unknown = ["A" * 11, known.swapcase(), known + "A", "A" * 11 + "/download", known + "/downloads", "random/download"]
    for name in unknown:
        answer = ask(server, f"/photos/{name}")
        assert (answer.status_code, answer.json()) == (404, {"errors": ["Couldn't find Photo"]})


def test_download_tells_the_address_and_counts_as_a_request(server, record: dict) -> None:
    before = counts(server)
    answer = fetch(record["links"]["download_location"], headers={"Authorization": f"Client-ID {server.key}"})
    assert list(answer.json()) == ["url"]
    assert answer.json()["url"].startswith(f"{server.images}{urlsplit(record['urls']['raw']).path}?")
    assert counts(server) == before | {"requests": before["requests"] + 1}


def test_search_counts_and_pages_its_matches(server) -> None:
    word = CATALOGUE.record(CATALOGUE.entries[0], "", "")["alt_description"].split()[0]
    matches = [entry.id for entry in CATALOGUE.select(word)]
    found: list[dict] = []
    for page in range(1, len(matches) + 1):
        answer = ask(server, "/search/photos", params={"query": word, "per_page": 1, "page": page})
        data = answer.json()
        assert (data["total"], data["total_pages"]) == (len(matches), len(matches))
        assert answer.headers["X-Total"] == str(len(matches))
        found += data["results"]
    assert [record["id"] for record in found] == matches
    assert found == expected(server, found, full=False)
    assert ask(server, "/search/photos?query=xyzzy").json()["results"] == []


# --- the access key and the quota -----------------------------------------------------------------------------


def test_the_key_is_accepted_as_header_or_parameter(server) -> None:
    header = {"Authorization": f"Client-ID {server.key}"}
    for headers, parameters in (header, ""), (header | {"Accept-Version": "v1"}, ""), ({}, f"?client_id={server.key}"):
        answer = fetch(f"{server.api}/photos{parameters}", headers=headers)
        assert answer.status_code == 200
        assert server.key not in answer.text + str(answer.headers)


@pytest.mark.parametrize("authorisation, parameters", [
    (None, ""), ("Client-ID wrong", ""), ("Client-ID ", ""), ("Client-ID {key}x", ""), ("Bearer {key}", ""),
    ("{key}", ""), (b"Client-ID \xe4\xff", ""), (None, "?client_id="), (None, "?client_id=wrong"),
    (None, "?client_id=%FF%00"),
])  # fmt: skip
def test_no_key_or_a_wrong_one_is_401(server, authorisation: str | bytes | None, parameters: str) -> None:
    if isinstance(authorisation, str):
        authorisation = authorisation.format(key=server.key)
    for path in ("/photos/random", "/practice/stats", "/practice/faults", "/no-such-path"):
        before = counts(server)
        method, body = ("POST", '[{"path": ".", "fault": "500"}]') if path == "/practice/faults" else ("GET", None)
        answer = fetch(server.api + path + parameters, method, headers={"Authorization": authorisation}, data=body)
        assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)
        assert counts(server) == before | {"refused": before["refused"] + 1}
        assert ask(server, "/photos").status_code == 200  # no fault was switched on


def test_the_quota_counts_down_on_each_answer_and_then_refuses_in_plain_text(start: Start) -> None:
    with start(quota=5, hour=ALWAYS) as server:
        urls = None
        for target, status, remaining in (
            ("/photos/random", 200, 4),
            (f"/photos/{Catalogue(1).entries[0].id}/download", 200, 3),
            ("/photos/AAAAAAAAAAA", 404, 2),
            ("/photos?page=0", 400, 1),
            ("/photos/random?count=30", 200, 0),
            ("/photos/random", 403, 0),
            ("/search/photos?query=sea", 403, 0),
        ):
            answer = ask(server, target)
            shown = answer.headers["X-Ratelimit-Limit"], answer.headers["X-Ratelimit-Remaining"]
            assert (answer.status_code, *shown) == (status, "5", str(remaining))
            urls = urls or answer.json()["urls"]
            # Neither images nor refused keys nor the counts themselves use it up.
            assert fetch(urls["regular"]).status_code == 200
            assert fetch(server.api + target).status_code == 401
            assert server.stats()["remaining"] == remaining
        assert answer.text == "Rate Limit Exceeded"
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert server.stats()["requests"] == 5


def test_the_quota_is_whole_again_after_the_hour(start: Start) -> None:
    with start(quota=1, hour=0.5) as server:
        for _ in range(2):
            until(lambda: ask(server, "/photos").status_code == 403, "the quota was used up")
            until(lambda: ask(server, "/photos").status_code == 200, "the hour had passed")
        until(lambda: ask(server, "/photos").status_code == 403, "the quota was used up")
        until(lambda: server.stats()["remaining"] == 1, "the statistics knew that the hour had passed")


@pytest.mark.parametrize("target", [
    *(f"/photos/random?count={value}" for value in ("-1", "0", "x", "1.5", "1e9", "1000000000000", "%D9%A3", "+1")),
    *(f"/photos?page={value}" for value in ("x", "0", "-1", "1e9", "99999999999999999999")),
    *(f"/photos?per_page={value}" for value in ("x", "0", "-1")),
    "/photos/random?orientation=round", "/search/photos", "/search/photos?query=", "/search/photos?query=a&page=x",
])  # fmt: skip
def test_an_impossible_parameter_is_refused_in_json(server, target: str, record_property) -> None:
    record_property("fault", "practice server: odd parameters and methods")
    record_property("times", 1)
    answer = ask(server, target)
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/json"
    (message,) = answer.json()["errors"]
    assert isinstance(message, str) and message


# --- images ---------------------------------------------------------------------------------------------------


def test_a_regular_image_is_the_same_bytes_each_time(server, record: dict) -> None:
    answers = [fetch(record["urls"]["regular"]) for _ in range(3)]
    head = fetch(record["urls"]["regular"], "HEAD")
    assert len({answer.content for answer in answers}) == 1 and head.content == b""
    for answer in (*answers, head):
        assert answer.status_code == 200
        assert answer.headers["Last-Modified"].endswith(" GMT") and "ETag" not in answer.headers
        assert answer.headers.items() >= {
            "Content-Type": "image/jpeg", "Content-Length": str(len(answers[0].content)), "X-Cache": "HIT",
            "Cache-Control": "public, max-age=315360000", "Accept-Ranges": "bytes",
        }.items()  # fmt: skip


def test_regular_images_fit_their_metadata_and_differ(server) -> None:
    """1080 wide, of the stated shape; the stated colour is frequent in its own picture and rare in the next one."""
    records = listed(server)
    pictures, bodies = [], set()
    for record in records:
        body = fetch(record["urls"]["regular"]).content
        bodies.add(body)
        picture = opened(body)
        assert (picture.format, picture.mode, picture.width) == ("JPEG", "RGB", 1080)
        assert picture.height == pytest.approx(1080 * record["height"] / record["width"], abs=1)
        pictures.append(np.asarray(picture.resize((48, 48)), dtype=float))
    assert len(bodies) == PHOTOS

    def share(picture: np.ndarray, colour: str) -> float:
        return float((np.linalg.norm(picture - list(bytes.fromhex(colour[1:])), axis=2) < 60).mean())

    own = [share(picture, record["color"]) for picture, record in zip(pictures, records, strict=True)]
    other = [share(picture, records[index - 1]["color"]) for index, picture in enumerate(pictures)]
    assert min(own) > 0.15
    assert statistics.mean(own) > 2 * statistics.mean(other)


@pytest.mark.parametrize("size, parameters, width", [
    ("small", "", 400), ("small_s3", "", 400), ("thumb", "", 200), ("full", "", None),
    ("raw", "&fit=max&q=1&w=10000", None), ("raw", "&q=1&w=1000000", None), ("raw", "&q=1&w=999999999", None),
])  # fmt: skip
def test_sizes_and_their_limit(server, record: dict, size: str, parameters: str, width: int | None) -> None:
    """Each has its width, but never more than the original."""
    picture = opened(fetch(record["urls"][size] + parameters).content)
    assert picture.format == "JPEG"
    if width:
        assert picture.size == (width, pytest.approx(width * record["height"] / record["width"], abs=1))
    else:
        assert picture.size == (record["width"], record["height"])


def test_width_and_quality_are_honoured(server, record: dict) -> None:
    raw = record["urls"]["raw"]
    coarse, fine = (fetch(f"{raw}&w=333&fm=jpg&fit=max&q={quality}").content for quality in (10, 95))
    assert opened(coarse).width == opened(fine).width == 333
    assert len(fine) > 2 * len(coarse)
    # The two are one picture: on average they differ little.
    assert np.abs(np.asarray(opened(coarse), float) - np.asarray(opened(fine), float)).mean() < 20


@pytest.mark.parametrize("parameters", [
    "w=0", "w=-5", "w=x", "w=1e3", "w=", "w=1000000000", "w=" + "9" * 5000, "q=0", "q=x", "fit=crop", "fm=png",
], ids=lambda parameters: parameters[:9])  # fmt: skip
def test_an_impossible_image_is_refused(server, record: dict, parameters: str, record_property) -> None:
    record_property("fault", "practice server: odd parameters and methods")
    record_property("times", 1)
    answer = fetch(f"{record['urls']['raw']}&w=50&{parameters}")
    if parameters == "w=":  # an empty one says nothing
        assert opened(answer.content).width == 50
    else:
        assert 400 <= answer.status_code < 500 and not answer.headers["Content-Type"].startswith("image/")


@pytest.mark.parametrize("as_header", [True, False])
def test_a_key_sent_to_the_image_host_is_refused_and_counted_as_a_leak(server, record: dict, as_header: bool) -> None:
    before = counts(server)
    address = record["urls"]["regular"] + ("" if as_header else f"&client_id={server.key}")
    answer = fetch(address, headers={"Authorization": f"Client-ID {server.key}"} if as_header else {})
    assert answer.status_code == 400 and "image host" in answer.text
    assert counts(server)["leaks"] == before["leaks"] + 1


def test_a_limited_bandwidth_delivers_the_same_bytes_no_faster(start: Start, image: tuple[str, bytes]) -> None:
    target, body = image
    with start(bandwidth=len(body) * 2) as server:
        started = time.monotonic()
        assert fetch(server.images + target).content == body
        assert time.monotonic() - started > 0.45


# --- requests that are not meant for it -----------------------------------------------------------------------


@pytest.mark.parametrize("base", ["api", "images"])
def test_another_host_name_is_refused(server, base: str, image: tuple[str, bytes]) -> None:
    """A web page under a name that leads to 127.0.0.1 must not read what is served here."""
    address = getattr(server, base) + ("/photos" if base == "api" else image[0])
    port = urlsplit(address).port
    key = {"Authorization": f"Client-ID {server.key}"} if base == "api" else {}
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.2:{port}"):
        assert fetch(address, headers=key | {"Host": host}).status_code == 400
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert fetch(address, headers=key | {"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(server, method: str, image: tuple[str, bytes], record_property) -> None:
    record_property("fault", "practice server: odd parameters and methods")
    record_property("times", 2)
    before = counts(server)
    for answer in (ask(server, "/photos", method), fetch(server.images + image[0], method)):
        assert answer.status_code == 405
    assert counts(server) == before


@pytest.mark.parametrize("target", [
    "/", "/..", "/../../../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "//etc/passwd", "/etc/passwd", "/00000.jpg", "//[", "/photos/..",
    "/pictures-{version}/00000.jpg", "/../pictures-{version}/00000.jpg", "/practice/server.py", "/..\\..\\config.ini",
    "/photos/../practice/server.py", "/photos/%00", "/photos/%2e%2e", "/photos/random/..", "/" + "a" * 8000,
    "http://evil.example/photos", "/photo-1", "/photos%3Fpage=1", "/photos;page=1", "/;", "/%",
])  # fmt: skip
def test_an_odd_path_is_404_and_never_a_file(server, target: str, record_property) -> None:
    record_property("fault", "practice server: path traversal and odd paths")
    record_property("times", 2)
    for base in (server.api, server.images):
        head, body = send(server, base, target.format(version=server.version))
        assert head.startswith(b"HTTP/1.1 404 ")
        assert len(body) < 100 and b"root:" not in body


def test_hundreds_of_failures_leave_the_server_able_to_answer(pictures: Path, server, tmp_path: Path) -> None:
    """With its pictures deleted each image request fails inside the server, which has a lot to say about it."""
    cache = tmp_path / "cache"
    shutil.copytree(pictures, cache)
    with practice.start(cache, photos=PHOTOS, latency=0, bandwidth=0, quota=1000) as server:
        records = listed(server)
        shutil.rmtree(cache)
        for _ in range(5):
            for record in records:
                assert fetch(record["urls"]["regular"]).status_code == 500
        assert ask(server, "/photos").status_code == 200


HOSTILE = {
    "nothing": b"",
    "half a line": b"GET /pho",
    "half a request": b"GET /photos HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    "a body that never comes": b"POST /photos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n",
    "a huge header": b"GET /photos HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "many headers": b"GET /photos HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: x\r\n" * 100_000 + b"\r\n",
    "a huge address": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "garbage": bytes(range(256)) * 1000,
    "only line ends": b"\r\n" * 10_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506),
    "a huge body": b"POST /photos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999999\r\n\r\n",
    "a negative length": b"POST /photos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    "broken chunks": b"POST /photos HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "two hosts": b"GET /photos HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "an old version": b"GET /photos HTTP/1.0\r\n\r\n",
}
UNFINISHED = ("nothing", "half a line", "half a request", "a body that never comes", "only line ends", "TLS")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_client_does_not_disturb_the_others(server, image: tuple[str, bytes], name: str, record_property) -> None:
    record_property("fault", "practice server: huge headers, garbage, half requests")
    record_property("times", 10)
    target, body = image
    for base in (server.api, server.images):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(base)) for _ in range(5)]
            for client in clients:
                with contextlib.suppress(ConnectionError):  # the server may hang up before it has read everything
                    client.sendall(HOSTILE[name])
            assert ask(server, "/photos").status_code == 200
            assert fetch(server.images + target).content == body
            for client in clients if name not in UNFINISHED else ():
                with contextlib.suppress(ConnectionError):
                    assert re.match(rb"HTTP/1.1 4\d\d |$", read_all(client))
    assert ask(server, "/photos").status_code == 200
    assert fetch(server.images + target).content == body


def test_a_slow_client_is_served_while_others_are(server, image: tuple[str, bytes], record_property) -> None:
    record_property("fault", "practice server: slow client")
    record_property("times", 1)
    target, body = image
    with connect(server.images) as slow:
        for byte in request_for(server, server.images, target + "&w=2000"):
            slow.sendall(bytes([byte]))
            if byte == ord("\n"):
                assert fetch(server.images + target).content == body
        for _ in range(5):  # it does not read its answer yet
            assert fetch(server.images + target).content == body
        head, _, answer = read_all(slow).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert opened(answer).width == min(2000, 1575)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow a process fewer connections")
def test_500_connections_at_once_are_all_served(server, image: tuple[str, bytes], record_property) -> None:
    record_property("fault", "practice server: 500 connections at once")
    record_property("times", 500)
    target, body = image
    request = request_for(server, server.images, target)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server.images)) for _ in range(500)]
        for client in clients:
            client.sendall(request[:-10])
        assert ask(server, "/photos").status_code == 200  # while all of them wait
        for client in clients:
            client.sendall(request[-10:])
        for client in clients:
            head, _, answer = read_all(client).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and answer == body


@pytest.mark.parametrize("method", ["BREW", "TRACE", "CONNECT", "get", "G ET", "<script>", "X" * 5000])
def test_an_odd_method_is_refused(server, image: tuple[str, bytes], method: str, record_property) -> None:
    record_property("fault", "practice server: odd parameters and methods")
    record_property("times", 2)
    for base in (server.api, server.images):
        with connect(base) as client:
            client.sendall(request_for(server, base, image[0]).replace(b"GET", method.encode(), 1))
            answer = read_all(client)
        assert re.match(rb"HTTP/1.1 4\d\d |$", answer) and b"Traceback" not in answer
    assert ask(server, "/photos").status_code == 200


def test_it_listens_on_the_loopback_address_alone(server) -> None:
    own = [address.address for addresses in psutil.net_if_addrs().values() for address in addresses
           if address.family == socket.AF_INET and address.address != "127.0.0.1"]  # fmt: skip
    if sys.platform == "linux":  # where all of 127.0.0.0/8 is this machine
        own.append("127.0.0.2")
    for base in (server.api, server.images):
        assert base.startswith("http://127.0.0.1:")
        for address in own:
            with pytest.raises(OSError):
                socket.create_connection((address, urlsplit(base).port), timeout=5)
    listening = [connection.laddr.ip for connection in psutil.Process(server.process.pid).net_connections("inet")
                 if connection.status == psutil.CONN_LISTEN]  # fmt: skip
    assert listening == ["127.0.0.1", "127.0.0.1"]


# --- faults ---------------------------------------------------------------------------------------------------

JSON, HTML, TXT, JPEG = "application/json", "text/html", "text/plain", "image/jpeg"
LOG_IN = b"<html><body>Please log in to the Wi-Fi</body></html>"
# What each fault does to an image: rule, status, headers, and what becomes of the body.
REPLACED = [
    ({"fault": "500"}, 500, {"Content-Type": JSON}, lambda body: b'{"errors":["Internal error"]}'),
    ({"fault": "502"}, 502, {"Content-Type": HTML}, lambda body: b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    ({"fault": "503"}, 503, {"Retry-After": "1"}, lambda body: b""),
    ({"fault": "503", "value": 7}, 503, {"Retry-After": "7"}, lambda body: b""),
    ({"fault": "503", "value": 0}, 503, {"Retry-After": "0"}, lambda body: b""),
    ({"fault": "429"}, 429, {"Retry-After": None}, lambda body: b""),
    ({"fault": "429", "value": 7}, 429, {"Retry-After": "7"}, lambda body: b""),
    ({"fault": "401"}, 401, {"Content-Type": JSON}, lambda body: json.dumps(UNAUTHORISED).encode()),
    ({"fault": "quota"}, 403, {"Content-Type": TXT}, lambda body: b"Rate Limit Exceeded"),
    ({"fault": "quota-json"}, 403, {"Content-Type": JSON}, lambda body: b'{"errors": ["Rate Limit Exceeded"]}'),
    ({"fault": "empty"}, 200, {"Content-Type": JPEG}, lambda body: b""),
    ({"fault": "html"}, 200, {"Content-Type": HTML}, lambda body: LOG_IN),
    ({"fault": "json"}, 200, {"Content-Type": JSON}, lambda body: b'{"status": "ok"}'),
    ({"fault": "truncated"}, 200, {"Content-Type": JPEG}, lambda body: body[: len(body) // 2]),
    ({"fault": "redirect", "value": "http://a.example/b"}, 302, {"Location": "http://a.example/b"}, lambda body: b""),
]  # fmt: skip
OTHERS = {"png", "webp", "corrupt", "scrambled", "delay", "reset", "silence", "cut", "long", "stall", "drip",
          "drip-head"}  # fmt: skip


def test_every_fault_is_tested_here() -> None:
    assert {rule["fault"] for rule, *_ in REPLACED} | OTHERS == set(FAULTS)


@pytest.mark.parametrize("rule, status, headers, change", REPLACED, ids=[str(rule) for rule, *_ in REPLACED])
def test_a_fault_replaces_the_answer(server, image, rule: dict, status: int, headers: dict, change: Callable) -> None:
    target, body = image
    server.faults({"path": "^/photo-|^/premium_photo-", **rule})
    answer = fetch(server.images + target)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in headers} == headers
    assert answer.content == change(body)
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_the_png_webp_corrupt_and_scrambled_faults_send_a_whole_answer_that_is_not_the_photo(server, image) -> None:
    target, body = image
    for kind in ("png", "webp", "corrupt", "scrambled"):
        server.faults({"path": "w=1080", "fault": kind})
        answer = fetch(server.images + target)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, JPEG)
        if kind in ("png", "webp"):
            assert opened(answer.content).format == kind.upper()
            continue
        changed = [place for place, (old, new) in enumerate(zip(body, answer.content, strict=True)) if old != new]
        assert 0 < len(changed) <= 64 and changed[-1] - changed[0] < 64
        assert abs(changed[0] - len(body) // 2) < 64
        assert (bytes(64) in answer.content) == (kind == "corrupt")


def test_the_delay_fault_answers_later_with_the_same_bytes(server, image: tuple[str, bytes]) -> None:
    target, body = image
    server.faults({"path": ".", "fault": "delay", "value": 0.3})
    started = time.monotonic()
    assert fetch(server.images + target).content == body
    assert time.monotonic() - started > 0.27


def test_the_reset_fault_resets_the_connection_before_an_answer(server, image: tuple[str, bytes]) -> None:
    server.faults({"path": ".", "fault": "reset"})
    with connect(server.images) as connection:
        connection.sendall(request_for(server, server.images, image[0]))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize("fault, change", [
    ("cut", lambda body: body[: len(body) // 2]),
    ("long", lambda body: body + b"more"),
])  # fmt: skip
def test_a_fault_sends_less_or_more_than_announced(server, image: tuple[str, bytes], fault: str, change) -> None:
    target, body = image
    server.faults({"path": ".", "fault": fault})
    head, received = send(server, server.images, target)
    assert head.startswith(b"HTTP/1.1 200 ") and f"\r\nContent-Length: {len(body)}".encode() in head
    assert received == change(body)


@pytest.mark.parametrize("fault", ["silence", "stall"])
def test_a_fault_falls_silent_before_or_in_its_answer(server, image: tuple[str, bytes], fault: str) -> None:
    target, body = image
    half = body[: len(body) // 2] if fault == "stall" else b""
    server.faults({"path": re.escape(target), "fault": fault, "times": 1})
    asked, received = server.stats()["images"], b""
    with connect(server.images) as connection:
        connection.sendall(request_for(server, server.images, target))
        until(lambda: server.stats()["images"] > asked, "the server had the request")
        while len(received.partition(b"\r\n\r\n")[2]) < len(half) and (piece := connection.recv(65536)):
            received += piece
        assert fetch(server.images + target).content == body  # others are served meanwhile
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):  # neither more bytes nor the end
            connection.recv(1)
    head, _, rest = received.partition(b"\r\n\r\n")
    assert rest == half and (f"Content-Length: {len(body)}".encode() in head) == (fault == "stall")


@pytest.mark.parametrize("fault", ["drip", "drip-head"])
def test_a_fault_sends_the_body_byte_by_byte_or_the_headers_as_well(server, fault: str) -> None:
    _, body = send(server, server.api, "/photos/AAAAAAAAAAA")
    server.faults({"path": ".", "fault": fault, "value": 0.01})
    with connect(server.api) as connection:
        started = time.monotonic()
        connection.sendall(request_for(server, server.api, "/photos/AAAAAAAAAAA"))
        pieces = list(iter(lambda: connection.recv(65536), b""))
    head, _, dripped = b"".join(pieces).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and dripped == body
    assert time.monotonic() - started > 0.009 * (len(body) - 1)
    assert fault == "drip" or len(pieces) > len(head) / 2


def test_times_limits_a_fault_for_each_address_by_itself(server) -> None:
    server.faults({"path": "^/photos[?]", "fault": "500", "times": 2}, {"path": "page=2", "fault": "503", "times": 1})
    for page, expected in ((1, [500, 500, 200, 200]), (2, [500, 500, 503, 200]), (3, [500, 500, 200, 200])):
        assert [ask(server, f"/photos?page={page}").status_code for _ in expected] == expected
    server.faults({"path": "^/photos", "fault": "quota"})  # looks like a real refusal
    assert {"X-Ratelimit-Limit", "X-Ratelimit-Remaining"} <= set(ask(server, "/photos/random").headers)
    server.faults({"path": "^/photos[?]", "fault": "500", "times": 1})  # new rules count from the beginning
    assert [ask(server, "/photos?page=1").status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("kind", ["images", "pages"])
def test_share_hits_a_part_of_the_addresses_and_the_same_ones_again(server, kind: str) -> None:
    if kind == "images":
        addresses = [record["urls"]["regular"] for record in listed(server)]
    else:
        addresses = [f"{server.api}/photos?per_page=1&page={page}" for page in range(1, PHOTOS + 1)]
    key = {"Authorization": f"Client-ID {server.key}"} if kind == "pages" else {}

    def hit(share: float) -> set[str]:
        server.faults({"path": ".", "fault": "500", "share": share})
        return {address for address in addresses if fetch(address, "HEAD", headers=key).status_code == 500}

    half = hit(0.5)
    assert PHOTOS * 0.2 < len(half) < PHOTOS * 0.8
    assert hit(0.5) == half
    assert hit(0.2) < half
    assert hit(0) == set() and hit(1) == set(addresses)
    server.faults({"path": ".", "fault": "500", "share": 0.5})  # so that a client which tries again gets through
    assert 4 < [fetch(addresses[0], "HEAD", headers=key).status_code for _ in range(40)].count(500) < 36


def test_faults_spare_other_addresses_and_the_controls(server, image: tuple[str, bytes]) -> None:
    target, body = image
    server.faults({"path": "^/photos", "fault": "500"})
    assert fetch(server.images + target).content == body
    server.faults({"path": ".", "fault": "reset"})
    assert server.stats()["images"] > 0
    for path, method in (("/practice/faults", "GET"), ("/practice/", "GET"), ("/practice/nothing", "POST")):
        assert ask(server, path, method).status_code == 404
    server.faults()
    assert ask(server, "/photos").status_code == 200


@pytest.mark.parametrize("body", [
    "", "no JSON", b"\xff\xfe", "5", "null", '["x"]', "[{}]", '[{"path": "."}]', '[{"fault": "500"}]',
    '[{"path": ".", "fault": "nonsense"}]', '[{"path": "(", "fault": "500"}]', '[{"path": 5, "fault": "500"}]',
])  # fmt: skip
def test_rules_that_make_no_sense_are_refused_and_change_nothing(server, body: str | bytes) -> None:
    server.faults({"path": "^/photos", "fault": "503"})
    answer = ask(server, "/practice/faults", "POST", data=body)
    assert answer.status_code == 400 and "fault rules" in answer.json()["errors"][0]
    assert ask(server, "/photos").status_code == 503


def test_stats_count_requests_images_and_the_most_images_at_once(start: Start) -> None:
    with start(hour=ALWAYS) as server, contextlib.ExitStack() as stack:
        assert server.stats() == {
            "requests": 0, "images": 0, "peak": 0, "refused": 0, "leaks": 0, "remaining": 100_000,
        }  # fmt: skip
        urls = [record["urls"]["regular"] for record in ask(server, "/photos").json()]
        server.faults({"path": ".", "fault": "stall"})

        def hold(base: str, target: str) -> None:
            connection = stack.enter_context(connect(base))
            connection.sendall(request_for(server, base, target))
            assert connection.recv(1)  # the answer has begun and will not end

        for page in range(3):  # API requests that are under way at the same time are no images
            hold(server.api, f"/photos?page={page + 1}")
        for url in urls[:4]:
            hold(server.images, url.removeprefix(server.images))
        assert server.stats() == {
            "requests": 4, "images": 4, "peak": 4, "refused": 0, "leaks": 0, "remaining": 99_996,
        }  # fmt: skip
        stack.close()
        server.faults()
        assert fetch(urls[5]).status_code == 200
        assert (server.stats()["images"], server.stats()["peak"]) == (5, 4)


# --- latency --------------------------------------------------------------------------------------------------


def waiting(latency: float, spread: float = SPREAD) -> Callable[[str], float]:
    return Server(CATALOGUE, Path(), latency=latency, spread=spread, bandwidth=0, quota=1, hour=1, repeats=0).wait_for


@pytest.mark.parametrize("latency", [0.06, 1.0])
def test_latency_varies_by_address_around_its_median_and_is_always_the_same_for_one(latency: float) -> None:
    addresses = [entry.image for entry in Catalogue(1500).entries]
    waits = [waiting(latency)(f"/{address}?w=1080") for address in addresses]
    assert waits == [waiting(latency)(f"/{address}?w=1080") for address in addresses]
    assert statistics.median(waits) == pytest.approx(latency, rel=0.05)
    assert len(set(waits)) > 1400 and min(waits) > 0
    within = [0.6 * latency < wait < 1.65 * latency for wait in waits]
    assert 0.93 < statistics.mean(within) < 0.97
    assert statistics.stdev(np.log(waits)) == pytest.approx(SPREAD, rel=0.1)


def test_without_spread_all_wait_for_the_same_time_and_without_latency_nobody() -> None:
    for latency in (0.05, 0):
        assert {waiting(latency, spread=0)(f"/{number}") for number in range(100)} == {latency}
    assert {waiting(0)(f"/{number}") for number in range(100)} == {0}


def test_the_spread_reaches_the_server(start: Start) -> None:
    server = start(latency=0.05, spread=0)
    waits = [fetch(f"{server.images}/{number}").elapsed.total_seconds() for number in range(12)]
    assert min(waits) > 0.049  # with the usual spread half of them would wait for less


# --- the process and its pictures -----------------------------------------------------------------------------

PARENT = """
import signal, sys, time
import practice
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
def report(done, total):
    print("drawn", done, flush=True)
server = practice.start(sys.argv[1], photos=int(sys.argv[2]), latency=0, workers=2, report=report)
print("ready", server.api, server.images, server.key, flush=True)
while True:
    time.sleep(60)
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


@pytest.mark.parametrize("interrupted", [False, pytest.param(True, marks=pytest.mark.skipif(
    os.name == "nt", reason="Windows has no process groups to interrupt",
))])  # fmt: skip
def test_the_server_ends_when_its_parent_is_killed_only(pictures: Path, server, interrupted: bool) -> None:
    """`server` has drawn the pictures before."""
    with parent_of_a_server(pictures, PHOTOS) as (parent, read_until):
        _, api, images, key = read_until("ready")
        if interrupted:
            os.killpg(parent.pid, signal.SIGINT)
            read_until("interrupted")
        assert fetch(api + "/photos", headers={"Authorization": f"Client-ID {key}"}).status_code == 200
        family = psutil.Process(parent.pid).children(recursive=True)
        assert family
        parent.kill()
        assert_all_end(family)
        until(lambda: refuses(api) and refuses(images), "both ports refused")


def test_a_killed_drawing_leaves_no_process_and_is_continued(tmp_path: Path) -> None:
    with parent_of_a_server(tmp_path, 20) as (parent, read_until):
        read_until("drawn")
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) >= 3  # the server and two that draw
        parent.kill()
        assert_all_end(family)
    before = times_of(tmp_path)
    assert 0 < len(before) < 20
    (folder,) = tmp_path.iterdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (folder / f"00019.jpg.{gone.pid}-1.part").write_bytes(b"half of a picture")
    (folder / f"00018.jpg.{os.getpid()}-1.part").write_bytes(b"another server is drawing this one")
    reports = []
    with practice.start(tmp_path, photos=20, latency=0, report=lambda *report: reports.append(report)) as server:
        assert before.items() <= times_of(tmp_path).items()  # drawn once, not again
        assert reports == [(done, 20) for done in range(len(before) + 1, 21)]
        assert not (folder / f"00019.jpg.{gone.pid}-1.part").exists()
        assert (folder / f"00018.jpg.{os.getpid()}-1.part").exists()
        for record in listed(server):
            assert opened(fetch(record["urls"]["regular"]).content).width == 1080


def test_an_interrupted_start_leaves_no_process(tmp_path: Path) -> None:
    family = []

    def interrupt(done: int, total: int) -> None:
        family.extend(child for child in psutil.Process().children(recursive=True) if child not in before)
        raise KeyboardInterrupt

    before = psutil.Process().children(recursive=True)
    with pytest.raises(KeyboardInterrupt):
        practice.start(tmp_path, photos=12, workers=2, report=interrupt)
    assert len(family) >= 3
    assert_all_end(family)


def test_two_servers_share_the_pictures_but_not_the_key(start: Start, pictures: Path, image, server) -> None:
    target, body = image
    before = times_of(pictures)
    reports = []
    with start(report=lambda *report: reports.append(report)) as second:
        assert reports == [] and times_of(pictures) == before and len(before) == PHOTOS
        assert len({server.api, server.images, second.api, second.images}) == 4
        assert fetch(second.images + target).content == fetch(server.images + target).content == body
        wrong = {"Authorization": f"Client-ID {server.key}"}
        assert fetch(second.api + "/photos", headers=wrong).status_code == 401
        colours = [[record["color"] for record in listed(either)] for either in (server, second)]
        assert colours[0] == colours[1]  # of the drawn pictures, and as their files keep them
    assert fetch(server.images + target).content == body  # the first goes on after the second has ended


def test_smaller_and_larger_catalogues_need_no_new_pictures(start: Start, pictures: Path, server) -> None:
    """The larger one shows them again under other ids."""
    before = times_of(pictures)
    with start(photos=5) as small, start(photos=PHOTOS + 30, pictures=PHOTOS) as large:
        assert [record["id"] for record in listed(small)] == [record["id"] for record in listed(server)[:5]]
        records = listed(large)
        first, again = (fetch(records[index]["urls"]["regular"]).content for index in (7, PHOTOS + 7))
    assert first == again
    for values in ([r["id"] for r in records], [r["slug"] for r in records], [r["urls"]["regular"] for r in records]):
        assert len(set(values)) == PHOTOS + 30
    assert times_of(pictures) == before


def test_a_closed_server_refuses_and_closing_twice_does_no_harm(start: Start) -> None:
    with start() as server:
        assert server.key not in repr(server)
    assert refuses(server.api) and refuses(server.images)
    assert server.process.returncode == 0
    server.close()


def test_a_server_that_can_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(practice.PracticeError, match="cache") as problem:
        practice.start(tmp_path / "cache", photos=1)
    assert "Traceback" not in str(problem.value)


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
            records = fetch(api + "/photos", headers={"Authorization": f"Client-ID {key}"}).json()
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
    known = "photos pictures latency spread bandwidth quota hour repeats port cache workers"
    for option in known.split():
        assert re.search(rf"--{option} {option.upper()}\s+[a-zA-Z]", run.stdout)
