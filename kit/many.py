"""Many items at once, in any executor: as they finish, and two stages that pass items on. It knows no photo."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import queue
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from kit.items import Outcome, Photo, Status


def as_done(executor: Executor, function: Callable, *iterables: Iterable, limit: int) -> Generator:
    """Like `executor.map(function, *iterables)`, but yields results as they finish, and sends no more than it must.

    Items are taken from the iterables only as there is room, so these may be endless, or wait for another stage;
    while they make it wait for an item, results wait, too. If the caller stops, or the function raises, what has not
    begun is cancelled.

    Args:
        limit: the most items that are under way (sent, and their result not yielded yet). Twice the number of
            workers keeps all of them busy.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    items = zip(*iterables)  # noqa: B905 - like map: the shortest one ends it, so repeat() may be among them
    under_way: set[Future] = set()
    finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
    try:
        while True:
            for arguments in itertools.islice(items, limit - len(under_way)):
                future = executor.submit(function, *arguments)
                under_way.add(future)
                future.add_done_callback(finished.put)
                if not finished.empty():
                    break
            if not under_way:
                return
            future = finished.get()
            under_way.remove(future)
            yield future.result()
    finally:
        for future in under_way:
            future.cancel()


def pipeline(
    download: Callable[[Photo, Path | str], Outcome],
    resize: Callable[[str, Path | str, int], Outcome],
    photos: Iterable[Photo],
    images_folder: Path | str,
    thumbnails_folder: Path | str,
    size: int,
    threads: int,
    processes: int,
    waiting: int = 128,
) -> Iterator[Outcome]:
    """Download photos in threads, and make thumbnails of them in processes as they arrive.

    The second stage asks the first one for the next photo, so a slow second stage holds the first one back.

    Args:
        download, resize: the functions for one item, download_photo and make_thumbnail.
        size: longer side of a thumbnail, in pixels.
        threads, processes: how many workers each stage has.
        waiting: the most photos that have been handed to the second stage and whose thumbnails are not yielded yet.
            While processes start, downloads go on up to here.

    Yields:
        The thumbnails' Outcomes as they finish, and those of the downloads that failed or are gone.
    """
    failed: list[Outcome] = []

    def arrived(downloads: Iterable[Outcome]) -> Iterator[str]:
        for outcome in downloads:
            if outcome.status in (Status.FAILED, Status.GONE):
                failed.append(outcome)
            else:
                yield outcome.path

    with (
        ThreadPoolExecutor(threads) as downloaders,
        ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as resizers,
        contextlib.closing(
            as_done(downloaders, download, photos, itertools.repeat(images_folder), limit=2 * threads)
        ) as downloads,
    ):
        folders, sizes = itertools.repeat(thumbnails_folder), itertools.repeat(size)
        yield from as_done(resizers, resize, arrived(downloads), folders, sizes, limit=waiting)
    yield from failed
