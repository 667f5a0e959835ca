"""HTTP clients that download photos with latency: each function runs in a fresh process and measures itself.

Imports and set-up come before the stopwatch, opening connections does not. All write into `folder`.
"""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import requests

import helpers
from benchmarks.common import ROOT, Refused, Round, program, run, stopwatch
from helpers import Photo

TIMEOUT = 20  # seconds
MIB = 1 << 20


def in_threads(work: Callable[[Photo], object], photos: Sequence[Photo], threads: int) -> Round:
    with stopwatch() as measured, ThreadPoolExecutor(threads) as executor:
        list(executor.map(work, photos))
    return measured


def save(photo: Photo, folder: Path, body: bytes) -> None:
    """What download_photo does with a body: end-of-image check, temporary file, rename."""
    if not body.startswith(b"\xff\xd8\xff") or b"\xff\xd9" not in body[-64:]:
        raise ValueError("not a whole JPEG")
    part = f"{folder}/{photo.id}.part"
    with open(part, "wb") as file:  # noqa: PTH123 - as fast as helpers.py
        file.write(body)
    os.replace(part, f"{folder}/{photo.id}.jpg")  # noqa: PTH105


# --- ours -------------------------------------------------------------------------------------------------------


def ours(photos: Sequence[Photo], folder: Path, threads: int) -> Round:
    return in_threads(functools.partial(helpers.download_photo, folder=folder), photos, threads)


def _share(photos: Sequence[Photo], folder: Path, threads: int) -> float:
    """CPU seconds of the downloads in this process."""
    return ours(photos, folder, threads)["cpu"]


def ours_in_processes(photos: Sequence[Photo], folder: Path, threads: int, processes: int, warm: bool) -> Round:
    """Threads in several processes; `warm`: the processes have started before the time begins."""
    executor = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    shares = [photos[number::processes] for number in range(processes)]
    if warm:
        list(executor.map(_wait, repeat(0.3, processes)))  # long enough that each process gets one
    with stopwatch() as measured:
        cpu = sum(executor.map(_share, shares, repeat(folder), repeat(threads)))
    executor.shutdown()
    measured["cpu"] += cpu
    return measured


def _wait(seconds: float) -> None:
    time.sleep(seconds)


# --- Python peers -----------------------------------------------------------------------------------------------


def _in_coroutines(fetch: Callable[[Photo], Awaitable[bytes]], photos: Sequence[Photo], folder: Path, at_once: int):
    todo = iter(photos)

    async def work() -> None:
        for photo in todo:
            save(photo, folder, await fetch(photo))

    return asyncio.gather(*(work() for _ in range(at_once)))


def aiohttp(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    import aiohttp

    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:

            async def fetch(photo: Photo) -> bytes:
                async with session.get(photo.url) as answer:
                    return await answer.read()

            await _in_coroutines(fetch, photos, folder, connections)

    with stopwatch() as measured:
        asyncio.run(run())
    return measured


def httpx(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    import httpx

    async def run() -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT) as session:

            async def fetch(photo: Photo) -> bytes:
                return (await session.get(photo.url)).raise_for_status().content

            await _in_coroutines(fetch, photos, folder, connections)

    with stopwatch() as measured:
        asyncio.run(run())
    return measured


# --- commands: as they come, without an end-of-image check -------------------------------------------------------


def _command(folder: Path, lines: list[str], *command: str) -> Round:
    """Run a command that reads the addresses from a file."""
    listed = folder / "list.txt"
    listed.write_text("".join(lines), encoding="utf-8")
    with stopwatch() as measured:
        run(*command, listed, folder=folder)
    return measured


def curl(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    lines = [f'url = "{photo.url}"\noutput = "{photo.id}.jpg"\n' for photo in photos]
    options = ("-sS", "--fail", "--parallel", "--parallel-immediate", "--parallel-max", str(connections))
    return _command(folder, lines, program("curl"), *options, "--config")


def aria2c(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    lines = [f"{photo.url}\n  out={photo.id}.jpg\n" for photo in photos]
    options = (
        "--quiet",
        "-j",
        str(connections),
        "-s1",
        "--auto-save-interval=0",
        "--file-allocation=none",
        "--no-conf",
    )
    return _command(folder, lines, program("aria2c", "aria2"), *options, "-i")


def wget(photos: Sequence[Photo], folder: Path) -> Round:
    return _command(folder, [f"{photo.url}\n" for photo in photos], program("wget"), "-q", "-i")


def img2dataset(photos: Sequence[Photo], folder: Path, connections: int) -> Round:
    """One process for all photos, which is its fastest way here, without resizing, re-encoding and hashes."""
    found = sorted((ROOT / ".venv-img2dataset").glob("*/img2dataset*"))
    if not found:
        raise Refused("not installed: make bench")
    options = ("--processes_count=1", f"--thread_count={connections}", f"--number_sample_per_shard={2 * len(photos)}")
    options += ("--resize_mode=no", "--disable_all_reencoding=True", "--compute_hash=None", "--output_format=files")
    lines = [f"{photo.url}\n" for photo in photos]
    return _command(folder, lines, str(found[0]), *options, f"--output_folder={folder / 'out'}", "--url_list")


# --- the steps of the ladder ------------------------------------------------------------------------------------


def _simple(photo: Photo, folder: Path, body: bytes) -> None:
    Path(folder, f"{photo.id}.jpg").write_bytes(body)


def without_session(photos: Sequence[Photo], folder: Path) -> Round:
    with stopwatch() as measured:
        for photo in photos:
            _simple(photo, folder, requests.get(photo.url, timeout=TIMEOUT).content)
    return measured


def with_session(photos: Sequence[Photo], folder: Path) -> Round:
    with stopwatch() as measured, requests.Session() as session:
        for photo in photos:
            _simple(photo, folder, session.get(photo.url, timeout=TIMEOUT).content)
    return measured


def _session(threads: int) -> requests.Session:
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=threads))
    return session


def content(photos: Sequence[Photo], folder: Path, threads: int) -> Round:
    session = _session(threads)
    return in_threads(lambda p: _simple(p, folder, session.get(p.url, timeout=TIMEOUT).content), photos, threads)


def large_chunks(photos: Sequence[Photo], folder: Path, threads: int, environment: bool = True) -> Round:
    """`environment`: whether requests looks for proxies and passwords before every request."""
    session = _session(threads)
    if not environment:
        settings = session.merge_environment_settings(photos[0].url, {}, None, None, None)
        session.trust_env, session.proxies, session.verify = False, settings["proxies"], settings["verify"]

    def download(photo: Photo) -> None:
        with session.get(photo.url, stream=True, timeout=TIMEOUT) as answer:
            _simple(photo, folder, b"".join(answer.iter_content(MIB)))

    return in_threads(download, photos, threads)


def prepared(photos: Sequence[Photo], folder: Path, threads: int) -> Round:
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=threads)
    request = requests.Session().prepare_request(requests.Request("GET", photos[0].url))

    def download(photo: Photo) -> None:
        own = request.copy()
        own.url = photo.url
        with adapter.send(own, stream=True, timeout=TIMEOUT) as answer:
            _simple(photo, folder, b"".join(answer.iter_content(MIB)))

    return in_threads(download, photos, threads)
