"""Measures some parts or all of them, and writes results.md and growth.md from what is measured so far."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from datetime import date
from pathlib import Path

from benchmarks import common, downloads, executors, grading, growth, load, reading, thumbnails

PARTS = {
    part.__name__.removeprefix("benchmarks."): part
    for part in (thumbnails, executors, downloads, load, reading, grading)
}
PAGES = Path(__file__).with_name("pages")  # their words, with a place for each table


def main() -> None:
    default = common.Options()
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--rounds", type=int, default=default.rounds, help=f"of each table ({default.rounds})")
    parser.add_argument("--photos", type=int, default=default.photos, help=f"other sizes follow ({default.photos})")
    parser.add_argument("--corpus", type=Path, help="folder of JPEGs for the thumbnails (default: practice photos)")
    parser.add_argument("--cache", type=Path, default=default.cache, help="folder for photos and files of the runs")
    parser.add_argument("--quick", action="store_true", help="24 photos, 1 round, pages in the cache: does it work?")
    parser.add_argument("--report", action="store_true", help="measure nothing, only write the pages again")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.photos, common.AGAIN = 1, 24, 0
    options = common.Options(asked.rounds, asked.photos, asked.corpus, asked.cache.resolve())
    output = options.cache / "benchmarks" / "quick" if asked.quick else common.ROOT / "benchmarks"
    kept = output / "rounds"
    kept.mkdir(parents=True, exist_ok=True)
    refused = []
    for name in [] if asked.report else asked.parts or PARTS:
        common.say(name)
        try:
            data = PARTS[name].measure(options)
        except common.Refused as problem:  # the other parts are measured all the same
            refused.append(f"{name}: {problem}")
            continue
        data |= {"date": str(date.today()), "machine": common.machine(*PARTS[name].BESIDE)}
        (kept / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(options.aside, ignore_errors=True)
    (output / "results.md").write_text(results(kept), encoding="utf-8")
    found = measured(kept)
    if "load" in found and "executors" in found:
        (output / "growth.md").write_text(growing(found), encoding="utf-8")
    print(f"Written: {output / 'results.md'}")
    if refused:
        raise SystemExit("\n".join(refused))


def measured(kept: Path) -> dict[str, dict]:
    """What is kept of each part, by its name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in kept.glob("*.json")}


class Blocks(dict[str, str]):
    """The blocks of a page that a part fills; those of a part that is not measured yet are empty."""

    def __missing__(self, name: str) -> str:
        return "Not measured yet.\n" if name == "origin" else ""


def results(kept: Path) -> str:
    """The page with the tables of every part, from the JSON file of each."""
    blocks = {name: Blocks() for name in PARTS}
    for name, data in measured(kept).items():
        lines = {"origin": common.origin(data), **PARTS[name].report(data)}
        blocks[name].update({block: "\n".join(found) for block, found in lines.items()})
    return re.sub(r"\n{3,}", "\n\n", (PAGES / "results.md").read_text(encoding="utf-8").format(**blocks))


def growing(found: dict[str, dict]) -> str:
    """The page about many photos and, if they were measured, about a class and about a cluster."""
    load, cost = found["load"], found["executors"]
    pool, cluster = cost["cost"].values()
    words = {"growth": (load, growth.words(load))}
    if "reading" in found and "grading" in found:
        sizes = found["reading"]["rounds"], grading.by_size(found["grading"]["rounds"])
        words["classes"] = (found["grading"], growth.class_words(*sizes))
    if not isinstance(cluster, str):
        words["cluster"] = (cost, growth.cluster_words(pool, cluster, executors.WORKERS))
    return "".join(
        (PAGES / f"{name}.md").read_text(encoding="utf-8").format(origin="\n".join(common.origin(data)), **told)
        for name, (data, told) in words.items()
    )


if __name__ == "__main__":
    main()
