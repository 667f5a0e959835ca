"""The canvas and what is put on it: tiles of noise, colours, masks, gradients. Nothing here knows what a picture shows.

Every picture is composed on a canvas 1080 px wide and then scaled to the size asked for, so that a thumbnail shows the
same scene as the full picture. Smooth parts (skies, glows, bokeh) are computed as small float arrays and enlarged;
edges and textures are drawn at canvas size with 8-bit masks, which is several times cheaper than full-size float
arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageChops

WIDTH = 1080  # canvas width in px; all lengths below that are "in px" refer to this canvas
TILE = 1024  # side of a noise tile in px
Array = np.ndarray
Colour = Sequence[float] | Array
Ink = tuple[int, ...]  # a colour as Pillow wants it


def _spectrum(seed: int, power: float, stretch: float = 1.0, cut: float = 0.5) -> Array:
    """Tileable noise (TILE, TILE), mean 0, deviation 1, amplitude ~ frequency ** -power.

    `stretch` > 1 draws the features out horizontally; frequencies above `cut` (cycles/px) are dropped.
    """
    white = np.fft.rfft2(np.random.default_rng(seed).standard_normal((TILE, TILE), dtype=np.float32))
    fy = np.fft.fftfreq(TILE)[:, None]
    fx = np.fft.rfftfreq(TILE)[None, :] * stretch
    freq = np.hypot(fx, fy)
    # Frequencies under 3 cycles a tile are flattened: one huge blob would betray the repetition.
    gain = np.maximum(freq, 3 / TILE) ** -power * (freq <= cut)
    gain[0, 0] = 0
    field = np.fft.irfft2(white * gain, s=(TILE, TILE))
    return (field / field.std()).astype(np.float32)


def _emboss(field: Array) -> Array:
    """Light a height field from the left and slightly from above."""
    lit = field - np.roll(field, 1, axis=1) + 0.5 * (field - np.roll(field, 1, axis=0))
    return lit / lit.std()


@cache
def noise_tile(name: str) -> Image.Image:
    """Noise tile `name` as an "L" image (TILE, TILE): mean 128, deviation 42."""
    yy, xx = np.mgrid[0:TILE, 0:TILE].astype(np.float32) * (2 * np.pi / TILE)
    if name == "cloud":
        field = _spectrum(11, 1.75)
    elif name == "relief":  # eroded slopes lit from the left
        field = _emboss(-np.abs(_spectrum(12, 1.9)) + 0.35 * _spectrum(13, 1.7))
    elif name == "soft":  # rolling surface lit from the left
        field = _emboss(_spectrum(14, 2.5))
    elif name == "fine":
        field = _spectrum(15, 0.8)
    elif name == "wave":
        field = _spectrum(16, 1.5, stretch=3.5)
        field = field + 0.6 * np.abs(_spectrum(17, 1.1, stretch=4.0))
    elif name == "bark":
        field = _spectrum(24, 1.0, stretch=5.0).T
    elif name == "foam":  # bright lace: the zero lines of two warped fields
        lace = np.minimum(np.abs(_spectrum(18, 1.5)), 0.8 * np.abs(_spectrum(19, 1.3)))
        field = 1.2 - 4 * lace + 0.3 * _spectrum(20, 0.7)
    elif name == "ripple":
        warp = 3.2 * _spectrum(21, 2.1)
        field = 1.3 * np.sin(90 * yy + 9 * xx + warp) + 0.45 * _spectrum(22, 0.5)
    else:  # "grain"
        field = _spectrum(23, 0.25, cut=0.42)
    field = (field - field.mean()) / field.std()
    return Image.fromarray(np.clip(128 + 42 * field, 0, 255).astype(np.uint8))


@lru_cache(maxsize=256)
def scaled_tile(name: str, half_octaves: int, squeeze: int, mirrored: bool) -> Image.Image:
    """Tile `name` enlarged by sqrt(2) ** half_octaves, flattened by sqrt(2) ** squeeze, still tileable."""
    tile = noise_tile(name)
    if mirrored:
        tile = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if half_octaves == squeeze == 0:
        return tile
    margin = TILE // 8  # resize a wrapped copy, so that the filter sees across the seam
    wrapped = wrap(tile, TILE - margin, TILE - margin, TILE + 2 * margin, TILE + 2 * margin)
    width = max(round(TILE * 2 ** (half_octaves / 2)), 8)
    height = max(round(TILE * 2 ** ((half_octaves - squeeze) / 2)), 8)
    box = (margin, margin, margin + TILE, margin + TILE)
    return wrapped.resize((width, height), Image.Resampling.BICUBIC, box=box)


def wrap(tile: Image.Image, x: int, y: int, width: int, height: int) -> Image.Image:
    """Crop (width, height) at x, y (within the first tile) from the endless plane paved with `tile`."""
    if x + width <= tile.width and y + height <= tile.height:
        return tile.crop((x, y, x + width, y + height))
    out = Image.new("L", (width, height))
    for left in range(-x, width, tile.width):
        for top in range(-y, height, tile.height):
            out.paste(tile, (left, top))
    return out


def film(height: int, variant: int) -> Image.Image:
    """Grain and vignette in one RGB image (WIDTH, height): bright grey centre, dark corners."""
    x0, y0 = (int(v) for v in np.random.default_rng(900 + variant).integers(0, TILE, 2))
    grey = ImageChops.add(wrap(noise_tile("grain"), x0, y0, WIDTH, height), _vignette(height), offset=-128)
    return Image.merge("RGB", (grey,) * 3)


@lru_cache(maxsize=16)
def _vignette(height: int) -> Image.Image:
    yy = np.linspace(-1, 1, height // 8, dtype=np.float32)[:, None]
    xx = np.linspace(-1, 1, WIDTH // 8, dtype=np.float32)[None, :]
    small = to_image(128 + 45 - 75 * (xx * xx + yy * yy) ** 1.3 / 1.6)
    return small.resize((WIDTH, height), Image.Resampling.BILINEAR)


def rgb(colour: Colour) -> Array:
    return np.asarray(colour, dtype=np.float32)


def rgb8(colour: Colour) -> Ink:
    return tuple(int(c) for c in colour)


def mix(a: Colour, b: Colour, t: float) -> Array:
    """Colour a towards colour b by t (0..1)."""
    return rgb(a) * (1 - t) + rgb(b) * t


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a smooth S between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def to_image(field: Array) -> Image.Image:
    """Float array 0..255, (h, w) or (h, w, 3), to an image."""
    return Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))


def to_mask(field: Array) -> Image.Image:
    """Float array 0..1 (h, w) to an "L" mask."""
    return Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))


def colourise(grey: Image.Image, dark: Colour, light: Colour) -> Image.Image:
    """Colour an "L" image from `dark` (0) to `light` (255)."""
    ramps = np.clip(np.linspace(dark, light, 256), 0, 255).astype(np.uint8).T
    return Image.merge("RGB", [grey.point(ramp.tolist()) for ramp in ramps])


def _column(stops: Sequence[tuple[float, Colour]], n: int) -> Array:
    """Vertical gradient (n, 3) through (position 0..1, colour) stops."""
    t = (np.arange(n) + 0.5) / n
    where = [p for p, _ in stops]
    return np.stack([np.interp(t, where, [c[i] for _, c in stops]) for i in range(3)], axis=1)


def gradient(stops: Sequence[tuple[float, Colour]], height: int, width: int = WIDTH) -> Image.Image:
    column = to_image(_column(stops, max(height, 1))[:, None, :])
    return column.resize((width, max(height, 1)), Image.Resampling.NEAREST)
