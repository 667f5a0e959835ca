"""Draws docs/race.gif from the records in the saved notebook: the serial and the threaded download, photo by photo.

python docs/draw_race.py            write it; needs the practice photographs, and draws them if they are not there
python docs/draw_race.py --check    only say whether the file is of the notebook's run (exit code 1 if not)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont, ImageOps

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kit import evidence  # noqa: E402
from kit.evidence import Saved  # noqa: E402

TARGET = ROOT / "docs" / "race.gif"
GROUND, INK, FAINT = "#1f2328", "#e6edf3", "#30363d"
COLUMNS, TILE, GAP, TOP = 40, (10, 7), 1, 46  # a grid of photos; pixels
STEP, HOLD = 0.1, 3.0  # seconds from frame to frame, and how long the last one stays


def saved_runs() -> list[Saved]:
    """The serial and the threaded download of the saved notebook."""
    cells = {cell["id"]: cell for cell in json.loads((ROOT / "assignment.ipynb").read_text(encoding="utf-8"))["cells"]}
    outputs = [out.get("data", {}) for id in ("download-serial", "download-check") for out in cells[id]["outputs"]]
    return [evidence.unpack(data[evidence.MIME]) for data in outputs if evidence.MIME in data]


def tiles(ids: set[str]) -> dict[str, Image.Image]:
    """Each photo, as small as it is shown."""
    from practice.catalogue import Catalogue
    from practice.pictures import draw_missing, path_of

    entries = Catalogue(len(ids)).entries
    folder, _ = draw_missing(ROOT / "cache" / "practice", entries, 2, lambda done, total: None)
    found = {}
    for entry in entries:
        with Image.open(path_of(folder, entry.index)) as image:
            image.draft("RGB", (80, 80))
            found[entry.id] = ImageOps.fit(image.convert("RGB"), TILE)
    return found


def frames(runs: list[Saved]) -> list[Image.Image]:
    pictures, end = tiles({outcome.item for outcome in runs[0].run.done}), runs[1].run.wall
    rows = -(-len(pictures) // COLUMNS)
    wide, high = COLUMNS * (TILE[0] + GAP), rows * (TILE[1] + GAP)
    size = (2 * wide + 60, TOP + high + 40)
    name = font_manager.findfont("DejaVu Sans")
    font = ImageFont.truetype(name, 17, layout_engine=ImageFont.Layout.BASIC)
    drawn, canvas = [], Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(canvas)
    arrived = [0, 0]
    lefts = (20, wide + 40)
    for left, words in zip(lefts, ("one after the other", f"in {runs[1].run.label()}"), strict=True):
        draw.text((left, 14), words, fill=INK, font=font)
        for place in range(len(pictures)):
            x, y = left + place % COLUMNS * (TILE[0] + GAP), TOP + place // COLUMNS * (TILE[1] + GAP)
            draw.rectangle((x, y, x + TILE[0] - 1, y + TILE[1] - 1), fill=FAINT)
    for number in range(int(end / STEP) + 2):
        now = min(end, number * STEP)
        for side, (left, one) in enumerate(zip(lefts, runs, strict=True)):
            done = one.run.done
            while arrived[side] < len(done) and done[arrived[side]].finished <= now:
                place = arrived[side]
                corner = (left + place % COLUMNS * (TILE[0] + GAP), TOP + place // COLUMNS * (TILE[1] + GAP))
                canvas.paste(pictures[done[place].item], corner)
                arrived[side] += 1
            draw.rectangle((left, TOP + high + 4, left + wide, size[1]), fill=GROUND)
            draw.text((left, TOP + high + 10), f"{arrived[side]:,} photos after {now:.1f} s", fill=INK, font=font)
        drawn.append(canvas.copy())
    palette = canvas.quantize(128)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]


def main() -> None:
    runs = saved_runs()
    if len(runs) != 2:
        sys.exit("The saved notebook holds no records of both downloads: run it first.")
    mark = f"runs {runs[0].id} and {runs[1].id} of assignment.ipynb"
    if "--check" in sys.argv:
        with Image.open(TARGET) as image:
            if image.info.get("comment", b"").decode() != mark:
                sys.exit("docs/race.gif is of another run than assignment.ipynb: run python docs/draw_race.py")
        return
    drawn = frames(runs)
    durations = [round(STEP * 1000)] * (len(drawn) - 1) + [round(HOLD * 1000)]
    drawn[0].save(
        TARGET, save_all=True, append_images=drawn[1:], duration=durations, loop=0, optimize=True, comment=mark.encode()
    )


if __name__ == "__main__":
    main()
