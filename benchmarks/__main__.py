"""Measures some parts or all of them, and writes benchmarks/results.md from what is measured so far.

The targets of all parts stand in README.md, too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
from datetime import date
from pathlib import Path

BEGIN, END = ("<!-- from the benchmarks: written by python -m benchmarks -->", "<!-- end of the benchmarks -->")
PARTS = {
    "thumbnails": "Thumbnails",
    "executors": "Processes that make thumbnails",
    "downloads": "Downloads",
    "practice_server": "The practice server",
    "overhead": "The progress line and the records",
    "load": "Many photos",
    "project": "Drawing the photos, and the whole notebook",
}


def main() -> None:
    from benchmarks import common

    default = common.Options()
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="of what the targets are about (7)")
    parser.add_argument("--photos", type=int, default=default.photos, help="downloads, executors, drawing (1500)")
    parser.add_argument("--corpus", type=Path, help="folder of JPEGs for the thumbnails (default: practice photos)")
    parser.add_argument("--corpus-photos", type=int, default=default.corpus_photos, help="thumbnails (300)")
    parser.add_argument("--cache", type=Path, default=default.cache, help="folder for photos and files of the runs")
    parser.add_argument("--output", type=Path, help="folder of results.md (benchmarks; with --quick one in the cache)")
    parser.add_argument("--quick", action="store_true", help="24 photos (8 thumbnails), 1 round: does all of it work?")
    parser.add_argument("--report", action="store_true", help="measure nothing, only write results.md again")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.photos, asked.corpus_photos = 1, 24, 8
    options = common.Options(asked.rounds, asked.photos, asked.corpus_photos, asked.corpus, asked.cache.resolve())
    usual = options.cache / "benchmarks" / "quick" if asked.quick else common.ROOT / "benchmarks"
    asked.output = asked.output or usual
    kept = asked.output / "rounds"
    kept.mkdir(parents=True, exist_ok=True)
    for part in [] if asked.report else asked.parts or PARTS:
        common.say(PARTS[part])
        machine = common.machine()
        try:
            data = importlib.import_module(f"benchmarks.{part}").measure(options)
        except common.Refused as problem:
            raise SystemExit(f"{PARTS[part]}: {problem}") from None
        data |= {"date": str(date.today()), "machine": machine}
        (kept / f"{part}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(options.aside, ignore_errors=True)
    (asked.output / "results.md").write_text(results(kept), encoding="utf-8")
    print(f"Written: {asked.output / 'results.md'}")
    if asked.output == common.ROOT / "benchmarks":
        page = common.ROOT / "README.md"
        page.write_text(quoting(page.read_text(encoding="utf-8"), results(kept)), encoding="utf-8")


def quoting(page: str, text: str) -> str:
    """The README with the targets of the results between its two marks."""
    rows, part, inside = [], "", False
    for line in text.splitlines():
        part = line.removeprefix("## ") if line.startswith("## ") else part
        if line.startswith("| target |"):
            inside = True
            rows.append(f"| **{part}** | | | |")
        elif inside and line.startswith("|"):
            rows += [] if line.startswith("| --- ") else [line]
        else:
            inside = False
    table = "\n".join(["| | target | measured | |", "| --- | ---: | ---: | ---: |", *rows])
    return f"{page.split(BEGIN)[0]}{BEGIN}\n{table}\n{END}{page.split(END)[1]}"


def results(kept: Path) -> str:
    """The page, from the JSON file of each part."""
    lines = [
        "# Measured side by side",
        "",
        "Written by `python -m benchmarks`; each part can be measured by itself, and names its own day and machine. "
        "All tools of a table ran in the same run and in alternation, each round beginning with another one. A figure "
        "is the median of the rounds, in brackets the lowest and the highest; a ratio is taken within each round. "
        "Compare ratios, not seconds from two machines: those drift from day to day.",
        "",
    ]
    for part, title in PARTS.items():
        path = kept / f"{part}.json"
        if path.exists():
            data = json.loads(path.read_text(encoding="utf-8"))
            found = ", ".join(f"{name} {version}" for name, version in data.get("versions", {}).items() if version)
            lines += [f"## {title}", "", f"- Date: {data['date']}"]
            lines += [f"- {name}: {fact}" for name, fact in data["machine"].items()]
            lines += [f"- Versions: {found}"] if found else []
            lines += ["", *importlib.import_module(f"benchmarks.{part}").report(data)]
    lines += [(Path(__file__).parent / "reasons.md").read_text(encoding="utf-8")]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
