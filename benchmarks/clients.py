"""HTTP clients that download photos: each function (photos, folder, connections) runs in a fresh process.

They measure themselves: imports and set-up come before the stopwatch, opening connections does not.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import requests

import helpers
from benchmarks import common
from benchmarks.common import Round, stopwatch
from helpers import Photo
from kit.coroutines import download_coroutines
from kit.files import write
from kit.journal import JOURNAL
from kit.pixels import not_a_jpeg

TIMEOUT = 20  # seconds


def in_threads(work: Callable[[Photo], object], photos: Sequence[Photo], threads: int) -> Round:
    with stopwatch() as measured, ThreadPoolExecutor(threads) as executor:
        list(executor.map(work, photos))
    return measured


def save(photo: Photo, folder: Path, body: bytes) -> None:
    """What download_photo does with a body: end-of-image check, temporary file, rename."""
    if trouble := not_a_jpeg(body):
        raise ValueError(trouble)
    write(f"{folder}/{photo.id}.jpg", body)


def ours(photos: Sequence[Photo], folder: Path, threads: int) -> Round:
    return in_threads(functools.partial(helpers.download_photo, folder=folder), photos, threads)


def timed(photos: Sequence[Photo], folder: Path, threads: int) -> Round:
    (folder / JOURNAL).mkdir()
    return ours(photos, folder, threads)


def get() -> Callable[[str], bytes]:
    return lambda url: requests.get(url, timeout=TIMEOUT).content


def session(whole: bool = False) -> Callable[[str], bytes]:
    """`whole`: read the body at once, not in pieces as `.content` does."""
    one = requests.Session()
    one.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))

    def fetch(url: str) -> bytes:
        with one.get(url, stream=whole, timeout=TIMEOUT) as answer:
            return answer.raw.read() if whole else answer.content

    return fetch


at_once = functools.partial(session, True)


def prepared() -> Callable[[str], bytes]:
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=64)
    request = requests.Session().prepare_request(requests.Request("GET", "http://127.0.0.1"))

    def fetch(url: str) -> bytes:
        own = request.copy()
        own.url = url
        with adapter.send(own, stream=True, timeout=TIMEOUT) as answer:
            return answer.raw.read()

    return fetch


def step(make: Callable[[], Callable[[str], bytes]], photos: Sequence[Photo], folder: Path, threads: int) -> Round:
    fetch = make()
    return in_threads(lambda photo: save(photo, folder, fetch(photo.url)), photos, threads)


def aiohttp(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    common.needs("aiohttp")
    import aiohttp

    async def work() -> None:
        todo, connector = iter(photos), aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as client:

            async def take() -> None:
                for photo in todo:
                    async with client.get(photo.url) as answer:
                        save(photo, folder, await answer.read())

            await asyncio.gather(*(take() for _ in range(connections)))

    with stopwatch() as measured:
        asyncio.run(work())
    return measured


def httpx(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    """The notebook's control."""
    import httpx  # noqa: F401 - imports are not timed

    with stopwatch() as measured:
        download_coroutines(photos, folder, connections)
    return measured


def bare(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    """What the server can serve: reads every answer to its end, and writes nothing."""
    host, todo = urlsplit(photos[0].url), iter(photos)

    async def take() -> None:
        reader, writer = await asyncio.open_connection(host.hostname, host.port, limit=1 << 22)
        for photo in todo:
            path = photo.url.split(host.netloc)[1]
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise common.Refused("unequal work: an answer was no photo")
            await reader.readexactly(int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1]))
        writer.close()

    async def work() -> None:
        await asyncio.gather(*(take() for _ in range(connections)))

    with stopwatch() as measured:
        asyncio.run(work())
    return measured


def command(photos: Sequence[Photo], folder: Path, line: str, *arguments: object) -> Round:
    """Run a program that reads a list with one `line` for each photo."""
    (folder / "list").write_text("".join(line.format(url=photo.url, id=photo.id) for photo in photos))
    with stopwatch() as measured:
        common.run(*arguments, "list", folder=folder)
    return measured


def curl(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    options = ("-sS", "--fail", "--parallel", "--parallel-immediate", "--parallel-max", connections, "--config")
    return command(photos, folder, 'url = "{url}"\noutput = "{id}.jpg"\n', "curl", "curl", *options)


def aria2c(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    options = ("--no-conf", "--quiet", "-s1", "--file-allocation=none", "--auto-save-interval=0", "-j", connections)
    return command(photos, folder, "{url}\n  out={id}.jpg\n", "aria2", "aria2c", *options, "-i")


def img2dataset(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    return common.img2dataset(urls=[photo.url for photo in photos], folder=folder, threads=connections)
