"""Scenes from very near: flowers and leaves.

Each public function draws one kind and calls no other; what several scenes need is in parts.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .canvas import WIDTH, Array, Colour, mix, rgb, rgb8, smoothstep, to_image
from .moods import Frame


def _blurred(f: Frame, hues: Sequence[Colour], width: int, height: int) -> Array:
    """Background far out of focus (height, width, 3): overlapping soft blobs of the given colours."""
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32) / width
    field = np.zeros((height, width, 3), dtype=np.float32) + rgb(hues[0]) * 0.8
    for _ in range(16):
        cx, cy, r = f.uni(-0.1, 1.1), f.uni(-0.1, 1.1) * height / width, f.uni(0.08, 0.3)
        blob = smoothstep(-np.hypot(xx - cx, yy - cy), -r, -r * 0.55) * f.uni(0.15, 0.6)
        field += (rgb(f.pick(hues)) * f.uni(0.6, 1.25) - field) * blob[..., None]
    return field


def flower(f: Frame) -> Image.Image:
    w, h = 432, max(int(f.h * 0.4), 2)
    green = [f.lit(c, 0.95) for c in ((70, 104, 48), (44, 74, 40), (120, 142, 80), (30, 54, 36), (150, 150, 90))]
    dusky = [f.lit(c, 0.7) for c in ((40, 36, 40), (66, 54, 60), (24, 24, 28), (90, 70, 60))]
    field = _blurred(f, green if f.rng.random() < 0.7 else dusky, 90, max(h // 6, 2))
    back = to_image(field).resize((w, h), Image.Resampling.BICUBIC)
    cx, cy = w * (0.42 if f.right else 0.58), h * f.uni(0.4, 0.5)
    stem = ImageDraw.Draw(back)
    stem.line((cx, cy, cx + w * f.uni(-0.1, 0.1), h + 5), fill=rgb8(f.lit((84, 120, 56), 0.6)), width=11)
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
    hue, heart, rings, count, broad, inner = (
        ((250, 250, 246), (240, 184, 40), 2, 17, 0.8, 0.24),  # daisy
        ((246, 196, 40), (84, 48, 24), 3, 19, 0.9, 0.34),  # sunflower
        ((226, 84, 120), (250, 206, 90), 5, 13, 1.1, 0.1),  # dahlia
        ((214, 74, 48), (60, 40, 30), 3, 15, 1.0, 0.2),  # gerbera
    )[f.variant]
    petal = np.clip(rgb(hue) + f.rng.normal(0, 12, 3), 0, 255)
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
        drop *= smoothstep(-along, -1.2, -0.9) * 0.26
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
    core = rgb(heart) * (f.shade + (f.light - f.shade) * dome[..., None])
    field += (core - field) * disc[..., None]
    img = to_image(whole).resize((WIDTH, f.h), Image.Resampling.BICUBIC)
    f.grain = 0.06
    return img


def leaf(f: Frame) -> Image.Image:
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
    base = rgb(hue) * 1.15
    colour = base * (f.shade + (f.light - f.shade) * np.clip(lit, 0, 1.15)[..., None])
    colour += (mix(base, (236, 240, 180), 0.5) * f.light - colour) * (vein * 0.6)[..., None]
    dim = [f.lit(c, 0.5) for c in ((40, 66, 36), (24, 40, 28), (86, 104, 60), (16, 24, 20))]
    back = np.asarray(
        to_image(_blurred(f, dim, 90, max(h // 6, 2))).resize((w, h), Image.Resampling.BICUBIC), dtype=np.float32
    )
    field = back + (colour - back) * cover[..., None]
    img = to_image(field).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    f.grain = 0.065
    return img
