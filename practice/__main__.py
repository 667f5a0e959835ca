"""Runs the practice server by hand: `python -m practice --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
from pathlib import Path

from kit.machine import usable_cpus
from practice.catalogue import Catalogue
from practice.pictures import draw_missing, version
from practice.server import SPREAD, Server


def main() -> None:
    parser = argparse.ArgumentParser("python -m practice", description="A local stand-in for the Unsplash API.")
    parser.add_argument("--photos", type=int, default=1500, help="size of the catalogue (default 1500)")
    parser.add_argument("--pictures", type=int, default=1500, help="most photographs that are drawn (1500)")
    parser.add_argument("--latency", type=float, default=0.06, help="median seconds before an answer (0.06)")
    parser.add_argument("--spread", type=float, default=SPREAD, help=f"sigma of the latencies, 0: all alike ({SPREAD})")
    parser.add_argument("--bandwidth", type=float, default=8e6, help="bytes/s per connection, 0: no limit (8e6)")
    parser.add_argument("--quota", type=int, default=50, help="API requests per hour (50)")
    parser.add_argument("--hour", type=float, default=3600, help="seconds in the quota's hour (3600)")
    parser.add_argument("--repeats", type=float, default=0, help="share of random photos dealt twice (0)")
    parser.add_argument("--port", type=int, default=0, help="port of the API (default: the system picks one)")
    parser.add_argument("--cache", type=Path, default=Path("cache/practice"), help="folder of the drawn photos")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw (default: one per CPU)")
    parser.add_argument("--embedded", action="store_true", help="end when standard input closes; machine output")
    options = parser.parse_args()
    if options.embedded:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    try:
        asyncio.run(serve(options))
    except KeyboardInterrupt:
        pass
    except OSError as problem:
        sys.exit(f"{problem.strerror or problem}: {problem.filename or '127.0.0.1'}")


async def serve(options: argparse.Namespace) -> None:
    def report(done: int, total: int) -> None:
        print(f"drawn {done} {total}", end="\n" if options.embedded or done == total else "\r", flush=True)

    pictures = min(options.photos, options.pictures)  # a larger catalogue uses the drawings again under other ids
    folder, colours = draw_missing(
        options.cache, Catalogue(pictures).entries, options.workers or min(usable_cpus(), 61), report
    )
    catalogue = Catalogue(options.photos, colours=colours, pictures=pictures)
    server = Server(
        catalogue,
        folder,
        latency=options.latency,
        spread=options.spread,
        bandwidth=options.bandwidth,
        quota=options.quota,
        hour=options.hour,
        repeats=options.repeats,
    )
    server.listen(options.port)
    ready = {"api": server.api, "images": server.images, "key": server.key, "version": version()}
    if options.embedded:
        print("ready", json.dumps(ready), flush=True)
        # Nobody reads on: with the pipe full, the next complaint would stop the server for ever.
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
    else:
        print(f"API {server.api}, images {server.images}, access key {server.key}; Ctrl-C ends it.", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
