"""download_photo beside other clients, with 50 ms of latency for every answer and no limit of bandwidth."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import statistics
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import clients, common
from benchmarks.common import Img2dataset, Options, Refused, Round, Target, column, ratios, spread
from helpers import Photo

LATENCY = 0.05  # seconds
OURS = {threads: f"download_photo, {threads} threads" for threads in (32, 16, 64)}
COLD, WARM = (f"download_photo, 2 processes x 32 threads{when}" for when in ("", ", started before"))
AIOHTTP = {connections: f"aiohttp, {connections}" for connections in (32, 64)}
HTTPX, CURL, ARIA2C, IMG2DATASET = "httpx, 32", "curl --parallel, 32", "aria2c -j16", "img2dataset, 32 threads"
DOWNLOADER = "img2dataset's downloader alone, 32 threads"
SERIAL, WGET = "requests with a Session, serial", "wget, serial"
CONNECTIONS = {
    **{name: number for number, name in OURS.items()}, COLD: 64, WARM: 64,
    **{name: number for number, name in AIOHTTP.items()}, HTTPX: 32, CURL: 32, ARIA2C: 16, IMG2DATASET: 32,
    DOWNLOADER: 32, SERIAL: 1, WGET: 1,
}  # fmt: skip

LADDER = {
    "serial, requests.get": "each photo opens a connection, waits for it, and then waits for the answer",
    "serial, one Session": "the Session keeps the connection open: no hand-shake, fewer look-ups",
    "32 threads, .content": "32 waits happen at once; now the CPU is the limit, so that what follows pays",
    "chunks of 1 MiB": "`.content` collects pieces of 10 KiB, and each piece holds the interpreter's lock",
    "environment looked up once": "requests looks for proxies and passwords in the environment before every request",
    "one prepared request": "address, headers and cookies are the same for all photos but for the path; the adapter "
    "sends it without what a Session does around it",
    "download_photo": "the safe way: checks, tries, deadline, end-of-image check, atomic write, record",
}


def reference(photos: Sequence[Photo]) -> dict[str, str]:
    """SHA-256 of every photo by id, fetched by urllib, which no measured client uses but img2dataset."""

    def fetch(photo: Photo) -> str:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(photo.url) as answer:
            return hashlib.sha256(answer.read()).hexdigest()

    with ThreadPoolExecutor(32) as executor:
        return dict(zip((photo.id for photo in photos), executor.map(fetch, photos), strict=True))


def check(photos: Sequence[Photo], folder: Path, digests: dict[str, str]) -> None:
    """Refused, unless the JPEG files in the folder are those of the photos, whatever their names."""

    def digest(path: Path) -> str | None:
        body = path.read_bytes()
        return hashlib.sha256(body).hexdigest() if body.startswith(b"\xff\xd8\xff") else None

    with ThreadPoolExecutor(4) as executor:
        found = Counter(executor.map(digest, (path for path in folder.rglob("*") if path.is_file())))
    found.pop(None, None)
    wanted = Counter(digests[photo.id] for photo in photos)
    if found != wanted:
        raise Refused(f"unequal work: {(found & wanted).total():,} of {len(photos):,} photos are right")


def timed(
    client: Callable[..., Round], photos: Sequence[Photo], folder: Path, aside: Path, digests: dict[str, str],
    *arguments: object, share: float = 1, needs: str = "requests",
) -> Round:  # fmt: skip
    """One client once, in a process of its own, its files checked and set aside.

    Args:
        share: part of the photos that it gets; its time is scaled to all of them.
        needs: package without which it is refused.
    """
    common.needs(needs)
    some = photos[: max(1, round(len(photos) * share))]
    folder.mkdir(parents=True)
    try:
        measured = client(some, folder, *arguments)
        check(some, folder, digests)
    finally:
        common.set_aside(folder, aside)
    return {name: value * len(photos) / len(some) for name, value in measured.items()}


def fresh(client: Callable[..., Round]) -> Callable[..., Round]:
    return functools.partial(common.fresh_process, client)


def measure(options: Options) -> dict:
    few = options.few
    data: dict = {"photos": options.photos, "part": min(60, options.photos // 4)}
    share = data["part"] / options.photos
    disk = options.folder("downloads") / "run"
    data["disk"] = common.filesystem(disk)
    with contextlib.closing(Img2dataset()) as worker, common.served(options, LATENCY) as (_, photos):
        digests = reference(photos)

        def img2dataset(some: Sequence[Photo], folder: Path, threads: int) -> Round:
            return worker.ask(do="download", urls=[photo.url for photo in some], folder=folder, threads=threads)

        def run(client: Callable[..., Round], *arguments: object, where: Path = disk, **more: object):
            aside = options.aside if where == disk else where.with_name("aside")
            return functools.partial(timed, client, photos, where, aside, digests, *arguments, **more)

        tools = {
            OURS[32]: run(fresh(clients.ours), 32),
            OURS[16]: run(fresh(clients.ours), 16),
            AIOHTTP[32]: run(fresh(clients.aiohttp), 32, needs="aiohttp"),
            CURL: run(clients.curl, 32),
            ARIA2C: run(clients.aria2c, 16),
            IMG2DATASET: run(clients.img2dataset, 32),
            DOWNLOADER: run(img2dataset, 32),
            HTTPX: run(fresh(clients.httpx), 32, needs="httpx"),
            SERIAL: run(fresh(clients.with_session), share=share),
            WGET: run(clients.wget, share=share),
            OURS[64]: run(fresh(clients.ours), 64),
            COLD: run(clients.ours_in_processes, 32, 2, False),
            WARM: run(clients.ours_in_processes, 32, 2, True),
            AIOHTTP[64]: run(fresh(clients.aiohttp), 64, needs="aiohttp"),
        }
        data["rounds"] = common.alternate(tools, options.rounds, {HTTPX: few, WGET: few})
        if common.MEMORY.is_dir():
            common.say(" files in memory")
            with tempfile.TemporaryDirectory(dir=common.MEMORY) as name:
                where = Path(name, "run")
                tools = {OURS[number]: run(fresh(clients.ours), number, where=where) for number in AIOHTTP} | {
                    AIOHTTP[number]: run(fresh(clients.aiohttp), number, where=where, needs="aiohttp")
                    for number in AIOHTTP
                }
                data["memory"] = common.alternate(tools, options.rounds)
        common.say(" ladder")
        steps = (
            run(fresh(clients.without_session), share=share),
            run(fresh(clients.with_session), share=share),
            run(fresh(clients.content), 32),
            run(fresh(clients.large_chunks), 32),
            run(fresh(clients.large_chunks), 32, False),
            run(fresh(clients.prepared), 32),
            run(fresh(clients.ours), 32),
        )
        data["ladder"] = common.alternate(dict(zip(LADDER, steps, strict=True)), options.rounds)
    data["versions"] = (
        common.versions("requests", "urllib3", "aiohttp", "httpx")
        | {"img2dataset": worker.version}
        | common.program_version("curl")
        | common.program_version("aria2c")
        | common.program_version("wget")
    )
    return data


def rows(rounds: common.Rounds, photos: int) -> list[list[str]]:
    lines = []
    for name, result in rounds.items():
        if "refused" in result:
            lines.append([name, result["refused"]])
            continue
        ideal = LATENCY * photos / CONNECTIONS[name]
        base = OURS[CONNECTIONS[name] if CONNECTIONS[name] in OURS and name != ARIA2C else 32]
        lines.append([
            name,
            f"{photos / statistics.median(column(result)):,.0f}",
            spread(ratios(rounds, base, name)) if base != name else "1",
            f"{statistics.median(column(result, 'cpu')) * 1e3 / photos:.2f}",
            f"{statistics.median(ideal / value for value in column(result)):.2f}",
        ])  # fmt: skip
    return lines


def report(data: dict) -> list[str]:
    rounds, photos = data["rounds"], data["photos"]
    head = ["client", "photos/s", "download_photo is ... times as fast", "CPU ms per photo", "share of the ideal"]
    lines = [
        f"{photos:,} photos from the practice server on the same CPUs, {LATENCY * 1e3:.0f} ms of latency for every "
        f"answer, no limit of bandwidth; {len(column(rounds[OURS[32]]))} rounds. Each run starts in a fresh process "
        "with no open connection; starting Python is not timed, starting a command is. The files of every run had the "
        "same SHA-256 as the photos. download_photo, aiohttp and httpx check for the end-of-image marker, write a "
        "temporary file and rename it; the commands and img2dataset do less: no check, no rename. img2dataset "
        "runs without resizing, re-encoding and hashes, but writes a JSON file for each photo; its downloader alone is "
        f"measured in a process that has started before. The serial clients fetched {data['part']} photos; their time "
        "is scaled. The ratio compares with download_photo in 32 threads, for 64 connections with 64 threads; the "
        "ideal is latency x photos / connections.",
        "",
        f"### Files on disk ({data['disk']})",
        "",
        *common.table(head, rows(rounds, photos)),
    ]
    if "memory" in data:
        lines += [f"### Files in memory ({common.MEMORY})", "", *common.table(head, rows(data["memory"], photos))]

    def ideal(number: int) -> list[float]:
        return [LATENCY * photos / number / value for value in column(rounds[OURS[number]])]

    lines += ["### Targets", ""]
    lines += common.targets(
        Target("32: times aiohttp doing the same", ratios(rounds, OURS[32], AIOHTTP[32]), 1),
        Target("32: times curl --parallel", ratios(rounds, OURS[32], CURL), 1),
        Target("32: times img2dataset", ratios(rounds, OURS[32], IMG2DATASET), 2.2),
        Target("32: times aria2c -j16", ratios(rounds, OURS[32], ARIA2C), 1.9),
        Target("32: times serial", ratios(rounds, OURS[32], SERIAL), 20),
        Target("32: share of the ideal", ideal(32), 0.88),
        Target("16: share of the ideal", ideal(16), 0.93),
        Target("64 threads: times aiohttp", ratios(rounds, OURS[64], AIOHTTP[64]), 1),
        Target("64 as 2 processes x 32 threads: times aiohttp", ratios(rounds, COLD, AIOHTTP[64]), 1),
        Target("the same, processes started before", ratios(rounds, WARM, AIOHTTP[64]), 1),
    )
    return [*lines, "### The ladder", "", *common.ladder(data["ladder"], LADDER, photos)]
