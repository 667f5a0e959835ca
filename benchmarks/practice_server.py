"""Is the practice server fast enough? CPU per image, and its top rate beside the rate of download_photo.

Both clients fetch the same photos over 64 connections, without latency and without a limit of bandwidth, so that only
CPUs limit them. The bare client counts bytes and does nothing else.
"""

from __future__ import annotations

import asyncio
import functools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import clients, common
from benchmarks.common import Options, Refused, Round, Target, column, ratios, spread
from benchmarks.downloads import check, reference
from helpers import Photo

CONNECTIONS = 64
BARE, OURS = "bare client: what the server can serve", f"download_photo, {CONNECTIONS} threads"


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


def bare(photos: Sequence[Photo], folder: Path) -> Round:
    """Writes no photo, but the number of their bytes."""
    host = urlsplit(photos[0].url)
    todo = [
        f"GET {photo.url.split(host.netloc)[1]} HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode() for photo in photos
    ]
    sizes: list[int] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        ends = [loop.create_future() for _ in range(CONNECTIONS)]
        for end in ends:
            await loop.create_connection(lambda end=end: Bare(todo, sizes, end), host.hostname, host.port)
        await asyncio.gather(*ends)

    with common.stopwatch() as measured:
        asyncio.run(run())
    (folder / "bytes").write_text(str(sum(sizes)))
    return measured


def measure(options: Options) -> dict:
    with common.served(options, 0) as (server, photos):
        digests, sizes = reference(photos), {}

        def timed(client: Callable[..., Round], *arguments: object) -> Round:
            folder = options.folder("practice_server")
            before = common.server_cpu(server)
            measured = common.fresh_process(client, photos, folder, *arguments)
            measured["server"] = common.server_cpu(server) - before
            if client is bare:
                sizes["bare"] = int((folder / "bytes").read_text())
            else:
                check(photos, folder, digests)
                sizes["ours"] = sum(path.stat().st_size for path in folder.iterdir())
            if len(set(sizes.values())) > 1:
                raise Refused("unequal work: the two clients did not get the same bytes")
            return measured

        tools = {
            OURS: functools.partial(timed, clients.ours, CONNECTIONS),
            BARE: functools.partial(timed, bare),
        }
        rounds = common.alternate(tools, options.rounds)
    return {
        "photos": len(photos),
        "kilobytes": sizes["ours"] / len(photos) / 1e3,
        "rounds": rounds,
        "versions": common.versions("tornado", "requests"),
    }


def report(data: dict) -> list[str]:
    rounds, photos = data["rounds"], data["photos"]

    def server(name: str) -> list[float]:
        return [value * 1e3 / photos for value in column(rounds[name], "server")]

    return [
        f"{photos:,} photos of {data['kilobytes']:.0f} kB (`regular`) in each of {len(column(rounds[OURS]))} rounds, "
        f"{CONNECTIONS} connections, no latency, no limit of bandwidth, server and client on the same CPUs. The "
        "server's CPU time is that of its process.",
        "",
        *common.table(
            ["client", "photos/s", "server's CPU ms per photo", "client's CPU ms per photo"],
            [
                [
                    name,
                    spread([photos / value for value in column(rounds[name])], ",.0f"),
                    spread(server(name)),
                    f"{statistics.median(column(rounds[name], 'cpu')) * 1e3 / photos:.2f}",
                ]
                for name in (BARE, OURS)
            ],
        ),
        *common.targets(
            Target("server's CPU ms per photo, bare client", server(BARE), at_most=0.5),
            Target("server's CPU ms per photo, download_photo", server(OURS), at_most=0.5),
            Target("top rate, times the rate of download_photo", ratios(rounds, BARE, OURS), 4),
        ),
    ]
