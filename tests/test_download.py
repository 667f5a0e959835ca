"""download_photo: one photo, whole or not at all, and the same Outcome from every kind of executor.

What it makes of each fault of the network is tested in test_faults.py, with 32 threads.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import Host, download_serial, download_threads, jpeg, source_of
from PIL import Image, ImageCms

from helpers import Outcome, Photo, Status, download_photo, keep, make_thumbnail, problems, timed_run
from kit import transport
from kit.transport import RETRIED, TRIES
from practice import PracticeServer
from practice.pictures import PROFILE

METHODS = multiprocessing.get_all_start_methods()
PICTURE = jpeg(Image.effect_noise((120, 80), 60))


@pytest.fixture
def host(host: Host) -> Host:
    """A host that answers with a small photo."""
    host.reply = lambda: (200, "image/jpeg", PICTURE)
    return host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "around" / "photos"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def photo(photos: list[Photo]) -> Photo:
    return photos[0]


def served(photo: Photo) -> bytes:
    with urllib.request.urlopen(photo.url, timeout=30) as answer:
        return answer.read()


def break_photo(server: PracticeServer, photo: Photo, **rule: object) -> None:
    server.faults({"path": re.escape(urlsplit(photo.url).path), **rule})


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- a photo that arrives ----------------------------------------------------------------------------------------


def test_n_photos_cost_n_requests_whatever_their_bytes_hold(host: Host, folder: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    profiles = (PROFILE, PROFILE[:200], lab, b"\xff\xd9" * 99_000)  # the last one in four segments, full of ends
    half = len(PICTURE) // 2
    bodies = [
        PICTURE,
        *(jpeg(Image.new("RGB", (64, 64)), icc_profile=profile) for profile in profiles),
        PICTURE[:half] + bytes(5000) + PICTURE[half:],
        PICTURE[:half] + PICTURE[half : half + 64][::-1] + PICTURE[half + 64 :],
    ]
    host.reply = lambda: (200, "image/jpeg", bodies[int(host.seen[-1][0].strip("/"))])
    run = timed_run(download_serial, [Photo(f"photo-{n}", f"{host.address}/{n}") for n in range(len(bodies))])
    assert (problems(run), run.row()["retries"]) == ([], 0)
    assert [path.read_bytes() for path in keep(run, folder)] == bodies
    for path in folder.iterdir():
        make_thumbnail(path, folder.parent, 200)
    assert (len(host.seen), len(host.clients)) == (len(bodies), 1)  # over one connection


def test_an_answer_that_drips_arrives_whole_if_no_silence_is_too_long(
    server: PracticeServer, photo: Photo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(photo, url=photo.url.replace("w=1080", "w=60"))
    expected = served(small)
    monkeypatch.setattr(transport, "TIMEOUT", (5, 2))
    break_photo(server, small, fault="drip", value=2.2 / len(expected))  # seconds: more than TIMEOUT in all
    outcome = download_photo(small, folder)
    assert (outcome.status, outcome.tries) == (Status.DONE, 1)
    assert outcome.finished - outcome.started > 2.2
    assert (folder / f"{small.id}.jpg").read_bytes() == expected


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
    server: PracticeServer, photos: list[Photo], folder: Path, record_property: Callable
) -> None:
    record_property("body longer than announced", 1)
    expected = [served(photo) for photo in photos[:2]]
    break_photo(server, photos[0], fault="long")
    first, second = (download_photo(photo, folder) for photo in photos[:2])
    assert (first.status, first.tries, second.status) == (Status.DONE, 1, Status.DONE)
    assert second.tries <= 2  # the server ends the connection, possibly just when it is used again
    assert [(folder / f"{photo.id}.jpg").read_bytes() for photo in photos[:2]] == expected


# --- trouble that passes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(RETRIED))
@pytest.mark.parametrize("times", range(1, TRIES + 1))
def test_some_statuses_are_retried(host: Host, folder: Path, pauses: list[float], status: int, times: int) -> None:
    host.reply = lambda: (status if len(host.seen) <= times else 200, "image/jpeg", PICTURE)
    outcome = download_photo(Photo("abc", f"{host.address}/abc"), folder)
    overcome = (Status.DONE, None, times + 1)
    assert (outcome.status, outcome.error, outcome.tries) == (
        overcome if times < TRIES else (Status.FAILED, f"status {status}", TRIES)
    )
    assert (len(host.seen), len(pauses)) == (outcome.tries, outcome.tries - 1)
    assert files(folder) == (["abc.jpg"] if times < TRIES else [])


@pytest.mark.parametrize(("announced", "seconds"), [
    (1, 1), (3, 3), (10, 10), (3600, 10), ("Wed, 21 Oct 2099 07:28:00 GMT", 10),
])  # fmt: skip
def test_retry_after_is_obeyed_up_to_ten_seconds(
    server: PracticeServer, photo: Photo, folder: Path, pauses: list[float], announced: int | str, seconds: int
) -> None:
    break_photo(server, photo, fault="503", value=announced, times=1)
    assert download_photo(photo, folder).status is Status.DONE
    assert pauses == [seconds]


@pytest.mark.parametrize("luck", [min, max])
@pytest.mark.parametrize("announced", [None, "0", "-5", "soon", "²", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_pauses_grow_by_chance_whatever_else_retry_after_says(
    server: PracticeServer, photo: Photo, folder: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch,
    announced: str | None, luck: Callable,
) -> None:  # fmt: skip
    """Threads that failed at the same moment don't come back at the same moment."""
    monkeypatch.setattr(random, "uniform", luck)
    break_photo(server, photo, fault="429", value=announced)
    assert download_photo(photo, folder).status is Status.FAILED
    assert pauses == [luck(0.5, 1.5) * 0.25 * 2**attempt for attempt in range(TRIES - 1)]


# --- trouble that stays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["the other photo", "/", "", "http://["])
def test_redirect_is_not_followed(server: PracticeServer, photos: list[Photo], folder: Path, target: str) -> None:
    break_photo(server, photos[0], fault="redirect", value=photos[1].url if target == "the other photo" else target)
    asked = server.stats()["images"]
    outcome = download_photo(photos[0], folder)
    assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, "status 302", 1)
    assert server.stats()["images"] == asked + 1
    assert files(folder) == []


@pytest.mark.parametrize("url", ["", "photos/abc.jpg", "ftp://127.0.0.1/abc", "http://[bad/abc", "http://a..b/abc"])
def test_address_that_is_none_is_tried_once(folder: Path, pauses: list[float], url: str) -> None:
    outcome = download_photo(Photo("abc", url), folder)
    assert (outcome.status, outcome.tries, pauses) == (Status.FAILED, 1, [])
    assert outcome.error == "the address makes no sense"
    assert files(folder) == []


@pytest.mark.parametrize("bad", ["", "../evil", "/etc/evil", "a\0b", "CON", None, 7], ids=repr)
def test_bad_id_never_becomes_a_path(
    server: PracticeServer, photo: Photo, folder: Path, record_property: Callable, bad: object
) -> None:
    asked = server.stats()["images"]
    outcome = download_photo(Photo(bad, photo.url), folder)
    assert (outcome.status, outcome.error, outcome.path) == (Status.FAILED, "the id can't be a file name", "")
    assert server.stats()["images"] == asked
    assert files(folder.parent) == []
    record_property("id that attacks", 1)


@pytest.mark.parametrize("obstacle", ["missing", "a file"])
def test_a_missing_folder_is_not_tried_again(photo: Photo, folder: Path, pauses: list[float], obstacle: str) -> None:
    target = folder / "there"
    if obstacle == "a file":
        target.write_bytes(b"in the way")
    before = files(folder)
    outcome = download_photo(photo, target)
    assert (outcome.status, outcome.tries, pauses) == (Status.FAILED, 1, [])
    assert outcome.error in ("No such file or directory", "Not a directory")
    assert files(folder) == before


# --- one contract for every executor -----------------------------------------------------------------------------


def _in(executor: Callable, photos: list[Photo], folder: Path) -> list[Outcome]:
    with executor() as workers:
        return list(workers.map(download_photo, photos, repeat(folder)))


def _in_a_loop(photos: list[Photo], folder: Path) -> list[Outcome]:
    return [download_photo(photo, folder) for photo in photos]


WAYS = {"loop": _in_a_loop, "threads": partial(_in, partial(ThreadPoolExecutor, 32))} | {
    method: partial(_in, partial(ProcessPoolExecutor, 2, multiprocessing.get_context(method)))
    for method in METHODS
    if method != "fork"
}


@pytest.mark.parametrize("way", WAYS)
def test_executors_return_the_same_outcomes(
    server: PracticeServer, photos: list[Photo], folder: Path, way: str
) -> None:
    good, there, gone, bad = photos[:20], photos[20], Photo("gone", f"{server.images}/none"), Photo("../evil", "")
    (folder / f"{there.id}.jpg").write_bytes(b"mine")
    asked = server.stats()["images"]
    break_photo(server, good[0], fault="500", times=1)

    before = time.perf_counter()
    outcomes = WAYS[way]([*good, there, gone, bad], folder)
    after = time.perf_counter()

    server.faults()
    assert server.stats()["images"] == asked + len(good) + 1  # one for each, and for another try
    assert [(o.item, o.status, o.bytes, o.path, o.tries, o.error) for o in outcomes] == [
        (p.id, Status.DONE, len(served(p)), str(folder / f"{p.id}.jpg"), 2 if p is good[0] else 1, None) for p in good
    ] + [
        (there.id, Status.SKIPPED, 4, str(folder / f"{there.id}.jpg"), 1, None),
        (gone.id, Status.GONE, 0, "", 1, None),
        (bad.id, Status.FAILED, 0, "", 1, "the id can't be a file name"),
    ]
    assert all(isinstance(outcome.status, Status) for outcome in outcomes)
    assert all((folder / f"{photo.id}.jpg").read_bytes() == served(photo) for photo in good)
    assert files(folder) == sorted(f"{photo.id}.jpg" for photo in [*good, there])
    assert (folder / f"{there.id}.jpg").read_bytes() == b"mine"
    # One clock for all processes, and the workers are who they should be.
    assert all(before <= outcome.started <= outcome.finished <= after for outcome in outcomes)
    me = f"{os.getpid()}-{threading.get_native_id()}"
    in_this_process = {outcome.worker.split("-")[0] == str(os.getpid()) for outcome in outcomes}
    assert in_this_process == {way in ("loop", "threads")}
    assert {outcome.worker == me for outcome in outcomes} == {way == "loop"}


# --- what goes over the network ----------------------------------------------------------------------------------


def test_the_practice_server_is_reached_directly_and_its_image_host_gets_no_key_and_no_password(
    start: Callable[..., PracticeServer], host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    (folder.parent / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(folder.parent / "netrc"))
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, host.address)
    source = source_of(start())  # to which there are no connections yet
    photos = source.photos(source.get("/photos/random", count=5))
    download_threads(photos, folder)
    assert files(folder) == sorted(f"{photo.id}.jpg" for photo in photos)
    assert source.server.stats()["leaks"] == 0 and host.seen == []


def test_a_proxy_is_used_for_all_hosts_but_those_of_no_proxy_and_looked_up_once(
    host: Host, folder: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", host.address)
    monkeypatch.setenv("no_proxy", "direct.invalid")
    assert download_photo(Photo("one", "http://proxied.invalid/1"), folder).status is Status.DONE
    assert download_photo(Photo("none", "http://direct.invalid/1"), folder).status is Status.FAILED
    monkeypatch.delenv("http_proxy")
    assert download_photo(Photo("two", "http://proxied.invalid/2"), folder).status is Status.DONE
    assert [path for path, _ in host.seen] == ["http://proxied.invalid/1", "http://proxied.invalid/2"]


def test_all_threads_of_a_process_share_connections_no_more_than_there_are_threads(host: Host, folder: Path) -> None:
    start = threading.Barrier(16)

    def work(number: int) -> None:
        start.wait(60)
        for n in range(8):
            assert download_photo(Photo(f"p{number}-{n}", f"{host.address}/{n}"), folder).status is Status.DONE

    for first in (0, 16):  # the second threads are others
        with ThreadPoolExecutor(16) as executor:
            list(executor.map(work, range(first, first + 16)))
    assert len(host.seen) == 32 * 8
    assert len(host.clients) <= 16


@pytest.mark.skipif("fork" not in METHODS, reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_child_does_not_share_the_connection_of_its_parent(host: Host, folder: Path) -> None:
    first, second, third = (Photo(f"p{n}", f"{host.address}/{n}") for n in range(3))
    assert download_photo(first, folder).status is Status.DONE
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor:
        assert executor.submit(download_photo, second, folder).result(120).status is Status.DONE
        assert len(host.clients) == 2
        assert download_photo(third, folder).status is Status.DONE
    assert len(host.clients) == 2
    assert files(folder) == ["p0.jpg", "p1.jpg", "p2.jpg"]


@pytest.mark.parametrize("announces", [True, False])
@pytest.mark.parametrize("padding", [1, 40, 41])
def test_a_jpeg_that_its_camera_padded_is_whole_but_an_answer_larger_than_any_photo_is_not_read(
    host: Host, folder: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch, announces: bool, padding: int
) -> None:
    monkeypatch.setattr(transport, "LARGEST", len(PICTURE) + 40)
    host.announces = announces
    host.reply = lambda: (200, "image/jpeg", PICTURE + bytes(padding))
    outcome = download_photo(Photo("padded", f"{host.address}/x"), folder)
    whole = (Status.DONE, None, len(PICTURE) + padding)
    wanted = whole if padding < 41 else (Status.FAILED, "the answer is larger than any photo", 0)
    assert (outcome.status, outcome.error, outcome.bytes) == wanted
    assert files(folder) == (["padded.jpg"] if padding < 41 else [])
