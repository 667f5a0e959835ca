"""Draws the practice photographs once, in parallel, and keeps them on disk."""

from __future__ import annotations

import functools
import io
import multiprocessing
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image, ImageCms, UnidentifiedImageError

from kit.files import delete_leftovers, write
from kit.machine import code_digest, end_with_parent, modules_in
from practice import scenes
from practice.catalogue import Entry
from practice.catalogue.exif import SCENES

WIDTH = 1080  # pixels, the width of Unsplash's `regular`
QUALITY = 80  # JPEG quality of Unsplash's `regular`
# Image hosts give photos a small sRGB profile. This is the one of Little CMS, but for what differs from run to run (the
# date, bytes 24 to 35) and from system to system (bytes 40 to 43).
_MADE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = _MADE[:24] + struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + _MADE[36:40] + bytes(4) + _MADE[44:]


def regular_size(entry: Entry) -> tuple[int, int]:
    """(width, height) in pixels of the picture that is drawn and kept for this entry."""
    width = min(WIDTH, entry.width)
    return width, max(1, round(width * entry.height / entry.width))


def version() -> str:
    """Eight hexadecimal digits that change whenever the code of the catalogue, of the scenes or of this module does."""
    root = Path(__file__).parent
    return code_digest(root, [*modules_in(root / "catalogue"), *modules_in(root / "scenes"), Path(__file__)])


def path_of(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.jpg"


def draw(folder: Path, entry: Entry) -> str:
    """Draw one picture into `folder`; returns its dominant colour, which the file keeps as its comment."""
    image = scenes.draw(entry.seed, *regular_size(entry), entry.index // SCENES)
    colour = scenes.dominant_colour(image)
    save = functools.partial(image.save, format="JPEG", quality=QUALITY, comment=colour, icc_profile=PROFILE)
    write(path_of(folder, entry.index), save)
    return colour


def draw_missing(
    cache: Path, entries: Sequence[Entry], workers: int, report: Callable[[int, int], None]
) -> tuple[Path, dict[int, str]]:
    """Draw every picture that is not on disk yet, with `workers` processes.

    Returns:
        The folder, and the dominant colour "#rrggbb" of each picture by index.
    """
    folder = Path(cache) / f"pictures-{version()}"
    folder.mkdir(parents=True, exist_ok=True)
    delete_leftovers([folder])
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
        missing.sort(key=lambda entry: (entry.index % SCENES, entry.index))  # photographs of one scene in a row
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as executor:
            drawn = executor.map(draw, [folder] * len(missing), missing, chunksize=4)
            for entry, colour in zip(missing, drawn, strict=True):
                colours[entry.index] = colour
                report(len(colours), len(entries))
    return folder, colours
