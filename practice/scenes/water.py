"""Scenes at the water: sea, lake, beach.

Each public function draws one kind and calls no other; what several scenes need is in parts.py.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .canvas import WIDTH, gradient, mix, rgb, rgb8, smoothstep, to_mask
from .moods import Frame
from .parts import birds, boat, paint_sky, ranges, reflect, slope, sprite, stars


def _water(f: Frame, img: Image.Image, horizon: int, rough: float, glitter: float) -> None:
    """Open water from row `horizon` down, with the light of the sun lying on it."""
    rows = f.h - horizon
    if rows < 2:
        return
    t = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    depth = 1 / (t * 0.95 + 0.05)
    n = (f.plane("wave", depth, WIDTH, 900, 800).astype(np.float32) - 128) / 42
    deep = f.lit(f.pick([(36, 84, 108), (30, 92, 104), (44, 72, 100)]), 0.5)
    light = gradient([(0, mix(f.low, f.mid, 0.3)), (0.3, mix(f.low, f.mid, 0.75)), (1, mix(f.mid, deep, 0.25))], rows)
    dark = gradient([(0, mix(f.mid, deep, 0.35)), (0.35, mix(f.top, deep, 0.6)), (1, deep * 0.6)], rows)
    tone = 0.55 - 0.28 * t[:, None] + n * (rough * (0.1 + 0.1 * t))[:, None]
    water = Image.composite(light, dark, to_mask(tone))
    spread = (0.04 + 0.13 * t)[:, None]
    path = np.exp(-(((f.x - f.sun_x) / spread) ** 2)) * glitter
    spark = smoothstep(n * (0.5 + 0.7 * t)[:, None] + path * 3.4, 2.0, 3.9) * np.minimum(path * 1.6, 1)
    water.paste(rgb8(f.sun), (0, 0), to_mask(spark * 0.95))
    img.paste(water, (0, horizon))


def sea(f: Frame) -> Image.Image:
    horizon = int(f.h * f.pick([0.36, 0.42, 0.6, 0.64]))
    sun_y = horizon - f.unit * f.uni(0.02, 0.2)
    img = paint_sky(f, horizon, sun_y=sun_y)
    if f.mood == "night":
        stars(f, img, horizon, 700)
    if f.variant == 1:
        for i in range(3):
            side = f.x if f.right else 1 - f.x
            reach = smoothstep(1 - side, 0.25 + 0.13 * i, 1.05)
            cliff = f.unit * (0.16 + 0.07 * i) * (0.75 + 0.22 * f.ridge(4, 6, 0.5))
            edge = horizon + 2 - reach * cliff + (reach <= 0) * 9
            slope(f, img, edge, horizon + 4, (72, 76, 72), 0.62 - 0.24 * i, 0.75 - 0.22 * i, "relief", 0.6, 0.8)
    shine = {"overcast": 0.25, "storm": 0.2, "mist": 0.45, "dusk": 0.5, "night": 0.4}.get(f.mood, 1.0)
    _water(f, img, horizon, f.uni(0.7, 1.4), shine)
    if f.variant == 2:
        x = WIDTH * (0.36 if f.right else 0.64)
        sprite(
            img,
            boat(f.unit * f.uni(0.09, 0.17)),
            x,
            horizon + f.unit * 0.075,
            mix(f.lit((40, 42, 48), 0.1), f.low, 0.08),
        )
    if not f.dark and f.rng.random() < 0.35:
        birds(f, img, WIDTH * (0.3 if f.right else 0.7), horizon * 0.55, 6, f.lit((50, 50, 56), 0.2))
    f.grain = 0.06
    return img


def lake(f: Frame) -> Image.Image:
    shore = int(f.h * f.uni(0.5, 0.58))
    img = paint_sky(f, shore, sun_y=shore - f.unit * f.uni(0.25, 0.4), disc=f.rng.random() < 0.4)
    if f.mood == "night":
        stars(f, img, shore, 900)
    style = f.pick(["peak", "peak", "rock"])
    ranges(
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
    slope(f, img, edge, shore, (48, 60, 48), 0.12, 0.12, "fine", 1.0, 0.8)
    tint = mix(f.lit((30, 62, 70), 0.6), f.mid, 0.2)
    reflect(f, img, shore, f.uni(0.35, 0.95), tint, f.uni(0.62, 0.82))
    line = to_mask(np.exp(-(((np.arange(9) - 4.0) / 2) ** 2))[:, None] * np.full((9, 1), 0.5)).resize((WIDTH, 9))
    sprite(img, line, WIDTH / 2, shore + 5, mix(f.low, f.mid, 0.4))
    if f.variant == 1:
        sprite(
            img,
            boat(f.unit * 0.1),
            WIDTH * (0.35 if f.right else 0.65),
            shore + f.unit * 0.16,
            f.lit((220, 220, 216), 0.8),
        )
    f.grain = 0.05
    return img


def beach(f: Frame) -> Image.Image:
    w, h = 360, max(f.h // 3, 2)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    angle = f.uni(0.15, 1.25) * (1 if f.right else -1)
    d = (xx - 0.5) * np.sin(angle) + (yy - f.h / WIDTH / 2) * np.cos(angle) + f.uni(-0.12, 0.12)
    along = (xx * np.cos(angle) - yy * np.sin(angle)) * 6
    d += 0.035 * np.sin(along * f.uni(0.5, 0.9) + f.uni(0, 6)) + 0.028 * f.noise("cloud", w, h, 0.3)
    sand = rgb(f.pick([(228, 206, 170), (214, 184, 148), (240, 226, 200), (84, 82, 84)]))
    sea = rgb(f.pick([(20, 112, 140), (24, 94, 130), (18, 128, 138), (30, 84, 104)]))
    shoal = mix(sea, (150, 216, 206), 0.62)
    stops = [
        (-0.9, sea * 0.6),
        (-0.42, sea),
        (-0.12, shoal),
        (-0.02, mix(shoal, sand, 0.5)),
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
        gap = smoothstep(f.noise("cloud", w, h, 0.35), -0.6, 0.8)
        wave = d - at_d + 2 * warp
        dense += gap * np.where(wave > 0, np.exp(-((wave / 0.012) ** 2)), np.exp(wave / 0.055) * 0.8)
    dense = to_mask(dense / 1.6).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    lace = f.tex("foam", WIDTH, f.h, 1.25)
    level = np.asarray(dense, dtype=np.int16) * 2 + np.asarray(lace, dtype=np.int16) - 225
    foam = Image.fromarray(np.clip(level * 2, 0, 250).astype(np.uint8))
    # Wavelets on the water, grains on the sand.
    ripple = f.tex("wave", WIDTH, f.h, 1.0).point([min(max(i * 5 // 4 - 32, 0), 255) for i in range(256)])
    grit = f.tex("fine", WIDTH, f.h, 0.7 if sand[0] > 100 else 1.4).point([56 + i * 9 // 16 for i in range(256)])
    wet = to_mask(smoothstep(-d, -0.02, 0.05)).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    tone = Image.composite(ripple, grit, wet)
    img = Image.blend(img, Image.merge("RGB", (tone,) * 3), 0.2)
    img = img.point([int(min(max((i - 26) / 0.8, 0), 255)) for i in range(256)] * 3)
    img.paste(rgb8(f.lit(f.white, 0.95)), (0, 0), foam)
    f.grain = 0.05
    return img
