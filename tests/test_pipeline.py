"""Many items at once: as_done with its limit, and both stages at the same time."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import PATIENCE, download_serial, download_threads, resize_serial, until

import helpers
from helpers import Outcome, Photo, Status, as_done, compare, pipeline, problems, timed_pipeline, timed_run
from kit.errors import UnequalWork

THREADS, PROCESSES = 6, 2


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


# --- as_done ------------------------------------------------------------------------------------------------------


def test_yields_in_the_order_of_finishing(executor: Executor) -> None:
    second_is_out = threading.Event()

    def work(name: str) -> str:
        assert name == "second" or second_is_out.wait(PATIENCE)
        return name

    results = as_done(executor, work, ["first", "second"], limit=2)
    assert next(results) == "second"
    second_is_out.set()
    assert list(results) == ["first"]


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_gives_what_map_gives_and_never_more_than_the_limit_is_under_way(executor: Executor, limit: int) -> None:
    sent, found = [], []
    items = (sent.append(number) or number for number in range(50))
    for square in as_done(executor, pow, items, itertools.repeat(2), limit=limit):
        assert len(sent) - len(found) <= limit, "more items were taken than may be under way"
        found.append(square)
    assert sorted(found) == list(map(pow, range(50), itertools.repeat(2)))


def test_an_endless_iterable_is_no_problem_and_a_result_does_not_wait_for_further_items() -> None:
    class AtOnce(Executor):
        def submit(self, function: Callable, /, *arguments: object) -> Future:
            (future := Future()).set_result(function(*arguments))
            return future

    sent: list[int] = []
    items = (sent.append(number) or number for number in itertools.count())
    for number in itertools.islice(as_done(AtOnce(), abs, items, limit=4), 10):
        assert sent[-1] == number


@pytest.mark.parametrize("trouble", [False, True], ids=["closed", "an exception"])
def test_what_has_not_begun_is_cancelled(executor: Executor, trouble: bool) -> None:
    """The first item ends, well or not, when 50 have been sent; those behind it wait until as_done has ended."""
    begun, all_sent, go_on = [], threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(49)
        all_sent.set()
        yield 49

    def work(number: int) -> int:
        begun.append(number)
        assert (go_on if number else all_sent).wait(PATIENCE)
        if trouble:
            raise ArithmeticError("the first one")
        return number

    results = as_done(executor, work, items(), limit=50)
    if trouble:
        with pytest.raises(ArithmeticError, match="the first one"):
            next(results)
    else:
        assert next(results) == 0
        results.close()
    go_on.set()
    executor.shutdown()
    assert len(begun) <= 3  # the first one, and one for each of the two threads


def test_a_limit_below_one_is_refused(executor: Executor) -> None:
    with pytest.raises(ValueError, match="limit"):
        next(as_done(executor, abs, [1], limit=0))


# --- both stages at the same time -----------------------------------------------------------------------------------


def both(
    photos: list[Photo], images: Path, thumbnails: Path, download: Callable = helpers.download_photo,
    threads: int = THREADS, processes: int = PROCESSES, **waiting: int,
) -> Iterator[Outcome]:  # fmt: skip
    """The two functions of this project, one after the other on each photo."""
    return pipeline(download, helpers.make_thumbnail, photos, images, thumbnails, 200, threads, processes, **waiting)


def pipelined(photos: list[Photo], images: Path, thumbnails: Path) -> None:
    assert len(list(both(photos, images, thumbnails))) == len(photos)


def test_does_the_work_of_both_stages(photos: list[Photo]) -> None:
    download, resize = runs = timed_pipeline(pipelined, photos)
    assert [problems(run) for run in runs] == [[], []]
    assert (download.mode, resize.mode) == ("threads", "processes")
    assert download.wall == resize.wall and download.started == resize.started
    assert compare(timed_run(download_threads, photos), download) > 0
    assert compare(timed_run(resize_serial, sorted(download.folder.glob("*.jpg"))), resize) > 0


def test_less_work_is_not_compared(photos: list[Photo]) -> None:
    def half(photos: list[Photo], images: Path, thumbnails: Path) -> None:
        list(both(photos[::2], images, thumbnails))

    download, resize = timed_pipeline(half, photos)
    assert "15 of 30 items were never done" in problems(download)
    with pytest.raises(UnequalWork, match="15 of 30 items were never done"):
        compare(timed_run(resize_serial, sorted(download.folder.glob("*.jpg"))), resize)


def test_thumbnails_are_made_before_the_last_photo_comes(photos: list[Photo], tmp_path: Path, folder: Path) -> None:
    """One photo is held back until the thumbnails of all others are there."""
    others_are_there = threading.Event()

    def held_back(photo: Photo, folder: Path) -> Outcome:
        assert photo is not photos[0] or others_are_there.wait(PATIENCE)
        return helpers.download_photo(photo, folder)

    with ThreadPoolExecutor(1) as consumer:
        try:
            outcomes = consumer.submit(list, both(photos, tmp_path, folder, download=held_back))
            until(lambda: len(list(folder.glob("*.jpg"))) == len(photos) - 1, "all other thumbnails were there")
            assert not (tmp_path / f"{photos[0].id}.jpg").exists()
        finally:
            others_are_there.set()
    assert {outcome.status for outcome in outcomes.result()} == {Status.DONE}
    assert len(outcomes.result()) == len(photos) == len(list(folder.glob("*.jpg")))


def test_a_slow_second_stage_holds_the_first_one_back(photos: list[Photo], tmp_path: Path, folder: Path) -> None:
    """Nobody takes thumbnails out after the first one: only as many photos are downloaded as the limits allow."""
    results = both(photos, tmp_path, folder, threads=2, processes=1, waiting=4)
    next(results)
    results.close()
    arrived = len(list(tmp_path.glob("*.jpg")))
    assert 1 <= arrived <= 1 + 4 + 2 * 2 < len(photos)


def test_a_photo_that_was_there_gets_its_thumbnail_and_one_that_is_gone_is_yielded(
    photos: list[Photo], tmp_path: Path, folder: Path
) -> None:
    download_serial(photos[:10], tmp_path)
    photos = [*photos[:5], Photo("gone", photos[0].url.rpartition("/")[0] + "/photo-gone"), *photos[5:]]
    found = list(both(photos, tmp_path, folder))
    assert [outcome.item for outcome in found if outcome.status is Status.GONE] == ["gone"]
    assert len(list(folder.glob("*.jpg"))) == len(found) - 1 == len(photos) - 1


def test_stopping_leaves_whole_files_and_no_process(photos: list[Photo], tmp_path: Path, folder: Path) -> None:
    before = multiprocessing.active_children()
    for _ in both(photos, tmp_path, folder):
        break  # the generator is closed here
    assert multiprocessing.active_children() == before
    assert not list(tmp_path.rglob("*.part"))
    for path in tmp_path.rglob("*.jpg"):
        assert path.read_bytes().endswith(b"\xff\xd9"), os.fspath(path)
