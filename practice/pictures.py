"""Draws the practice photographs once, in parallel, and keeps them on disk."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil  # comes with Jupyter
from PIL import Image, UnidentifiedImageError

from practice import catalogue, scenes
from practice.catalogue import Entry

WIDTH = 1080  # pixels, the width of Unsplash's `regular`
QUALITY = 80  # JPEG quality of Unsplash's `regular`


def regular_size(entry: Entry) -> tuple[int, int]:
    """(width, height) in pixels of the picture that is drawn and kept for this entry."""
    width = min(WIDTH, entry.width)
    return width, max(1, round(width * entry.height / entry.width))


def version() -> str:
    """Eight hexadecimal digits that change whenever the code of the catalogue or of the scenes changes."""
    code = Path(catalogue.__file__).read_bytes() + Path(scenes.__file__).read_bytes()
    return hashlib.sha256(code.replace(b"\r", b"")).hexdigest()[:8]


def path_of(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.jpg"


def draw(folder: Path, entry: Entry) -> str:
    """Draw one picture into `folder`; returns its dominant colour, which the file keeps as its comment."""
    image = scenes.draw(entry.seed, *regular_size(entry))
    colour = scenes.dominant_colour(image)
    target = path_of(folder, entry.index)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    image.save(part, "JPEG", quality=QUALITY, comment=colour)
    part.replace(target)
    return colour


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever: end it instead."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def draw_missing(
    cache: Path, entries: Sequence[Entry], workers: int, report: Callable[[int, int], None]
) -> tuple[Path, dict[int, str]]:
    """Draw every picture that is not on disk yet, with `workers` processes.

    Returns:
        The folder, and the dominant colour "#rrggbb" of each picture by index.
    """
    folder = Path(cache) / f"pictures-{version()}"
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob("*.jpg.*.part"):
        if not psutil.pid_exists(int(leftover.name.split(".")[-2])):  # no other server is drawing it just now
            leftover.unlink(missing_ok=True)
    colours, missing = {}, []
    for entry in entries:
        try:
            # The whole file is read, so that it is in the system's cache before anything is timed.
            body = path_of(folder, entry.index).read_bytes()
            with Image.open(io.BytesIO(body)) as image:
                colours[entry.index] = image.info["comment"].decode()
        except (FileNotFoundError, UnidentifiedImageError, KeyError):  # not drawn, or damaged by a power cut
            missing.append(entry)
    if missing:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as executor:
            drawn = executor.map(draw, [folder] * len(missing), missing, chunksize=4)
            for entry, colour in zip(missing, drawn, strict=True):
                colours[entry.index] = colour
                report(len(colours), len(entries))
    return folder, colours
