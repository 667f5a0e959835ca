"""Scenes in the sky: clouds from above, the milky way, northern lights.

Each public function draws one kind and calls no other; what several scenes need is in parts.py.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import WIDTH, Array, gradient, mix, rgb, smoothstep, to_image, to_mask
from .moods import Frame
from .parts import firs, paint_sky, paste_layer, reflect, slope, sprite, stars


def _puffs(f: Frame, base: float, size: float) -> Array:
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


def clouds(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.3, 0.5)
    img = paint_sky(f, horizon, clouds=f.uni(0, 0.35), sun_y=horizon - f.unit * f.uni(0.04, 0.16))
    if f.mood == "night":
        stars(f, img, horizon, 1200)
    count = 8
    glow = mix(f.low, f.sun, 0.35)
    peak_at = int(f.rng.integers(1, 4)) if f.variant == 1 else -1
    bases = horizon + (f.h - horizon) * (np.arange(count) / (count - 1)) ** 1.6 * 0.85
    sizes = f.unit * (0.012 + 0.085 * np.arange(count) / (count - 1))
    edges = [_puffs(f, float(b), float(size)) for b, size in zip(bases, sizes, strict=True)]
    for i, (base, size, edge) in enumerate(zip(bases, sizes, edges, strict=True)):
        k = i / (count - 1)
        if i == peak_at:
            away = np.abs(f.x - (0.36 if f.right else 0.64))
            peak = base + f.unit * (away * 0.9 - 0.2 - 0.045 * f.ridge(5, 6, 0.55, "peak"))
            slope(f, img, peak, base + f.unit * 0.35, (92, 88, 92), 0.35, 0.85, "relief", 0.6)
        top = max(int(edge.min()) - 2, 0)
        rows = (f.h if i == count - 1 else min(int(edges[i + 1].max()) + 6, f.h)) - top
        if rows < 2:
            continue
        w, h = 216, max(rows // 5, 2)
        under = np.arange(h, dtype=np.float32)[:, None] * 5 + top - edge[None, 2::5]
        under /= np.float32(size * 2.2)
        lobes = f.noise("cloud", w, h, 0.1 + 0.24 * k, 1.5)
        tone = np.clip(0.98 - 0.5 * under + 0.26 * lobes * np.clip(under * 2, 0.15, 1), 0.05, 1)
        bright = mix(f.lit(f.white, 1.0), glow, 0.3 + 0.5 * (1 - k))
        dull = mix(mix(f.lit((226, 228, 238), 0.25), f.mid, 0.35), glow, 0.6 * (1 - k))
        fill = to_image(dull + (bright - dull) * tone[..., None])
        paste_layer(f, img, edge, fill.resize((WIDTH, rows), Image.Resampling.BILINEAR), top, 2 + 5 * k)
    f.grain = 0.055
    return img


def galaxy(f: Frame) -> Image.Image:
    w, h = 270, max(f.h // 4, 2)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    horizon = f.h * f.uni(0.76, 0.88)
    t = np.clip(yy * WIDTH / horizon, 0, 1)[..., None]
    tint = rgb(f.pick([(34, 48, 86), (52, 40, 80), (28, 58, 72), (70, 52, 46), (40, 44, 54)]))
    town = np.asarray((60, 34, 14)) * f.uni(0, 1.4)  # glow of a far town on the horizon
    sky = mix((6, 8, 16), tint, 0.25) * (1 - t) + tint * 1.3 * t**2 + town * t**7
    angle = f.uni(0.9, 1.5) * (1 if f.right else -1)
    if f.h < WIDTH:
        angle *= 0.75
    px, py = xx - (0.42 if f.right else 0.58), yy - 0.45 * f.h / WIDTH
    across = px * np.sin(angle) - py * np.cos(angle)
    along = px * np.cos(angle) + py * np.sin(angle)
    n, m = f.noise("cloud", w, h, 0.4), f.noise("cloud", w, h, 0.22)
    core = np.exp(-(((along - 0.25) / 0.55) ** 2))
    band = np.exp(-(((across + 0.025 * n) / (0.1 + 0.05 * core)) ** 2)) * (0.45 + 0.7 * core)
    lane = np.exp(-(((across - 0.012 + 0.04 * m) / 0.03) ** 2)) * smoothstep(n, -0.8, 0.9)
    glow = band * (1 - 0.75 * lane) * (0.75 + 0.25 * m)
    hue = rgb((150, 150, 190)) + (rgb((240, 196, 160)) - rgb((150, 150, 190))) * core[..., None]
    sky = sky + glow[..., None] * hue * 0.62
    img = to_image(sky).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    stars(f, img, horizon, 2600)
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
            firs(f, img, edge, 34, f.unit * 0.26, (9, 12, 18))
        slope(f, img, edge, f.h, ink, 0.12 - 0.1 * i, 0.05, "relief", 0.9, 0.7)
    if f.variant == 2:
        x, y = WIDTH * (0.36 if f.right else 0.64), f.h * 0.95
        tent = Image.new("L", (300, 200))
        ImageDraw.Draw(tent).polygon([(10, 196), (136, 30), (164, 30), (290, 196)], fill=255)
        tent = tent.resize((int(f.unit * 0.14), int(f.unit * 0.09)), Image.Resampling.BILINEAR, reducing_gap=2)
        halo = to_mask(np.exp(-np.hypot(*np.mgrid[-1:1:60j, -1:1:60j]) * 4.5) * 0.7).resize((int(f.unit * 0.6),) * 2)
        sprite(img, halo, x, y + f.unit * 0.27, (255, 170, 70))
        fill = gradient([(0, (240, 150, 60)), (0.6, (255, 214, 130)), (1, (255, 190, 96))], tent.height, tent.width)
        sprite(img, tent, x, y, fill)
    f.grain = 0.06
    return img


def aurora(f: Frame) -> Image.Image:
    shore = int(f.h * f.uni(0.66, 0.78))
    w, h = 360, max(shore // 3, 2)
    yy = np.arange(h, dtype=np.float32)[:, None] / w
    t = np.clip(yy * WIDTH / shore, 0, 1)[..., None]
    sky = np.repeat(rgb((6, 10, 24)) * (1 - t) + rgb((16, 42, 54)) * t, w, axis=1)
    hues = f.pick(
        [((60, 240, 150), (110, 60, 190)), ((80, 235, 130), (40, 120, 170)), ((90, 230, 190), (190, 60, 130))]
    )
    for _ in range(int(f.rng.integers(2, 4))):
        foot = f.uni(0.4, 0.8) * shore / WIDTH + 0.1 * f.ridge(1.2, 3, 0.45, "smooth")[1::3]
        tall = f.uni(0.16, 0.36) * (1 + 0.35 * f.ridge(5, 3, 0.6, "smooth")[1::3])
        rays = np.clip(0.62 + 0.26 * f.ridge(14, 4, 0.75, "smooth")[1::3], 0.08, 1.5)
        rays *= smoothstep(f.ridge(1.5, 2, 0.5, "smooth")[1::3], -1.2, 0.5)
        up = (foot[None, :] - yy) / np.maximum(tall, 0.05)[None, :]
        shape = np.where(up > 0, np.exp(-np.abs(up) * 1.7), np.exp(-np.abs(up) * 14)) * rays[None, :]
        mixup = np.clip(up * 0.75, 0, 1)[..., None]
        sky += shape[..., None] * (rgb(hues[0]) * (1 - mixup) + rgb(hues[1]) * mixup) * f.uni(0.55, 0.95)
    img = Image.new("RGB", (WIDTH, f.h))
    img.paste(to_image(sky).resize((WIDTH, shore), Image.Resampling.BILINEAR), (0, 0))
    stars(f, img, shore, 900)
    f.low = rgb((24, 62, 62))
    for i in range(2):
        edge = shore - f.unit * (0.05 - 0.03 * i + (0.06 - 0.03 * i) * f.ridge(2.2 + i, 7, 0.46, "peak"))
        if i == 1:
            edge = f.tree_line(90, f.unit * 0.09, np.minimum(edge, shore - 4.0))
        slope(
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
        reflect(f, img, shore, 0.7, (6, 14, 22), 0.62)
    else:
        f.light, f.shade = rgb((0.2, 0.5, 0.42)), rgb((0.04, 0.1, 0.12))
        pattern = to_mask(f.noise("soft", WIDTH, f.h - shore + 9, 3, 3) * 0.14 + 0.5)
        slope(f, img, np.full(WIDTH, float(shore - 2)), f.h, (220, 230, 240), 0.1, 0.0, pattern)
    f.grain = 0.06
    return img
