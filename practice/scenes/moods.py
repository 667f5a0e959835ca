"""The light of a picture (`Mood`) and the picture while it is drawn (`Frame`: height, light, random source).

Nothing here puts anything onto a canvas: that begins in parts.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from .canvas import TILE, WIDTH, Array, Colour, mix, noise_tile, rgb, scaled_tile, wrap

T = TypeVar("T")


@dataclass(frozen=True)
class Mood:
    """Light of a picture: sky colours from zenith to horizon, direct and ambient light (factors)."""

    top: Colour
    mid: Colour
    low: Colour
    sun: Colour
    light: Colour
    shade: Colour
    phrases: tuple[str, ...]
    dark: bool = False


MOODS = {
    "dawn": Mood(
        (104, 128, 172),
        (200, 178, 196),
        (252, 212, 188),
        (255, 238, 218),
        (1.0, 0.82, 0.74),
        (0.5, 0.48, 0.58),
        ("at dawn", "under a pink sky", "before sunrise", "in soft morning light"),
    ),
    "day": Mood(
        (40, 98, 170),
        (110, 164, 214),
        (208, 226, 236),
        (255, 252, 240),
        (1.05, 1.02, 0.95),
        (0.48, 0.53, 0.62),
        ("on a clear day", "under a blue sky", "in bright daylight", "at noon"),
    ),
    "golden hour": Mood(
        (104, 122, 150),
        (226, 180, 128),
        (255, 212, 134),
        (255, 242, 200),
        (1.18, 0.88, 0.56),
        (0.42, 0.36, 0.35),
        ("in golden light", "during golden hour", "in warm evening light"),
    ),
    "sunset": Mood(
        (54, 48, 92),
        (184, 88, 92),
        (255, 154, 80),
        (255, 226, 160),
        (1.0, 0.56, 0.38),
        (0.27, 0.21, 0.28),
        ("at sunset", "under a red sky", "as the sun goes down"),
    ),
    "dusk": Mood(
        (20, 34, 70),
        (70, 88, 138),
        (220, 152, 130),
        (250, 200, 170),
        (0.44, 0.42, 0.54),
        (0.18, 0.21, 0.32),
        ("at dusk", "in the blue hour", "after sunset"),
        True,
    ),
    "night": Mood(
        (8, 13, 28),
        (18, 32, 58),
        (52, 74, 104),
        (226, 232, 240),
        (0.32, 0.38, 0.5),
        (0.07, 0.1, 0.16),
        ("at night", "in the dark", "under a night sky"),
        True,
    ),
    "overcast": Mood(
        (146, 152, 158),
        (188, 192, 195),
        (222, 223, 222),
        (240, 240, 238),
        (0.86, 0.87, 0.88),
        (0.46, 0.49, 0.52),
        ("on an overcast day", "under grey clouds", "in flat grey light"),
    ),
    "storm": Mood(
        (36, 42, 49),
        (78, 87, 95),
        (148, 154, 154),
        (190, 194, 190),
        (0.48, 0.5, 0.52),
        (0.19, 0.22, 0.25),
        ("before a storm", "under dark clouds", "in moody weather"),
        True,
    ),
    "mist": Mood(
        (214, 219, 221),
        (232, 234, 232),
        (244, 244, 241),
        (255, 253, 246),
        (0.97, 0.97, 0.95),
        (0.62, 0.64, 0.66),
        ("in the mist", "on a misty morning", "wrapped in fog"),
    ),
}
BW = "black and white"  # drawn in one of the moods below and then stripped of colour
_BW_BASES = ("day", "overcast", "storm", "storm", "mist", "night")
BW_PHRASES = ("in black and white", "in monochrome", "as a black and white photograph")


class Frame:
    """One picture being drawn: canvas height, random source, mood and the choices scenes share."""

    def __init__(self, seed: int, height: int, mood: str, variant: int) -> None:
        self.rng = np.random.default_rng([seed, 2])
        self.seed, self.h = seed, height
        self.unit = WIDTH * min(max(height / WIDTH, 0.55), 1.2)  # px; heights of hills scale with it
        self.mono = mood == BW
        self.mood = str(self.pick(_BW_BASES)) if self.mono else mood
        base = MOODS[self.mood]
        # A cast of a few levels, warm or cool, keeps two pictures of one mood from sharing their palette.
        cast = self.rng.normal(0, 7) * np.array([1, 0.15, -1]) + self.rng.normal(0, 6)
        self.top, self.mid, self.low = (
            np.clip(rgb(c) + cast * k, 3, 255) for c, k in ((base.top, 0.8), (base.mid, 1.4), (base.low, 0.8))
        )
        self.sun, self.light, self.shade = rgb(base.sun), rgb(base.light), rgb(base.shade)
        # Light scattered by the air: the horizon colour by day, duller when little light is left.
        self.haze = mix(self.low, self.mid, {"dusk": 0.7, "sunset": 0.4, "storm": 0.5}.get(self.mood, 0.1))
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

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]

    def lit(self, albedo: Colour, amount: float = 1.0) -> Array:
        """Colour of a surface: `amount` 0 is in shadow, 1 in full light."""
        return np.clip(rgb(albedo) * (self.shade + (self.light - self.shade) * amount), 0, 255)

    def tex(self, name: str, width: int, height: int, zoom: float = 1.0, squeeze: float = 1.0) -> Image.Image:
        """Texture (height, width) as "L"; zoom > 1 enlarges, squeeze > 1 flattens it vertically.

        Both are rounded to half octaves, so that the scaled tiles can be kept.
        """
        tile = scaled_tile(name, round(2 * np.log2(zoom)), round(2 * np.log2(squeeze)), self.right)
        x, y = int(self.uni(0, tile.width)), int(self.uni(0, tile.height))
        return wrap(tile, x, y, width, max(height, 1))

    def noise(self, name: str, width: int, height: int, zoom: float = 1.0, squeeze: float = 1.0) -> Array:
        """Like `tex`, as floats of mean 0 and deviation 1."""
        return (np.asarray(self.tex(name, width, height, zoom, squeeze), dtype=np.float32) - 128) / 42

    def plane(self, name: str, depth: Array, width: int, across: float, along: float) -> Array:
        """Texture on a level plane seen in perspective: row r lies at distance depth[r] (1 = nearest).

        `across` and `along` are tile px per canvas width and per unit of depth. Returns uint8 (rows, width).
        """
        tile = np.asarray(noise_tile(name)).ravel()
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
