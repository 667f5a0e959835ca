"""Cameras, the pictures that they take (`Shot`: seed, camera, size), and the EXIF of a picture.

Nothing here knows of ids, people or addresses; which cameras and exposures there are is in data.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from random import Random
from typing import Any

from .data import APERTURES, CAMERA_LIST, CROPS, EXPORTS, ISOS, SPEEDS, UNKNOWN_SENSORS
from .sampling import pick


@dataclass(frozen=True, slots=True)
class Camera:
    """A real camera: how its EXIF fields read, its picture in pixels, and its lenses."""

    make: str
    model: str
    long: int  # pixels
    short: int
    # shortest and longest focal length in mm, widest f-number
    lenses: tuple[tuple[float, float, float], ...]

    @property
    def name(self) -> str:
        # Real records strip "Canon" from the model and keep the blank: " EOS R5", but "Canon, EOS R5".
        return f"{self.make}, {self.model.strip()}"


def _cameras() -> tuple[tuple[Camera | None, ...], tuple[float, ...]]:
    """All cameras with their cumulated shares; the last, None, is a photo whose EXIF was stripped."""
    cameras: list[Camera | None] = []
    shares: list[float] = []
    for percent, make, lenses, models in CAMERA_LIST:
        listed = [model.rsplit("/", 2) for model in models.split(",")]
        for model, long, short in listed:
            cameras.append(Camera(make, model, int(long), int(short), lenses))
            shares.append(percent / len(listed))
    return (*cameras, None), tuple(accumulate([*shares, 100 - sum(shares)]))


SCENES = 650  # different ones; each is painted once and then photographed again: painting takes most of the time
CAMERAS, _CAMERA_SHARES = _cameras()
_LOG_SECONDS = tuple(math.log2(Fraction(speed)) for speed in SPEEDS)


@dataclass(frozen=True, slots=True)
class Shot:
    """What belongs to a picture, however many ids show it: the seed of its scene, its camera and its size."""

    seed: int
    camera: Camera | None
    width: int
    height: int
    orientation: str


def shot_of(seed: int, picture: int) -> Shot:
    """Picture number `picture` of the catalogue with this seed: a scene, or a further photograph of one."""
    picture %= SCENES
    rng = Random(f"{seed}/picture/{picture}")
    camera = rng.choices(CAMERAS, cum_weights=_CAMERA_SHARES)[0]
    # Steps of the golden section spread evenly, so that even a small catalogue has its share of the rare
    # squares.
    share = (seed + picture) * 0.6180339887498949 % 1
    orientation = "portrait" if share < 0.66 else "landscape" if share < 0.99 else "squarish"
    long, short = (camera.long, camera.short) if camera else pick(rng, UNKNOWN_SENSORS)
    way = rng.random()
    if way < 0.25:  # cropped to a usual ratio
        ratio = pick(rng, CROPS)
        long, short = (long, round(long / ratio)) if ratio > long / short else (round(short * ratio), short)
    elif way < 0.33:  # cropped by eye
        kept = [round(side * (1 - 0.3 * rng.random() ** 2)) for side in (long, short)]
        long, short = max(kept), min(kept)
    if rng.random() < 0.09:  # made smaller for the upload
        edge = min(long, pick(rng, EXPORTS))
        long, short = edge, round(short * edge / long)
    if orientation == "squarish":
        long = short
    elif long < 1.05 * short:  # too near to a square to be called anything else
        short = round(long / 1.25)
    width, height = (short, long) if orientation == "portrait" else (long, short)
    return Shot(int(rng.random() * 2**31), camera, width, height, orientation)


EXIF_FIELDS = ("make", "model", "name", "exposure_time", "aperture", "focal_length", "iso")


def exif_of(rng: Random, camera: Camera | None, night: bool) -> dict[str, Any]:
    """The `exif` object: exposure, aperture and ISO that give a right exposure by day or by night."""
    exif: dict[str, Any] = dict.fromkeys(EXIF_FIELDS)
    if camera is None:
        if rng.random() < 0.02:  # the name was stripped, the exposure was not
            exif |= _exposure(rng, (35, 35, 1.8), night, adjustable=True)
        return exif
    exif |= {"make": camera.make, "model": camera.model, "name": camera.name}
    if camera.lenses:  # none: a film scanner knows nothing of the exposure
        # Lenses shorter than 9 mm belong to telephones and drones, whose apertures are fixed.
        lens = pick(rng, camera.lenses)
        exif |= _exposure(rng, lens, night, adjustable=lens[0] > 9)
        if rng.random() < 0.02:  # an old lens without contacts tells the camera nothing
            exif |= {"aperture": None, "focal_length": None}
        if rng.random() < 0.04:
            exif["iso"] = None
    return exif


def _exposure(rng: Random, lens: tuple[float, float, float], night: bool, adjustable: bool) -> dict[str, Any]:
    """Aperture, focal length, ISO and the time for the light: 2**EV = f-number**2 / seconds * 100 / ISO."""
    shortest, longest, widest = lens
    focal = shortest + (longest - shortest) * rng.random()
    tripod = night and rng.random() < 0.4
    light = rng.gauss(-1.0, 1.2) if tripod else rng.gauss(3.5, 1.0) if night else rng.gauss(12.5, 1.6)
    if adjustable:
        usable = [f for f in APERTURES if f >= widest]
        narrow = rng.random() if tripod else rng.random() ** (2.5 if night else 1.2)
        aperture = usable[int(narrow * len(usable))]
    else:
        aperture = widest
    if tripod:
        iso = pick(rng, ISOS[:8])
    elif night:
        iso = pick(rng, ISOS[9:])
    else:
        # By day the lowest ISO that keeps the time short enough for the hand, now and then one that was left
        # higher.
        needed = aperture**2 / 2**light * 100 * max(60, focal)
        iso = next((value for value in ISOS if value >= needed), ISOS[-1])
        iso = max(iso, pick(rng, ISOS[:7])) if rng.random() < 0.35 else iso
    wanted = math.log2(aperture**2 * 100 / iso) - light
    nearest = min(range(len(SPEEDS)), key=lambda i: abs(_LOG_SECONDS[i] - wanted))
    return {
        "exposure_time": SPEEDS[nearest],
        "aperture": f"{aperture:g}",
        "focal_length": f"{focal:.1f}",
        "iso": iso,
    }
