"""Scenes in the city: lights out of focus, skylines, facades, walls.

Each public function draws one kind and calls no other; what several scenes need is in parts.py.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .canvas import WIDTH, Array, Colour, colourise, mix, rgb, to_image, to_mask
from .moods import Frame
from .parts import edge_mask, paint_sky, reflect, sprite


def bokeh(f: Frame) -> Image.Image:
    w, h = 360, max(f.h // 3, 2)
    yy = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    base = rgb(f.pick([(10, 12, 24), (20, 12, 14), (8, 18, 24), (24, 16, 26), (12, 12, 12)]))
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
        field[y0:y1, x0:x1] += disc[..., None] * rgb(f.pick(family)) * f.rng.choice((0.14, 0.3, 0.5, 0.75))
    img = to_image(255 * (1 - np.exp(-field / 190))).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    if f.variant == 2:  # a window pane with raindrops in front
        for _ in range(170):
            r = f.uni(3, 13) * f.uni(0.5, 1.2)
            cx, cy = int(f.uni(0, 1) * WIDTH), int(f.uni(0, 1) * f.h)
            n = int(r) + 2
            away = np.hypot(*np.mgrid[-n : n + 1, -n : n + 1] / np.array([r * 1.12, r])[:, None, None])
            size = 2 * n + 1
            view = img.crop((cx - 5 * n, cy - 5 * n, cx + 5 * n, cy + 5 * n)).resize((size, size)).rotate(180)
            view = view.point([min(int(i * 1.5 + 10), 255) for i in range(256)] * 3)
            sprite(img, to_mask((1 - away) * r * 0.8), cx, cy + n, view)
    f.grain = 0.07
    return img


def skyline(f: Frame) -> Image.Image:
    shore = int(f.h * f.uni(0.6, 0.72))
    img = paint_sky(f, shore, sun_y=shore - f.unit * 0.15, disc=False)
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
                    canvas[mast:y0, mid : mid + 3] = mix(f.lit(wall, 0.2), glow, haze)
                elif f.rng.random() < 0.4:
                    step = max(y0 - int(f.unit * 0.02), 0)
                    a, b = x0 + wide // 5, max(x1 - wide // 5, x0)
                    canvas[step:y0, a:b] = mix(f.lit(wall, 0.3), glow, haze)
            x += wide * f.uni(0.85, 1.6 - 0.3 * k)
    img = Image.fromarray(canvas)
    reflect(f, img, shore, f.uni(0.1, 0.5), f.lit((24, 40, 56), 0.4), 0.62)
    f.grain = 0.05
    return img


def _tower(f: Frame, height: int, width: int, wall: Colour, haze: float, glow: Colour, cell: int) -> Array:
    """One building (height, width, 3) with a grid of windows `cell` px apart."""
    ny, nx = height // cell + 1, width // cell + 1
    pattern = f.rng.random((ny, nx))
    share = {"night": 0.42, "dusk": 0.36, "storm": 0.16, "sunset": 0.16}.get(f.mood, 0.03)
    busy = f.rng.random((ny, 1)) * 0.5 + 0.75
    front = mix(f.lit(wall, f.uni(0.25, 0.8)), glow, haze)
    glass = mix(f.lit(mix(wall, (70, 90, 110), 0.6), 0.25), glow, haze) * 0.9 + f.mid * 0.1
    panes = front + (glass - front) * (0.55 + 0.45 * pattern[..., None])
    lamp = f.pick([(255, 206, 130), (255, 224, 170), (255, 190, 104), (226, 236, 255)])
    lit = (pattern * busy < share)[..., None]
    panes = np.where(lit, mix(lamp, glow, haze * 0.6) * (0.6 + 0.4 * f.rng.random((ny, nx, 1))), panes)
    out = np.repeat(np.repeat(panes, cell, axis=0), cell, axis=1)[:height, :width]
    out[::cell] = front
    out[:, ::cell] = front
    out[1::cell] = front
    edge = max(width // 4, 2)  # the side face turned away from the light
    face = slice(0, edge) if f.right else slice(width - edge, width)
    out[:, face] = out[:, face] * 0.72
    fade = np.linspace(0, 0.25, height)[:, None, None]
    return np.clip(out + (rgb(glow) - out) * fade, 0, 255).astype(np.uint8)


def facade(f: Frame) -> Image.Image:
    """A corner of a modern building looked up at: two walls that share the vertical edge `corner`."""
    yy = (np.arange(f.h, dtype=np.float32) + 0.5)[:, None] / WIDTH
    open_sky = f.variant == 0
    img = paint_sky(f, f.h * 1.15, clouds=f.uni(0, 0.4)) if open_sky else Image.new("RGB", (WIDTH, f.h))
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
        hole = ImageChops.multiply(hole, to_mask(slit[None, :]).resize(hole.size, Image.Resampling.NEAREST))
        sunny = (side > 0) == f.right
        amount = 0.95 if sunny else 0.22
        height = b - a
        grit = f.tex("fine", height, f.h, 1.4).point([160 + i // 4 for i in range(256)])
        front = colourise(grit, f.lit(wall, amount * 0.4) * 0.7, f.lit(wall, amount))
        # The panes mirror the sky, each a little differently; half size will do behind the frames.
        cells = f.rng.random((64, 64)).astype(np.float32)
        storey = v[::2, ::2] / floor
        pick = cells[storey.astype(np.int32) & 63, u[None, ::2].astype(np.int32) & 63]
        sheen = 0.25 + 0.5 * pick + 0.35 * (storey % 1 - 0.5) + 0.25 * (1 - yy[::2] / ratio)
        sheen = to_mask(sheen * (0.85 if sunny else 0.6)).resize((height, f.h), Image.Resampling.BILINEAR)
        glass = colourise(sheen, f.lit((40, 52, 62), 0.4), mix(f.mid, f.low, 0.6))
        if f.dark:
            lamps = to_mask((pick > 0.72) * (0.55 + 0.4 * (storey % 1))).resize(
                (height, f.h), Image.Resampling.BILINEAR
            )
            glass.paste((255, 208, 140), (0, 0), lamps)
        front = Image.composite(glass, front, hole)
        eaves = ((eye - roof / z) * WIDTH).astype(np.float32)
        top = min(max(int(eaves.min()) - 2, 0), f.h - 1)
        img.paste(front.crop((0, top, height, f.h)), (a, top), edge_mask(eaves, top, f.h))
    f.grain = 0.045
    return img


def wall(f: Frame) -> Image.Image:
    """A plain wall with the light of a window and the shadow of a plant on it."""
    paint = rgb(
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
    ambient = mix(f.shade, (0.9, 0.89, 0.88), 0.7) * (1.04 - 0.25 * np.abs(xx - f.sun_x))[..., None]
    ambient = np.minimum(ambient, f.light * 0.88).astype(np.float32)
    colour = paint * (ambient + (np.minimum(f.light, 1.06) * 1.02 - ambient) * light[..., None])
    img = to_image(colour).resize((WIDTH, f.h), Image.Resampling.BILINEAR)
    rough = f.tex("relief" if f.variant == 2 else "fine", WIDTH, f.h, 1.6)
    img = Image.blend(img, Image.merge("RGB", (rough,) * 3), 0.035)
    f.grain = 0.035
    return img
