"""Practice server: a small local Unsplash, so that the assignment runs without an account or the internet.

`start()` runs it as a process of its own and returns a `PracticeServer`; `python -m practice` runs it by hand.

    catalogue/     who took which photo when: the metadata
    scenes/        draws the photographs
    pictures.py    draws them once, in parallel, and keeps them on disk
    server.py      answers HTTP requests like api.unsplash.com and images.unsplash.com
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class PracticeError(RuntimeError):
    """The practice server could not start; the text says why."""


@dataclass
class PracticeServer:
    """A running practice server: where it listens, the key that it accepts, and its process."""

    api: str
    images: str
    key: str = field(repr=False)
    latency: float  # seconds, median
    bandwidth: float  # bytes per second and connection, 0 for no limit
    version: str  # of catalogue and drawings: metadata of another version don't fit
    process: subprocess.Popen[str] = field(repr=False)

    def close(self) -> None:
        """Stop the server and wait until it has ended. Calling it twice does no harm."""
        assert self.process.stdin and self.process.stdout  # pipes, see start()
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> PracticeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, path: str, body: bytes | None = None) -> dict:
        request = urllib.request.Request(self.api + path, body, {"Authorization": f"Client-ID {self.key}"})
        # No proxy: the practice server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def stats(self) -> dict:
        """What the server has seen so far: requests, images, most images at once, remaining quota."""
        return self._call("/practice/stats")

    def cpu(self) -> float:
        """Seconds of CPU time that the server has used: by its own account, as its process may have a launcher."""
        return self._call("/practice/cpu")["seconds"]

    def sent(self) -> dict[str, int]:
        """How often each photo was sent since the server was started, by photo id."""
        return self._call("/practice/sent")

    def faults(self, *rules: dict) -> None:
        """Switch faults on, in place of those before; without arguments: off.

        Each rule is a dict: `path` (regular expression, searched in path and query), `fault` (see server.FAULTS),
        and optionally `times` (how often for each address, default always), `share` (0..1, which part of the
        requests), `value` (seconds for delay and the drips; what Retry-After says; an address for redirect).
        """
        self._call("/practice/faults", json.dumps(rules).encode())


OPTIONS: dict[str, tuple[float | str, str]] = {  # name -> default, and what it means
    "photos": (1500, "size of the catalogue"),
    "pictures": (1500, "most photographs that are drawn; a larger catalogue shows them again under other ids"),
    "seed": ("", "a number or a word that gives the pictures other ids and other metadata"),
    "latency": (0.06, "median wait before an answer begins, in seconds"),
    "spread": (0.25, "how much the waits differ (sigma of a log-normal distribution), 0: all alike"),
    "bandwidth": (8e6, "bytes per second for each connection, 0: no limit"),
    "quota": (50, "API requests per hour"),
    "hour": (3600.0, "seconds in the quota's hour"),
    "repeats": (0.0, "share of photos (0..1) that /photos/random deals a second time"),
    "workers": (0, "processes that draw, 0: one for each CPU"),
}


def start(
    cache: Path | str, report: Callable[[int, int], None] = lambda done, total: None, **options: float | str
) -> PracticeServer:
    """Start a practice server which ends with this process.

    Args:
        cache: folder that keeps the drawn photographs between runs.
        report: called with (drawn, total) while photographs are drawn.
        options: see OPTIONS.

    Raises:
        PracticeError: it could not start; the text says why.
    """
    chosen = {name: default for name, (default, _) in OPTIONS.items()} | options
    command = [sys.executable, "-m", "practice", "--embedded"]
    command += [f"--cache={Path(cache).resolve()}", *(f"--{name}={value}" for name, value in chosen.items())]
    # The server ends when its standard input closes, which happens even if this process is killed.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # interrupting the notebook's kernel must not end the server
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
    )
    assert process.stdout
    last: deque[str] = deque(maxlen=3)
    try:
        for line in process.stdout:
            last.append(line.strip())
            word, _, rest = line.partition(" ")
            if word == "drawn":
                done, total = map(int, rest.split())
                report(done, total)
            elif word == "ready":
                wait, speed = float(chosen["latency"]), float(chosen["bandwidth"])
                server = PracticeServer(process=process, latency=wait, bandwidth=speed, **json.loads(rest))
                atexit.register(server.close)
                return server
    except BaseException:  # interrupted while it draws: leave no server behind
        process.kill()
        process.wait()
        raise
    process.wait()
    raise PracticeError(f"The practice server did not start: {' '.join(last) or 'it said nothing'}")
