"""Draws the picture of the pages that shows no measurement: concurrency beside parallelism.

python docs/draw_pictures.py            write it, for the light and for the dark theme
python docs/draw_pictures.py --check    only say whether the files are what this script draws (exit code 1 if not)

The pictures that show a run come from docs/from_run.py and docs/draw_race.py, the storyboard from docs/draw_steps.py.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

# text, waiting, and the colours of four tasks (Okabe-Ito; brighter ones on dark ground)
THEMES = {
    "light": ("#1f2328", "#8c959f", ("#0072B2", "#D55E00", "#009E73", "#A8508A")),
    "dark": ("#e6edf3", "#7d8590", ("#56B4E9", "#F0883E", "#2EC4A0", "#DDA0CB")),
}


# --- concurrency and parallelism --------------------------------------------------------------------------------

# Four tasks, in units of time: (start, length) on a CPU, and where the task waits for somebody else.
Bars = list[list[tuple[float, float]]]
WAITING: dict[str, tuple[Bars, Bars]] = {
    "One after the other": (
        [[(5 * n, 1), (5 * n + 4, 1)] for n in range(4)],
        [[(5 * n + 1, 3)] for n in range(4)],
    ),
    "Concurrent: one CPU, in turns": (
        [[(n, 1), (n + 4, 1)] for n in range(4)],
        [[(n + 1, 3)] for n in range(4)],
    ),
    "Parallel: two CPUs": (
        [[(n // 2, 1), (n // 2 + 4, 1)] for n in range(4)],
        [[(n // 2 + 1, 3)] for n in range(4)],
    ),
}
NOTHING: Bars = [[], [], [], []]
COMPUTING: dict[str, tuple[Bars, Bars]] = {
    "One after the other": ([[(5 * n, 5)] for n in range(4)], NOTHING),
    "Concurrent: one CPU, in turns": ([[(n + 4 * turn, 1) for turn in range(5)] for n in range(4)], NOTHING),
    "Parallel: two CPUs": ([[(5 * (n // 2), 5)] for n in range(4)], NOTHING),
}


def concurrency(theme: str) -> Image.Image:
    ink, _, colours = THEMES[theme]
    style = {
        "text.color": ink,
        "axes.labelcolor": ink,
        "xtick.color": ink,
        "font.family": "DejaVu Sans",
        "font.size": 13,
    }
    with matplotlib.rc_context(style):
        figure, axes = plt.subplots(3, 2, figsize=(11, 6.6), dpi=160, layout="constrained")
        for column, (heading, ways) in enumerate(
            [("Tasks that mostly wait (I/O bound)", WAITING), ("Tasks that only compute (CPU bound)", COMPUTING)]
        ):
            axes[0, column].set_title(f"{heading}\n", fontsize=16, fontweight="bold")
            for ax, (name, (busy, waiting)) in zip(axes[:, column], ways.items(), strict=True):
                for task in range(4):
                    ax.broken_barh(waiting[task], (task - 0.38, 0.76), color=colours[task], alpha=0.28, linewidth=0)
                    ax.broken_barh(busy[task], (task - 0.38, 0.76), color=colours[task], linewidth=0)
                end = max(start + length for bars in busy for start, length in bars)
                ax.axvline(end, color=ink, linewidth=1.5, ymin=0.02, ymax=0.98)
                ax.text(20.3, -0.95, f"done after {end:.0f}", fontsize=14, ha="right", va="bottom")
                ax.text(-0.3, -0.95, name, fontsize=14, ha="left", va="bottom")
                ax.set(xlim=(-0.3, 20.3), ylim=(3.6, -1.0), yticks=range(4), xticks=[])
                ax.set_yticklabels(list("ABCD") if column == 0 else [])
                ax.tick_params(length=0, labelcolor=ink)
                for spine in ax.spines.values():
                    spine.set_visible(False)
        figure.get_layout_engine().set(wspace=0.07)
        figure.supxlabel("time; solid: on a CPU, faint: waiting for the network", fontsize=13)
        stream = io.BytesIO()
        figure.savefig(stream, transparent=True)
        plt.close(figure)
    return Image.open(stream).convert("RGBA")


# --- writing and checking ---------------------------------------------------------------------------------------

PICTURES: dict[str, Callable[[str], Image.Image]] = {"concurrency": concurrency}


def differs(drawn: Image.Image, path: Path) -> bool:
    """Whether a file shows something else; other versions of the libraries may draw single pixels differently."""
    if not path.exists():
        return True
    old, new = (np.asarray(image.convert("RGBA").convert("RGBa"), float) for image in (Image.open(path), drawn))
    return old.shape != new.shape or np.abs(old - new).mean() > 2


def main() -> None:
    for name, draw in PICTURES.items():
        for theme in THEMES:
            path, picture = (ROOT / "docs" / f"{name}-{theme}.webp", draw(theme))
            if "--check" not in sys.argv:
                picture.save(path, quality=88, method=6)
            elif differs(picture, path):
                sys.exit(f"docs/{path.name} is not what docs/draw_pictures.py draws: run it again.")


if __name__ == "__main__":
    main()
