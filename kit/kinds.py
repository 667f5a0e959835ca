"""Three kinds of work on one photo, to see what the GIL lets threads do side by side: waiting, C code, Python code.

They are functions of a module, so that they can travel to worker processes.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

SIDE = 256  # pixels of the picture that is looked at in Python


def waiting(path: Path) -> int:
    """Wait for 20 ms, as for a server far away. A thread that sleeps does not hold the GIL."""
    time.sleep(0.02)
    return len(path.name)


def c_code(path: Path) -> int:
    """Decode a photo and make it smaller. Pillow does that in C code, and lets the GIL go meanwhile."""
    with Image.open(path) as image:
        return zlib.crc32(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS).tobytes())


def python_code(path: Path) -> int:
    """A difference hash in plain Python loops: a bit for each pixel, 1 if it is darker than its right neighbour.

    Such a hash finds pictures that look alike (http://www.hackerfactor.com/blog/?/archives/529-Kind-of-Like-That.html).
    """
    with Image.open(path) as image:
        image.draft("L", (SIDE, SIDE))  # decodes an eighth of the pixels only: C code shall not count here
        pixels = image.convert("L").resize((SIDE, SIDE), Image.Resampling.NEAREST).tobytes()
    rows = []
    for first in range(0, SIDE * SIDE, SIDE):
        bits = 0
        for left in range(first, first + SIDE - 1):
            bits = 2 * bits + (pixels[left] < pixels[left + 1])
        rows.append(bits)
    return hash(tuple(rows))


KINDS: dict[str, Callable[[Path], int]] = {"waiting": waiting, "C code": c_code, "Python code": python_code}


def three_ways(paths: Sequence[Path], workers: int) -> dict[str, dict[str, float]]:
    """Wall times in seconds of each kind of work on the same photos: in a loop, in threads, and in processes.

    The workers are started before the clock, because starting them is another matter. All three must give the same.

    Returns:
        {"waiting": {"serial": ..., "threads": ..., "processes": ...}, "C code": ..., "Python code": ...}
    """
    walls: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    found = {kind: [work(path) for path in paths[:1]] for kind, work in KINDS.items()}  # reads what must be imported
    with ThreadPoolExecutor(workers) as threads, ProcessPoolExecutor(workers, get_context("spawn")) as processes:
        ways: dict[str, Executor | None] = {"serial": None, "threads": threads, "processes": processes}
        for kind in ("waiting", "C code"):  # every worker has started, and loaded what it needs
            list(processes.map(KINDS[kind], [paths[0]] * 4 * workers))
        for kind, work in KINDS.items():
            for way, executor in ways.items():
                began = time.perf_counter()
                results = list(executor.map(work, paths) if executor else map(work, paths))
                walls[kind][way] = time.perf_counter() - began
                if found[kind][1:] and found[kind] != results:
                    raise AssertionError(f"{kind}: another result in {way}")
                found[kind] = results
    return walls
