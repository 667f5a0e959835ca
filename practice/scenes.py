"""Drawn stand-ins for stock photographs: deterministic scenes made of gradients, profiles and noise.

Every picture is composed on a canvas 1080 px wide and then scaled to the size asked for, so that a
thumbnail shows the same scene as the full picture. Smooth parts (skies, glows, bokeh) are computed as
small float arrays and enlarged; edges and textures are drawn at canvas size with 8-bit masks, which is
several times cheaper than full-size float arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH = 1080  # canvas width in px; all lengths below that are "in px" refer to this canvas
TILE = 1024  # side of a noise tile in px
Colour = Sequence[float]
Array = np.ndarray


@dataclass(frozen=True)
class Scene:
    """What a picture shows; cheap to make and to send to another process."""

    kind: str
    mood: str
    description: str
    tags: tuple[str, ...]
    night: bool


# --------------------------------------------------------------------------- noise and small helpers


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
def _tile(name: str) -> Image.Image:
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
def _scaled(name: str, half_octaves: int, squeeze: int, mirrored: bool) -> Image.Image:
    """Tile `name` enlarged by sqrt(2) ** half_octaves, flattened by sqrt(2) ** squeeze, still tileable."""
    tile = _tile(name)
    if mirrored:
        tile = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if half_octaves == squeeze == 0:
        return tile
    margin = TILE // 8  # resize a wrapped copy, so that the filter sees across the seam
    wrapped = _wrap(tile, TILE - margin, TILE - margin, TILE + 2 * margin, TILE + 2 * margin)
    width = max(round(TILE * 2 ** (half_octaves / 2)), 8)
    height = max(round(TILE * 2 ** ((half_octaves - squeeze) / 2)), 8)
    box = (margin, margin, margin + TILE, margin + TILE)
    return wrapped.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _wrap(tile: Image.Image, x: int, y: int, width: int, height: int) -> Image.Image:
    """Crop (width, height) at x, y (within the first tile) from the endless plane paved with `tile`."""
    if x + width <= tile.width and y + height <= tile.height:
        return tile.crop((x, y, x + width, y + height))
    out = Image.new("L", (width, height))
    for left in range(-x, width, tile.width):
        for top in range(-y, height, tile.height):
            out.paste(tile, (left, top))
    return out


@lru_cache(maxsize=24)
def _film(height: int, variant: int) -> Image.Image:
    """Grain and vignette in one RGB image (WIDTH, height): bright grey centre, dark corners."""
    rng = np.random.default_rng(900 + variant)
    x0, y0 = (int(v) for v in rng.integers(0, TILE, 2))
    grain = np.asarray(_wrap(_tile("grain"), x0, y0, WIDTH, height), dtype=np.float32)
    yy = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    xx = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    shade = 45 - 75 * (xx * xx + yy * yy) ** 1.3 / 1.6
    grey = np.clip((grain - 128) * 1.05 + 128 + shade, 0, 255).astype(np.uint8)
    return Image.merge("RGB", (Image.fromarray(grey),) * 3)


def _rgb(colour: Colour) -> Array:
    return np.asarray(colour, dtype=np.float32)


def _ink(colour: Colour) -> tuple[int, ...]:
    """A colour as Pillow wants it."""
    return tuple(int(c) for c in colour)


def _mix(a: Colour, b: Colour, t: float) -> Array:
    """Colour a towards colour b by t (0..1)."""
    return _rgb(a) * (1 - t) + _rgb(b) * t


def _smooth(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a smooth S between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _image(field: Array) -> Image.Image:
    """Float array 0..255, (h, w) or (h, w, 3), to an image."""
    return Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))


def _mask(field: Array) -> Image.Image:
    """Float array 0..1 (h, w) to an "L" mask."""
    return Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))


def _tint(grey: Image.Image, dark: Colour, light: Colour) -> Image.Image:
    """Colour an "L" image from `dark` (0) to `light` (255)."""
    ramps = np.clip(np.linspace(dark, light, 256), 0, 255).astype(np.uint8).T
    return Image.merge("RGB", [grey.point(ramp.tolist()) for ramp in ramps])


def _column(stops: Sequence[tuple[float, Colour]], n: int) -> Array:
    """Vertical gradient (n, 3) through (position 0..1, colour) stops."""
    t = (np.arange(n) + 0.5) / n
    where = [p for p, _ in stops]
    return np.stack([np.interp(t, where, [c[i] for _, c in stops]) for i in range(3)], axis=1)


def _gradient(stops: Sequence[tuple[float, Colour]], height: int, width: int = WIDTH) -> Image.Image:
    column = _image(_column(stops, max(height, 1))[:, None, :])
    return column.resize((width, max(height, 1)), Image.Resampling.NEAREST)


# --------------------------------------------------------------------------- moods


@dataclass(frozen=True)
class _Mood:
    """Light of a picture: sky colours from zenith to horizon, direct and ambient light (factors)."""

    top: Colour
    mid: Colour
    low: Colour
    sun: Colour
    light: Colour
    shade: Colour
    phrases: tuple[str, ...]
    dark: bool = False


_MOODS = {
    "dawn": _Mood(
        (104, 128, 172),
        (200, 178, 196),
        (252, 212, 188),
        (255, 238, 218),
        (1.0, 0.82, 0.74),
        (0.5, 0.48, 0.58),
        ("at dawn", "under a pink sky", "before sunrise", "in soft morning light"),
    ),
    "day": _Mood(
        (40, 98, 170),
        (110, 164, 214),
        (208, 226, 236),
        (255, 252, 240),
        (1.05, 1.02, 0.95),
        (0.48, 0.53, 0.62),
        ("on a clear day", "under a blue sky", "in bright daylight", "at noon"),
    ),
    "golden hour": _Mood(
        (104, 122, 150),
        (226, 180, 128),
        (255, 212, 134),
        (255, 242, 200),
        (1.18, 0.88, 0.56),
        (0.42, 0.36, 0.35),
        ("in golden light", "during golden hour", "in warm evening light"),
    ),
    "sunset": _Mood(
        (54, 48, 92),
        (184, 88, 92),
        (255, 154, 80),
        (255, 226, 160),
        (1.0, 0.56, 0.38),
        (0.27, 0.21, 0.28),
        ("at sunset", "under a red sky", "as the sun goes down"),
    ),
    "dusk": _Mood(
        (20, 34, 70),
        (70, 88, 138),
        (220, 152, 130),
        (250, 200, 170),
        (0.44, 0.42, 0.54),
        (0.18, 0.21, 0.32),
        ("at dusk", "in the blue hour", "after sunset"),
        True,
    ),
    "night": _Mood(
        (8, 13, 28),
        (18, 32, 58),
        (52, 74, 104),
        (226, 232, 240),
        (0.32, 0.38, 0.5),
        (0.07, 0.1, 0.16),
        ("at night", "in the dark", "under a night sky"),
        True,
    ),
    "overcast": _Mood(
        (146, 152, 158),
        (188, 192, 195),
        (222, 223, 222),
        (240, 240, 238),
        (0.86, 0.87, 0.88),
        (0.46, 0.49, 0.52),
        ("on an overcast day", "under grey clouds", "in flat grey light"),
    ),
    "storm": _Mood(
        (36, 42, 49),
        (78, 87, 95),
        (148, 154, 154),
        (190, 194, 190),
        (0.48, 0.5, 0.52),
        (0.19, 0.22, 0.25),
        ("before a storm", "under dark clouds", "in moody weather"),
        True,
    ),
    "mist": _Mood(
        (214, 219, 221),
        (232, 234, 232),
        (244, 244, 241),
        (255, 253, 246),
        (0.97, 0.97, 0.95),
        (0.62, 0.64, 0.66),
        ("in the mist", "on a misty morning", "wrapped in fog"),
    ),
}
_BW = "black and white"  # drawn in one of the moods below and then stripped of colour
_BW_BASES = ("day", "overcast", "storm", "storm", "mist", "night")
_BW_PHRASES = ("in black and white", "in monochrome", "as a black and white photograph")


class _Frame:
    """One picture being drawn: canvas height, random source, mood and the choices scenes share."""

    def __init__(self, seed: int, height: int, mood: str, variant: int) -> None:
        self.rng = np.random.default_rng([seed, 2])
        self.h = height
        self.unit = WIDTH * min(max(height / WIDTH, 0.55), 1.2)  # px; heights of hills scale with it
        self.mono = mood == _BW
        self.mood = str(self.pick(_BW_BASES)) if self.mono else mood
        base = _MOODS[self.mood]
        # A cast of a few levels, warm or cool, keeps two pictures of one mood from sharing their palette.
        cast = self.rng.normal(0, 7) * np.array([1, 0.15, -1]) + self.rng.normal(0, 6)
        self.top, self.mid, self.low = (
            np.clip(_rgb(c) + cast * k, 3, 255) for c, k in ((base.top, 0.8), (base.mid, 1.4), (base.low, 0.8))
        )
        self.sun, self.light, self.shade = _rgb(base.sun), _rgb(base.light), _rgb(base.shade)
        # Light scattered by the air: the horizon colour by day, duller when little light is left.
        self.haze = _mix(self.low, self.mid, {"dusk": 0.7, "sunset": 0.4, "storm": 0.5}.get(self.mood, 0.1))
        self.dark = base.dark
        self.variant = variant
        # Snow, foam and clouds scatter so much light that they keep less of its tint than other surfaces.
        self.white = 250 * (self.light.mean() / self.light) ** 0.5
        self.right = self.rng.random() < 0.5  # the sun stands on the right
        self.sun_x = 0.5 + (0.17 + self.uni(-0.1, 0.22)) * (1 if self.right else -1)
        self.x = (np.arange(WIDTH, dtype=np.float32) + 0.5) / WIDTH
        self.grain = 0.055

    def uni(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def pick(self, options: Sequence) -> object:
        return options[int(self.rng.integers(len(options)))]

    def lit(self, albedo: Colour, amount: float = 1.0) -> Array:
        """Colour of a surface: `amount` 0 is in shadow, 1 in full light."""
        return np.clip(_rgb(albedo) * (self.shade + (self.light - self.shade) * amount), 0, 255)

    def tex(self, name: str, width: int, height: int, zoom: float = 1.0, squeeze: float = 1.0) -> Image.Image:
        """Texture (height, width) as "L"; zoom > 1 enlarges, squeeze > 1 flattens it vertically.

        Both are rounded to half octaves, so that the scaled tiles can be kept.
        """
        tile = _scaled(name, round(2 * np.log2(zoom)), round(2 * np.log2(squeeze)), self.right)
        x, y = int(self.uni(0, tile.width)), int(self.uni(0, tile.height))
        return _wrap(tile, x, y, width, max(height, 1))

    def noise(self, name: str, width: int, height: int, zoom: float = 1.0, squeeze: float = 1.0) -> Array:
        """Like `tex`, as floats of mean 0 and deviation 1."""
        return (np.asarray(self.tex(name, width, height, zoom, squeeze), dtype=np.float32) - 128) / 42

    def plane(self, name: str, depth: Array, width: int, across: float, along: float) -> Array:
        """Texture on a level plane seen in perspective: row r lies at distance depth[r] (1 = nearest).

        `across` and `along` are tile px per canvas width and per unit of depth. Returns uint8 (rows, width).
        """
        tile = np.asarray(_tile(name)).ravel()
        step = across * depth / width
        cols = np.arange(width, dtype=np.float32) - width * 0.5
        u = (step[:, None].astype(np.float32) * cols + self.uni(0, TILE) + 64 * TILE).astype(np.int32)
        v = (depth * along + self.uni(0, TILE)).astype(np.int32) & (TILE - 1)
        u &= TILE - 1
        u |= (v << 10)[:, None]
        return tile[u]

    def ridge(self, freq: float, octaves: int = 7, rough: float = 0.48, style: str = "rock") -> Array:
        """Sum of noise octaves along the canvas width, (WIDTH,), roughly -1.5..1.5, upwards positive.

        style "rock": jagged, "peak": sharp summits, "smooth": rolling.
        """
        total = np.zeros(WIDTH, dtype=np.float32)
        amp = 0.8
        for octave in range(octaves):
            knots = self.rng.standard_normal(int(freq) + 3).astype(np.float32)
            t = self.x * freq + self.rng.random(dtype=np.float32)
            i = t.astype(np.int32)
            k = t - i
            if style == "smooth" or octave == 0:
                k = k * k * (3 - 2 * k)
            value = knots[i] * (1 - k) + knots[i + 1] * k
            if style == "peak" and octave < 3:
                value = 0.9 - 1.7 * np.abs(value)
            total += amp * value
            freq *= 2.05
            amp *= rough
        return total

    def tree_line(self, count: int, height: float, ground: Array) -> Array:
        """Upper edge (WIDTH,) in px of a stand of conifers `height` px tall on the line `ground`."""
        edge = ground.copy()
        for c, k, slim in zip(
            self.rng.random(count) * 1.1 - 0.05,
            self.rng.uniform(0.45, 1.15, count),
            self.rng.uniform(0.16, 0.26, count),
            strict=True,
        ):
            tall, centre = height * k, c * WIDTH
            radius = max(tall * slim, 2.0)
            a, b = max(int(centre - radius), 0), min(int(centre + radius) + 2, WIDTH)
            if a >= b:
                continue
            d = np.abs(np.arange(a, b) + 0.5 - centre) / radius
            tiers = (d * 7 + k * 9 + (np.arange(a, b) > centre) * 0.4) % 1 - 0.6  # drooping branches
            top = tall * (1.04 - d**0.85 + 0.13 * tiers * (0.3 + d))
            foot = ground[min(max(int(centre), 0), WIDTH - 1)]
            edge[a:b] = np.minimum(edge[a:b], foot - np.maximum(top, 0))
        return edge


# --------------------------------------------------------------------------- building blocks


def _sky(
    f: _Frame, horizon: float, clouds: float | None = None, sun_y: float | None = None, disc: bool = True
) -> Image.Image:
    """Sky over the whole canvas; below `horizon` (px) the horizon colour goes on.

    clouds: cover 0..1 (None: by mood); sun_y: height of the sun in px (None: out of sight).
    """
    w = 360  # 3 times smaller than the canvas: ample for clouds
    scale = w / WIDTH
    bottom = min(int(horizon) + int(f.unit * 0.12), f.h)  # nothing below is left visible
    h = max(int(bottom * scale), 2)
    t = np.clip(np.arange(h) / max(horizon * scale, 1), 0, 1)
    column = np.stack([np.interp(t, (0, 0.55, 1), (f.top[i], f.mid[i], f.low[i])) for i in range(3)], axis=1)
    sky = np.repeat(column[:, None, :].astype(np.float32), w, axis=1)
    xx = (np.arange(w, dtype=np.float32) + 0.5)[None, :] / w
    yy = np.arange(h, dtype=np.float32)[:, None] / w
    far = np.hypot(xx - f.sun_x, yy - (horizon if sun_y is None else sun_y) / WIDTH)
    glow = np.exp(-far / 0.28)
    power = 0.75 if f.mood in ("dawn", "golden hour", "sunset", "dusk") else 0.3
    if f.mood == "night":
        power = 0.2
    sky += (f.sun - sky) * (glow * power)[..., None]
    cover = clouds
    if cover is None:
        cover = {"overcast": 0.85, "storm": 0.9, "mist": 0.25, "night": 0.2}.get(f.mood, f.uni(0.05, 0.7))
    if cover > 0.03:
        depth = 1 / (np.clip(1 - t, 0, 1) * 0.9 + 0.16)
        style = f.uni(0.6, 1.4)
        n = (f.plane("cloud", depth, w, 240 * style, 150 * style).astype(np.float32) - 128) / 42
        n = np.asarray(_image(128 + 42 * n).filter(ImageFilter.BoxBlur(1)), dtype=np.float32) / 42 - 128 / 42
        fade = _smooth(1 - t, 0.0, 0.22)[:, None] * 0.9 + 0.1
        body = _smooth(n, 1.15 - 2.3 * cover, 2.5 - 2.2 * cover) * fade
        beside = np.clip(np.arange(w) + (-4 if f.right else 4), 0, w - 1)
        below = np.clip(np.arange(h) + (3 if sun_y is None else -4), 0, h - 1)
        side = n[:, beside] + n[below]
        rim = np.clip(0.5 + 0.5 * (n * 2 - side) - 0.2 * body + 0.35 * glow, 0, 1)
        bright = _mix(f.sun, f.low, 0.35) * (0.9 if not f.dark else 0.62)
        if f.mood == "night":
            bright = f.low * 1.1
        dull = _mix(f.mid, f.top, 0.4) * (0.9 if f.dark else 1.02) + (0 if f.dark else 12)
        paint = dull + (bright - dull) * rim[..., None]
        sky += (paint - sky) * (body * 0.85)[..., None]
    if disc and sun_y is not None and f.mood not in ("overcast", "storm"):
        size = {"day": 0.02, "night": 0.022}.get(f.mood, 0.03)
        core = _smooth(-far, -size, -size * 0.8) + (0.2 if f.mood == "night" else 0.5) * np.exp(-far / 0.05)
        sky += (np.minimum(f.sun + 20, 255) - sky) * np.clip(core, 0, 1)[..., None]
    img = Image.new("RGB", (WIDTH, f.h), _ink(f.low))
    img.paste(_image(sky).resize((WIDTH, bottom), Image.Resampling.BILINEAR), (0, 0))
    return img


def _edge_mask(edge: Array, top: int, bottom: int, soft: float = 1.5) -> Image.Image:
    """Mask of rows top..bottom that is white under `edge` (px), with a step `soft` px wide."""
    rows = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    return _mask((rows - edge[None, :]) / np.float32(soft) + 0.5)


def _layer(f: _Frame, img: Image.Image, edge: Array, fill: Image.Image, top: int, soft: float = 1.5) -> None:
    """Paste `fill`, whose first row is canvas row `top`, wherever it lies under `edge` (px)."""
    bottom = min(top + fill.height, f.h)
    solid = min(max(int(edge.max()) + 2, top), bottom)  # from here on no mask is needed
    if solid > top:
        img.paste(fill.crop((0, 0, WIDTH, solid - top)), (0, top), _edge_mask(edge, top, solid, soft))
    if bottom > solid:
        img.paste(fill.crop((0, solid - top, WIDTH, bottom - top)), (0, solid))


def _slope(
    f: _Frame,
    img: Image.Image,
    edge: Array,
    bottom: float,
    albedo: Colour,
    haze: float,
    foot: float,
    tex: Image.Image | str | None = "relief",
    zoom: float = 1.0,
    contrast: float = 1.0,
) -> None:
    """A hill below `edge` down to row `bottom`: textured, `haze` (0..1) at the crest, `foot` at the base."""
    top = max(int(edge.min()) - 2, 0)
    rows = min(int(bottom), f.h) - top
    if rows < 2:
        return
    glow = f.haze
    bright, dull = f.lit(albedo, 0.5 + 0.5 * contrast), f.lit(albedo, 0.5 - 0.5 * contrast)
    light = _gradient([(0, _mix(bright, glow, haze)), (1, _mix(bright, glow, foot))], rows)
    if tex is None:
        fill = light
    else:
        dark = _gradient([(0, _mix(dull, glow, haze)), (1, _mix(dull, glow, foot))], rows)
        pattern = f.tex(tex, WIDTH, rows, zoom) if isinstance(tex, str) else tex.crop((0, 0, WIDTH, rows))
        fill = Image.composite(light, dark, pattern)
    _layer(f, img, edge, fill, top)


def _ranges(
    f: _Frame,
    img: Image.Image,
    horizon: float,
    foot: float,
    count: int,
    tall: float,
    style: str,
    albedo: Colour,
    snow: bool = False,
    air: float = 0.84,
) -> None:
    """Ridges one behind another: the farthest at row `horizon`, the nearest based at row `foot`.

    air: share of haze (0..1) over the farthest ridge; snow: white summits.
    """
    edges = []
    for i in range(count):
        k = i / max(count - 1, 1)
        base = horizon + (foot - horizon) * k**1.2 * 0.85
        size = tall * (1 - 0.45 * k) * f.uni(0.8, 1.2)
        edges.append(base - size * (0.35 + 0.5 * f.ridge(f.uni(1.6, 3) + k, 8, 0.46 + 0.03 * (1 - k), style)))
    for i, edge in enumerate(edges):
        k = i / max(count - 1, 1)
        bottom = foot if i == count - 1 else min(float(edges[i + 1].max()) + 2, foot)
        thick = 0.12 if f.mood != "mist" else 0.3
        haze = air * (1 - k) ** 1.1 + thick
        colour = _mix((214, 218, 226), albedo, 0.25 + 0.75 * k) if snow and k < 0.7 else _rgb(albedo)
        _slope(f, img, edge, bottom, colour, haze, min(haze + 0.3, 0.97), "relief", 0.6 + 0.8 * k, 1.0 if snow else 0.8)


def _reflect(f: _Frame, img: Image.Image, shore: int, calm: float, tint: Colour, keep: float) -> None:
    """Mirror the rows above `shore` into the water below; keep (0..1) of the mirror image stays."""
    rows = f.h - shore
    if rows < 2 or shore < 2:
        return
    d = np.arange(rows)
    wobble = np.interp(d / 3.0, np.arange(rows + 1), f.rng.normal(0, 1, rows + 1))
    wobble *= (1 - calm) * (2 + d * 0.035)
    source = np.clip(shore - 1 - d * (shore / max(shore, rows)) + wobble, 0, shore - 1).astype(np.int32)
    mirror = Image.fromarray(np.asarray(img)[source]).filter(ImageFilter.BoxBlur((1, 2)))
    mirror = Image.blend(mirror, Image.new("RGB", mirror.size, _ink(tint)), 1 - keep)
    depth = 1 / (d / rows * 0.95 + 0.05)
    n = (f.plane("wave", depth, WIDTH, 500, 500).astype(np.float32) - 128) * (0.0022 * (1.15 - calm))
    sheen = _gradient([(0, f.low), (1, f.mid)], rows)
    img.paste(Image.composite(sheen, mirror, _mask(np.clip(n, 0, 0.4))), (0, shore))


def _sprite(img: Image.Image, mask: Image.Image, x: float, y: float, fill: Colour | Image.Image) -> None:
    """Paste a mask with its centre at x, bottom at y (px); `fill` is a colour or an RGB image."""
    at = (int(x - mask.width / 2), int(y - mask.height))
    if isinstance(fill, Image.Image):
        img.paste(fill, at, mask)
    else:
        img.paste(_ink(fill), (*at, at[0] + mask.width, at[1] + mask.height), mask)


@cache
def _tree(number: int, leafy: bool) -> Image.Image:
    """Mask (900, 900) of a branching tree, one of a few built from fixed seeds."""
    rng = np.random.default_rng(400 + number)
    img = Image.new("L", (900, 900))
    pen = ImageDraw.Draw(img)
    stack = [(450.0, 899.0, -np.pi / 2, 190.0, 26.0)]
    while stack:
        x, y, angle, length, thick = stack.pop()
        x2, y2 = x + length * np.cos(angle), y + length * np.sin(angle)
        pen.line((x, y, x2, y2), fill=255, width=max(int(thick), 1))
        if leafy and thick < 7:
            for _ in range(8):
                r = rng.uniform(3, 8)
                cx, cy = x2 + rng.normal(0, 24), y2 + rng.normal(0, 17)
                pen.ellipse((cx - r, cy - r * 0.8, cx + r, cy + r * 0.8), fill=int(rng.integers(170, 256)))
        if thick > 1.4:
            turn = rng.uniform(0.25, 0.6)
            for side in (-1, 1, rng.choice((-0.2, 0.2))):
                if rng.random() < 0.92:
                    shrink = rng.uniform(0.66, 0.86)
                    stack.append(
                        (
                            x2,
                            y2,
                            angle + side * turn + rng.normal(0, 0.12) - 0.06 * np.cos(angle),
                            length * shrink,
                            thick * rng.uniform(0.55, 0.72),
                        )
                    )
    return img


@cache
def _fir(number: int, height: int) -> tuple[Image.Image, Image.Image]:
    """Masks of a spruce `height` px tall and of the snow on its branches, one of a few fixed shapes."""
    rng = np.random.default_rng(500 + number)
    tree, snow = Image.new("L", (320, 640)), Image.new("L", (320, 640))
    pen, brush = ImageDraw.Draw(tree), ImageDraw.Draw(snow)
    slim = rng.uniform(95, 150)
    pen.polygon([(157, 4), (163, 4), (168, 639), (152, 639)], fill=255)
    y = 14.0
    while y < 596:
        reach = slim * (y / 600) ** 0.85 + 3
        for side in (-1, 1):
            out = reach * rng.uniform(0.6, 1.1)
            x1, y1 = 160 + side * out, y + out * rng.uniform(0.2, 0.42)
            thick = 4 + out * 0.13
            pen.polygon(
                [(160, y - thick), (x1, y1), (160 + side * out * 0.5, (y + y1) / 2 + thick * 1.3), (160, y + thick)],
                fill=255,
            )
            for part in rng.uniform(0.3, 0.95, 4):  # hanging twigs
                x, top = 160 + side * out * part, y + (y1 - y) * part
                pen.line((x, top, x + side * 4, top + thick * rng.uniform(0.8, 1.9)), fill=235, width=3)
            if rng.random() < 0.5:
                brush.line(
                    (160 + side * out * 0.25, y + (y1 - y) * 0.25 - 2, x1, y1 - 2),
                    fill=240,
                    width=int(2 + thick * 0.25),
                )
        y += rng.uniform(6, 13) + y * 0.012
    size = max(height // 2, 2), max(height, 4)
    return tree.resize(size, Image.Resampling.BOX), snow.resize(size, Image.Resampling.BOX)


def _firs(
    f: _Frame,
    img: Image.Image,
    ground: Array,
    count: int,
    height: float,
    colour: Colour,
    centre: float = 0.5,
    spread: float = 1.1,
    snow: Colour | None = None,
) -> None:
    """Spruces about `height` px tall on the line `ground` (px), within `spread` around `centre` (0..1)."""
    for _ in range(count):
        x = (centre + f.uni(-0.5, 0.5) * spread) * WIDTH
        foot = float(ground[int(np.clip(x, 0, WIDTH - 1))]) + height * f.uni(0, 0.08)
        tall = round(height * f.uni(0.5, 1.1) / 16) * 16  # in steps, so that the scaled masks can be kept
        tree, crust = _fir(int(f.rng.integers(5)), max(tall, 16))
        _sprite(img, tree, x, foot, colour)
        if snow is not None:
            _sprite(img, crust, x, foot, snow)


def _plant_tree(f: _Frame, img: Image.Image, x: float, y: float, size: float, colour: Colour, leafy: bool) -> None:
    """Stand a tree `size` px tall with its foot at x, y (px)."""
    n = max(int(size), 2)
    mask = _tree(int(f.rng.integers(4)), leafy).resize((n, n), Image.Resampling.BILINEAR, reducing_gap=2)
    _sprite(img, mask, x, y, colour)


def _birds(f: _Frame, img: Image.Image, x: float, y: float, count: int, colour: Colour) -> None:
    """A loose flock around x, y (px)."""
    for _ in range(count):
        wing = f.uni(9, 17)
        icon = Image.new("L", (96, 48))
        pen = ImageDraw.Draw(icon)
        lift = f.uni(4, 18)
        pen.line((4, 24 - lift, 28, 14, 48, 30, 68, 14, 92, 24 - lift * 0.6), fill=255, width=7, joint="curve")
        icon = icon.resize((int(wing * 2), int(wing)), Image.Resampling.BILINEAR, reducing_gap=2)
        _sprite(img, icon, x + f.rng.normal(0, 90), y + f.rng.normal(0, 50), colour)


def _stars(f: _Frame, img: Image.Image, floor: float, count: int) -> None:
    """Sprinkle stars over the rows above `floor` (px)."""
    sky = np.array(img)
    rows = max(int(floor), 4)
    ys, xs = f.rng.integers(1, rows - 1, count), f.rng.integers(1, WIDTH - 1, count)
    power = np.minimum(f.rng.pareto(1.3, count) * 26 + 12, 240).astype(np.int32)
    warm = f.rng.normal(0, 12, (count, 1)) * np.array([1, 0, -1])
    near = power > 120
    spots = [(0, 0, 1.0, slice(None)), (0, 1, 0.45, slice(None)), (1, 0, 0.4, slice(None))]
    spots += [(dy, dx, 0.6, near) for dy, dx in ((0, -1), (-1, 0), (1, 1))]
    for dy, dx, share, who in spots:
        y, x = ys[who] + dy, xs[who] + dx
        add = (power[who] * share)[:, None] + warm[who] * share
        sky[y, x] = np.clip(sky[y, x] + add, 0, 255).astype(np.uint8)
    img.paste(Image.fromarray(sky))


# --------------------------------------------------------------------------- scenes: land


def _mountains(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.36, 0.52)
    img = _sky(f, horizon + f.unit * 0.05, sun_y=horizon - f.unit * f.uni(0.12, 0.26))
    if f.mood == "night":
        _stars(f, img, horizon, 900)
    style = ("rock", "peak", "smooth")[f.variant]
    albedo = f.pick([(86, 96, 88), (104, 92, 84), (72, 88, 104), (92, 104, 72)])
    snow = f.variant == 1
    _ranges(
        f,
        img,
        horizon,
        f.h,
        4 if snow else int(f.rng.integers(5, 8)),
        f.unit * f.uni(0.13, 0.2) * (1.3 if snow else 1),
        style,
        albedo,
        snow,
        0.6 if snow else 0.84,
    )
    if f.rng.random() < 0.6:
        ground = f.h * f.uni(0.93, 0.99) - f.unit * 0.03 * f.ridge(2, 3, 0.5, "smooth")
        ink = _mix(f.lit((40, 48, 40), 0.3), f.haze, 0.05)
        _firs(f, img, ground, 46, f.unit * f.uni(0.1, 0.2), ink)
        _slope(f, img, ground, f.h, (40, 48, 40), 0.05, 0.0, "fine", 1.0, 0.4)
    if not f.dark and f.rng.random() < 0.4:
        _birds(f, img, WIDTH * (0.35 if f.right else 0.65), horizon * 0.6, 7, f.lit((60, 60, 64), 0.2))
    f.grain = 0.06
    return img


def _balloons(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.62, 0.74)
    img = _sky(f, horizon, sun_y=horizon - f.unit * 0.08)
    _ranges(f, img, horizon, f.h, 5, f.unit * 0.1, "rock", (116, 96, 78))
    small = sorted(f.rng.uniform(0.02, 0.07, int(f.rng.integers(2, 9))))
    for i, size in enumerate([*small, f.uni(0.11, 0.2)]):
        r = f.unit * size
        near = min(size / 0.12, 1.0)
        cx = WIDTH * (f.uni(0.08, 0.92) if size < 0.1 else (0.34 if f.right else 0.66))
        cy = f.h * (f.uni(0.2, 0.62) if size < 0.1 else f.uni(0.26, 0.38))
        n = max(int(r * 1.25), 8)  # the envelope is drawn small and enlarged
        yy, xx = np.mgrid[0 : int(n * 1.5), 0:n].astype(np.float32) / n * 2 - 1
        # Envelope: a circle above, a cone tapering to the mouth below.
        half = np.where(yy < 0.1, np.sqrt(np.clip(1 - yy * yy, 0, 1)), np.clip(1 - (yy - 0.1) * 0.72, 0, 1) ** 0.8)
        half = np.where(yy > 1.12, 0, half)
        gores = np.sin(np.arcsin(np.clip(xx / np.maximum(half, 1e-3), -1, 1)) * f.pick([4.0, 6.0, 8.0]) + i)
        band = np.abs(yy + f.uni(0, 0.3)) < f.uni(0.1, 0.4)
        hues = [
            _rgb(c)
            for c in f.rng.permutation(
                [(196, 48, 40), (238, 176, 46), (40, 84, 150), (240, 232, 214), (52, 130, 120), (122, 54, 110)]
            )
        ]
        paint = np.where((gores > 0)[..., None], hues[0], hues[1])
        paint = np.where((band & (gores > -0.2))[..., None], hues[2], paint)
        lit = 0.62 + 0.5 * xx * (1 if f.right else -1) - 0.25 * yy - 0.3 * xx * xx
        lit = np.clip(lit, 0.05, 1)[..., None]
        paint = paint * (f.shade + (f.light - f.shade) * lit)
        paint = (paint + (f.low - paint) * (0.5 * (1 - near))).astype(np.float32)
        cover = np.clip((half - np.abs(xx)) * n / 2.2, 0, 1)
        basket = (np.abs(xx) < 0.11) & (yy > 1.42) & (yy < 1.66)
        ropes = (np.abs(np.abs(xx) - 0.13) < 1.6 / n) & (yy > 1.0) & (yy < 1.45)
        paint[basket | ropes] = f.lit((58, 42, 30), 0.5)
        cover = np.maximum(cover, basket * 1.0 + ropes * 0.7)
        size = max(int(r * 2), 6), max(int(r * 3), 9)
        mask, skin = (i.resize(size, Image.Resampling.BICUBIC) for i in (_mask(cover), _image(paint)))
        _sprite(img, mask, cx, cy + r * 2, skin)
    f.grain = 0.06
    return img


def _dunes(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.3, 0.46)
    img = _sky(f, horizon + f.unit * 0.05, clouds=f.uni(0, 0.3), sun_y=horizon - f.unit * f.uni(0.1, 0.22))
    if f.mood == "night":
        _stars(f, img, horizon, 900)
    sand = f.pick([(226, 176, 122), (214, 150, 96), (232, 204, 160), (216, 132, 88)])
    count = int(f.rng.integers(3, 6))
    crests = []
    for k in (np.arange(count) + 0.3) / count:
        peak, span, tall = f.uni(0.12, 0.88), f.uni(0.3, 0.6), f.unit * (0.06 + 0.2 * k)
        # Two arcs meeting in a point make the crest; the wind side is longer than the lee side.
        d = (f.x - peak) / np.where(f.x < peak, span, span * 0.75)
        edge = horizon + (f.h - horizon) * k**1.3 * 0.72 + f.unit * 0.02 * f.ridge(1.6, 2, 0.4, "smooth")
        crests.append((k, peak, tall, edge - tall * np.exp(-1.8 * np.abs(d) ** 1.15)))
    for i, (k, peak, tall, edge) in enumerate(crests):
        top = max(int(edge.min()) - 2, 0)
        bottom = f.h if i == count - 1 else min(int(crests[i + 1][3].max()) + 2, f.h)
        rows = bottom - top
        if rows < 2:
            continue
        haze = 0.5 * (1 - k) ** 1.5
        glow = f.haze
        light = _gradient(
            [
                (0, _mix(f.lit(sand, 1.0), glow, haze)),
                (min(1, tall * 2.2 / rows), _mix(f.lit(sand, 0.5), glow, haze * 0.6)),
                (1, f.lit(sand, 0.6)),
            ],
            rows,
        )
        dark = _gradient([(0, _mix(f.lit(sand, 0.12), glow, haze)), (1, _mix(f.lit(sand, 0.35), glow, haze))], rows)
        d = np.arange(rows, dtype=np.float32)
        swing = np.sin(d / (f.unit * f.uni(0.1, 0.2))) * d * 0.16
        side = 1 if f.right else -1
        spine = peak * WIDTH - side * (d * f.uni(0.15, 0.7) - swing)
        lee = _smooth((spine[:, None] - f.x * WIDTH) * side, -2.0, 4.0)  # 1 on the side away from the sun
        reach = np.exp(-((d / (tall * 2.4)) ** 2))[:, None]
        ripples = f.plane(
            "ripple",
            1
            / (0.3 + 0.7 * np.linspace((top - horizon) / (f.h - horizon), (bottom - horizon) / (f.h - horizon), rows)),
            WIDTH,
            620,
            900,
        )
        tone = 0.88 + (ripples.astype(np.float32) - 128) * (0.0022 * (0.25 + k)) - lee * reach * 0.85
        _layer(f, img, edge, Image.composite(light, dark, _mask(tone)), top)
    f.grain = 0.055
    return img


def _conifers(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.16, 0.32)
    img = _sky(f, horizon + f.unit * 0.1, clouds=0.15, sun_y=horizon * 0.6 if f.mood != "mist" else None)
    count = int(f.rng.integers(5, 8))
    lean = f.uni(-0.3, 0.3) * f.unit
    edges = []
    for i in range(count):
        k = i / (count - 1)
        base = horizon + (f.h * 0.98 - horizon) * k**1.15
        tilt = lean * (1 - 0.5 * k) * (1 if i % 2 else -0.6)
        ground = base + tilt * (f.x - 0.5) - f.unit * 0.05 * f.ridge(1.8, 4, 0.45, "smooth")
        tall = f.unit * (0.04 + 0.17 * k**1.5)
        edges.append((f.tree_line(int(WIDTH / tall * 6.5), tall, ground) if k < 0.45 else ground, tall))
    for i, (edge, tall) in enumerate(edges):
        k = i / (count - 1)
        bottom = f.h if i == count - 1 else edges[i + 1][0].max() + 2
        haze = 0.88 * (1 - k) ** 1.3 + 0.02
        if k >= 0.45:
            _firs(f, img, edge, int(WIDTH / tall * 6), tall * 1.3, _mix(f.lit((44, 58, 50), 0.4), f.haze, haze))
        _slope(f, img, edge, bottom, (44, 58, 50), haze, min(haze + 0.5 * (1 - 0.6 * k), 0.95), "fine", 1.4, 0.6)
        if 0 < k < 0.9 and f.rng.random() < 0.6:  # a drifting bank of fog in front of this stand
            y = int(edge.mean() + f.unit * 0.06)
            bank = np.clip(f.noise("cloud", 216, 60, 0.28, 2.2) * 0.4 + 0.25, 0, 0.75)
            bank *= np.sin(np.linspace(0, np.pi, 60))[:, None]
            _sprite(
                img,
                _mask(bank).resize((WIDTH, int(f.unit * 0.22)), Image.Resampling.BILINEAR),
                WIDTH / 2,
                y + f.unit * 0.11,
                f.haze,
            )
    f.grain = 0.06
    return img


def _trunk(f: _Frame, img: Image.Image, scale: float, k: float, ground: Array, bark: Colour, lit: Colour) -> None:
    """One tree trunk at nearness k (0..1) on `ground` (canvas px), in an image `scale` times the canvas."""
    half = WIDTH * (0.004 + 0.024 * k**1.6) * f.uni(0.7, 1.3) * scale
    x0, lean = f.uni(-0.05, 1.05) * WIDTH, f.uni(-0.03, 0.03)
    toward = np.sign(f.sun_x * WIDTH - x0)
    foot = ground[int(np.clip(x0, 0, WIDTH - 1))] * scale + half
    x0, rows = x0 * scale, min(int(foot), img.height)
    slack = abs(lean) * rows
    a = int(max(x0 - half * 1.9 - slack, 0))
    b = int(min(x0 + half * 1.9 + slack, img.width))
    if b - a < 2 or rows < 2:
        return
    y = np.arange(rows, dtype=np.float32)[:, None]
    radius = half * (0.7 + 0.3 * y / foot + 0.8 * np.exp((y - foot) / (half * 2)))  # flared at the root
    across = (np.arange(a, b, dtype=np.float32) + np.float32(0.5 - x0) - (y - foot) * lean) / radius
    cover = np.clip((1 - np.abs(across)) * half, 0, 1)
    rough = np.asarray(f.tex("bark", b - a, rows))
    shade = np.clip(across * (0.55 * toward) + (rough * np.float32((0.3 + 0.4 * k) / 110) - 0.15 - 0.45 * k), 0, 1)
    img.paste(bark, (a, 0, b, rows), _mask(cover))
    img.paste(lit, (a, 0, b, rows), _mask(cover * shade))


def _trunks(f: _Frame) -> Image.Image:
    glow = _mix(f.low, f.sun, 0.4)
    green = f.pick([(120, 140, 70), (150, 130, 70), (96, 120, 100), (160, 110, 60)])
    h = max(f.h // 5, 2)
    yy, xx = np.mgrid[0:h, 0:216].astype(np.float32)
    far = np.hypot(xx / 216 - f.sun_x, (yy / h - 0.42) * 1.1)
    base = _mix(f.lit(green, 0.6), f.low, 0.45)
    soft = base + (glow - base) * np.exp(-far / 0.28)[..., None]
    soft += f.noise("cloud", 216, h, 0.25)[..., None] * 9
    floor = f.uni(0.62, 0.72)
    img = _image(soft)
    for layer in range(4):
        # The far trees are drawn at half size: a little blur sets them back.
        scale = 0.5 if layer < 2 else 1.0
        if layer in (0, 2):
            img = img.resize((int(WIDTH * scale), max(int(f.h * scale), 2)), Image.Resampling.BILINEAR)
        k = layer / 3
        hidden = f.h * 0.07 if layer == 0 else 0  # the farthest stand behind the first rise
        haze = 0.78 * (1 - k) ** 1.1
        rise = f.unit * 0.02 * f.ridge(2, 4, 0.5, "smooth")
        ground = hidden + f.h * (floor + (1 - floor) * k**1.6 * 0.8) - rise
        bark = _ink(_mix(f.lit((70, 58, 50), 0.35), base, haze))
        lit = _ink(_mix(f.lit((150, 124, 96), 0.9), glow, haze))
        for _ in range((18, 13, 7, 3)[layer]):
            _trunk(f, img, scale, k, ground, bark, lit)
        if layer == 1:
            img = img.resize((WIDTH, f.h), Image.Resampling.BILINEAR)
        if layer > 0:
            fern = ground - np.abs(f.ridge(60, 4, 0.7)) * f.unit * (0.004 + 0.012 * k)
            _slope(
                f, img, fern, f.h, _mix(green, (60, 70, 40), 0.4), haze * 0.8, haze * 0.5, "fine", 1.4 + 0.6 * k, 1.0
            )
    # Shafts of light fan out from the sun.
    angle = np.arctan2(yy / h * f.h / WIDTH + 0.35, xx / 216 - f.sun_x)
    rays = np.interp(angle, np.linspace(0, np.pi, 40), np.clip(f.rng.normal(0, 1, 40), 0, 2))
    shaft = _mask(rays * np.exp(-far / 0.5) * 0.26 + 0.35 * np.exp(-far / 0.2))
    img.paste(_ink(glow), (0, 0), shaft.resize(img.size, Image.Resampling.BILINEAR))
    f.grain = 0.06
    return img


def _snow(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.4, 0.58)
    img = _sky(f, horizon, clouds=f.uni(0.1, 0.6), sun_y=horizon - f.unit * f.uni(0.1, 0.3))
    if f.variant == 1:
        _ranges(f, img, horizon - f.unit * 0.02, horizon + f.unit * 0.1, 3, f.unit * 0.2, "peak", (150, 156, 170), True)
    far = f.tree_line(160, f.unit * 0.05, horizon + f.unit * 0.02 * f.ridge(2, 3, 0.5, "smooth") + 8)
    _slope(f, img, far, horizon + f.unit * 0.1, (92, 100, 108), 0.55, 0.75, "fine", 1.2, 0.7)
    edges = [
        horizon + (f.h - horizon) * k * 0.5 - f.unit * (0.02 + 0.03 * k) * f.ridge(1.3, 3, 0.35, "smooth")
        for k in (0, 0.5, 1)
    ]
    for i, edge in enumerate(edges):
        k = i / 2
        bottom = f.h if i == 2 else float(edges[i + 1].max()) + 2
        rows = max(int(bottom) - int(edge.min()) + 9, 2)
        drift = _mask(f.noise("soft", 270, max(rows // 4, 1), 0.9 + 0.6 * k, 2.2) * 0.09 + 0.8)
        grit = f.tex("fine", WIDTH, rows, 1.2, 1.5)
        pattern = Image.blend(drift.resize((WIDTH, rows), Image.Resampling.BILINEAR), grit, 0.05 + 0.06 * k)
        _slope(f, img, edge, bottom, f.white, 0.35 * (1 - k), 0.1 * (1 - k), pattern, 1.0, 0.85)
    x, y = WIDTH * (0.34 if f.right else 0.66), f.h * f.uni(0.68, 0.78)
    if f.variant == 0:
        _shadow(f, img, x, y, f.unit * 0.34)
        _plant_tree(f, img, x, y + 4, f.unit * f.uni(0.4, 0.55), f.lit((62, 56, 56), 0.3), False)
    else:
        _shadow(f, img, x, y, f.unit * 0.5)
        ground = y - f.unit * 0.02 * f.ridge(2, 3, 0.5, "smooth")
        _firs(
            f,
            img,
            ground,
            int(f.rng.integers(4, 12)),
            f.unit * f.uni(0.2, 0.34),
            f.lit((58, 70, 70), 0.35),
            x / WIDTH,
            f.uni(0.3, 0.6),
            f.lit(f.white, 0.8),
        )
    f.grain = 0.045
    return img


def _shadow(f: _Frame, img: Image.Image, x: float, y: float, length: float) -> None:
    """A soft shadow on the ground, falling away from the sun towards the viewer."""
    yy, xx = np.mgrid[0:40, 0:120].astype(np.float32)
    run = 1 - xx / 120 if not f.right else xx / 120
    soft = np.exp(-(((yy - 20 - (1 - run) * 8) / (3 + 6 * (1 - run))) ** 2))
    soft *= run**0.8 * _smooth(1 - run, 0, 0.05) * 0.45
    mask = _mask(soft).resize((int(length), int(length * 0.22)), Image.Resampling.BILINEAR)
    side = -0.5 if f.right else 0.5
    _sprite(img, mask, x + side * length, y + length * 0.09, f.lit((120, 136, 176), 0.1))


def _fields(f: _Frame) -> Image.Image:
    horizon = int(f.h * f.uni(0.34, 0.5))
    img = _sky(f, horizon, sun_y=horizon - f.unit * f.uni(0.06, 0.25))
    _ranges(f, img, horizon - f.unit * 0.01, horizon + 6, 3, f.unit * 0.06, "smooth", (88, 104, 84))
    edge = f.tree_line(120, f.unit * 0.03, np.full(WIDTH, horizon + 4.0))
    _slope(f, img, edge, horizon + 8, (56, 72, 50), 0.4, 0.3, "fine")
    crop, soil = (
        ((128, 96, 176), (64, 76, 54)),
        ((226, 186, 96), (150, 108, 52)),
        ((112, 150, 62), (62, 84, 38)),
        ((208, 62, 66), (62, 96, 44)),
    )[f.variant]
    rows = f.h - horizon
    t = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    depth = 1 / (t * 0.96 + 0.04)
    vanish = f.uni(0.3, 0.7)
    lanes = (f.x[None, ::2] - vanish) * depth[::2, None] * f.uni(4.5, 8) + f.uni(0, 1)
    lanes += f.noise("fine", lanes.shape[1], lanes.shape[0]) * 0.05
    lanes -= np.floor(lanes)
    tone = _smooth(0.5 - np.abs(lanes - 0.5), 0.06, 0.4) * -0.85 + 0.92  # bright on the row, dark in the furrow
    tone += (0.55 - tone) * np.exp(-t * 16)[::2, None]
    fine = Image.fromarray(f.plane("fine", depth**0.8, WIDTH, 560, 420))
    tone = Image.blend(_mask(tone).resize(fine.size, Image.Resampling.BILINEAR), fine, 0.5)
    tone = tone.point([int(min(max((i - 40) * 1.5, 0), 255)) for i in range(256)])
    glow = f.haze
    light = _gradient([(0, _mix(f.lit(crop, 0.9), glow, 0.45)), (0.3, f.lit(crop, 0.95)), (1, f.lit(crop, 0.7))], rows)
    dark = _gradient([(0, _mix(f.lit(soil, 0.5), glow, 0.45)), (0.3, f.lit(soil, 0.3)), (1, f.lit(soil, 0.12))], rows)
    img.paste(Image.composite(light, dark, tone), (0, horizon))
    if f.rng.random() < 0.6:
        _plant_tree(
            f,
            img,
            WIDTH * (0.33 if f.right else 0.67),
            horizon + 8,
            f.unit * f.uni(0.12, 0.24),
            _mix(f.lit((52, 64, 44), 0.35), f.low, 0.15),
            True,
        )
    f.grain = 0.05
    return img


def _road(f: _Frame) -> Image.Image:
    horizon = int(f.h * f.uni(0.42, 0.58))
    img = _sky(f, horizon, sun_y=horizon - f.unit * f.uni(0.08, 0.3))
    if f.mood == "night":
        _stars(f, img, horizon, 1200)
    style = f.pick(["rock", "peak", "smooth"])
    _ranges(f, img, horizon, horizon + 8, 3, f.unit * f.uni(0.08, 0.16), style, (128, 104, 88), f.variant == 1)
    rows = f.h - horizon
    t = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    depth = 1 / (t * 0.97 + 0.03)
    earth = ((178, 138, 98), (150, 146, 126), (104, 122, 70))[f.variant]
    scrub = ((104, 86, 58), (92, 90, 74), (58, 76, 40))[f.variant]
    glow = f.haze
    tex = f.plane("fine", depth**0.85, WIDTH, 620, 300)
    patch = f.plane("cloud", depth, WIDTH, 300, 160)
    tone = Image.blend(Image.fromarray(tex), Image.fromarray(patch), 0.42)
    tone = tone.point([int(min(max((i - 76) * 2.2, 0), 255)) for i in range(256)])
    light = _gradient(
        [(0, _mix(f.lit(earth, 0.9), glow, 0.5)), (0.25, f.lit(earth, 0.9)), (1, f.lit(earth, 0.8))], rows
    )
    dark = _gradient([(0, _mix(f.lit(scrub, 0.5), glow, 0.5)), (0.25, f.lit(scrub, 0.4)), (1, f.lit(scrub, 0.2))], rows)
    land = Image.composite(light, dark, tone)
    vanish, bend = f.uni(0.42, 0.58), f.uni(-0.05, 0.05)
    centre = (vanish + (0.5 - vanish) * t + bend * np.sin(t * np.pi) * (1 - t)) * WIDTH
    half = (0.003 + f.uni(0.24, 0.36) * t) * WIDTH
    off = (f.x * WIDTH - centre[:, None]) / half[:, None]
    soft = half[:, None] / 1.5
    tar = np.clip((1 - np.abs(off)) * soft, 0, 1)
    asphalt = f.lit((112, 112, 116), 0.55)
    surface = Image.composite(
        _gradient([(0, _mix(asphalt, glow, 0.55)), (0.4, asphalt * 1.1), (1, asphalt * 0.95)], rows),
        _gradient([(0, _mix(asphalt, glow, 0.5)), (1, asphalt * 0.55)], rows),
        Image.fromarray(tex // 2 + 88),
    )
    land.paste(surface, (0, 0), _mask(tar))
    lines = np.clip((0.016 - np.abs(np.abs(off) - 0.93)) * soft, 0, 1)
    dash = _smooth(np.sin(depth * 9 + f.uni(0, 6)), -0.1, 0.1)[:, None]
    lines = np.maximum(lines, np.clip((0.02 - np.abs(off)) * soft, 0, 1) * dash) * 0.9
    paint = f.lit(f.pick([(236, 232, 224), (236, 186, 70)]), 0.95)
    land.paste(_ink(paint), (0, 0), _mask(lines))
    img.paste(land, (0, horizon))
    f.grain = 0.05
    return img


def _jetty(f: _Frame, img: Image.Image, horizon: float, x: float, ink: Colour) -> None:
    """A plank walk with posts that runs from the lower edge out over the water towards x (px)."""
    reach, near, start = 9.0, f.unit * 0.24, WIDTH * 0.5

    def spot(z: float, off: float, up: float = 0.0) -> tuple[float, float]:
        """Screen position at distance z (1 = lower edge), `off` half widths aside, `up` above the deck."""
        return x + (start - x + off * near) / z, horizon + (f.h - horizon - up * near) / z

    pen = ImageDraw.Draw(img)
    z = reach
    while z > 0.92:  # plank by plank from the far end
        step = z * 0.955
        shade = 0.8 * (1 - 1 / z) + f.uni(0, 0.12)
        wood = _ink(_mix(_mix(ink, f.low, 0.3), f.low, shade))
        pen.polygon([spot(z, -1), spot(z, 1), spot(step * 1.008, 1), spot(step * 1.008, -1)], fill=wood)
        z = step
    for z in (8.6, 6.0, 4.3, 3.1, 2.25, 1.65, 1.2):
        tone = _ink(_mix(ink, f.low, 0.75 * (1 - 1 / z)))
        for side in (-1.0, 1.0):
            (x0, y0), (x1, y1) = spot(z, side * 1.06 - 0.07, 0.85), spot(z, side * 1.06 + 0.07, -0.3)
            pen.rectangle((x0, y0, max(x1, x0 + 1), y1), fill=tone)


def _fog(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.6, 0.74)
    pale = _mix(f.low, f.mid, 0.35)
    img = _gradient([(0, _mix(f.mid, f.low, 0.4)), (horizon / f.h, f.low), (1, pale)], f.h)
    cloud = _mask(f.noise("cloud", 216, max(f.h // 5, 1), 0.3, 2) * 0.05 + 0.08)
    img.paste(_ink(f.mid), (0, 0), cloud.resize(img.size, Image.Resampling.BILINEAR))
    ink = _mix(f.lit((58, 62, 66), 0.15), f.low, 0.18)
    x = WIDTH * (1 / 3 if f.right else 2 / 3)
    shore = int(horizon)
    if f.variant == 0:
        ground = horizon + f.unit * 0.02 * f.ridge(1.2, 3, 0.4, "smooth")
        _slope(f, img, ground, f.h, (132, 134, 124), 0.75, 0.35, "fine", 1.3, 0.8)
        _plant_tree(f, img, x, horizon + f.unit * 0.02, f.unit * f.uni(0.34, 0.5), ink, bool(f.rng.random() < 0.5))
        for _ in range(3):
            _plant_tree(
                f, img, f.uni(0, 1) * WIDTH, horizon + 4, f.unit * f.uni(0.1, 0.16), _mix(ink, f.low, 0.7), True
            )
    else:
        far = horizon - f.unit * 0.03 - f.unit * 0.02 * f.ridge(2, 5, 0.45)
        _slope(f, img, far, shore, (90, 100, 104), 0.8, 0.92, None)
        if f.variant == 1:  # a jetty running out from the near shore
            _jetty(f, img, horizon, x, ink)
        else:
            _sprite(img, _boat(f.unit * 0.16), x, horizon + f.unit * 0.05, ink)
    if f.rng.random() < 0.5:
        _birds(f, img, WIDTH - x, horizon * 0.45, 6, ink)
    f.grain = 0.035
    return img


# --------------------------------------------------------------------------- scenes: water and sky


def _boat(size: float) -> Image.Image:
    """Mask of a small sailing boat with a faint mirror image, `size` px wide."""
    icon = Image.new("L", (400, 640))
    pen = ImageDraw.Draw(icon)
    pen.polygon([(60, 430), (340, 430), (300, 480), (100, 480)], fill=255)
    pen.line((190, 430, 190, 60), fill=255, width=7)
    pen.polygon([(180, 90), (180, 410), (80, 410)], fill=225)
    pen.polygon([(202, 70), (202, 415), (330, 415)], fill=245)
    ghost = icon.crop((0, 60, 400, 480)).transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((400, 150))
    icon.paste(ghost.point([i * 2 // 5 for i in range(256)]), (0, 484))
    n = max(int(size), 4)
    return icon.resize((n, int(n * 1.6)), Image.Resampling.BILINEAR, reducing_gap=2)


def _water(f: _Frame, img: Image.Image, horizon: int, rough: float, glitter: float) -> None:
    """Open water from row `horizon` down, with the light of the sun lying on it."""
    rows = f.h - horizon
    if rows < 2:
        return
    t = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    depth = 1 / (t * 0.95 + 0.05)
    n = (f.plane("wave", depth, WIDTH, 900, 800).astype(np.float32) - 128) / 42
    deep = f.lit(f.pick([(36, 84, 108), (30, 92, 104), (44, 72, 100)]), 0.5)
    light = _gradient(
        [(0, _mix(f.low, f.mid, 0.3)), (0.3, _mix(f.low, f.mid, 0.75)), (1, _mix(f.mid, deep, 0.25))], rows
    )
    dark = _gradient([(0, _mix(f.mid, deep, 0.35)), (0.35, _mix(f.top, deep, 0.6)), (1, deep * 0.6)], rows)
    tone = 0.55 - 0.28 * t[:, None] + n * (rough * (0.1 + 0.1 * t))[:, None]
    water = Image.composite(light, dark, _mask(tone))
    spread = (0.04 + 0.13 * t)[:, None]
    path = np.exp(-(((f.x - f.sun_x) / spread) ** 2)) * glitter
    spark = _smooth(n * (0.5 + 0.7 * t)[:, None] + path * 3.4, 2.0, 3.9) * np.minimum(path * 1.6, 1)
    water.paste(_ink(f.sun), (0, 0), _mask(spark * 0.95))
    img.paste(water, (0, horizon))


def _sea(f: _Frame) -> Image.Image:
    horizon = int(f.h * f.pick([0.36, 0.42, 0.6, 0.64]))
    sun_y = horizon - f.unit * f.uni(0.02, 0.2)
    img = _sky(f, horizon, sun_y=sun_y)
    if f.mood == "night":
        _stars(f, img, horizon, 700)
    if f.variant == 1:
        for i in range(3):
            side = f.x if f.right else 1 - f.x
            reach = _smooth(1 - side, 0.25 + 0.13 * i, 1.05)
            cliff = f.unit * (0.16 + 0.07 * i) * (0.75 + 0.22 * f.ridge(4, 6, 0.5))
            edge = horizon + 2 - reach * cliff + (reach <= 0) * 9
            _slope(f, img, edge, horizon + 4, (72, 76, 72), 0.62 - 0.24 * i, 0.75 - 0.22 * i, "relief", 0.6, 0.8)
    shine = {"overcast": 0.25, "storm": 0.2, "mist": 0.45, "dusk": 0.5, "night": 0.4}.get(f.mood, 1.0)
    _water(f, img, horizon, f.uni(0.7, 1.4), shine)
    if f.variant == 2:
        x = WIDTH * (0.36 if f.right else 0.64)
        _sprite(
            img,
            _boat(f.unit * f.uni(0.09, 0.17)),
            x,
            horizon + f.unit * 0.075,
            _mix(f.lit((40, 42, 48), 0.1), f.low, 0.08),
        )
    if not f.dark and f.rng.random() < 0.35:
        _birds(f, img, WIDTH * (0.3 if f.right else 0.7), horizon * 0.55, 6, f.lit((50, 50, 56), 0.2))
    f.grain = 0.06
    return img


def _lake(f: _Frame) -> Image.Image:
    shore = int(f.h * f.uni(0.5, 0.58))
    img = _sky(f, shore, sun_y=shore - f.unit * f.uni(0.25, 0.4), disc=f.rng.random() < 0.4)
    if f.mood == "night":
        _stars(f, img, shore, 900)
    style = f.pick(["peak", "peak", "rock"])
    _ranges(
        f,
        img,
        shore - f.unit * 0.16,
        shore,
        4,
        f.unit * f.uni(0.17, 0.26),
        style,
        (84, 94, 84),
        f.variant == 0,
        f.uni(0.4, 0.65),
    )
    bank = shore - f.unit * 0.01 - np.abs(f.ridge(1.5, 3, 0.5, "smooth")) * f.unit * 0.02
    edge = f.tree_line(170, f.unit * f.uni(0.05, 0.09), bank)
    _slope(f, img, edge, shore, (48, 60, 48), 0.12, 0.12, "fine", 1.0, 0.8)
    tint = _mix(f.lit((30, 62, 70), 0.6), f.mid, 0.2)
    _reflect(f, img, shore, f.uni(0.35, 0.95), tint, f.uni(0.62, 0.82))
    line = _mask(np.exp(-(((np.arange(9) - 4.0) / 2) ** 2))[:, None] * np.full((9, 1), 0.5)).resize((WIDTH, 9))
    _sprite(img, line, WIDTH / 2, shore + 5, _mix(f.low, f.mid, 0.4))
    if f.variant == 1:
        _sprite(
            img,
            _boat(f.unit * 0.1),
            WIDTH * (0.35 if f.right else 0.65),
            shore + f.unit * 0.16,
            f.lit((220, 220, 216), 0.8),
        )
    f.grain = 0.05
    return img


def _puffs(f: _Frame, base: float, size: float) -> Array:
    """Upper edge (WIDTH,) in px of a cloud bank: the envelope of overlapping arcs of several sizes."""
    edge = np.full(WIDTH, base, dtype=np.float32)
    swell = f.ridge(2.2, 3, 0.5, "smooth") * size * 1.3
    for scale in (1.0, 0.55, 0.3):
        n = int(WIDTH / (size * scale) * 1.6)
        centres, radii = f.rng.uniform(-0.05, 1.05, n) * WIDTH, size * scale * f.rng.uniform(0.6, 1.3, n)
        for c, r in zip(centres, radii, strict=True):
            a, b = max(int(c - r), 0), min(int(c + r) + 1, WIDTH)
            if a < b:
                d = (np.arange(a, b) + 0.5 - c) / r
                arc = np.sqrt(np.clip(1 - d * d, 0, 1)) * r * 0.7
                edge[a:b] = np.minimum(edge[a:b], base - swell[a:b] - (1 - scale) * size * 0.55 - arc)
    return (edge + f.ridge(40, 3, 0.6) * size * 0.05).astype(np.float32)


def _clouds(f: _Frame) -> Image.Image:
    horizon = f.h * f.uni(0.3, 0.5)
    img = _sky(f, horizon, clouds=f.uni(0, 0.35), sun_y=horizon - f.unit * f.uni(0.04, 0.16))
    if f.mood == "night":
        _stars(f, img, horizon, 1200)
    count = 8
    glow = _mix(f.low, f.sun, 0.35)
    peak_at = int(f.rng.integers(1, 4)) if f.variant == 1 else -1
    bases = horizon + (f.h - horizon) * (np.arange(count) / (count - 1)) ** 1.6 * 0.85
    sizes = f.unit * (0.012 + 0.085 * np.arange(count) / (count - 1))
    edges = [_puffs(f, float(b), float(size)) for b, size in zip(bases, sizes, strict=True)]
    for i, (base, size, edge) in enumerate(zip(bases, sizes, edges, strict=True)):
        k = i / (count - 1)
        if i == peak_at:
            away = np.abs(f.x - (0.36 if f.right else 0.64))
            peak = base + f.unit * (away * 0.9 - 0.2 - 0.045 * f.ridge(5, 6, 0.55, "peak"))
            _slope(f, img, peak, base + f.unit * 0.35, (92, 88, 92), 0.35, 0.85, "relief", 0.6)
        top = max(int(edge.min()) - 2, 0)
        rows = (f.h if i == count - 1 else min(int(edges[i + 1].max()) + 6, f.h)) - top
        if rows < 2:
            continue
        w, h = 216, max(rows // 5, 2)
        under = np.arange(h, dtype=np.float32)[:, None] * 5 + top - edge[None, 2::5]
        under /= np.float32(size * 2.2)
        lobes = f.noise("cloud", w, h, 0.1 + 0.24 * k, 1.5)
        tone = np.clip(0.98 - 0.5 * under + 0.26 * lobes * np.clip(under * 2, 0.15, 1), 0.05, 1)
        bright = _mix(f.lit(f.white, 1.0), glow, 0.3 + 0.5 * (1 - k))
        dull = _mix(_mix(f.lit((226, 228, 238), 0.25), f.mid, 0.35), glow, 0.6 * (1 - k))
        fill = _image(dull + (bright - dull) * tone[..., None])
        _layer(f, img, edge, fill.resize((WIDTH, rows), Image.Resampling.BILINEAR), top, 2 + 5 * k)
    f.grain = 0.055
    return img


def _beach(f: _Frame) -> Image.Image:
    w, h = 360, max(f.h // 3, 2)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    angle = f.uni(0.15, 1.25) * (1 if f.right else -1)
    d = (xx - 0.5) * np.sin(angle) + (yy - f.h / WIDTH / 2) * np.cos(angle) + f.uni(-0.12, 0.12)
    along = (xx * np.cos(angle) - yy * np.sin(angle)) * 6
    d += 0.035 * np.sin(along * f.uni(0.5, 0.9) + f.uni(0, 6)) + 0.028 * f.noise("cloud", w, h, 0.3)
    sand = _rgb(f.pick([(228, 206, 170), (214, 184, 148), (240, 226, 200), (84, 82, 84)]))
    sea = _rgb(f.pick([(20, 112, 140), (24, 94, 130), (18, 128, 138), (30, 84, 104)]))
    shoal = _mix(sea, (150, 216, 206), 0.62)
    stops = [
        (-0.9, sea * 0.6),
        (-0.42, sea),
        (-0.12, shoal),
        (-0.02, _mix(shoal, sand, 0.5)),
        (0.03, sand * 0.74),
        (0.1, sand * 0.8),
        (0.13, sand * 0.97),
        (0.9, sand),
    ]
    lit = f.shade + (f.light - f.shade) * 0.85
    ramp = np.linspace(-0.9, 0.9, 512)
    ramp = np.stack([np.interp(ramp, [p for p, _ in stops], [c[i] for _, c in stops]) for i in range(3)], axis=1) * lit
    colour = np.clip(ramp, 0, 255).astype(np.uint8)[np.clip((d + 0.9) * 284, 0, 511).astype(np.int32)]
    img = Image.fromarray(colour).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    # Foam: a dense front at the water's edge, thinning lace behind it and one or two breakers farther out.
    warp = f.noise("cloud", w, h, 0.6) * 0.012
    dense = np.exp(-(((d + warp) / 0.014) ** 2)) + 0.75 * np.exp(-(((d + 0.05 + warp) / 0.03) ** 2))
    for _ in range(int(f.rng.integers(1, 4))):
        at_d = -f.uni(0.13, 0.5)
        gap = _smooth(f.noise("cloud", w, h, 0.35), -0.6, 0.8)
        wave = d - at_d + 2 * warp
        dense += gap * np.where(wave > 0, np.exp(-((wave / 0.012) ** 2)), np.exp(wave / 0.055) * 0.8)
    dense = _mask(dense / 1.6).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    lace = f.tex("foam", WIDTH, f.h, 1.25)
    level = np.asarray(dense, dtype=np.int16) * 2 + np.asarray(lace, dtype=np.int16) - 225
    foam = Image.fromarray(np.clip(level * 2, 0, 250).astype(np.uint8))
    # Wavelets on the water, grains on the sand.
    ripple = f.tex("wave", WIDTH, f.h, 1.0).point([min(max(i * 5 // 4 - 32, 0), 255) for i in range(256)])
    grit = f.tex("fine", WIDTH, f.h, 0.7 if sand[0] > 100 else 1.4).point([56 + i * 9 // 16 for i in range(256)])
    wet = _mask(_smooth(-d, -0.02, 0.05)).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    tone = Image.composite(ripple, grit, wet)
    img = Image.blend(img, Image.merge("RGB", (tone,) * 3), 0.2)
    img = img.point([int(min(max((i - 26) / 0.8, 0), 255)) for i in range(256)] * 3)
    img.paste(_ink(f.lit(f.white, 0.95)), (0, 0), foam)
    f.grain = 0.05
    return img


def _galaxy(f: _Frame) -> Image.Image:
    w, h = 270, max(f.h // 4, 2)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    horizon = f.h * f.uni(0.76, 0.88)
    t = np.clip(yy * WIDTH / horizon, 0, 1)[..., None]
    tint = _rgb(f.pick([(34, 48, 86), (52, 40, 80), (28, 58, 72), (70, 52, 46), (40, 44, 54)]))
    town = np.asarray((60, 34, 14)) * f.uni(0, 1.4)  # glow of a far town on the horizon
    sky = _mix((6, 8, 16), tint, 0.25) * (1 - t) + tint * 1.3 * t**2 + town * t**7
    angle = f.uni(0.9, 1.5) * (1 if f.right else -1)
    if f.h < WIDTH:
        angle *= 0.75
    px, py = xx - (0.42 if f.right else 0.58), yy - 0.45 * f.h / WIDTH
    across = px * np.sin(angle) - py * np.cos(angle)
    along = px * np.cos(angle) + py * np.sin(angle)
    n, m = f.noise("cloud", w, h, 0.4), f.noise("cloud", w, h, 0.22)
    core = np.exp(-(((along - 0.25) / 0.55) ** 2))
    band = np.exp(-(((across + 0.025 * n) / (0.1 + 0.05 * core)) ** 2)) * (0.45 + 0.7 * core)
    lane = np.exp(-(((across - 0.012 + 0.04 * m) / 0.03) ** 2)) * _smooth(n, -0.8, 0.9)
    glow = band * (1 - 0.75 * lane) * (0.75 + 0.25 * m)
    hue = _rgb((150, 150, 190)) + (_rgb((240, 196, 160)) - _rgb((150, 150, 190))) * core[..., None]
    sky = sky + glow[..., None] * hue * 0.62
    img = _image(sky).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    _stars(f, img, horizon, 2600)
    dense = 1600
    a, b = f.rng.normal(0, 0.5, dense), f.rng.normal(0, 0.07, dense)
    cx = (0.42 if f.right else 0.58) + a * np.cos(angle) + b * np.sin(angle)
    cy = 0.45 * f.h / WIDTH + a * np.sin(angle) - b * np.cos(angle)
    keep = (cx > 0) & (cx < 1) & (cy > 0) & (cy * WIDTH < f.h - 1)
    dots = np.array(img)
    spots = (cy[keep] * WIDTH).astype(int), (cx[keep] * WIDTH).astype(int)
    dots[spots] = np.minimum(dots[spots].astype(np.int16) + 70, 255).astype(np.uint8)
    img = Image.fromarray(dots)
    ink = (22, 26, 34)
    for i in range(2):
        edge = horizon + f.unit * (0.02 + 0.05 * i - (0.09 - 0.04 * i) * f.ridge(2 + i, 7, 0.46, ("peak", "rock")[i]))
        if i == 1 and f.variant == 1:
            _firs(f, img, edge, 34, f.unit * 0.26, (9, 12, 18))
        _slope(f, img, edge, f.h, ink, 0.12 - 0.1 * i, 0.05, "relief", 0.9, 0.7)
    if f.variant == 2:
        x, y = WIDTH * (0.36 if f.right else 0.64), f.h * 0.95
        tent = Image.new("L", (300, 200))
        ImageDraw.Draw(tent).polygon([(10, 196), (136, 30), (164, 30), (290, 196)], fill=255)
        tent = tent.resize((int(f.unit * 0.14), int(f.unit * 0.09)), Image.Resampling.BILINEAR, reducing_gap=2)
        halo = _mask(np.exp(-np.hypot(*np.mgrid[-1:1:60j, -1:1:60j]) * 4.5) * 0.7).resize((int(f.unit * 0.6),) * 2)
        _sprite(img, halo, x, y + f.unit * 0.27, (255, 170, 70))
        fill = _gradient([(0, (240, 150, 60)), (0.6, (255, 214, 130)), (1, (255, 190, 96))], tent.height, tent.width)
        _sprite(img, tent, x, y, fill)
    f.grain = 0.06
    return img


def _aurora(f: _Frame) -> Image.Image:
    shore = int(f.h * f.uni(0.66, 0.78))
    w, h = 360, max(shore // 3, 2)
    yy = np.arange(h, dtype=np.float32)[:, None] / w
    t = np.clip(yy * WIDTH / shore, 0, 1)[..., None]
    sky = np.repeat(_rgb((6, 10, 24)) * (1 - t) + _rgb((16, 42, 54)) * t, w, axis=1)
    hues = f.pick(
        [((60, 240, 150), (110, 60, 190)), ((80, 235, 130), (40, 120, 170)), ((90, 230, 190), (190, 60, 130))]
    )
    for _ in range(int(f.rng.integers(2, 4))):
        foot = f.uni(0.4, 0.8) * shore / WIDTH + 0.1 * f.ridge(1.2, 3, 0.45, "smooth")[1::3]
        tall = f.uni(0.16, 0.36) * (1 + 0.35 * f.ridge(5, 3, 0.6, "smooth")[1::3])
        rays = np.clip(0.62 + 0.26 * f.ridge(14, 4, 0.75, "smooth")[1::3], 0.08, 1.5)
        rays *= _smooth(f.ridge(1.5, 2, 0.5, "smooth")[1::3], -1.2, 0.5)
        up = (foot[None, :] - yy) / np.maximum(tall, 0.05)[None, :]
        shape = np.where(up > 0, np.exp(-np.abs(up) * 1.7), np.exp(-np.abs(up) * 14)) * rays[None, :]
        mixup = np.clip(up * 0.75, 0, 1)[..., None]
        sky += shape[..., None] * (_rgb(hues[0]) * (1 - mixup) + _rgb(hues[1]) * mixup) * f.uni(0.55, 0.95)
    img = Image.new("RGB", (WIDTH, f.h))
    img.paste(_image(sky).resize((WIDTH, shore), Image.Resampling.BILINEAR), (0, 0))
    _stars(f, img, shore, 900)
    f.low = _rgb((24, 62, 62))
    for i in range(2):
        edge = shore - f.unit * (0.05 - 0.03 * i + (0.06 - 0.03 * i) * f.ridge(2.2 + i, 7, 0.46, "peak"))
        if i == 1:
            edge = f.tree_line(90, f.unit * 0.09, np.minimum(edge, shore - 4.0))
        _slope(
            f,
            img,
            np.minimum(edge, shore - 3.0),
            shore,
            (120, 140, 150) if i == 0 else (24, 34, 34),
            0.25 - 0.2 * i,
            0.2 - 0.15 * i,
            "relief",
            0.7,
            0.9,
        )
    if f.variant == 1:
        _reflect(f, img, shore, 0.7, (6, 14, 22), 0.62)
    else:
        f.light, f.shade = _rgb((0.2, 0.5, 0.42)), _rgb((0.04, 0.1, 0.12))
        pattern = _mask(f.noise("soft", WIDTH, f.h - shore + 9, 3, 3) * 0.14 + 0.5)
        _slope(f, img, np.full(WIDTH, float(shore - 2)), f.h, (220, 230, 240), 0.1, 0.0, pattern)
    f.grain = 0.06
    return img


# --------------------------------------------------------------------------- scenes: city and still


def _bokeh(f: _Frame) -> Image.Image:
    w, h = 360, max(f.h // 3, 2)
    yy = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    base = _rgb(f.pick([(10, 12, 24), (20, 12, 14), (8, 18, 24), (24, 16, 26), (12, 12, 12)]))
    field = base * (0.5 + 0.9 * np.exp(-(((yy - 0.6) / 0.25) ** 2))) + np.zeros((h, w, 3), dtype=np.float32)
    family = f.pick(
        [
            [(255, 180, 90), (255, 140, 60), (255, 220, 160)],
            [(255, 170, 80), (90, 150, 255), (255, 70, 70)],
            [(255, 90, 140), (110, 120, 255), (80, 220, 230)],
            [(255, 236, 200), (255, 190, 110), (150, 220, 160)],
        ]
    )
    sides = f.variant == 1  # hexagonal aperture
    big = f.uni(14, 34)
    middle = f.uni(0.45, 0.7)
    for _ in range(int(f.rng.integers(60, 150))):
        r = big * f.uni(0.45, 1.15)
        cx, cy = f.uni(-0.05, 1.05) * w, (middle + f.rng.normal(0, 0.17)) * h
        if f.rng.random() < 0.3:  # light reflected by the wet road
            cy = f.uni(middle, 1.02) * h
        x0, x1, y0, y1 = (
            max(int(cx - r - 1), 0),
            min(int(cx + r + 2), w),
            max(int(cy - r - 1), 0),
            min(int(cy + r + 2), h),
        )
        if x0 >= x1 or y0 >= y1:
            continue
        dy, dx = np.arange(y0, y1)[:, None] - cy, np.arange(x0, x1)[None, :] - cx
        d = np.hypot(dx, dy)
        if sides:
            d = np.maximum(np.abs(dy), np.abs(dx) * 0.866 + np.abs(dy) * 0.5) * 1.07
        disc = np.clip(r - d, 0, 1.5) / 1.5 * (0.62 + 0.38 * np.clip(d / r, 0, 1) ** 4)
        field[y0:y1, x0:x1] += disc[..., None] * _rgb(f.pick(family)) * f.rng.choice((0.14, 0.3, 0.5, 0.75))
    img = _image(255 * (1 - np.exp(-field / 190))).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    if f.variant == 2:  # a window pane with raindrops in front
        for _ in range(170):
            r = f.uni(3, 13) * f.uni(0.5, 1.2)
            cx, cy = int(f.uni(0, 1) * WIDTH), int(f.uni(0, 1) * f.h)
            n = int(r) + 2
            away = np.hypot(*np.mgrid[-n : n + 1, -n : n + 1] / np.array([r * 1.12, r])[:, None, None])
            size = 2 * n + 1
            view = img.crop((cx - 5 * n, cy - 5 * n, cx + 5 * n, cy + 5 * n)).resize((size, size)).rotate(180)
            view = view.point([min(int(i * 1.5 + 10), 255) for i in range(256)] * 3)
            _sprite(img, _mask((1 - away) * r * 0.8), cx, cy + n, view)
    f.grain = 0.07
    return img


def _skyline(f: _Frame) -> Image.Image:
    shore = int(f.h * f.uni(0.6, 0.72))
    img = _sky(f, shore, sun_y=shore - f.unit * 0.15, disc=False)
    canvas = np.array(img)
    glow = f.haze
    for layer in range(3):
        k = layer / 2
        haze = 0.72 * (1 - k) + 0.06
        x = -f.uni(0, 40)
        crowd = f.x[:, None] - np.asarray([0.36 if f.right else 0.64])
        crowd = np.exp(-((crowd[:, 0] / 0.3) ** 2))
        while x < WIDTH:
            wide = int(f.uni(36, 96) * (0.7 + 0.5 * k))
            centre = int(np.clip(x + wide / 2, 0, WIDTH - 1))
            tall = 0.06 + 0.3 * crowd[centre] * f.uni(0.35, 1.1) + 0.1 * f.uni(0, 1)
            tall *= f.unit * (1.1 - 0.3 * k)
            x0, x1, y0 = max(int(x), 0), min(int(x) + wide, WIDTH), max(int(shore - tall), 2)
            wall = f.pick([(92, 96, 106), (112, 104, 98), (78, 90, 104), (128, 124, 118)])
            if x1 - x0 > 4 and shore - y0 > 8:
                canvas[y0:shore, x0:x1] = _tower(f, shore - y0, x1 - x0, wall, haze, glow, 4 + int(2 * k))
                if f.rng.random() < 0.25:
                    mast, mid = max(y0 - int(f.unit * f.uni(0.02, 0.06)), 0), (x0 + x1) // 2
                    canvas[mast:y0, mid : mid + 3] = _mix(f.lit(wall, 0.2), glow, haze)
                elif f.rng.random() < 0.4:
                    step = max(y0 - int(f.unit * 0.02), 0)
                    a, b = x0 + wide // 5, max(x1 - wide // 5, x0)
                    canvas[step:y0, a:b] = _mix(f.lit(wall, 0.3), glow, haze)
            x += wide * f.uni(0.85, 1.6 - 0.3 * k)
    img = Image.fromarray(canvas)
    _reflect(f, img, shore, f.uni(0.1, 0.5), f.lit((24, 40, 56), 0.4), 0.62)
    f.grain = 0.05
    return img


def _tower(f: _Frame, height: int, width: int, wall: Colour, haze: float, glow: Colour, cell: int) -> Array:
    """One building (height, width, 3) with a grid of windows `cell` px apart."""
    ny, nx = height // cell + 1, width // cell + 1
    pattern = f.rng.random((ny, nx))
    share = {"night": 0.42, "dusk": 0.36, "storm": 0.16, "sunset": 0.16}.get(f.mood, 0.03)
    busy = f.rng.random((ny, 1)) * 0.5 + 0.75
    front = _mix(f.lit(wall, f.uni(0.25, 0.8)), glow, haze)
    glass = _mix(f.lit(_mix(wall, (70, 90, 110), 0.6), 0.25), glow, haze) * 0.9 + f.mid * 0.1
    panes = front + (glass - front) * (0.55 + 0.45 * pattern[..., None])
    lamp = f.pick([(255, 206, 130), (255, 224, 170), (255, 190, 104), (226, 236, 255)])
    lit = (pattern * busy < share)[..., None]
    panes = np.where(lit, _mix(lamp, glow, haze * 0.6) * (0.6 + 0.4 * f.rng.random((ny, nx, 1))), panes)
    out = np.repeat(np.repeat(panes, cell, axis=0), cell, axis=1)[:height, :width]
    out[::cell] = front
    out[:, ::cell] = front
    out[1::cell] = front
    edge = max(width // 4, 2)  # the side face turned away from the light
    face = slice(0, edge) if f.right else slice(width - edge, width)
    out[:, face] = out[:, face] * 0.72
    fade = np.linspace(0, 0.25, height)[:, None, None]
    return np.clip(out + (_rgb(glow) - out) * fade, 0, 255).astype(np.uint8)


def _facade(f: _Frame) -> Image.Image:
    """A corner of a modern building looked up at: two walls that share the vertical edge `corner`."""
    yy = (np.arange(f.h, dtype=np.float32) + 0.5)[:, None] / WIDTH
    open_sky = f.variant == 0
    img = _sky(f, f.h * 1.15, clouds=f.uni(0, 0.4)) if open_sky else Image.new("RGB", (WIDTH, f.h))
    ratio = f.h / WIDTH
    corner = f.uni(0.3, 0.42) if f.right else f.uni(0.58, 0.7)
    eye = ratio * f.uni(0.95, 1.3)  # height of the eye: the lines of both walls meet at this level
    wall, frame_w, sill = f.pick(
        [
            ((226, 224, 218), 0.3, 0.34),
            ((206, 206, 204), 0.16, 0.2),
            ((196, 150, 116), 0.34, 0.4),
            ((70, 76, 84), 0.08, 0.12),
            ((244, 244, 242), 0.5, 0.3),
            ((120, 124, 128), 0.12, 0.5),
        ]
    )
    floor = f.uni(0.045, 0.085)
    bay = floor * f.uni(0.7, 1.9)
    roof = eye - f.uni(0.03, 0.22) * ratio if open_sky else 99.0
    for side in (-1, 1):
        a, b = (0, int(corner * WIDTH)) if side < 0 else (int(corner * WIDTH), WIDTH)
        run = np.abs(f.x[a:b] - corner)
        slant = f.uni(0.5, 0.9) if (side < 0) == (corner > 0.5) else f.uni(1.0, 1.5)
        z = (1 / np.maximum(1 - slant * run, 0.06)).astype(np.float32)
        u = run * z / bay
        v = (eye - yy).astype(np.float32) * z[None, :]
        # Window openings: the columns are one row of the mask, the storeys a table over 256 steps of height.
        blur = np.maximum(np.abs(np.gradient(u)), 1e-3)
        slit = np.clip((0.5 - frame_w / 2 - np.abs(u % 1 - 0.5)) / blur + 0.5, 0, 1)
        table = np.clip((0.5 - sill / 2 - np.abs(np.arange(256) / 256 - 0.5)) / 0.035 + 0.5, 0, 1) * 255
        steps = (v * np.float32(256 / floor)).astype(np.int32) & 255
        hole = Image.fromarray(table.astype(np.uint8)[steps])
        hole = ImageChops.multiply(hole, _mask(slit[None, :]).resize(hole.size, Image.Resampling.NEAREST))
        sunny = (side > 0) == f.right
        amount = 0.95 if sunny else 0.22
        height = b - a
        grit = f.tex("fine", height, f.h, 1.4).point([160 + i // 4 for i in range(256)])
        front = _tint(grit, f.lit(wall, amount * 0.4) * 0.7, f.lit(wall, amount))
        # The panes mirror the sky, each a little differently; half size will do behind the frames.
        cells = f.rng.random((64, 64)).astype(np.float32)
        storey = v[::2, ::2] / floor
        pick = cells[storey.astype(np.int32) & 63, u[None, ::2].astype(np.int32) & 63]
        sheen = 0.25 + 0.5 * pick + 0.35 * (storey % 1 - 0.5) + 0.25 * (1 - yy[::2] / ratio)
        sheen = _mask(sheen * (0.85 if sunny else 0.6)).resize((height, f.h), Image.Resampling.BILINEAR)
        glass = _tint(sheen, f.lit((40, 52, 62), 0.4), _mix(f.mid, f.low, 0.6))
        if f.dark:
            lamps = _mask((pick > 0.72) * (0.55 + 0.4 * (storey % 1))).resize((height, f.h), Image.Resampling.BILINEAR)
            glass.paste((255, 208, 140), (0, 0), lamps)
        front = Image.composite(glass, front, hole)
        eaves = ((eye - roof / z) * WIDTH).astype(np.float32)
        top = min(max(int(eaves.min()) - 2, 0), f.h - 1)
        img.paste(front.crop((0, top, height, f.h)), (a, top), _edge_mask(eaves, top, f.h))
    f.grain = 0.045
    return img


def _wall(f: _Frame) -> Image.Image:
    """A plain wall with the light of a window and the shadow of a plant on it."""
    paint = _rgb(
        f.pick([(250, 248, 244), (246, 240, 230), (244, 244, 244), (232, 216, 200), (222, 226, 220), (204, 186, 170)])
    )
    w, h = 432, max(int(f.h * 0.4), 2)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    ratio = h / w
    lean, drop = f.uni(-0.35, 0.35), f.uni(-0.3, 0.3)
    u = (xx - 0.5 + lean * (yy - ratio / 2)) / f.uni(0.6, 0.8)
    v = (yy - ratio / 2 + drop * (xx - 0.5)) / (min(ratio, 1.3) * f.uni(0.72, 0.9))
    soft = 0.012 + 0.02 * yy / ratio
    pane = np.ones((h, w), dtype=np.float32)
    for axis, bars in ((u, (-0.17, 0.17)), (v, (-0.25, 0.0, 0.25))):
        pane *= np.clip((0.5 - np.abs(axis)) / soft, 0, 1)
        for bar in bars[: 2 + f.variant]:
            pane *= np.clip((np.abs(axis - bar) - 0.012) / soft, 0, 1) if f.variant != 1 else 1
    shade = Image.new("L", (w, h))
    pen = ImageDraw.Draw(shade)
    x0, y0 = w * (0.02 if f.right else 0.98), h * f.uni(0.75, 1.0)
    for _ in range(int(f.rng.integers(3, 6))):  # fronds of a palm
        aim = f.uni(-1.35, -0.35)
        aim = aim if f.right else np.pi - aim
        size, curl = w * f.uni(0.5, 0.85), f.uni(0.2, 0.7) * (1 if f.right else -1)
        px, py = x0, y0
        for i in range(26):
            a = aim + curl * i / 26
            px, py = px + np.cos(a) * size / 26, py + np.sin(a) * size / 26
            leaf = size * 0.3 * np.sin(np.pi * (i + 2) / 29) ** 0.7
            for turn in (-0.85, 0.85):
                tip = (px + np.cos(a + turn) * leaf, py + np.sin(a + turn) * leaf)
                wide = size * 0.009
                pen.polygon(
                    [
                        (px - np.sin(a) * wide, py + np.cos(a) * wide),
                        (px + np.sin(a) * wide, py - np.cos(a) * wide),
                        tip,
                    ],
                    fill=255,
                )
    plant = np.asarray(shade.filter(ImageFilter.GaussianBlur(f.uni(1.2, 3.2))), dtype=np.float32) / 255
    light = pane * (1 - 0.88 * plant)
    ambient = _mix(f.shade, (0.9, 0.89, 0.88), 0.7) * (1.04 - 0.25 * np.abs(xx - f.sun_x))[..., None]
    ambient = np.minimum(ambient, f.light * 0.88).astype(np.float32)
    colour = paint * (ambient + (np.minimum(f.light, 1.06) * 1.02 - ambient) * light[..., None])
    img = _image(colour).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    rough = f.tex("relief" if f.variant == 2 else "fine", WIDTH, f.h, 1.6)
    img = Image.blend(img, Image.merge("RGB", (rough,) * 3), 0.035)
    f.grain = 0.035
    return img


# --------------------------------------------------------------------------- scenes: macro


def _blurred(f: _Frame, hues: Sequence[Colour], width: int, height: int) -> Array:
    """Background far out of focus (height, width, 3): overlapping soft blobs of the given colours."""
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32) / width
    field = np.zeros((height, width, 3), dtype=np.float32) + _rgb(hues[0]) * 0.8
    for _ in range(16):
        cx, cy, r = f.uni(-0.1, 1.1), f.uni(-0.1, 1.1) * height / width, f.uni(0.08, 0.3)
        blob = _smooth(-np.hypot(xx - cx, yy - cy), -r, -r * 0.55) * f.uni(0.15, 0.6)
        field += (_rgb(f.pick(hues)) * f.uni(0.6, 1.25) - field) * blob[..., None]
    return field


def _flower(f: _Frame) -> Image.Image:
    w, h = 432, max(int(f.h * 0.4), 2)
    green = [f.lit(c, 0.95) for c in ((70, 104, 48), (44, 74, 40), (120, 142, 80), (30, 54, 36), (150, 150, 90))]
    dusky = [f.lit(c, 0.7) for c in ((40, 36, 40), (66, 54, 60), (24, 24, 28), (90, 70, 60))]
    field = _blurred(f, green if f.rng.random() < 0.7 else dusky, 90, max(h // 6, 2))
    back = _image(field).resize((w, h), Image.Resampling.BICUBIC)
    cx, cy = w * (0.42 if f.right else 0.58), h * f.uni(0.4, 0.5)
    stem = ImageDraw.Draw(back)
    stem.line((cx, cy, cx + w * f.uni(-0.1, 0.1), h + 5), fill=_ink(f.lit((84, 120, 56), 0.6)), width=11)
    field = np.array(back, dtype=np.float32)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    tilt = f.uni(0.78, 1.0)
    far = 0.54 * w
    y0, y1 = max(int(cy - far), 0), min(int(cy + far), h)
    x0, x1 = max(int(cx - far), 0), min(int(cx + far), w)
    whole, field = field, field[y0:y1, x0:x1]
    yy, xx = yy[y0:y1, x0:x1], xx[y0:y1, x0:x1]
    dx, dy = (xx - cx) / (w * 0.5), (yy - cy) / (w * 0.5 * tilt)
    r, theta = np.hypot(dx, dy), np.arctan2(dy, dx)
    petal, heart, rings, count, broad, inner = (
        ((250, 250, 246), (240, 184, 40), 2, 17, 0.8, 0.24),  # daisy
        ((246, 196, 40), (84, 48, 24), 3, 19, 0.9, 0.34),  # sunflower
        ((226, 84, 120), (250, 206, 90), 5, 13, 1.1, 0.1),  # dahlia
        ((214, 74, 48), (60, 40, 30), 3, 15, 1.0, 0.2),  # gerbera
    )[f.variant]
    petal = np.clip(_rgb(petal) + f.rng.normal(0, 12, 3), 0, 255)
    reach = f.uni(0.74, 0.98)
    for ring in range(rings):
        k = ring / max(rings - 1, 1)
        size = reach * (1 - (0.12 if rings < 4 else 0.78) * k)
        n = count if rings < 4 else max(int(count * (1 - 0.35 * k)), 6)
        turn = theta * np.float32(n / (2 * np.pi)) + np.float32(f.uni(0, 1))
        index = np.floor(turn).astype(np.int32) % n
        across = (turn - np.floor(turn) - 0.5) * 2
        length = (size * (1 + f.rng.normal(0, 0.05, n))).astype(np.float32)[index]
        along = r / length
        # A petal: narrow at the foot, broadest at two thirds, rounded at the tip.
        tip = np.clip((along - 0.55) / 0.45, 0, 1)
        width = broad * np.clip(along, 0, 1) ** 0.25 * np.sqrt(1 - tip * tip)
        bend = across + f.rng.normal(0, 0.12, n).astype(np.float32)[index] * along
        cover = np.clip((width - np.abs(bend)) * r * w * 1.5 / n, 0, 1)
        ribs = 0.06 * np.cos(bend * 14) + 0.03 * np.cos(bend * 31)
        lit = 0.66 + 0.3 * along - 0.28 * np.abs(bend) ** 2 + ribs + 0.16 * dx * (1 if f.right else -1)
        lit *= (1 + f.rng.normal(0, 0.09, n)).astype(np.float32)[index]
        tone = f.shade + (np.minimum(f.light, 1.04) - f.shade) * np.clip(lit, 0, 1.1)[..., None]
        paint = petal.astype(np.float32) * tone
        # The petal throws a soft shadow on what lies underneath.
        drop = np.clip((width + 0.3 - np.abs(bend)) * r * w * 0.22 / n, 0, 1)
        drop *= _smooth(-along, -1.2, -0.9) * 0.26
        field *= (1 - drop)[..., None]
        field += (paint - field) * cover[..., None]
    disc = np.clip((inner * 0.95 - r) * w * 0.3, 0, 1)
    seeds = Image.new("L", (x1 - x0, y1 - y0), 90)
    pen = ImageDraw.Draw(seeds)
    for i in range(300, 0, -1):  # florets on the golden-angle spiral
        away, turn, dot = inner * w * 0.5 * np.sqrt(i / 300), i * 2.39996, inner * w * 0.026
        px, py = cx - x0 + away * np.cos(turn), cy - y0 + away * np.sin(turn) * tilt
        pen.ellipse((px - dot, py - dot, px + dot, py + dot), fill=int(f.uni(100, 210)), outline=60)
    grain = (np.asarray(seeds.filter(ImageFilter.BoxBlur(0.6)), dtype=np.float32) - 140) / 200
    dome = np.clip(0.85 - (r / inner) ** 3 * 0.4 + grain + 0.3 * dx * (1 if f.right else -1), 0.05, 1.1)
    core = _rgb(heart) * (f.shade + (f.light - f.shade) * dome[..., None])
    field += (core - field) * disc[..., None]
    img = _image(whole).resize((WIDTH, f.h), Image.Resampling.BICUBIC)
    f.grain = 0.06
    return img


def _leaf(f: _Frame) -> Image.Image:
    w, h = 450, max(int(f.h / 2.4), 2)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    ratio = h / w
    angle = f.uni(0.55, 1.25) * (1 if f.right else -1)
    dx, dy = xx - 0.5, yy - ratio * 0.5
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = -dx * np.sin(angle) + dy * np.cos(angle) + 0.16 * u * u - f.uni(-0.06, 0.06)
    hue = f.pick([(92, 146, 50), (60, 118, 60), (140, 160, 56), (176, 96, 44), (44, 96, 76)])
    side = np.abs(v)
    gap = f.uni(0.09, 0.14)
    slant = u - side * f.uni(0.7, 1.1) + 0.5 * side * side
    near = np.abs((slant / gap + (v > 0) * 0.5) % 1 - 0.5) * gap
    thick = 0.0045 * np.clip(1.3 - side * 1.6, 0.25, 1)
    vein = np.maximum(np.exp(-((near / thick) ** 2)) * 0.85, np.exp(-((side / 0.009) ** 2)))
    puff = np.clip(near / gap * 2, 0, 1)  # the blade bulges between the side veins
    net = f.noise("foam", w, h, 0.55)
    lit = 0.68 + 0.2 * puff * np.sign(v) * (1 if f.right else -1)
    lit += 0.12 * f.noise("cloud", w, h, 0.5) + 0.1 * np.clip(net, -1, 2)
    if f.variant == 0:  # the whole leaf in front of a blurred background
        blade = 0.36 * np.clip(1 - (u / (0.5 + 0.18 * ratio)) ** 2, 0, 1) ** 0.85
        cover = np.clip((blade - side) * w * 0.8, 0, 1)
    else:
        cover = np.ones_like(u)
    lit += 0.28 * np.exp(-np.hypot(xx - f.sun_x, yy - 0.4 * ratio) / 0.35)
    base = _rgb(hue) * 1.15
    colour = base * (f.shade + (f.light - f.shade) * np.clip(lit, 0, 1.15)[..., None])
    colour += (_mix(base, (236, 240, 180), 0.5) * f.light - colour) * (vein * 0.6)[..., None]
    dim = [f.lit(c, 0.5) for c in ((40, 66, 36), (24, 40, 28), (86, 104, 60), (16, 24, 20))]
    back = np.asarray(
        _image(_blurred(f, dim, 90, max(h // 6, 2))).resize((w, h), Image.Resampling.BICUBIC), dtype=np.float32
    )
    field = back + (colour - back) * cover[..., None]
    img = _image(field).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    f.grain = 0.065
    return img


# --------------------------------------------------------------------------- the catalogue


@dataclass(frozen=True)
class _Kind:
    """How to draw a kind of scene, how often, in which moods, and what to say about each variant."""

    paint: Callable[[_Frame], Image.Image]
    weight: float
    moods: tuple[str, ...]
    subjects: tuple[tuple[str, ...], ...]
    tags: tuple[str, ...]


_LIGHT = ("dawn", "day", "golden hour", "sunset")
_ALL = (*_LIGHT, "dusk", "night", "overcast", "storm", "mist", _BW)
_KINDS: dict[str, _Kind] = {
    "mountains": _Kind(
        _mountains,
        1.5,
        _ALL,
        (
            ("layered mountain ridges", "blue ridges fading into haze", "a mountain range behind a forest"),
            ("snow-capped peaks", "jagged mountain summits", "a chain of alpine peaks"),
            ("rolling hills one behind another", "soft hills in the distance"),
        ),
        ("mountain", "landscape", "nature", "hiking"),
    ),
    "balloons": _Kind(
        _balloons,
        0.7,
        ("dawn", "day", "golden hour", "sunset", "mist"),
        (("hot air balloons over a valley", "colourful balloons floating above the hills"),),
        ("balloon", "travel", "adventure", "flight"),
    ),
    "sea": _Kind(
        _sea,
        1.4,
        _ALL,
        (
            ("calm sea with the sun on the water", "open ocean up to the horizon", "light glittering on the sea"),
            ("headlands along a rocky coast", "cliffs falling into the sea"),
            ("a lone sailing boat at sea", "a small boat on the open water"),
        ),
        ("sea", "ocean", "water", "horizon"),
    ),
    "dunes": _Kind(
        _dunes,
        1.0,
        ("dawn", "day", "golden hour", "sunset", "dusk", "night", _BW),
        (("sand dunes with wind ripples", "the crest of a desert dune", "waves of sand in the desert"),),
        ("desert", "sand", "dune", "travel"),
    ),
    "forest": _Kind(
        _conifers,
        1.2,
        ("dawn", "mist", "mist", "overcast", "storm", "dusk", "golden hour", _BW),
        (("fog drifting through a spruce forest", "rows of conifers on a misty slope", "pine trees above the valley"),),
        ("forest", "tree", "fog", "nature"),
    ),
    "woodland": _Kind(
        _trunks,
        0.8,
        ("dawn", "golden hour", "mist", "day", "overcast", _BW),
        (("tall tree trunks with light between them", "sunbeams in a quiet wood", "a path of light among the trees"),),
        ("forest", "tree", "light", "woods"),
    ),
    "bokeh": _Kind(
        _bokeh,
        1.0,
        ("night",),
        (
            ("city lights out of focus", "blurred street lights", "round bokeh of a busy street"),
            ("six-sided bokeh of the city", "blurred evening traffic"),
            ("raindrops on a window in front of city lights", "a wet pane with blurred lights behind it"),
        ),
        ("bokeh", "city", "lights", "abstract"),
    ),
    "skyline": _Kind(
        _skyline,
        1.1,
        ("night", "night", "dusk", "sunset", "storm", "day", "golden hour", "mist", _BW),
        (("a city skyline reflected in the river", "towers at the waterfront", "skyscrapers across the bay"),),
        ("city", "skyline", "architecture", "urban"),
    ),
    "stars": _Kind(
        _galaxy,
        1.2,
        ("night",),
        (
            ("the milky way above the mountains", "a sky full of stars over dark hills"),
            ("the milky way above a row of firs", "stars over the treetops"),
            ("a glowing tent under the milky way", "camping below a starry sky"),
        ),
        ("stars", "milky way", "astronomy", "sky"),
    ),
    "aurora": _Kind(
        _aurora,
        0.8,
        ("night",),
        (
            ("northern lights over a snow field", "green aurora above the hills"),
            ("aurora mirrored in a lake", "northern lights above still water"),
        ),
        ("aurora", "northern lights", "sky", "winter"),
    ),
    "flower": _Kind(
        _flower,
        0.9,
        ("dawn", "day", "golden hour", "overcast", "dusk", _BW),
        (
            ("a white daisy in a garden", "close-up of a daisy"),
            ("a sunflower in bloom", "a yellow sunflower head"),
            ("a dahlia with many petals", "close-up of a pink dahlia"),
            ("a red gerbera", "close-up of an orange-red flower"),
        ),
        ("flower", "macro", "garden", "bloom"),
    ),
    "leaf": _Kind(
        _leaf,
        0.7,
        ("day", "golden hour", "overcast", "storm", "dusk", _BW),
        (
            ("a single leaf in front of a blurred garden", "a leaf against the light"),
            ("the veins of a leaf close up", "macro of a leaf surface"),
        ),
        ("leaf", "macro", "plant", "texture"),
    ),
    "snow": _Kind(
        _snow,
        1.3,
        ("dawn", "day", "overcast", "overcast", "mist", "mist", "golden hour", "dusk", _BW),
        (
            ("a bare tree in a snow field", "a lonely tree in the snow"),
            ("snowy mountains behind firs", "a group of firs in deep snow"),
        ),
        ("snow", "winter", "cold", "white"),
    ),
    "lake": _Kind(
        _lake,
        1.2,
        _ALL,
        (
            ("snowy mountains mirrored in a lake", "a still alpine lake"),
            ("a sailing boat on a mountain lake", "a white sail on the lake"),
            ("forest and hills reflected in a lake", "the calm shore of a lake"),
        ),
        ("lake", "reflection", "mountain", "water"),
    ),
    "clouds": _Kind(
        _clouds,
        1.1,
        (*_LIGHT, "dusk", "night", "mist", _BW),
        (
            ("a sea of clouds from above", "clouds seen from an aeroplane"),
            ("a summit above the clouds", "a mountain rising from a sea of clouds"),
        ),
        ("clouds", "sky", "aerial", "weather"),
    ),
    "beach": _Kind(
        _beach,
        1.0,
        ("day", "day", "golden hour", "overcast", "dawn", "storm", _BW),
        (("waves rolling onto a beach from above", "aerial view of surf and sand", "the shoreline seen from a drone"),),
        ("beach", "aerial", "wave", "summer"),
    ),
    "road": _Kind(
        _road,
        1.0,
        (*_LIGHT, "dusk", "overcast", "storm", _BW),
        (
            ("an empty road through the desert", "a straight desert highway"),
            ("a road towards snowy mountains", "an empty highway across the steppe"),
            ("a country road between green meadows", "an open road through the grassland"),
        ),
        ("road", "travel", "trip", "highway"),
    ),
    "fields": _Kind(
        _fields,
        1.0,
        (*_LIGHT, "overcast", "storm", "dusk", _BW),
        (
            ("rows of lavender", "a lavender field"),
            ("a field of ripe wheat", "golden rows of grain"),
            ("green rows of crops", "young plants on a wide field"),
            ("rows of red tulips", "a tulip field"),
        ),
        ("field", "farm", "countryside", "landscape"),
    ),
    "facade": _Kind(
        _facade,
        1.0,
        ("day", "day", "overcast", "mist", "golden hour", "dusk", "night", _BW, _BW),
        (
            ("the corner of a modern building", "a modern facade against the sky"),
            ("windows of an office tower", "rows of windows in perspective"),
        ),
        ("architecture", "building", "facade", "minimal"),
    ),
    "wall": _Kind(
        _wall,
        1.2,
        ("day", "dawn", "overcast", "mist", "golden hour", _BW),
        (
            ("window light on a plain wall", "the shadow of a palm on a wall"),
            ("sunlight and leaf shadows on a white wall", "a patch of light with plant shadows"),
            ("shadows of a window and a plant", "light falling on rough plaster"),
        ),
        ("minimal", "shadow", "interior", "light"),
    ),
    "fog": _Kind(
        _fog,
        1.4,
        ("mist", "mist", "overcast", "dawn", "dusk", "storm", _BW),
        (
            ("a single tree in the fog", "a lone tree in a pale field"),
            ("a wooden jetty in a foggy lake", "a quiet pier leading into the fog"),
            ("a sailing boat in the fog", "a boat on still water"),
        ),
        ("fog", "minimal", "calm", "silence"),
    ),
}


def _plan(seed: int) -> tuple[str, str, int, np.random.Generator]:
    """Kind, mood and variant of a seed, with the generator that picks the words."""
    rng = np.random.default_rng([seed % 2**32, 1])
    names = list(_KINDS)
    weights = np.array([_KINDS[n].weight for n in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    kind = _KINDS[name]
    mood = kind.moods[int(rng.integers(len(kind.moods)))]
    return name, mood, int(rng.integers(len(kind.subjects))), rng


def describe(seed: int, orientation: str = "portrait") -> Scene:
    """Say what `draw` shows for `seed` without drawing it; `orientation` only adds a tag."""
    name, mood, variant, rng = _plan(seed)
    kind = _KINDS[name]
    subject = kind.subjects[variant][int(rng.integers(len(kind.subjects[variant])))]
    phrases = _BW_PHRASES if mood == _BW else _MOODS[mood].phrases
    if name in ("wall", "leaf", "flower"):  # no sky in sight
        phrases = tuple(p for p in phrases if "sky" not in p and "cloud" not in p)
    phrase = phrases[int(rng.integers(len(phrases)))]
    if name == "fog" and mood == "mist":
        phrase = str(rng.choice(("early in the morning", "on a silent day", "in pale light")))
    if mood == "night" and name in ("bokeh", "stars", "aurora"):
        phrase = (
            "at night" if name == "bokeh" else str(rng.choice(("in winter", "on a clear night", "far from the city")))
        )
    lead = str(rng.choice(("", "", "", "photo of ", "a view of ", "a quiet scene with ")))
    shape = {"landscape": "horizontal", "portrait": "vertical"}.get(orientation, "square")
    extra = tuple(t for t in mood.split(" and ") if t not in kind.tags)
    return Scene(name, mood, f"{lead}{subject} {phrase}", (*kind.tags, *extra, shape), mood == "night")


def draw(seed: int, width: int, height: int) -> Image.Image:
    """Draw the scene of `seed` as an RGB image of exactly width x height px."""
    name, mood, variant, _ = _plan(seed)
    # Extreme aspect ratios are drawn less extreme and stretched, so that every scene has room.
    canvas = min(max(round(WIDTH * height / width), 360), 2160)
    frame = _Frame(seed % 2**32, canvas, mood, variant)
    image = _develop(frame, _KINDS[name].paint(frame))
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)
    return image


def _develop(f: _Frame, image: Image.Image) -> Image.Image:
    """Grain, vignette, tone curve and split toning; black and white if the mood asks for it."""
    rng = f.rng
    strength = f.grain * float(rng.choice((0.7, 0.8, 0.9, 1.0, 1.15, 1.4, 2.4)))
    if f.mono:
        image = Image.merge("RGB", (image.convert("L"),) * 3)
        strength *= 1.25
    image = Image.blend(image, _film(f.h, int(rng.integers(4))), strength)
    tone = np.arange(256, dtype=np.float32) / 255
    tone = np.clip((tone - strength * 0.55) / (1 - strength), 0, 1)
    bend = float(rng.uniform(0.0, 0.55)) + (0.45 if f.mono else 0)
    tone = tone + bend * (tone * tone * (3 - 2 * tone) - tone)
    if f.mood in ("mist", "overcast", "dawn") and rng.random() < 0.5:
        tone = tone ** float(rng.uniform(0.6, 0.85))  # high key
    matte = float(rng.choice((0.045, 0.06, 0.08, 0.11)))  # faded blacks
    tone = matte + tone * (1 - matte)
    cool = float(rng.normal(0, 0.012)) * (0 if f.mono else 1)
    curves = [np.clip(tone + c * (1 - 2 * tone), 0, 1) * 255 for c in (-cool, 0.2 * cool, cool)]
    return image.point(np.concatenate(curves).astype(np.uint8).tolist())


def dominant_colour(image: Image.Image) -> str:
    """The most frequent colour of an image as "#rrggbb", in coarse steps like a stock-photo site's."""
    side = 32 / max(image.size)
    size = max(round(image.width * side), 1), max(round(image.height * side), 1)
    small = image.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
    clusters = small.quantize(5, method=Image.Quantize.MEDIANCUT, kmeans=2)
    _, index = max(clusters.getcolors() or [(0, 0)])
    palette = clusters.getpalette() or [0, 0, 0]
    mean = palette[3 * index : 3 * index + 3]
    steps = (0x0C, 0x26, 0x40, 0x59, 0x73, 0x8C, 0xA6, 0xC0, 0xD9, 0xF3)
    if max(mean) - min(mean) < 36:  # next to grey: no faint tints
        mean = [sum(mean) / 3] * 3
    else:
        steps = (0x0C, 0x26, 0x59, 0x8C, 0xC0, 0xF3)  # fewer levels are enough to name a hue
    channels = (min(steps, key=lambda step: abs(step - c)) for c in mean)
    return "#" + "".join(f"{c:02x}" for c in channels)
