"""Faults of the network and of the API, caused for real, with 32 threads: nothing is lost, nothing waits for ever.

What one call of download_photo or Source.get makes of a fault is tested in test_download.py and test_source.py.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import KEY, PATIENCE, PHOTOS, Host, another_host, download_threads, source_of
from PIL import Image

import helpers
from helpers import Outcome, Photo, Run, Secret, Source, SourceError, Status, collect_photos, keep, problems, timed_run
from kit import transport
from kit.transport import BAD_BODY_TRIES, TRIES
from practice import PracticeServer

RANDOM = "/photos/random"
EACH = 2  # photos that meet a fault once, and as many that meet it always
BROKEN_OFF = 1  # a connection that is shut down just when it is used again costs a try: no request reaches the server
Record = Callable[[str, object], None]


def all_photos(source: Source, count: int) -> list[Photo]:
    return source.photos(collect_photos(source, count))


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg")}


# --- every fault at once, in one run -----------------------------------------------------------------------------

LATE = "no answer in time"
# Trouble that may pass: its name, the rule for the practice server, and how the failed Outcome words it.
PASSING = [
    ("late answer", {"fault": "delay", "value": 4}, LATE),
    ("silence before the headers", {"fault": "silence"}, LATE),
    ("headers, then silence", {"fault": "stall"}, LATE),
    ("body that drips", {"fault": "drip", "value": 4}, LATE),
    ("headers that drip", {"fault": "drip-head", "value": 4}, LATE),
    ("status 500", {"fault": "500"}, "status 500"),
    ("status 502 with HTML", {"fault": "502"}, "status 502"),
    ("status 503 with Retry-After in seconds", {"fault": "503", "value": 1}, "status 503"),
    ("status 503 with Retry-After as a date", {"fault": "503", "value": formatdate(usegmt=True)}, "status 503"),
    ("status 429 for a photo", {"fault": "429", "value": 1}, "status 429"),
    ("connection reset", {"fault": "reset"}, "the connection broke off"),
]
# An answer with status 200 that is not the photo.
NO_JPEG = "the answer is not a JPEG (a log-in page of the Wi-Fi?)"
BAD_BODIES = [
    ("body cut off", {"fault": "cut"}, "the answer was cut off"),
    ("empty body", {"fault": "empty"}, "the answer was empty"),
    ("HTML with status 200", {"fault": "html"}, NO_JPEG),
    ("JSON with status 200", {"fault": "json"}, NO_JPEG),
    ("PNG named .jpg", {"fault": "png"}, NO_JPEG),
    ("WebP named .jpg", {"fault": "webp"}, NO_JPEG),
    ("JPEG that ends in the middle", {"fault": "truncated"}, "the JPEG ends in the middle"),
]
# A body that is broken inside, and what became of its 64 bytes in the middle.
BROKEN = [
    ("JPEG with zeros in the middle", {"fault": "corrupt"}, lambda piece: bytes(64)),
    ("JPEG with a scrambled middle", {"fault": "scrambled"}, lambda piece: piece[::-1]),
]
UNREACHABLE = [
    ("connection refused", {}, "the connection was refused"),
    ("unknown host name (DNS)", {}, "the host's name was not found (no network?)"),
]


@dataclass
class Faulty:
    """One run in which every fault happened: photos by the fault and by how often they met it."""

    run: Run
    once: dict[str, list[Photo]]
    always: dict[str, list[Photo]]
    healthy: list[Photo]
    requests: int  # that reached the practice server
    kept: Path
    whole: set[str]  # digests of the photographs as they were drawn

    def outcomes(self, photos: list[Photo]) -> list[Outcome]:
        return [outcome for outcome in self.run.outcomes if outcome.item in {photo.id for photo in photos}]


@pytest.fixture(scope="module")
def faulty(
    start: Callable[..., PracticeServer], pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    server = start(photos=2 * PHOTOS, pictures=PHOTOS)
    kinds = [*PASSING, *BAD_BODIES, *BROKEN]
    with pytest.MonkeyPatch.context() as patch, socket.socket() as closed:
        patch.chdir(tmp_path_factory.mktemp("faulty"))
        patch.setattr(transport, "TIMEOUT", (5, 2))
        photos = all_photos(source_of(server), 2 * PHOTOS)
        rest = iter(photos)
        once, always, rules = {}, {}, []
        for name, rule, _ in kinds:
            once[name], always[name] = ([next(rest) for _ in range(EACH)] for _ in range(2))
            for group, times in ((once[name], {"times": 1}), (always[name], {})):
                paths = "|".join(re.escape(urlsplit(photo.url).path) for photo in group)
                rules.append({"path": f"^({paths})[?]", **rule, **times})
        closed.bind(("127.0.0.1", 0))  # so that nobody else gets the port; it does not listen
        addresses = (f"http://127.0.0.1:{closed.getsockname()[1]}", "http://photos.invalid")
        for (name, *_), address in zip(UNREACHABLE, addresses, strict=True):
            always[name] = [replace(next(rest), url=f"{address}/{number}") for number in range(EACH)]
        healthy = list(rest)
        moved = {photo.id: photo for group in always.values() for photo in group}
        before = server.stats()["images"]
        server.faults(*rules)
        # Silence would end with the server: without a time-out, tests fail instead of waiting.
        late = threading.Timer(4 * PATIENCE, server.process.kill)
        late.start()
        run = timed_run(download_threads, [moved.get(photo.id, photo) for photo in photos])
        late.cancel()
        requests = server.stats()["images"] - before
        keep(run, "images")
        assert server.process.poll() is None
        yield Faulty(run, once, always, healthy, requests, Path("images").absolute(), digests(pictures))


def assert_kept(faulty: Faulty, photos: list[Photo], there: bool) -> None:
    for photo in photos:
        path = faulty.kept / f"{photo.id}.jpg"
        assert path.exists() == there
        assert not there or hashlib.sha256(path.read_bytes()).hexdigest() in faulty.whole


TROUBLE = [(name, words, TRIES) for name, _, words in PASSING + UNREACHABLE]
TROUBLE += [(name, words, BAD_BODY_TRIES) for name, _, words in BAD_BODIES]


@pytest.mark.parametrize(("name", "words", "tries"), TROUBLE, ids=[name for name, *_ in TROUBLE])
def test_trouble_is_overcome_if_it_passes_and_else_fails_alone(
    faulty: Faulty, record_property: Record, name: str, words: str, tries: int
) -> None:
    once, always = faulty.outcomes(faulty.once.get(name, [])), faulty.outcomes(faulty.always[name])
    assert len(once) == (0 if name in [name for name, *_ in UNREACHABLE] else EACH)
    assert all((outcome.status, outcome.error) == (Status.DONE, None) for outcome in once)
    assert min((outcome.tries for outcome in once), default=2) == 2
    assert [(o.status, o.error, o.path, o.bytes) for o in always] == [(Status.FAILED, words, "", 0)] * EACH
    assert min(outcome.tries for outcome in always) == tries
    assert max(outcome.tries for outcome in always) <= min(TRIES, tries + BROKEN_OFF)
    assert_kept(faulty, faulty.once.get(name, []), True)
    assert_kept(faulty, faulty.always[name], False)
    record_property(name, len(once) + len(always) * tries)


@pytest.mark.parametrize(("name", "rule", "change"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_broken_middle_arrives_as_it_came_and_becomes_a_thumbnail_or_a_failure_that_says_why(
    faulty: Faulty, pictures: Path, tmp_path: Path, record_property: Record, name: str, rule: dict, change: Callable
) -> None:
    outcomes = faulty.outcomes(faulty.once[name] + faulty.always[name])
    assert [outcome.status for outcome in outcomes] == [Status.DONE] * 2 * EACH
    assert max(outcome.tries for outcome in outcomes) <= 1 + BROKEN_OFF
    drawn = [(body, len(body) // 2) for body in (path.read_bytes() for path in pictures.glob("pictures-*/*.jpg"))]
    sent = {body[:half] + change(body[half : half + 64]) + body[half + 64 :] for body, half in drawn}
    for outcome in outcomes:
        path = faulty.kept / f"{outcome.item}.jpg"
        assert path.read_bytes() in sent
        thumbnail = helpers.make_thumbnail(path, tmp_path, 200)
        if thumbnail.status is Status.DONE:
            with Image.open(thumbnail.path) as image:
                image.load()
        else:
            assert re.match(r"the image is broken: \w", thumbnail.error)
            assert not (tmp_path / path.name).exists()
    record_property(name, 2 * EACH)


def test_the_run_tells_how_many_retries_it_took_and_that_it_does_not_count(faulty: Faulty) -> None:
    run = faulty.run
    tries = sum(outcome.tries for outcome in run.outcomes) - len(UNREACHABLE) * EACH * TRIES
    assert tries - BROKEN_OFF <= faulty.requests <= tries
    assert run.row()["retries"] == sum(outcome.tries - 1 for outcome in run.outcomes)
    found = "; ".join(problems(run))
    failed = EACH * len(TROUBLE)
    assert f"{failed} of {2 * PHOTOS} items failed" in found
    assert found in run.sentence()
    assert not list(helpers.CACHE.rglob("*.part"))
    assert {outcome.status for outcome in faulty.outcomes(faulty.healthy)} == {Status.DONE}
    assert len(run.outcomes) == len(run.items) == 2 * PHOTOS
    assert_kept(faulty, faulty.healthy, True)


# --- the API ----------------------------------------------------------------------------------------------------


def test_an_api_that_hangs_is_given_up(
    source: Source, record_property: Record, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transport, "TIMEOUT", (5, 0.5))
    monkeypatch.setattr(transport, "TRIES", 2)
    slow = [(name, rule) for name, rule, words in PASSING if words == LATE]
    server = source.server
    server.faults(*({"path": f"{RANDOM}.*kind={rule['fault']}$", **rule} for _, rule in slow))

    def ask(kind: str) -> str:
        with pytest.raises(SourceError) as problem:
            source.get(RANDOM, count=2, kind=kind)
        return str(problem.value)

    asked = server.stats()["requests"]
    with ThreadPoolExecutor(len(slow)) as executor:
        assert all(LATE in text for text in executor.map(ask, [rule["fault"] for _, rule in slow]))
    assert server.stats()["requests"] - asked == len(slow) * 2
    assert caplog.records == []  # a notebook would show them, with tracebacks
    record_property("API that hangs", len(slow) * 2)


# --- 1,500 photos ------------------------------------------------------------------------------------------------


def test_with_five_percent_of_all_answers_faulty_all_1500_photos_arrive_whole(
    start: Callable[..., PracticeServer], pictures: Path, record_property: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each photo meets one kind of fault, given by the last digit of its address, at one answer of twenty.

    A bad body comes once: two in a row would be reported instead of a third try.
    """
    monkeypatch.setattr(transport, "TIMEOUT", (5, 2))
    server = start(photos=2000, pictures=PHOTOS)  # lost answers have dealt their photos, so more than 1,500
    source = source_of(server)
    kinds = [
        *({"fault": "long"} if "a date" in name else rule for name, rule, _ in PASSING),
        *({"times": 1, **rule} for _, rule, _ in BAD_BODIES if rule["fault"] not in ("json", "png")),
    ]
    assert len(kinds) == 16
    api = ("500", "502", "reset", "cut", "html")
    server.faults(
        *({"path": f"^/p[^?]*{digit:x}[?]", "share": 0.05, **rule} for digit, rule in enumerate(kinds)),
        *({"path": RANDOM, "share": 0.01, "fault": fault} for fault in api),
    )
    photos = all_photos(source, 1500)
    pages = server.stats()["requests"]
    run = timed_run(download_threads, photos)
    assert problems(run) == []
    retries = run.row()["retries"]
    # Besides the faults, a connection may be shut down just when it is used again: one more try without a request.
    assert 40 < server.stats()["images"] - 1500 <= retries < 150
    assert pages > 50
    paths = keep(run, "images")
    assert len({path.name for path in paths}) == 1500
    assert digests(Path("images")) <= digests(pictures)
    shutil.rmtree("images")  # 250 MB
    record_property("1,500 photos in 32 threads, 5 % of the answers faulty in 16 ways", retries)


# --- ids and addresses that attack -------------------------------------------------------------------------------

EVIL_IDS = ["../../x", "..", "{folder}/x", "..\\x", "con", "NUL", "x" * 500, "a/b", "", "a\0b", None]
EVIL_ADDRESSES = ["{evil}/photo", "ftp://127.0.0.1/photo", "file:///etc/passwd", "{images}@{evil_host}/photo",
                  "{evil}/{images}", "javascript:alert(1)", "//[", "{api}/photos/random"]  # fmt: skip


def test_hostile_answers_reach_no_other_host_no_other_folder_and_get_no_key(
    host: Host, server: PracticeServer, records: list[dict], record_property: Record, tmp_path: Path
) -> None:
    """`host` is the API and sends records that attack; the practice server has the photos, and `evil` wants the key."""
    with another_host() as evil:
        evil.reply = lambda: (200, "image/jpeg", b"\xff\xd8\xffevil\xff\xd9")
        names = {"evil": evil.address, "evil_host": urlsplit(evil.address).netloc}
        names |= {"images": server.images, "api": host.address}
        good = [*records[:4], {**records[4], "id": "-rf"}]
        page = [
            *good,
            *good,  # twice in one answer
            *({**records[5], "id": name.format(folder=tmp_path) if name else name} for name in EVIL_IDS),
            *(
                {"id": f"elsewhere-{number}", "urls": {"regular": address.format(**names)}}
                for number, address in enumerate(EVIL_ADDRESSES)
            ),
            {"id": "redirected", "urls": records[6]["urls"]},
        ]
        host.reply = lambda: (200, "application/json", json.dumps(page).encode())
        redirected = re.escape(urlsplit(records[6]["urls"]["regular"]).path)
        server.faults({"path": redirected, "fault": "redirect", "value": f"{evil.address}/photo"})
        leaks = server.stats()["leaks"]
        source = Source("Unsplash", "hostile", host.address, [server.images], Secret(KEY))
        count = len(good) + len(EVIL_ADDRESSES) + 1
        run = timed_run(download_threads, source.photos(collect_photos(source, count)))
        keep(run, "images")

        assert evil.seen == []
        assert server.stats()["leaks"] == leaks
        assert [path for path, _ in host.seen] == [f"{RANDOM}?count=30"]
        assert [headers["Authorization"] for _, headers in host.seen] == [f"Client-ID {KEY}"]
        assert {path.name for path in Path("images").iterdir()} == {f"{record['id']}.jpg" for record in good}
        assert "status 302 (1)" in "; ".join(problems(run))
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {path.relative_to(tmp_path).parts[0] for path in files} == {"cache", "images"}
        assert all(KEY.encode() not in path.read_bytes() for path in files)
    counts = {
        "id that attacks": len(EVIL_IDS), "image address that attacks": len(EVIL_ADDRESSES),
        "redirect to another host": 1,
    }  # fmt: skip
    for fault, times in counts.items():
        record_property(fault, times)
