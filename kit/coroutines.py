"""The download once more with asyncio and httpx, which one thread does for all photos: a control, not the way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit.files import write
from kit.items import Outcome, Photo, Status, failed
from kit.journal import clock, note
from kit.pixels import not_a_jpeg


def download_coroutines(photos: Sequence[Photo], folder: Path | str, workers: int) -> None:
    """Download all photos into `folder`, at most `workers` at once.

    asyncio.run needs a thread of its own, because a notebook has an event loop already.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(asyncio.run, _download_all(photos, folder, workers)).result()


async def _download_all(photos: Sequence[Photo], folder: Path | str, workers: int) -> None:
    import httpx  # comes with Jupyter

    gate = asyncio.Semaphore(workers)

    async def download(photo: Photo) -> None:
        async with gate:
            started = clock()
            try:
                outcome = _saved(photo, folder, await client.get(photo.url))
            except httpx.HTTPError as problem:
                outcome = failed(photo.id, f"trouble of the kind {type(problem).__name__}")
            note(outcome, folder, started)

    # By itself httpx keeps 20 connections, and opens a new one for nearly every photo if there are more workers.
    limits = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)
    practice = any("127.0.0.1" in photo.url for photo in photos[:1])  # a practice server is behind no proxy
    verify = not practice and (os.environ.get("REQUESTS_CA_BUNDLE") or True)  # plain HTTP: no certificates to load
    async with httpx.AsyncClient(timeout=30, trust_env=not practice, verify=verify, limits=limits) as client:
        await asyncio.gather(*map(download, photos))


def _saved(photo: Photo, folder: Path | str, answer) -> Outcome:
    if answer.status_code in (404, 410):
        return Outcome(photo.id, Status.GONE)
    if trouble := f"status {answer.status_code}" if answer.status_code != 200 else not_a_jpeg(answer.content):
        return failed(photo.id, trouble)
    target = os.path.join(folder, f"{photo.id}.jpg")
    return Outcome(photo.id, Status.DONE, write(target, answer.content), target)
