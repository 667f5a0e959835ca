"""Building blocks of scenes: skies, hills, reflections, trees, birds, stars, boats.

No whole scene belongs here, and nothing that a single scene needs.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .canvas import WIDTH, Array, Colour, gradient, mix, rgb, rgb8, smoothstep, to_image, to_mask
from .moods import Frame


def paint_sky(
    f: Frame, horizon: float, clouds: float | None = None, sun_y: float | None = None, disc: bool = True
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
        n = np.asarray(to_image(128 + 42 * n).filter(ImageFilter.BoxBlur(1)), dtype=np.float32) / 42 - 128 / 42
        fade = smoothstep(1 - t, 0.0, 0.22)[:, None] * 0.9 + 0.1
        body = smoothstep(n, 1.15 - 2.3 * cover, 2.5 - 2.2 * cover) * fade
        beside = np.clip(np.arange(w) + (-4 if f.right else 4), 0, w - 1)
        below = np.clip(np.arange(h) + (3 if sun_y is None else -4), 0, h - 1)
        side = n[:, beside] + n[below]
        rim = np.clip(0.5 + 0.5 * (n * 2 - side) - 0.2 * body + 0.35 * glow, 0, 1)
        bright = mix(f.sun, f.low, 0.35) * (0.9 if not f.dark else 0.62)
        if f.mood == "night":
            bright = f.low * 1.1
        dull = mix(f.mid, f.top, 0.4) * (0.9 if f.dark else 1.02) + (0 if f.dark else 12)
        paint = dull + (bright - dull) * rim[..., None]
        sky += (paint - sky) * (body * 0.85)[..., None]
    if disc and sun_y is not None and f.mood not in ("overcast", "storm"):
        size = {"day": 0.02, "night": 0.022}.get(f.mood, 0.03)
        core = smoothstep(-far, -size, -size * 0.8) + (0.2 if f.mood == "night" else 0.5) * np.exp(-far / 0.05)
        sky += (np.minimum(f.sun + 20, 255) - sky) * np.clip(core, 0, 1)[..., None]
    img = Image.new("RGB", (WIDTH, f.h), rgb8(f.low))
    img.paste(to_image(sky).resize((WIDTH, bottom), Image.Resampling.BILINEAR), (0, 0))
    return img


def edge_mask(edge: Array, top: int, bottom: int, soft: float = 1.5) -> Image.Image:
    """Mask of rows top..bottom that is white under `edge` (px), with a step `soft` px wide."""
    rows = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    return to_mask((rows - edge[None, :]) / np.float32(soft) + 0.5)


def paste_layer(f: Frame, img: Image.Image, edge: Array, fill: Image.Image, top: int, soft: float = 1.5) -> None:
    """Paste `fill`, whose first row is canvas row `top`, wherever it lies under `edge` (px)."""
    bottom = min(top + fill.height, f.h)
    solid = min(max(int(edge.max()) + 2, top), bottom)  # from here on no mask is needed
    if solid > top:
        img.paste(fill.crop((0, 0, WIDTH, solid - top)), (0, top), edge_mask(edge, top, solid, soft))
    if bottom > solid:
        img.paste(fill.crop((0, solid - top, WIDTH, bottom - top)), (0, solid))


def slope(
    f: Frame,
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
    light = gradient([(0, mix(bright, glow, haze)), (1, mix(bright, glow, foot))], rows)
    if tex is None:
        fill = light
    else:
        dark = gradient([(0, mix(dull, glow, haze)), (1, mix(dull, glow, foot))], rows)
        pattern = f.tex(tex, WIDTH, rows, zoom) if isinstance(tex, str) else tex.crop((0, 0, WIDTH, rows))
        fill = Image.composite(light, dark, pattern)
    paste_layer(f, img, edge, fill, top)


def ranges(
    f: Frame,
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
        colour = mix((214, 218, 226), albedo, 0.25 + 0.75 * k) if snow and k < 0.7 else rgb(albedo)
        slope(f, img, edge, bottom, colour, haze, min(haze + 0.3, 0.97), "relief", 0.6 + 0.8 * k, 1.0 if snow else 0.8)


def reflect(f: Frame, img: Image.Image, shore: int, calm: float, tint: Colour, keep: float) -> None:
    """Mirror the rows above `shore` into the water below; keep (0..1) of the mirror image stays."""
    rows = f.h - shore
    if rows < 2 or shore < 2:
        return
    d = np.arange(rows)
    wobble = np.interp(d / 3.0, np.arange(rows + 1), f.rng.normal(0, 1, rows + 1))
    wobble *= (1 - calm) * (2 + d * 0.035)
    source = np.clip(shore - 1 - d * (shore / max(shore, rows)) + wobble, 0, shore - 1).astype(np.int32)
    mirror = Image.fromarray(np.asarray(img)[source]).filter(ImageFilter.BoxBlur((1, 2)))
    mirror = Image.blend(mirror, Image.new("RGB", mirror.size, rgb8(tint)), 1 - keep)
    depth = 1 / (d / rows * 0.95 + 0.05)
    n = (f.plane("wave", depth, WIDTH, 500, 500).astype(np.float32) - 128) * (0.0022 * (1.15 - calm))
    sheen = gradient([(0, f.low), (1, f.mid)], rows)
    img.paste(Image.composite(sheen, mirror, to_mask(np.clip(n, 0, 0.4))), (0, shore))


def sprite(img: Image.Image, mask: Image.Image, x: float, y: float, fill: Colour | Image.Image) -> None:
    """Paste a mask with its centre at x, bottom at y (px); `fill` is a colour or an RGB image."""
    at = (int(x - mask.width / 2), int(y - mask.height))
    if isinstance(fill, Image.Image):
        img.paste(fill, at, mask)
    else:
        img.paste(rgb8(fill), (*at, at[0] + mask.width, at[1] + mask.height), mask)


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


def firs(
    f: Frame,
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
        sprite(img, tree, x, foot, colour)
        if snow is not None:
            sprite(img, crust, x, foot, snow)


def plant_tree(f: Frame, img: Image.Image, x: float, y: float, size: float, colour: Colour, leafy: bool) -> None:
    """Stand a tree `size` px tall with its foot at x, y (px)."""
    n = max(int(size), 2)
    mask = _tree(int(f.rng.integers(4)), leafy).resize((n, n), Image.Resampling.BILINEAR, reducing_gap=2)
    sprite(img, mask, x, y, colour)


def birds(f: Frame, img: Image.Image, x: float, y: float, count: int, colour: Colour) -> None:
    """A loose flock around x, y (px)."""
    for _ in range(count):
        wing = f.uni(9, 17)
        icon = Image.new("L", (96, 48))
        pen = ImageDraw.Draw(icon)
        lift = f.uni(4, 18)
        pen.line((4, 24 - lift, 28, 14, 48, 30, 68, 14, 92, 24 - lift * 0.6), fill=255, width=7, joint="curve")
        icon = icon.resize((int(wing * 2), int(wing)), Image.Resampling.BILINEAR, reducing_gap=2)
        sprite(img, icon, x + f.rng.normal(0, 90), y + f.rng.normal(0, 50), colour)


def stars(f: Frame, img: Image.Image, floor: float, count: int) -> None:
    """Sprinkle stars over the rows above `floor` (px)."""
    sky = np.array(img)
    rows = max(int(floor), 4)
    ys, xs = f.rng.integers(1, rows - 1, count), f.rng.integers(1, WIDTH - 1, count)
    power = np.minimum(f.rng.pareto(1.3, count) * 26 + 12, 240).astype(np.int32)
    warm = f.rng.normal(0, 12, (count, 1)) * np.array([1, 0, -1])
    near = power > 120
    every = slice(None)
    spots: list[tuple[int, int, float, slice | Array]] = [(0, 0, 1.0, every), (0, 1, 0.45, every), (1, 0, 0.4, every)]
    spots += [(dy, dx, 0.6, near) for dy, dx in ((0, -1), (-1, 0), (1, 1))]
    for dy, dx, share, who in spots:
        y, x = ys[who] + dy, xs[who] + dx
        add = (power[who] * share)[:, None] + warm[who] * share
        sky[y, x] = np.clip(sky[y, x] + add, 0, 255).astype(np.uint8)
    img.paste(Image.fromarray(sky))


def boat(size: float) -> Image.Image:
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
