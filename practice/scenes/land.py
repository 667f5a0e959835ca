"""Scenes on land: mountains, balloons, dunes, woods, snow, fields, roads, fog.

Each public function draws one kind and calls no other; what several scenes need is in parts.py.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import WIDTH, Array, Colour, Ink, gradient, mix, rgb, rgb8, smoothstep, to_image, to_mask
from .moods import Frame
from .parts import birds, boat, firs, paint_sky, paste_layer, plant_tree, ranges, slope, sprite, stars


def mountains(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.36, 0.52)
    img = paint_sky(f, horizon + f.unit * 0.05, sun_y=horizon - f.unit * f.uni(0.12, 0.26))
    if f.mood == "night":
        stars(f, img, horizon, 900)
    style = ("rock", "peak", "smooth")[f.variant]
    albedo = f.pick([(86, 96, 88), (104, 92, 84), (72, 88, 104), (92, 104, 72)])
    snow = f.variant == 1
    ranges(
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
        ink = mix(f.lit((40, 48, 40), 0.3), f.haze, 0.05)
        firs(f, img, ground, 46, f.unit * f.uni(0.1, 0.2), ink)
        slope(f, img, ground, f.h, (40, 48, 40), 0.05, 0.0, "fine", 1.0, 0.4)
    if not f.dark and f.rng.random() < 0.4:
        birds(f, img, WIDTH * (0.35 if f.right else 0.65), horizon * 0.6, 7, f.lit((60, 60, 64), 0.2))
    f.grain = 0.06
    return img


def balloons(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.62, 0.74)
    img = paint_sky(f, horizon, sun_y=horizon - f.unit * 0.08)
    ranges(f, img, horizon, f.h, 5, f.unit * 0.1, "rock", (116, 96, 78))
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
            rgb(c)
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
        mask, skin = (i.resize(size, Image.Resampling.BICUBIC) for i in (to_mask(cover), to_image(paint)))
        sprite(img, mask, cx, cy + r * 2, skin)
    f.grain = 0.06
    return img


def dunes(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.3, 0.46)
    img = paint_sky(f, horizon + f.unit * 0.05, clouds=f.uni(0, 0.3), sun_y=horizon - f.unit * f.uni(0.1, 0.22))
    if f.mood == "night":
        stars(f, img, horizon, 900)
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
        light = gradient(
            [
                (0, mix(f.lit(sand, 1.0), glow, haze)),
                (min(1, tall * 2.2 / rows), mix(f.lit(sand, 0.5), glow, haze * 0.6)),
                (1, f.lit(sand, 0.6)),
            ],
            rows,
        )
        dark = gradient([(0, mix(f.lit(sand, 0.12), glow, haze)), (1, mix(f.lit(sand, 0.35), glow, haze))], rows)
        d = np.arange(rows, dtype=np.float32)
        swing = np.sin(d / (f.unit * f.uni(0.1, 0.2))) * d * 0.16
        side = 1 if f.right else -1
        spine = peak * WIDTH - side * (d * f.uni(0.15, 0.7) - swing)
        lee = smoothstep((spine[:, None] - f.x * WIDTH) * side, -2.0, 4.0)  # 1 on the side away from the sun
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
        paste_layer(f, img, edge, Image.composite(light, dark, to_mask(tone)), top)
    f.grain = 0.055
    return img


def conifers(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.16, 0.32)
    img = paint_sky(f, horizon + f.unit * 0.1, clouds=0.15, sun_y=horizon * 0.6 if f.mood != "mist" else None)
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
            firs(f, img, edge, int(WIDTH / tall * 6), tall * 1.3, mix(f.lit((44, 58, 50), 0.4), f.haze, haze))
        slope(f, img, edge, bottom, (44, 58, 50), haze, min(haze + 0.5 * (1 - 0.6 * k), 0.95), "fine", 1.4, 0.6)
        if 0 < k < 0.9 and f.rng.random() < 0.6:  # a drifting bank of fog in front of this stand
            y = int(edge.mean() + f.unit * 0.06)
            bank = np.clip(f.noise("cloud", 216, 60, 0.28, 2.2) * 0.4 + 0.25, 0, 0.75)
            bank *= np.sin(np.linspace(0, np.pi, 60))[:, None]
            sprite(
                img,
                to_mask(bank).resize((WIDTH, int(f.unit * 0.22)), Image.Resampling.BILINEAR),
                WIDTH / 2,
                y + f.unit * 0.11,
                f.haze,
            )
    f.grain = 0.06
    return img


def _trunk(f: Frame, img: Image.Image, scale: float, k: float, ground: Array, bark: Ink, lit: Ink) -> None:
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
    img.paste(bark, (a, 0, b, rows), to_mask(cover))
    img.paste(lit, (a, 0, b, rows), to_mask(cover * shade))


def trunks(f: Frame) -> Image.Image:
    glow = mix(f.low, f.sun, 0.4)
    green = f.pick([(120, 140, 70), (150, 130, 70), (96, 120, 100), (160, 110, 60)])
    h = max(f.h // 5, 2)
    yy, xx = np.mgrid[0:h, 0:216].astype(np.float32)
    far = np.hypot(xx / 216 - f.sun_x, (yy / h - 0.42) * 1.1)
    base = mix(f.lit(green, 0.6), f.low, 0.45)
    soft = base + (glow - base) * np.exp(-far / 0.28)[..., None]
    soft += f.noise("cloud", 216, h, 0.25)[..., None] * 9
    floor = f.uni(0.62, 0.72)
    img = to_image(soft)
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
        bark = rgb8(mix(f.lit((70, 58, 50), 0.35), base, haze))
        lit = rgb8(mix(f.lit((150, 124, 96), 0.9), glow, haze))
        for _ in range((18, 13, 7, 3)[layer]):
            _trunk(f, img, scale, k, ground, bark, lit)
        if layer == 1:
            img = img.resize((WIDTH, f.h), Image.Resampling.BILINEAR)
        if layer > 0:
            fern = ground - np.abs(f.ridge(60, 4, 0.7)) * f.unit * (0.004 + 0.012 * k)
            slope(f, img, fern, f.h, mix(green, (60, 70, 40), 0.4), haze * 0.8, haze * 0.5, "fine", 1.4 + 0.6 * k, 1.0)
    # Shafts of light fan out from the sun.
    angle = np.arctan2(yy / h * f.h / WIDTH + 0.35, xx / 216 - f.sun_x)
    rays = np.interp(angle, np.linspace(0, np.pi, 40), np.clip(f.rng.normal(0, 1, 40), 0, 2))
    shaft = to_mask(rays * np.exp(-far / 0.5) * 0.26 + 0.35 * np.exp(-far / 0.2))
    img.paste(rgb8(glow), (0, 0), shaft.resize(img.size, Image.Resampling.BILINEAR))
    f.grain = 0.06
    return img


def snow(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.4, 0.58)
    img = paint_sky(f, horizon, clouds=f.uni(0.1, 0.6), sun_y=horizon - f.unit * f.uni(0.1, 0.3))
    if f.variant == 1:
        ranges(f, img, horizon - f.unit * 0.02, horizon + f.unit * 0.1, 3, f.unit * 0.2, "peak", (150, 156, 170), True)
    far = f.tree_line(160, f.unit * 0.05, horizon + f.unit * 0.02 * f.ridge(2, 3, 0.5, "smooth") + 8)
    slope(f, img, far, horizon + f.unit * 0.1, (92, 100, 108), 0.55, 0.75, "fine", 1.2, 0.7)
    edges = [
        horizon + (f.h - horizon) * k * 0.5 - f.unit * (0.02 + 0.03 * k) * f.ridge(1.3, 3, 0.35, "smooth")
        for k in (0, 0.5, 1)
    ]
    for i, edge in enumerate(edges):
        k = i / 2
        bottom = f.h if i == 2 else float(edges[i + 1].max()) + 2
        rows = max(int(bottom) - int(edge.min()) + 9, 2)
        drift = to_mask(f.noise("soft", 270, max(rows // 4, 1), 0.9 + 0.6 * k, 2.2) * 0.09 + 0.8)
        grit = f.tex("fine", WIDTH, rows, 1.2, 1.5)
        pattern = Image.blend(drift.resize((WIDTH, rows), Image.Resampling.BILINEAR), grit, 0.05 + 0.06 * k)
        slope(f, img, edge, bottom, f.white, 0.35 * (1 - k), 0.1 * (1 - k), pattern, 1.0, 0.85)
    x, y = WIDTH * (0.34 if f.right else 0.66), f.h * f.uni(0.68, 0.78)
    if f.variant == 0:
        _shadow(f, img, x, y, f.unit * 0.34)
        plant_tree(f, img, x, y + 4, f.unit * f.uni(0.4, 0.55), f.lit((62, 56, 56), 0.3), False)
    else:
        _shadow(f, img, x, y, f.unit * 0.5)
        ground = y - f.unit * 0.02 * f.ridge(2, 3, 0.5, "smooth")
        firs(
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


def _shadow(f: Frame, img: Image.Image, x: float, y: float, length: float) -> None:
    """A soft shadow on the ground, falling away from the sun towards the viewer."""
    yy, xx = np.mgrid[0:40, 0:120].astype(np.float32)
    run = 1 - xx / 120 if not f.right else xx / 120
    soft = np.exp(-(((yy - 20 - (1 - run) * 8) / (3 + 6 * (1 - run))) ** 2))
    soft *= run**0.8 * smoothstep(1 - run, 0, 0.05) * 0.45
    mask = to_mask(soft).resize((int(length), int(length * 0.22)), Image.Resampling.BILINEAR)
    side = -0.5 if f.right else 0.5
    sprite(img, mask, x + side * length, y + length * 0.09, f.lit((120, 136, 176), 0.1))


def fields(f: Frame) -> Image.Image:
    horizon = int(f.h * f.uni(0.34, 0.5))
    img = paint_sky(f, horizon, sun_y=horizon - f.unit * f.uni(0.06, 0.25))
    ranges(f, img, horizon - f.unit * 0.01, horizon + 6, 3, f.unit * 0.06, "smooth", (88, 104, 84))
    edge = f.tree_line(120, f.unit * 0.03, np.full(WIDTH, horizon + 4.0))
    slope(f, img, edge, horizon + 8, (56, 72, 50), 0.4, 0.3, "fine")
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
    tone = smoothstep(0.5 - np.abs(lanes - 0.5), 0.06, 0.4) * -0.85 + 0.92  # bright on the row, dark in the furrow
    tone += (0.55 - tone) * np.exp(-t * 16)[::2, None]
    fine = Image.fromarray(f.plane("fine", depth**0.8, WIDTH, 560, 420))
    pattern = Image.blend(to_mask(tone).resize(fine.size, Image.Resampling.BILINEAR), fine, 0.5)
    pattern = pattern.point([int(min(max((i - 40) * 1.5, 0), 255)) for i in range(256)])
    glow = f.haze
    light = gradient([(0, mix(f.lit(crop, 0.9), glow, 0.45)), (0.3, f.lit(crop, 0.95)), (1, f.lit(crop, 0.7))], rows)
    dark = gradient([(0, mix(f.lit(soil, 0.5), glow, 0.45)), (0.3, f.lit(soil, 0.3)), (1, f.lit(soil, 0.12))], rows)
    img.paste(Image.composite(light, dark, pattern), (0, horizon))
    if f.rng.random() < 0.6:
        plant_tree(
            f,
            img,
            WIDTH * (0.33 if f.right else 0.67),
            horizon + 8,
            f.unit * f.uni(0.12, 0.24),
            mix(f.lit((52, 64, 44), 0.35), f.low, 0.15),
            True,
        )
    f.grain = 0.05
    return img


def road(f: Frame) -> Image.Image:
    horizon = int(f.h * f.uni(0.42, 0.58))
    img = paint_sky(f, horizon, sun_y=horizon - f.unit * f.uni(0.08, 0.3))
    if f.mood == "night":
        stars(f, img, horizon, 1200)
    style = f.pick(["rock", "peak", "smooth"])
    ranges(f, img, horizon, horizon + 8, 3, f.unit * f.uni(0.08, 0.16), style, (128, 104, 88), f.variant == 1)
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
    light = gradient([(0, mix(f.lit(earth, 0.9), glow, 0.5)), (0.25, f.lit(earth, 0.9)), (1, f.lit(earth, 0.8))], rows)
    dark = gradient([(0, mix(f.lit(scrub, 0.5), glow, 0.5)), (0.25, f.lit(scrub, 0.4)), (1, f.lit(scrub, 0.2))], rows)
    land = Image.composite(light, dark, tone)
    vanish, bend = f.uni(0.42, 0.58), f.uni(-0.05, 0.05)
    centre = (vanish + (0.5 - vanish) * t + bend * np.sin(t * np.pi) * (1 - t)) * WIDTH
    half = (0.003 + f.uni(0.24, 0.36) * t) * WIDTH
    off = (f.x * WIDTH - centre[:, None]) / half[:, None]
    soft = half[:, None] / 1.5
    tar = np.clip((1 - np.abs(off)) * soft, 0, 1)
    asphalt = f.lit((112, 112, 116), 0.55)
    surface = Image.composite(
        gradient([(0, mix(asphalt, glow, 0.55)), (0.4, asphalt * 1.1), (1, asphalt * 0.95)], rows),
        gradient([(0, mix(asphalt, glow, 0.5)), (1, asphalt * 0.55)], rows),
        Image.fromarray(tex // 2 + 88),
    )
    land.paste(surface, (0, 0), to_mask(tar))
    lines = np.clip((0.016 - np.abs(np.abs(off) - 0.93)) * soft, 0, 1)
    dash = smoothstep(np.sin(depth * 9 + f.uni(0, 6)), -0.1, 0.1)[:, None]
    lines = np.maximum(lines, np.clip((0.02 - np.abs(off)) * soft, 0, 1) * dash) * 0.9
    paint = f.lit(f.pick([(236, 232, 224), (236, 186, 70)]), 0.95)
    land.paste(rgb8(paint), (0, 0), to_mask(lines))
    img.paste(land, (0, horizon))
    f.grain = 0.05
    return img


def _jetty(f: Frame, img: Image.Image, horizon: float, x: float, ink: Colour) -> None:
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
        wood = rgb8(mix(mix(ink, f.low, 0.3), f.low, shade))
        pen.polygon([spot(z, -1), spot(z, 1), spot(step * 1.008, 1), spot(step * 1.008, -1)], fill=wood)
        z = step
    for z in (8.6, 6.0, 4.3, 3.1, 2.25, 1.65, 1.2):
        tone = rgb8(mix(ink, f.low, 0.75 * (1 - 1 / z)))
        for side in (-1.0, 1.0):
            (x0, y0), (x1, y1) = spot(z, side * 1.06 - 0.07, 0.85), spot(z, side * 1.06 + 0.07, -0.3)
            pen.rectangle((x0, y0, max(x1, x0 + 1), y1), fill=tone)


def fog(f: Frame) -> Image.Image:
    horizon = f.h * f.uni(0.6, 0.74)
    pale = mix(f.low, f.mid, 0.35)
    img = gradient([(0, mix(f.mid, f.low, 0.4)), (horizon / f.h, f.low), (1, pale)], f.h)
    cloud = to_mask(f.noise("cloud", 216, max(f.h // 5, 1), 0.3, 2) * 0.05 + 0.08)
    img.paste(rgb8(f.mid), (0, 0), cloud.resize(img.size, Image.Resampling.BILINEAR))
    ink = mix(f.lit((58, 62, 66), 0.15), f.low, 0.18)
    x = WIDTH * (1 / 3 if f.right else 2 / 3)
    shore = int(horizon)
    if f.variant == 0:
        ground = horizon + f.unit * 0.02 * f.ridge(1.2, 3, 0.4, "smooth")
        slope(f, img, ground, f.h, (132, 134, 124), 0.75, 0.35, "fine", 1.3, 0.8)
        plant_tree(f, img, x, horizon + f.unit * 0.02, f.unit * f.uni(0.34, 0.5), ink, bool(f.rng.random() < 0.5))
        for _ in range(3):
            plant_tree(f, img, f.uni(0, 1) * WIDTH, horizon + 4, f.unit * f.uni(0.1, 0.16), mix(ink, f.low, 0.7), True)
    else:
        far = horizon - f.unit * 0.03 - f.unit * 0.02 * f.ridge(2, 5, 0.45)
        slope(f, img, far, shore, (90, 100, 104), 0.8, 0.92, None)
        if f.variant == 1:  # a jetty running out from the near shore
            _jetty(f, img, horizon, x, ink)
        else:
            sprite(img, boat(f.unit * 0.16), x, horizon + f.unit * 0.05, ink)
    if f.rng.random() < 0.5:
        birds(f, img, WIDTH - x, horizon * 0.45, 6, ink)
    f.grain = 0.035
    return img
