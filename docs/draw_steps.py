"""Draws docs/unsplash-steps.gif: a storyboard of the way to an access key. It is a schematic, not a screenshot.

python docs/draw_steps.py            write it
python docs/draw_steps.py --check    only say whether the file is what this script draws (exit code 1 if not)

The same steps stand in README.md under "Creating a Developer Account".
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageSequence

TARGET = Path(__file__).resolve().parent / "unsplash-steps.gif"
SIZE, SECONDS = (720, 600), 4  # pixels, and how long each step is shown
GROUND, CARD, TEXT, PALE, ACCENT, WARM = "#16283A", "#FFFFFF", "#F4F7FA", "#8FA3B5", "#56B4E9", "#E69F00"
DARK = "#16283A"


def _font(size: int, kind: str = "DejaVuSans") -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{kind}.ttf")  # the same on every system
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


class Frame:
    """One step: number, a few words, and a drawing on a card."""

    def __init__(self, number: int, of: int, words: str, below: str):
        self.image = Image.new("RGB", SIZE, GROUND)
        self.draw = ImageDraw.Draw(self.image)
        self.draw.ellipse((28, 26, 92, 90), fill=WARM)
        self.text((60, 58), str(number), 40, DARK, "mm", "DejaVuSans-Bold")
        self.text((112, 58), words, 40, TEXT, "lm", "DejaVuSans-Bold")
        self.text((360, 520), below, 32, TEXT, "mm")
        for dot in range(of):
            x = 360 + 34 * (dot - (of - 1) / 2)
            self.draw.ellipse((x - 8, 566, x + 8, 582), fill=WARM if dot < number else "#3A5166")
        self.draw.rounded_rectangle((28, 116, 692, 476), 20, outline=PALE, width=3)

    def text(
        self, at: tuple[float, float], text: str, size: int, fill: str, anchor: str, kind: str = "DejaVuSans"
    ) -> None:
        self.draw.text(at, text, fill=fill, font=_font(size, kind), anchor=anchor)

    def box(self, at: tuple[int, int, int, int], fill: str = CARD, outline: str | None = None) -> None:
        self.draw.rounded_rectangle(at, 14, fill=fill, outline=outline, width=5)

    def tick(self, x: int, y: int, size: int = 30, fill: str = ACCENT) -> None:
        self.draw.line(
            [(x, y + size * 0.5), (x + size * 0.4, y + size), (x + size, y)], fill=fill, width=9, joint="curve"
        )


def register(frame: Frame) -> None:
    frame.draw.ellipse((300, 150, 420, 270), fill=ACCENT)
    frame.draw.pieslice((230, 290, 490, 550), 180, 360, fill=ACCENT)
    frame.draw.rectangle((225, 421, 495, 475), fill=GROUND)
    frame.draw.rounded_rectangle((28, 116, 692, 476), 20, outline=PALE, width=3)


def new_application(frame: Frame) -> None:
    frame.text((64, 164), "Your apps", 36, PALE, "lm")
    frame.box((64, 206, 656, 420), GROUND, ACCENT)
    frame.draw.line([(360, 240), (360, 320)], fill=ACCENT, width=14)
    frame.draw.line([(320, 280), (400, 280)], fill=ACCENT, width=14)
    frame.text((360, 374), "New Application", 40, TEXT, "mm")


def accept(frame: Frame) -> None:
    for line, y in enumerate((150, 216, 282)):
        frame.box((70, y, 114, y + 44))
        frame.tick(76, y + 4)
        frame.draw.rounded_rectangle((140, y + 12, 600 - 70 * line, y + 32), 10, fill=PALE)
    frame.box((70, 366, 460, 444), ACCENT)
    frame.text((265, 405), "Accept terms", 38, DARK, "mm")


def name_it(frame: Frame) -> None:
    for label, y in (("Name", 140), ("Description", 244)):
        frame.text((70, y + 18), label, 32, PALE, "lm")
        frame.box((70, y + 42, 650, y + 94))
    frame.box((70, 372, 540, 450), ACCENT)
    frame.text((305, 411), "Create application", 38, DARK, "mm")


def copy(frame: Frame) -> None:
    frame.box((64, 146, 656, 276), CARD, WARM)
    frame.text((92, 184), "Access Key", 36, DARK, "lm", "DejaVuSans-Bold")
    frame.text((92, 238), "xxxxxxxxxxxxxxxx", 34, "#5B6B7A", "lm", "DejaVuSansMono")
    frame.tick(580, 184, 46, "#0072B2")
    frame.box((64, 306, 656, 436), "#3A5166")
    frame.text((92, 344), "Secret Key", 36, PALE, "lm")
    frame.text((92, 398), "not needed", 34, PALE, "lm")
    for start, end in (((582, 346), (632, 396)), ((632, 346), (582, 396))):
        frame.draw.line([start, end], fill="#D55E00", width=11)


def paste(frame: Frame) -> None:
    frame.box((64, 150, 656, 440))
    frame.text((92, 196), "config.ini", 36, "#5B6B7A", "lm")
    frame.draw.line([(64, 232), (656, 232)], fill=PALE, width=3)
    frame.text((92, 286), "[unsplash]", 36, DARK, "lm", "DejaVuSansMono")
    frame.text((92, 352), "access_key = xxxxxxx", 36, "#0072B2", "lm", "DejaVuSansMono-Bold")


def quota(frame: Frame) -> None:
    for request in range(50):
        x, y = 96 + 54 * (request % 10), 148 + 54 * (request // 10)
        frame.draw.rounded_rectangle((x, y, x + 42, y + 42), 8, fill=ACCENT)
    frame.text((360, 446), "one square: 30 photos", 32, PALE, "mm")


STEPS = (
    ("Register", "unsplash.com/developers", register),
    ("New Application", "under “Your apps”", new_application),
    ("Guidelines, terms", "read, tick, accept", accept),
    ("Name it", "then create the application", name_it),
    ("Copy the Access Key", "keep the Secret Key secret", copy),
    ("Paste it", "into config.ini, nowhere else", paste),
    ("50 requests an hour", "50 × 30 = 1,500 photos", quota),
)


def frames() -> list[Image.Image]:
    """The steps, in one palette that all of them share."""
    drawn = []
    for number, (words, below, draw) in enumerate(STEPS, start=1):
        frame = Frame(number, len(STEPS), words, below)
        draw(frame)
        drawn.append(frame.image)
    strip = Image.new("RGB", (SIZE[0], SIZE[1] * len(drawn)))
    for row, image in enumerate(drawn):
        strip.paste(image, (0, row * SIZE[1]))
    palette = strip.quantize(64, dither=Image.Dither.NONE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in drawn]


def differs(path: Path, drawn: list[Image.Image]) -> bool:
    """Whether the file shows something else; other versions of Pillow may draw single pixels differently."""
    if not path.exists():
        return True
    with Image.open(path) as stored:
        old = [np.asarray(frame.convert("RGB"), float) for frame in ImageSequence.Iterator(stored)]
    new = [np.asarray(frame.convert("RGB"), float) for frame in drawn]
    return len(old) != len(new) or any(
        a.shape != b.shape or np.abs(a - b).mean() > 2 for a, b in zip(old, new, strict=True)
    )


def main() -> None:
    drawn = frames()
    if "--check" not in sys.argv:
        drawn[0].save(TARGET, save_all=True, append_images=drawn[1:], duration=SECONDS * 1000, loop=0, optimize=True)
    elif differs(TARGET, drawn):
        sys.exit("docs/unsplash-steps.gif is not what docs/draw_steps.py draws: run it again.")


if __name__ == "__main__":
    main()
