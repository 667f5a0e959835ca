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
from practice import OPTIONS
from practice.catalogue import DRAWINGS, Catalogue
from practice.pictures import draw_missing, version
from practice.server import Server


def main() -> None:
    parser = argparse.ArgumentParser("python -m practice", description="A local stand-in for the Unsplash API.")
    for name, (default, meaning) in OPTIONS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{meaning} (default {default})")
    parser.add_argument("--port", type=int, default=0, help="port of the API (default: the system picks one)")
    parser.add_argument("--cache", type=Path, default=Path("cache/practice"), help="folder of the drawn photos")
    parser.add_argument("--embedded", action="store_true", help="end when standard input closes; machine output")
    options = parser.parse_args()
    if options.embedded:
        # On a handle of its own: on Windows a process that is started while another thread reads from standard input
        # waits for that read (https://github.com/python/cpython/issues/78961).
        pipe = os.dup(0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        threading.Thread(target=lambda: (os.read(pipe, 1), os._exit(0)), daemon=True).start()
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
    catalogue = Catalogue(options.photos, options.seed or DRAWINGS, colours, pictures)
    behaviour = ("latency", "spread", "bandwidth", "quota", "hour", "repeats")
    server = Server(catalogue, folder, **{name: getattr(options, name) for name in behaviour})
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
