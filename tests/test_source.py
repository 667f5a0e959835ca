"""Source and collect_photos(): requests to the API, their failures, and the metadata that is kept on disk."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import KEY, Host, closed_port, one_line, source_of

import helpers
import practice
from helpers import AssignmentError, Photo, Secret, Settings, Source, SourceError, collect_photos, connect
from kit import source as sources
from kit import transport
from kit.errors import KeyRejected, QuotaReached
from kit.transport import BAD_BODY_TRIES, TRIES

RANDOM = "/photos/random"
CACHED = Path("cache/metadata/practice-test.jsonl")
PAGE = json.dumps([{"id": f"photo-{number}"} for number in range(30)]).encode()
pytestmark = pytest.mark.usefixtures("pauses")


@pytest.fixture
def fresh(start: Callable[..., practice.PracticeServer]) -> Iterator[Callable[..., Source]]:
    """Sources with a practice server of their own, none of whose photos have been dealt yet."""
    with contextlib.ExitStack() as servers:
        yield lambda **options: source_of(servers.enter_context(start(**options)))


def failure(kind: type[AssignmentError], function: Callable, *arguments: object, **named: object) -> str:
    """The one line in which the call fails."""
    text = one_line(kind, function, *arguments, **named)
    assert "http" not in text
    return text


# --- one request ------------------------------------------------------------------------------------------------


def test_a_request_sends_the_key_in_a_header_alone_and_returns_json(host: Host) -> None:
    host.reply = lambda: (200, "application/json", '{"caption": "Grüße"}'.encode())
    assert host.source().get(RANDOM, count=3, query="blue sky") == {"caption": "Grüße"}
    [(path, headers)] = host.seen
    assert path == f"{RANDOM}?count=3&query=blue+sky"
    assert headers["Authorization"] == f"Client-ID {KEY}"
    assert headers["Accept-Version"] == "v1"


def test_what_is_sent_with_a_request_is_not_sent_with_the_next_one(host: Host) -> None:
    for key in (None, Secret(KEY), None):
        transport.fetch(f"{host.address}/photo", key)
    plain, with_key, again = (headers for _, headers in host.seen)
    assert plain == again and with_key["Authorization"] == f"Client-ID {KEY}"


def test_the_remaining_quota_is_read_from_the_answer(source: Source, host: Host) -> None:
    source.get(RANDOM, count=1)
    assert source.remaining == source.server.stats()["remaining"]
    other = host.source()
    other.get(RANDOM)  # without the header
    assert other.remaining is None


def test_a_redirect_is_not_followed(source: Source, host: Host, record_property: Callable) -> None:
    source.server.faults({"path": RANDOM, "fault": "redirect", "value": host.address + RANDOM})
    before = source.server.stats()["requests"]
    text = failure(SourceError, source.get, RANDOM, count=1)
    assert text == "the practice server answered /photos/random with status 302."
    assert source.server.stats()["requests"] - before == 1
    assert host.seen == []
    record_property("redirect to another host", 1)


QUOTA = "quota of Unsplash is used up"


@pytest.mark.parametrize(("status", "kind", "body", "error", "words"), [
    (403, "text/plain", b"Rate Limit Exceeded", QuotaReached, QUOTA),
    (403, "text/html", b"rate limit exceeded\n", QuotaReached, QUOTA),
    (403, "application/json", b'{"errors": ["Rate Limit Exceeded"]}', QuotaReached, QUOTA),
    (429, "text/plain", b"", QuotaReached, QUOTA),
    (403, "application/json", b'{"errors": ["Missing permission"]}', SourceError, "status 403"),
    (404, "application/json", b'{"errors": ["No photos found."]}', SourceError, "status 404"),
    (401, "application/json", b'{"errors": ["OAuth error"]}', KeyRejected, "Unsplash refused the access key *****"),
])  # fmt: skip
def test_a_refusal_is_final(host: Host, status: int, kind: str, body: bytes, error: type, words: str) -> None:
    host.reply = lambda: (status, kind, body)
    text = failure(error, host.source().get, RANDOM, count=30)
    assert words in text
    assert ("config.ini" in text) == (error is KeyRejected)
    assert len(host.seen) == 1


@pytest.mark.parametrize(("fault", "tries", "words"), [
    ("500", TRIES, "it answered with status 500"),
    ("503", TRIES, "it answered with status 503"),
    ("reset", TRIES, "the connection broke off"),
    ("cut", BAD_BODY_TRIES, "the answer was cut off"),
    *((body, BAD_BODY_TRIES, "the answer is not JSON") for body in ("html", "empty", "truncated", "corrupt")),
])  # fmt: skip
def test_trouble_is_overcome_if_it_ends_in_time_and_else_told_in_plain_words(
    source: Source, pauses: list[float], record_property: Callable, fault: str, tries: int, words: str
) -> None:
    source.server.faults({"path": RANDOM, "fault": fault, "times": tries - 1, "value": 7})  # 503: Retry-After
    before = source.server.stats()["requests"]
    assert len(source.get(RANDOM, count=2)) == 2
    assert source.server.stats()["requests"] - before == tries
    assert len(pauses) == tries - 1 and (set(pauses) == {7}) == (fault == "503")
    source.server.faults({"path": RANDOM, "fault": fault})
    text = failure(SourceError, source.get, RANDOM, count=2)
    assert words in text and source.name in text
    assert source.server.stats()["requests"] - before == 2 * tries
    record_property("status 503 of the API with Retry-After", int(fault == "503"))


# --- what to download -------------------------------------------------------------------------------------------

UNSPLASH = Source("Unsplash", "unsplash", sources.UNSPLASH, sources.UNSPLASH_IMAGES, Secret(KEY))
GOOD = {"id": "abcdefghijk", "urls": {"regular": "https://images.unsplash.com/photo-1?w=1080&ixid=M3w"}}
GOOD_PHOTO = Photo("abcdefghijk", "https://images.unsplash.com/photo-1?w=1080&ixid=M3w")


ELSEWHERE = [
    "https://example.com/photo-1", "http://images.unsplash.com/photo-1", "ftp://images.unsplash.com/photo-1",
    "file:///images.unsplash.com/photo-1", "//images.unsplash.com/photo-1", "https://api.unsplash.com/photo-1",
    "https://images.unsplash.com.example.com/photo-1", "https://images.unsplash.com@example.com/photo-1",
    "https://example.com\\@images.unsplash.com/photo-1", "https://images.unsplash.com:8443/photo-1",
    "https://[", "", None, 5,
]  # fmt: skip


@pytest.mark.parametrize("urls", [
    *({"regular": url} for url in ELSEWHERE), {}, None, [], "https://images.unsplash.com/photo-1", {"small": "x"},
])  # fmt: skip
def test_foreign_addresses_are_left_out(urls: object, capsys: pytest.CaptureFixture, record_property: Callable) -> None:
    assert UNSPLASH.photos([{"id": "bad", "urls": urls}, {"id": "bare"}, GOOD]) == [GOOD_PHOTO]
    assert re.search(r"left out: 2 \(bad, bare\)", capsys.readouterr().out)
    record_property("image address that attacks", int(bool(urls) and "regular" in urls))


@pytest.mark.parametrize("name", ["../../x", "con", "x" * 500, "", None, 5, "x\n", "é"])
def test_an_id_that_could_be_no_file_name_is_left_out_and_told(name: object, capsys: pytest.CaptureFixture) -> None:
    assert UNSPLASH.photos([GOOD | {"id": name}, GOOD]) == [GOOD_PHOTO]
    told = capsys.readouterr().out
    assert "left out: 1 (" in told
    assert len(told) < 200


def test_premium_photos_and_other_qualities_keep_their_address_as_it_came() -> None:
    urls = {"regular": "https://plus.unsplash.com/premium-1?w=1080", "full": "https://images.unsplash.com/f?a=%2F&b"}
    assert UNSPLASH.photos([{"id": "a", "urls": urls}]) == [Photo("a", urls["regular"])]
    assert UNSPLASH.photos([{"id": "a", "urls": urls}], "full") == [Photo("a", urls["full"])]


def test_addresses_of_an_earlier_server_are_moved_to_this(source: Source, records: list[dict], tmp_path: Path) -> None:
    old = json.loads(json.dumps(records).replace(source.server.images, closed_port()))
    assert old != records
    photos = source.photos(old)
    assert [photo.url for photo in photos] == [record["urls"]["regular"] for record in records]
    assert helpers.download_photo(photos[0], tmp_path).status is helpers.Status.DONE
    assert source.photos([{"id": "a", "urls": {}}, {"id": "b", "urls": {"regular": ""}}]) == []


# --- collecting metadata ----------------------------------------------------------------------------------------


def pages() -> list[list[str]]:
    """The ids of each page on disk."""
    lines = CACHED.read_text(encoding="utf-8").splitlines()
    return [[record["id"] for record in json.loads(line)["photos"]] for line in lines]


@pytest.mark.parametrize(("count", "requests"), [(30, 1), (31, 2)])
def test_thirty_photos_cost_one_request_and_cached_ones_none(
    fresh: Callable[..., Source], capsys: pytest.CaptureFixture, count: int, requests: int
) -> None:
    source = fresh()
    first = collect_photos(source, count)
    assert len({record["id"] for record in first}) == len(first) == count
    assert source.server.stats()["requests"] == requests
    assert "no request" not in capsys.readouterr().out
    assert collect_photos(source, count) == first  # the same ones, and in the same order
    assert source.server.stats()["requests"] == requests
    assert f"The metadata of {count} photos are on disk already" in capsys.readouterr().out


def test_records_are_kept_as_sent_without_the_key(fresh: Callable[..., Source], record_property: Callable) -> None:
    source = fresh()
    record = collect_photos(source, 30)[7]
    sent = source.get(f"/photos/{record['id']}")
    assert record == sent
    assert collect_photos(source, 30)[7] == sent
    assert source.server.key not in CACHED.read_text(encoding="utf-8")
    assert list(CACHED.parent.iterdir()) == [CACHED]
    record_property("access key of the practice server", 1)


def test_each_page_is_on_disk_before_the_next_is_asked_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only with the system, which would lose it with the power."""
    path, found, safe, fsync = Path("cache/metadata/host.jsonl"), [], [0], os.fsync

    def synced(file: int) -> None:
        fsync(file)
        safe.append(os.fstat(file).st_size)

    def reply() -> tuple[int, str, bytes]:
        content = path.read_bytes() if path.exists() else b""
        found.append((content.count(b"\n"), len(content) - safe[-1]))
        page = [{"id": f"photo-{len(found)}-{number}"} for number in range(30)]
        return 200, "application/json", json.dumps(page).encode()

    monkeypatch.setattr(os, "fsync", synced)
    host.reply = reply
    collect_photos(host.source(), 90)
    assert found == [(0, 0), (1, 0), (2, 0)]
    assert path.read_bytes().count(b"\n") == 3 and path.stat().st_size == safe[-1]
    assert {seen for seen, _ in host.seen} == {f"{RANDOM}?count=30"}


@pytest.mark.parametrize(("fault", "error", "words"), [
    ("quota", QuotaReached, r"30 of 60 records are on disk.* after \d\d:\d\d, .*wait=True"),
    ("401", KeyRejected, "refused the access key"),
    ("502", SourceError, "status 502"),
    ("json", SourceError, "something else than a list of photos"),
])  # fmt: skip
def test_trouble_in_the_middle_keeps_what_is_there_and_later_only_the_rest_is_asked_for(
    fresh: Callable[..., Source], record_property: Callable, fault: str, error: type, words: str
) -> None:
    source = fresh()
    # A spoilt answer has dealt its photos as well: after it, the rest comes from a server that goes on dealing.
    passing = {"path": RANDOM, "fault": "delay", "value": 0, "times": 1}
    source.server.faults(passing, {"path": RANDOM, "fault": fault})
    text = failure(error, collect_photos, source, 60)
    assert re.search(words, text) and source.server.key not in text
    [page] = pages()
    source.server.faults()
    before = source.server.stats()["requests"]
    assert [record["id"] for record in collect_photos(source, 30)] == page
    assert source.server.stats()["requests"] == before
    ids = [record["id"] for record in collect_photos(source, 60)]
    assert ids[:30] == page
    assert len(set(ids)) == 60
    assert pages()[0] == page
    assert source.server.stats()["requests"] - before == len(pages()) - 1
    quota = error is QuotaReached
    record_property("quota that ends in the middle" if quota else "API that fails in the middle", 1)


@pytest.mark.parametrize(("hour", "begun", "times"), [
    (3600, 2400, [2400, 3605, 7205]),  # 20 minutes to the full hour, then a whole one; and 5 seconds for its clock
    (10, 9.5, [9.5, 11, 21]),
])  # fmt: skip
def test_with_wait_the_cell_goes_on_in_the_next_hour(
    host: Host, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, hour: float, begun: float, times: list
) -> None:
    """By a clock that goes on only while the cell sleeps."""
    now, asked = [begun], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def reply() -> tuple[int, str, bytes]:
        asked.append(now[0])
        return (200, "application/json", PAGE) if len(asked) == 3 else (403, "text/plain", b"Rate Limit Exceeded")

    clock = SimpleNamespace(sleep=sleep, time=lambda: now[0], monotonic=lambda: now[0] + 77)
    monkeypatch.setattr("kit.metadata.time", clock)
    host.reply = reply
    assert len(collect_photos(host.source(), 30, wait=True, hour=hour)) == 30
    assert asked == pytest.approx(times)
    assert "Waiting for the next hour's quota" in capsys.readouterr().err


def test_repeated_photos_are_dropped(fresh: Callable[..., Source]) -> None:
    source = fresh(repeats=0.4)
    ids = [record["id"] for record in collect_photos(source, 60)]
    assert len(set(ids)) == len(ids) == 60
    dealt = [name for page in pages() for name in page]
    assert len(dealt) > len(set(dealt))
    assert source.server.stats()["requests"] == len(pages())


def test_a_source_with_too_few_photos_ends_before_the_quota_is_burnt(fresh: Callable[..., Source]) -> None:
    source = fresh()
    text = failure(SourceError, collect_photos, source, 90)
    assert "no more than 60 different photos" in text
    assert source.server.stats()["requests"] <= 10
    assert len(collect_photos(source, 60)) == 60


# Another source's page; what is no JSON, or not a page; numbers and brackets that Python does not read.
RUBBISH = [
    b'{"source": "practice-60", "photos": [{"id": "foreign"}]}\n', b"not json\n", b"\n", b"null\n", b"[1, 2]\n",
    b"\xff\xfe\x00\n", b'{"source": "host"}\n', b'{"source": "host", "photos": 5}\n',
    b'{"source": "host", "photos": [null]}\n', b'{"source": "host", "photos": ' + b"9" * 5000 + b"}\n",
    b"[" * 100_000 + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda rubbish: repr(rubbish[:45]))
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_broken_lines_are_told(host: Host, capsys: pytest.CaptureFixture, rubbish: bytes, first: bool) -> None:
    host.reply = lambda: (200, "application/json", PAGE)
    path = Path("cache/metadata/host.jsonl")
    records = collect_photos(host.source(), 30)
    whole = path.read_bytes()
    path.write_bytes(rubbish + whole if first else whole + rubbish)
    capsys.readouterr()
    assert collect_photos(host.source(), 30) == records == json.loads(PAGE)
    assert re.search(r"host\.jsonl.*left out: 1\.", capsys.readouterr().out)
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]
    assert len(host.seen) == 1


@pytest.mark.parametrize("kept", [1, -1], ids=["one byte", "all but the line end"])
def test_a_cut_off_page_comes_again(fresh: Callable[..., Source], capsys: pytest.CaptureFixture, kept: int) -> None:
    source = fresh()
    collect_photos(source, 60)
    first, second = CACHED.read_bytes().splitlines(keepends=True)
    CACHED.write_bytes(first + second[:kept])
    capsys.readouterr()
    records = collect_photos(source, 60)
    assert re.search(r"practice-test\.jsonl.*left out: 1\.", capsys.readouterr().out)
    assert len({record["id"] for record in records}) == 60
    assert CACHED.read_bytes().startswith(first)
    assert [record["id"] for record in records[:30]] == pages()[0]
    assert collect_photos(source, 60) == records
    assert "left out" not in capsys.readouterr().out


def test_a_record_without_an_id_costs_neither_page_nor_request(host: Host, capsys: pytest.CaptureFixture) -> None:
    page = [{"id": f"photo-{number}"} for number in range(27)] + [{"id": "../x"}, {"id": None}, {}]
    host.reply = lambda: (200, "application/json", json.dumps(page).encode())
    assert collect_photos(host.source(), 27) == page[:27]
    assert collect_photos(host.source(), 27) == page[:27]
    assert len(host.seen) == 1
    assert "left out" not in capsys.readouterr().out


# --- connect ----------------------------------------------------------------------------------------------------


def test_without_a_key_a_practice_server_starts_with_the_settings(capsys: pytest.CaptureFixture) -> None:
    source = connect(Settings(photos=3, latency_ms=7, bandwidth_mbit=16, quota=4))
    try:
        assert source.server.api == source.api
        assert source.api.startswith("http://127.0.0.1:")
        assert source.image_hosts == (source.server.images,)
        options = dict(option.removeprefix("--").split("=") for option in source.server.process.args[4:])
        assert {"photos": "3", "latency": "0.007", "bandwidth": "2000000.0", "quota": "4"}.items() <= options.items()
        assert source.slug == f"practice-3-{source.server.version}"
        assert len(collect_photos(source, 3)) == 3
        assert source.remaining == 3
        assert source.describe() == (
            "Photos come from the practice server on this machine, without a key: "
            "median latency 7 ms, 16 Mbit/s per connection."
        )
        assert source.server.key not in f"{source!r} {source} {vars(source)} {source.server}"
        assert "Drawing practice photos, once: 100%" in capsys.readouterr().err
    finally:
        source.close()
    assert source.server.process.poll() is not None


def test_unlimited_bandwidth_is_described_as_such(server: practice.PracticeServer) -> None:
    assert source_of(server).describe().endswith("median latency 2 ms, no limit of bandwidth per connection.")


def test_a_practice_server_that_can_not_start_is_told_in_plain_words() -> None:
    Path("cache").write_text("a file where the folder should be", encoding="utf-8")
    assert "practice server did not start" in failure(SourceError, connect, Settings(photos=1))


def test_with_a_key_unsplash_is_named_without_any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(*_: object, **__: object) -> None:
        raise AssertionError("network access")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, network)
    source = connect(Settings(access_key=Secret(KEY)))
    assert (source.api, source.slug, source.server) == ("https://api.unsplash.com", "unsplash", None)
    assert source.image_hosts == ("https://images.unsplash.com", "https://plus.unsplash.com")
    assert source.describe() == f"Photos come from Unsplash with your access key ********{KEY[-4:]}."
    assert KEY not in f"{source!r} {source} {vars(source)}"
    source.close()


@pytest.mark.parametrize("kind", AssignmentError.__subclasses__())
def test_a_notebook_shows_every_failure_of_the_assignment_in_one_line(kind: type[AssignmentError]) -> None:
    assert kind("What to do.")._render_traceback_() == [f"{kind.__name__}: What to do."]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows can't be moved to another time zone")
def test_the_next_hour_is_that_of_the_quota_also_where_clocks_differ_by_half_an_hour(
    start: Callable[..., practice.PracticeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        with start(quota=1) as server, pytest.raises(QuotaReached, match=r"again after [0-2]\d:30, or"):
            helpers.collect_photos(source_of(server), 60)
    finally:
        monkeypatch.undo()
        time.tzset()
