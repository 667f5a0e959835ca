"""Is the practice server fast enough? Its top rate beside the rate of download_photo, measured in alternation.

    python benchmarks/server.py        takes about a minute and writes benchmarks/server.md

Both fetch the same photos over 64 connections, without latency and without a limit of bandwidth, so that only CPUs
limit them. The bare client counts bytes and does nothing else; download_photo checks, writes and notes each photo.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import helpers  # noqa: E402
import practice  # noqa: E402

CONNECTIONS, ROUNDS, PHOTOS, COPIES = 64, 7, 150, 4


class Bare(asyncio.Protocol):
    """One connection that asks for photo after photo and only counts what arrives."""

    def __init__(self, todo: list[bytes], sizes: list[int], done: asyncio.Future):
        self.todo, self.sizes, self.done, self.left, self.head = todo, sizes, done, 0, b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if self.todo:
            self.transport.write(self.todo.pop())
        else:
            self.transport.close()
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self.left:
            self.head += data
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            self.sizes.append(size)
            self.left, self.head, data = size, b"", body
        self.left -= len(data)
        if not self.left:
            self.ask()


async def bare_rate(photos: list[helpers.Photo]) -> tuple[float, int]:
    """Photos per second and bytes of the bare client."""
    host = urlsplit(photos[0].url)
    todo = [
        f"GET {photo.url.split(host.netloc)[1]} HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode() for photo in photos
    ]
    loop, sizes = asyncio.get_running_loop(), []
    started = time.perf_counter()
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    for end in ends:
        await loop.create_connection(lambda end=end: Bare(todo, sizes, end), host.hostname, host.port)
    await asyncio.gather(*ends)
    return len(photos) / (time.perf_counter() - started), sum(sizes)


def download_rate(photos: list[helpers.Photo]) -> tuple[float, int]:
    """Photos per second and bytes of download_photo in threads; copies of a photo go into folders of their own."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, str(copy)) for copy in range(COPIES)]
        for folder in folders:
            folder.mkdir()
        started = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as executor:
            targets = [folder for folder in folders for _ in range(PHOTOS)]
            outcomes = list(executor.map(helpers.download_photo, photos, targets))
        return len(photos) / (time.perf_counter() - started), sum(outcome.bytes for outcome in outcomes)


def main() -> None:
    with practice.start(ROOT / "cache" / "practice", photos=PHOTOS, latency=0, bandwidth=0) as server:
        source = helpers.Source(
            "practice", "benchmark", server.api, [server.images], helpers.Secret(server.key), server
        )
        pages = [source.get("/photos/random", count=30) for _ in range(PHOTOS // 30)]
        photos = source.photos([record for page in pages for record in page]) * COPIES
        bare, download = [], []
        for _ in range(ROUNDS):
            rate, fetched = asyncio.run(bare_rate(photos))
            bare.append(rate)
            rate, written = download_rate(photos)
            download.append(rate)
            assert fetched == written, "the two did not fetch the same bytes"
        rates = (bare, download)
        rows = [("bare client: what the server can serve", bare), ("download_photo in 64 threads", download)]
    lines = [
        "# How fast is the practice server?",
        "",
        f"Written by `python benchmarks/server.py` on {date.today()}: {len(photos)} photos in each of {ROUNDS} rounds, "
        f"{fetched / len(photos) / 1e3:.0f} kB each, {CONNECTIONS} connections, no latency, no limit of bandwidth.",
        "",
        *(f"- {name}: {value}" for name, value in helpers.environment().items()),
        "",
        "| photos per second | median | lowest | highest |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {name} | {statistics.median(r):,.0f} | {min(r):,.0f} | {max(r):,.0f} |" for name, r in rows),
        "",
        f"Median of the rounds' ratios: **{statistics.median(b / d for b, d in zip(*rates, strict=True)):.1f}**.",
    ]
    (ROOT / "benchmarks" / "server.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
