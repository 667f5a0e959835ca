"""Takes from the saved notebook what the pages show of it: single figures, and charts for both themes.

python docs/from_run.py            write them into README.md and docs/
python docs/from_run.py --check    only say whether the pages and the notebook agree (exit code 1 if not)

In the text of a page, a figure stands between two comments: <!--run:NAME-->1.93<!--/run-->. The names are those of
`facts`. A comment must not begin a line, because Markdown would take the whole line as HTML.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PICTURES = {"download-compare": "timeline", "conclusion-table": "result", "further-download": "threads"}
FIGURE = re.compile(r"<!--run:(\w+)-->.*?<!--/run-->", re.DOTALL)
INK = (0.90, 0.93, 0.95)  # of text in the dark theme


class Saved:
    """The saved notebook, by the id of its cells."""

    def __init__(self, notebook: dict):
        self.cells = {cell["id"]: cell for cell in notebook["cells"]}

    def outputs(self, cell_id: str, kind: str) -> list[str]:
        """What a cell shows as `text/plain` (print-outs included), `text/html` or `image/png`."""
        found = []
        for output in self.cells[cell_id]["outputs"]:
            text = output.get("text") if kind == "text/plain" and "text" in output else output.get("data", {}).get(kind)
            if text is not None:
                found.append("".join(text))
        return found

    def number(self, cell_id: str, pattern: str) -> str:
        """The group of a pattern in what a cell says; line breaks count as spaces."""
        text = " ".join(" ".join(self.outputs(cell_id, "text/plain")).split())
        found = re.search(pattern, text)
        if not found:
            raise LookupError(f"The cell {cell_id} of the saved notebook does not say {pattern!r}.")
        return found[1]

    def table(self, cell_id: str) -> list[dict[str, str]]:
        """The last table of a cell: one dictionary for each row; a name that spans rows is repeated."""
        shown = self.outputs(cell_id, "text/html")
        if not shown:
            raise SystemExit(
                f"The cell {cell_id} shows no table. Run `make test` once, which installs all packages "
                "that the notebook can use, and then `make run` again."
            )
        rows = re.findall(r"<tr.*?</tr>", shown[-1], re.DOTALL)
        split = [
            [html.unescape(text) for text in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows
        ]
        head = [text or index for text, index in zip(split[0], split[1], strict=True)]
        filled: list[list[str]] = []
        for row in split[2:]:
            filled.append([*filled[-1][: len(head) - len(row)], *row] if filled else row)
        return [dict(zip(head, row, strict=True)) for row in filled]

    def summary(self) -> dict[str, str]:
        """The box at the top of the notebook."""
        rows = re.findall(r"<th[^>]*>(.*?)</th><td[^>]*>(.*?)</td>", self.outputs("summary", "text/html")[0])
        return {html.unescape(name): html.unescape(fact) for name, fact in rows}


def facts(saved: Saved) -> dict[str, str]:
    """Every figure that a page may quote, by name."""
    box = saved.summary()
    seconds = {name: fact.removesuffix(" s") for name, fact in box.items()}
    runs = {(row["stage"], row["mode"]): row for row in saved.table("conclusion-table")}
    serial, threads = runs["download", "serial"], runs["download", "threads"]
    processes = runs["resize", "processes"]
    controls = {row["mode"]: row for row in saved.table("further-controls-run")}
    sweep = saved.table("further-limit")
    pool, cluster = saved.table("cluster-cost-run")
    photos = int(serial["photos"])
    own = float(serial["in work at once"]) * float(serial["wall time (s)"]) / photos  # seconds for one photo
    size = float(serial["MB written"]) / photos  # MB
    waiting, transfer = (
        float(saved.number("download-limits", pattern))
        for pattern in (r"spent ([\d.]+) s waiting for first bytes", r"about ([\d.]+) s waiting for the rest")
    )
    rate = float(threads["photos/s"])
    share = float(saved.number("further-amdahl-fit", r"Downloading in threads: serial share ([\d.]+)%")) / 100
    of_sweep = {row["threads"]: float(row["measured"]) for row in sweep}
    return {
        "photos": f"{photos:,}",
        "bandwidth": saved.number("source", r"(\d+) Mbit/s"),
        "cpus": saved.number("settings", r"CPUs (\d+) usable"),
        "threads": threads["workers"],
        "processes": processes["workers"],
        "download_serial": seconds["Download, serial"],
        "download_threads": seconds[f"Download, {threads['workers']} threads"],
        "download_speed_up": f"{float(box['Speed-up, download'].split()[0]):.1f}",
        "download_rate": f"{rate:.0f}",
        "download_busy": saved.number("conclusion-sentences", r"Download: the CPU was busy for (\d+%)"),
        "resize_serial": seconds["Resize, serial"],
        "resize_processes": seconds[f"Resize, {processes['workers']} processes"],
        "resize_speed_up": box["Speed-up, resize"].split()[0],
        "resize_busy": saved.number("conclusion-sentences", r"Resize: the CPU was busy for (\d+%)"),
        "resize_start_up": saved.number("resize-numbers", r"began after ([\d.]+) s"),
        "resize_gain_processes": saved.number("further-resize-chart", r"processes gained a factor of ([\d.]+)"),
        "resize_gain_threads": saved.number("further-resize-chart", r"and threads ([\d.]+) over"),
        "images_mb": f"{float(serial['MB written']):.0f}",
        "photo_kb": f"{size * 1e3:.0f}",
        "photo_ms": f"{own * 1e3:.0f}",
        "photo_latency_ms": f"{waiting / photos * 1e3:.0f}",
        "photo_transfer_ms": f"{transfer / photos * 1e3:.0f}",
        "one_connection": f"{size * 8 / own:.0f}",  # Mbit/s
        "all_connections": f"{size * 8 * rate:.0f}",
        "each_ms": f"{float(threads['in work at once']) / rate * 1e3:.0f}",  # Little's law
        "in_work": threads["in work at once"],
        "sweep_photos": saved.number("further-download", r"Measuring (\d+) items"),
        "sweep_most": sweep[-1]["threads"],
        "serial_share": f"{share:.2%}",
        "sweep_speed_up": f"{of_sweep['1'] / of_sweep[threads['workers']]:.1f}",
        "serial_share_error": saved.number(
            "further-amdahl-fit", r"Downloading in threads: serial share [\d.]+% ± ([\d.]+%)"
        ),
        "amdahl": f"{1 / (share + (1 - share) / int(threads['workers'])):.1f}",  # speed-up that the law allows
        "control_photos": saved.number("further-controls-run", r"equal work on (\d+) photos"),
        "control_workers": saved.number("further-controls-run", r"runs with (\d+) workers"),
        "control_threads": controls["threads"]["wall"],
        "control_coroutines": controls["coroutines"]["wall"],
        "control_processes": controls["processes"]["wall"],
        "control_start_up": controls["processes"]["start-up"],
        "pipeline_threads": saved.number("pipeline-sentences", r"With (\d+) threads, both stages"),
        "pipeline_ratio": saved.number("pipeline-sentences", r"([\d.]+) times the longer stage"),
        "pipeline_gain": saved.number("pipeline-sentences", r"and ([\d.]+) times as fast as one after the other"),
        "cluster_start_up": f"{float(cluster['start-up (s)']):.1f}",
        "cluster_overhead": f"{float(cluster['overhead (ms per item)']):.1f}",
        "pool_overhead": f"{float(pool['overhead (ms per item)']):.1f}",
    }


def claims(quoted: dict[str, str]) -> dict[str, bool]:
    """What the pages say in words about these figures."""
    one = {name: float(text.rstrip("%").replace(",", "")) for name, text in quoted.items() if text[0].isdigit()}
    return {
        "downloading is I/O bound, resizing is CPU bound": one["download_busy"] < 30 and one["resize_busy"] > 70,
        "threads helped to resize": one["resize_gain_threads"] > 1.2,
        "the line of Amdahl's law misses its own points": abs(one["sweep_speed_up"] / one["amdahl"] - 1) > 0.05,
        "both stages at once took hardly longer than the longer one": one["pipeline_ratio"] <= 1.15,
        "an item costs more on the cluster than in the pool": one["cluster_overhead"] > one["pool_overhead"],
        "latency is most of a download": one["photo_latency_ms"] > one["photo_transfer_ms"],
    }


def page(text: str, quoted: dict[str, str]) -> str:
    """The page with the figures of the saved run."""
    return FIGURE.sub(lambda found: f"<!--run:{found[1]}-->{quoted[found[1]]}<!--/run-->", text)


def pictures(saved: Saved) -> dict[str, Image.Image]:
    """The last chart of each cell named in PICTURES, without its white ground, for both themes."""
    found = {}
    for cell_id, name in PICTURES.items():
        chart = Image.open(io.BytesIO(base64.b64decode(saved.outputs(cell_id, "image/png")[-1])))
        for theme in ("light", "dark"):
            found[f"{name}-{theme}.png"] = without_ground(chart, dark=theme == "dark")
    return found


def without_ground(chart: Image.Image, dark: bool) -> Image.Image:
    """White becomes transparent, so faint colours stay faint on any ground; for the dark theme, black becomes INK."""
    colour = np.asarray(chart.convert("RGB"), float) / 255
    alpha = 1 - colour.min(axis=2, keepdims=True)
    pure = np.where(alpha > 0, (colour - 1 + alpha) / np.maximum(alpha, 1e-9), 0)  # as it was before it met white
    if dark:
        vivid = np.minimum(1, 2 * pure.max(axis=2, keepdims=True))  # 0 for grey, 1 for a colour
        pure = vivid * np.minimum(1, 1.25 * pure) + (1 - vivid) * np.array(INK)
        alpha = alpha**0.75  # faint colours need more strength on a dark ground
    pixels = np.concatenate([pure, alpha], axis=2)
    return Image.fromarray((255 * pixels).round().astype(np.uint8))


def main() -> None:
    saved = Saved(json.loads((ROOT / "assignment.ipynb").read_text(encoding="utf-8")))
    quoted = facts(saved)
    if untrue := [claim for claim, holds in claims(quoted).items() if not holds]:
        sys.exit(f"Not true of this run, although docs/concepts.md says so: {'; '.join(untrue)}. Mend the page.")
    before = {path: path.read_text(encoding="utf-8") for path in PAGES}
    wanted = {path: page(text, quoted) for path, text in before.items()}
    drawn = {ROOT / "docs" / name: image for name, image in pictures(saved).items()}
    if "--check" in sys.argv:
        other = [path for path in PAGES if before[path] != wanted[path]]
        for path, image in drawn.items():
            if not path.exists() or Image.open(path).tobytes() != image.tobytes():
                other.append(path)
        if other:
            names = ", ".join(path.relative_to(ROOT).as_posix() for path in other)
            sys.exit(f"Of another run than assignment.ipynb: {names}. Run python docs/from_run.py")
        return
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    for path, image in drawn.items():
        image.save(path, optimize=True)


if __name__ == "__main__":
    main()
