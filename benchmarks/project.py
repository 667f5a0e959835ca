"""How long the practice photos take to be drawn, and the whole notebook to run."""

from __future__ import annotations

import json
import re
from datetime import datetime

from benchmarks import common
from benchmarks.common import Options, Target
from practice.catalogue import Catalogue
from practice.pictures import draw_missing

WORKERS, MINUTES, STAGE_MINUTES = 2, 8, 2


def measure(options: Options) -> dict:
    entries = Catalogue(options.photos).entries
    with common.stopwatch() as measured:
        draw_missing(options.folder("drawn"), entries, WORKERS, lambda done, total: None)
    options.folder("drawn")  # the photos are deleted again
    return {"photos": options.photos, "drawing": measured["seconds"], "cells": cells()}


def cells() -> list[dict]:
    """Heading, id and seconds of every cell of the saved notebook that was executed."""
    found, heading = [], ""
    for cell in json.loads((common.ROOT / "assignment.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            heading = (re.findall(r"(?m)^#+ (.*)", "".join(cell["source"])) or [heading])[-1]
        elif times := cell["metadata"].get("execution"):
            began, ended = (datetime.fromisoformat(times[k]) for k in ("iopub.execute_input", "shell.execute_reply"))
            found.append({"id": cell["id"], "heading": heading, "seconds": (ended - began).total_seconds()})
    return found


def report(data: dict) -> list[str]:
    spent = data["cells"]
    total = sum(cell["seconds"] for cell in spent)
    longest = sorted(spent, key=lambda cell: -cell["seconds"])
    return [
        f"Drawing {data['photos']:,} photos into an empty folder with {WORKERS} processes took {data['drawing']:.1f} "
        f"s, once. The saved notebook took {total:.0f} s as its cells note it; the longest of its {len(spent)} cells:",
        "",
        *common.table(
            ["cell", "section", "seconds"],
            [[f"`{cell['id']}`", cell["heading"], f"{cell['seconds']:.1f}"] for cell in longest[:6]],
        ),
        *common.targets(
            Target(f"seconds to draw {data['photos']:,} photos", [data["drawing"]], at_most=60),
            Target("minutes for the whole notebook", [total / 60], at_most=MINUTES),
            Target("minutes of its longest cell but one", [longest[1]["seconds"] / 60], at_most=STAGE_MINUTES),
        ),
    ]
