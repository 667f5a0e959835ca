"""Drawn stand-ins for stock photographs: deterministic scenes made of gradients, profiles and noise.

Here are the kinds of scenes, what is said of each, and the functions that others call. How a kind is drawn is in
land.py, water.py, sky.py, city.py and macro.py, on top of parts.py, moods.py and canvas.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from . import city, land, macro, sky, water
from .canvas import WIDTH, film
from .moods import BW, BW_PHRASES, MOODS, Frame


@dataclass(frozen=True)
class Scene:
    """What a picture shows; cheap to make and to send to another process."""

    kind: str
    mood: str
    description: str
    tags: tuple[str, ...]
    night: bool


@dataclass(frozen=True)
class _Kind:
    """How to draw a kind of scene, how often, in which moods, and what to say about each variant."""

    paint: Callable[[Frame], Image.Image]
    weight: float
    moods: tuple[str, ...]
    subjects: tuple[tuple[str, ...], ...]
    tags: tuple[str, ...]


_LIGHT = ("dawn", "day", "golden hour", "sunset")
_ALL = (*_LIGHT, "dusk", "night", "overcast", "storm", "mist", BW)
_KINDS: dict[str, _Kind] = {
    "mountains": _Kind(
        land.mountains,
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
        land.balloons,
        0.7,
        ("dawn", "day", "golden hour", "sunset", "mist"),
        (("hot air balloons over a valley", "colourful balloons floating above the hills"),),
        ("balloon", "travel", "adventure", "flight"),
    ),
    "sea": _Kind(
        water.sea,
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
        land.dunes,
        1.0,
        ("dawn", "day", "golden hour", "sunset", "dusk", "night", BW),
        (("sand dunes with wind ripples", "the crest of a desert dune", "waves of sand in the desert"),),
        ("desert", "sand", "dune", "travel"),
    ),
    "forest": _Kind(
        land.conifers,
        1.2,
        ("dawn", "mist", "mist", "overcast", "storm", "dusk", "golden hour", BW),
        (("fog drifting through a spruce forest", "rows of conifers on a misty slope", "pine trees above the valley"),),
        ("forest", "tree", "fog", "nature"),
    ),
    "woodland": _Kind(
        land.trunks,
        0.8,
        ("dawn", "golden hour", "mist", "day", "overcast", BW),
        (("tall tree trunks with light between them", "sunbeams in a quiet wood", "a path of light among the trees"),),
        ("forest", "tree", "light", "woods"),
    ),
    "bokeh": _Kind(
        city.bokeh,
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
        city.skyline,
        1.1,
        ("night", "night", "dusk", "sunset", "storm", "day", "golden hour", "mist", BW),
        (("a city skyline reflected in the river", "towers at the waterfront", "skyscrapers across the bay"),),
        ("city", "skyline", "architecture", "urban"),
    ),
    "stars": _Kind(
        sky.galaxy,
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
        sky.aurora,
        0.8,
        ("night",),
        (
            ("northern lights over a snow field", "green aurora above the hills"),
            ("aurora mirrored in a lake", "northern lights above still water"),
        ),
        ("aurora", "northern lights", "sky", "winter"),
    ),
    "flower": _Kind(
        macro.flower,
        0.9,
        ("dawn", "day", "golden hour", "overcast", "dusk", BW),
        (
            ("a white daisy in a garden", "close-up of a daisy"),
            ("a sunflower in bloom", "a yellow sunflower head"),
            ("a dahlia with many petals", "close-up of a pink dahlia"),
            ("a red gerbera", "close-up of an orange-red flower"),
        ),
        ("flower", "macro", "garden", "bloom"),
    ),
    "leaf": _Kind(
        macro.leaf,
        0.7,
        ("day", "golden hour", "overcast", "storm", "dusk", BW),
        (
            ("a single leaf in front of a blurred garden", "a leaf against the light"),
            ("the veins of a leaf close up", "macro of a leaf surface"),
        ),
        ("leaf", "macro", "plant", "texture"),
    ),
    "snow": _Kind(
        land.snow,
        1.3,
        ("dawn", "day", "overcast", "overcast", "mist", "mist", "golden hour", "dusk", BW),
        (
            ("a bare tree in a snow field", "a lonely tree in the snow"),
            ("snowy mountains behind firs", "a group of firs in deep snow"),
        ),
        ("snow", "winter", "cold", "white"),
    ),
    "lake": _Kind(
        water.lake,
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
        sky.clouds,
        1.1,
        (*_LIGHT, "dusk", "night", "mist", BW),
        (
            ("a sea of clouds from above", "clouds seen from an aeroplane"),
            ("a summit above the clouds", "a mountain rising from a sea of clouds"),
        ),
        ("clouds", "sky", "aerial", "weather"),
    ),
    "beach": _Kind(
        water.beach,
        1.0,
        ("day", "day", "golden hour", "overcast", "dawn", "storm", BW),
        (("waves rolling onto a beach from above", "aerial view of surf and sand", "the shoreline seen from a drone"),),
        ("beach", "aerial", "wave", "summer"),
    ),
    "road": _Kind(
        land.road,
        1.0,
        (*_LIGHT, "dusk", "overcast", "storm", BW),
        (
            ("an empty road through the desert", "a straight desert highway"),
            ("a road towards snowy mountains", "an empty highway across the steppe"),
            ("a country road between green meadows", "an open road through the grassland"),
        ),
        ("road", "travel", "trip", "highway"),
    ),
    "fields": _Kind(
        land.fields,
        1.0,
        (*_LIGHT, "overcast", "storm", "dusk", BW),
        (
            ("rows of lavender", "a lavender field"),
            ("a field of ripe wheat", "golden rows of grain"),
            ("green rows of crops", "young plants on a wide field"),
            ("rows of red tulips", "a tulip field"),
        ),
        ("field", "farm", "countryside", "landscape"),
    ),
    "facade": _Kind(
        city.facade,
        1.0,
        ("day", "day", "overcast", "mist", "golden hour", "dusk", "night", BW, BW),
        (
            ("the corner of a modern building", "a modern facade against the sky"),
            ("windows of an office tower", "rows of windows in perspective"),
        ),
        ("architecture", "building", "facade", "minimal"),
    ),
    "wall": _Kind(
        city.wall,
        1.2,
        ("day", "dawn", "overcast", "mist", "golden hour", BW),
        (
            ("window light on a plain wall", "the shadow of a palm on a wall"),
            ("sunlight and leaf shadows on a white wall", "a patch of light with plant shadows"),
            ("shadows of a window and a plant", "light falling on rough plaster"),
        ),
        ("minimal", "shadow", "interior", "light"),
    ),
    "fog": _Kind(
        land.fog,
        1.4,
        ("mist", "mist", "overcast", "dawn", "dusk", "storm", BW),
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
    phrases = BW_PHRASES if mood == BW else MOODS[mood].phrases
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


def draw(seed: int, width: int, height: int, take: int = 0) -> Image.Image:
    """Draw the scene of `seed` as an RGB image of exactly width x height px.

    Takes after the first are further photographs of that scene: the second one mirrored, the third from nearer, each
    developed in its own way. To paint a scene is most of the work, so takes that follow one another cost little.
    """
    # Extreme aspect ratios are drawn less extreme and stretched, so that every scene has room.
    frame, image = _painted(seed, min(max(round(WIDTH * height / width), 360), 2160))
    image = _develop(frame, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if take % 2 else image, take)
    margin = 0.12 if take // 2 % 2 else 0.0
    box = (margin * image.width, margin * image.height, (1 - margin) * image.width, (1 - margin) * image.height)
    if image.size != (width, height) or margin:
        image = image.resize((width, height), Image.Resampling.BICUBIC, box, reducing_gap=2)
    return image


@lru_cache(maxsize=1)
def _painted(seed: int, height: int) -> tuple[Frame, Image.Image]:
    name, mood, variant, _ = _plan(seed)
    frame = Frame(seed % 2**32, height, mood, variant)
    return frame, _KINDS[name].paint(frame)


def _develop(f: Frame, image: Image.Image, take: int) -> Image.Image:
    """Grain, vignette, tone curve and split toning; black and white if the mood asks for it."""
    rng = np.random.default_rng([f.seed, 3, take])
    strength = f.grain * float(rng.choice((0.7, 0.8, 0.9, 1.0, 1.15, 1.4, 2.4)))
    if f.mono:
        image = Image.merge("RGB", (image.convert("L"),) * 3)
        strength *= 1.25
    image = Image.blend(image, film(f.h, int(rng.integers(4))), strength)
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
    side = 128 / max(image.size)
    size = max(round(image.width * side), 1), max(round(image.height * side), 1)
    small = image.resize(size, Image.Resampling.NEAREST).reduce(4)  # means of a sample: to read all pixels takes longer
    clusters = small.quantize(5, method=Image.Quantize.MEDIANCUT, kmeans=2)
    _, index = max((count, index) for index, count in enumerate(clusters.histogram()))
    palette = clusters.getpalette() or [0, 0, 0]
    mean: list[float] = [*palette[3 * index : 3 * index + 3]]
    steps: tuple[int, ...] = (0x0C, 0x26, 0x40, 0x59, 0x73, 0x8C, 0xA6, 0xC0, 0xD9, 0xF3)
    if max(mean) - min(mean) < 36:  # next to grey: no faint tints
        mean = [sum(mean) / 3] * 3
    else:
        steps = (0x0C, 0x26, 0x59, 0x8C, 0xC0, 0xF3)  # fewer levels are enough to name a hue
    channels = (min(steps, key=lambda step: abs(step - c)) for c in mean)
    return "#" + "".join(f"{c:02x}" for c in channels)
