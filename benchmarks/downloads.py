"""download_photo beside other clients, with 50 ms of latency for every answer and no limit of bandwidth."""

from __future__ import annotations

import functools
import hashlib
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import clients, common
from benchmarks.common import Options, Refused, Round, Rounds, each, of, rate, target, times
from helpers import Photo

BESIDE = ("urllib3", "aiohttp", "httpx", "img2dataset", "curl", "aria2c")
LATENCY, SERIAL_PHOTOS = 0.05, 60  # seconds; photos of a serial client
Client = Callable[[Sequence[Photo], Path, int], Round]

OURS = {threads: f"download_photo, {threads} threads" for threads in (32, 16, 64)}
AIOHTTP = "aiohttp, 32"
CURL, ARIA2C, IMG2DATASET = "curl --parallel, 32", "aria2c -j32", "img2dataset's downloader, 32 threads"
SERIAL, BARE = "requests with a Session, serial", "bare client: what the server can serve"
get, session, at_once, prepared = (
    functools.partial(clients.step, make) for make in (clients.get, clients.session, clients.at_once, clients.prepared)
)
CLIENTS: dict[str, tuple[Client, int]] = {  # and how many connections each has
    OURS[32]: (clients.ours, 32),
    AIOHTTP: (clients.aiohttp, 32),
    "httpx, 32": (clients.httpx, 32),
    CURL: (clients.curl, 32),
    ARIA2C: (clients.aria2c, 32),
    IMG2DATASET: (clients.img2dataset, 32),
    SERIAL: (session, 1),
    OURS[16]: (clients.ours, 16),
}
LADDER: dict[str, tuple[Client, int]] = {
    "serial, requests.get": (get, 1),
    "serial, one Session": (session, 1),
    "64 threads, .content": (session, 64),
    "the body at once": (at_once, 64),
    "one prepared request": (prepared, 64),
    "download_photo": (clients.ours, 64),
    "download_photo in a timed run": (clients.timed, 64),
}
WHY = (
    "each photo opens a connection, waits for it, and then waits for the answer",
    "the Session keeps the connection open: no hand-shake, fewer look-ups",
    "64 waits happen at once; what follows saves CPU time, which now counts beside the waiting",
    "`.content` collects pieces of 10 KiB, and each piece holds the interpreter's lock",
    "all but the path is the same for all photos; the adapter sends it without what a Session does around it",
    "the safe way: it tries again, and its file is there as a whole or not at all",
    "and each photo is noted in the run's journal",
)


def reference(photos: Sequence[Photo]) -> dict[str, str]:
    """SHA-256 of every photo by id, fetched by urllib, which no measured client uses but img2dataset."""

    def fetch(photo: Photo) -> str:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(photo.url) as answer:
            return hashlib.sha256(answer.read()).hexdigest()

    with ThreadPoolExecutor(32) as executor:
        return dict(zip((photo.id for photo in photos), executor.map(fetch, photos), strict=True))


def check(photos: Sequence[Photo], digests: dict[str, str], folder: Path) -> None:
    """Refused, unless the JPEG files in the folder are those of the photos, whatever their names."""
    found = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg"))
    wanted = Counter(digests[photo.id] for photo in photos)
    if found != wanted:
        raise Refused(f"unequal work: {(found & wanted).total():,} of {len(photos):,} photos are right")


def side_by_side(options: Options, latency: float, *tables: dict[str, tuple[Client, int]]) -> list[Rounds]:
    """Rounds of the clients of each table, with one practice server."""
    with common.served(options, latency) as (source, photos):
        digests = reference(photos)

        def ready(client: Client, connections: int) -> Callable[[], Round]:
            some = photos[:SERIAL_PHOTOS] if connections == 1 else photos

            def work(folder: Path) -> Round:
                began = source.server_cpu()
                found = common.fresh_process(client, some, folder, connections)
                return found | {"server": source.server_cpu() - began, "connections": connections}

            looked_at = (lambda folder: None) if client is clients.bare else functools.partial(check, some, digests)
            return common.task(options, len(some), work, looked_at)

        tools = [{name: ready(*tool) for name, tool in table.items()} for table in tables]
        return [common.alternate(table, options.rounds) for table in tools]


def measure(options: Options) -> dict:
    rounds, ladder = side_by_side(options, LATENCY, CLIENTS, LADDER)
    common.say(" the practice server")
    (server,) = side_by_side(options, 0, {OURS[64]: (clients.ours, 64), BARE: (clients.bare, 64)})
    latency = f"{LATENCY * 1e3:.0f} ms for every answer, no limit of bandwidth"
    photos = f"{options.photos:,} from the practice server on the same CPUs; serial clients at most {SERIAL_PHOTOS}"
    return {"facts": {"Photos": photos, "Latency": latency}, "rounds": rounds, "ladder": ladder, "server": server}


ideal = of(lambda one: LATENCY * one["items"] / one["connections"] / one["seconds"])


def compared(rounds: Rounds, name: str) -> list[float]:
    """With download_photo on as many connections; with 32 for a serial client."""
    return times(rounds, OURS.get(CLIENTS[name][1], OURS[32]), name)


def report(data: dict) -> dict[str, list[str]]:
    rounds, ladder, server = data["rounds"], data["ladder"], data["server"]
    before = dict(zip(list(LADDER)[1:], LADDER, strict=False))
    return {
        "rounds": common.table("client", rounds, {
            "photos/s": (rate, ",.0f"),
            "download_photo is ... times as fast": (compared, ".2f"),
            "CPU ms per photo": (each("cpu"), ".2f"),
            "share of the ideal": (ideal, ".2f"),
        }),
        "ladder": common.table("step", ladder, {
            "photos/s": (rate, ",.1f"),
            "times the step before": (lambda found, name: times(found, name, before.get(name, name)), ".2f"),
            "CPU ms per photo": (each("cpu"), ".2f"),
            "why": dict(zip(LADDER, WHY, strict=True)),
        }),
        "server": common.table("client", server, {
            "photos/s": (rate, ",.0f"),
            "server's CPU ms per photo": (each("server"), ".2f"),
            "client's CPU ms per photo": (each("cpu"), ".2f"),
        }),
        "targets": common.targets(
            target("32: times aiohttp doing the same", times(rounds, OURS[32], AIOHTTP), 1),
            target("32: times curl --parallel", times(rounds, OURS[32], CURL), 1),
            target("32: times img2dataset's downloader", times(rounds, OURS[32], IMG2DATASET), 1),
            target("32: times aria2c -j32", times(rounds, OURS[32], ARIA2C), 1),
            target("32: times serial", times(rounds, OURS[32], SERIAL), 20),
            target("32: share of the ideal", ideal(rounds, OURS[32]), 0.88),
            target("16: share of the ideal", ideal(rounds, OURS[16]), 0.93),
            target("server's CPU ms per photo, bare client", each("server")(server, BARE), at_most=0.5),
            target("server's CPU ms per photo, download_photo", each("server")(server, OURS[64]), at_most=0.5),
            target("server's top rate, times that of download_photo", times(server, BARE, OURS[64]), 4),
        ),
    }  # fmt: skip
