"""The class report, to read a whole class from: `make class FROM=folder`, or `python -m teacher.class_report folder`.

It reads notebooks and archives and runs nothing of them. It writes class/index.html, which needs no network, the charts
beside it, and class/class.csv.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import csv
import hashlib
import io
import itertools
import json
import multiprocessing
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import helpers
from checks import saved
from kit.display import progress_line
from kit.files import write
from kit.machine import ROOT, fingerprint
from teacher.collected import found_in, row_of

PAGE = Path(__file__).with_name("class_report.html")
SHORT = 60  # letters: shorter answers may agree by chance
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser("python -m teacher.class_report", description=__doc__)
    parser.add_argument("folder", type=Path, help="what you have collected: notebooks, archives, downloads of a class")
    parser.add_argument("--to", type=Path, default=ROOT / "class", help="folder of the report (class)")
    parser.add_argument("--workers", type=int, default=helpers.usable_cpus(), help="processes (as many as CPUs)")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        sys.exit(f"{asked.folder} is not a folder.")
    rows = report(asked.folder, asked.to, asked.workers)
    if not rows:
        sys.exit(f"No notebook and no archive with one was found in {asked.folder}.")
    broken, look = (sum(bool(row.get(name)) for row in rows) for name in ("broken", "findings"))
    print(f"{len(rows)} submissions: {broken} can't be read, {look} with something to look at.")
    print(f"Written: {asked.to / 'index.html'} (open it in a browser) and {asked.to / 'class.csv'}")


def report(folder: Path, to: Path, workers: int, modules: str = "") -> list[Row]:
    """Read all submissions below a folder, and write the report; returns its rows, by student.

    Args:
        modules: fingerprint of the modules that were handed out; default: those of this folder.
    """
    for old in (to / "charts", to / "index.html", to / "class.csv"):
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    (to / "charts").mkdir(parents=True)
    inputs = list(found_in(folder))
    found = read_all(inputs, to / "charts", workers, modules or fingerprint())
    rows = sorted(found, key=lambda row: row["student"].casefold())
    reference = saved.cells_of((ROOT / "assignment.ipynb").read_bytes())
    questions = {cell.id: _model(cell.source) for cell in reference if cell.id.startswith("question-")}
    code = {
        tag.removeprefix("exercise:"): re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        for cell in reference for tag in cell.tags if tag.startswith("exercise:")
    }  # fmt: skip
    compare_all(rows, {id: parts["asked"] for id, parts in questions.items()})
    points(rows, folder)
    write(to / "index.html", page({"questions": questions, "reference": code, "rows": rows}).encode())
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table(rows))
    # The mark tells Excel that it is UTF-8. Names of files may hold what UTF-8 can't.
    write(to / "class.csv", text.getvalue().encode("utf-8-sig", "replace"))
    return rows


def read_all(inputs: Sequence[tuple[str, str, str]], charts: Path, workers: int, modules: str) -> Iterator[Row]:
    """A row for each. One that ends its process is found by trying again what was under way, each alone."""
    given = [(number, *one) for number, one in enumerate(inputs)]
    done: set[int] = set()
    with progress_line(len(given), "Reading", unit=" submissions") as line:
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
        with pool, contextlib.suppress(BrokenExecutor):
            for number, row in helpers.as_done(
                pool, numbered, given, itertools.repeat((str(charts), modules)), limit=2 * workers
            ):
                done.add(number)
                line.update()
                yield row
        for one in (one for one in given if one[0] not in done):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                try:
                    _, row = alone.submit(numbered, one, (str(charts), modules)).result()
                except BrokenExecutor:
                    row = {"student": one[1], "file": Path(one[2]).name, "broken": "it ended the program that read it"}
            line.update()
            yield row


def numbered(one: tuple[int, str, str, str], rest: tuple[str, str]) -> tuple[int, Row]:
    return one[0], row_of(*one, *rest)


# --- between submissions ------------------------------------------------------------------------------------------


def compare_all(rows: Sequence[Row], asked: Mapping[str, str]) -> None:
    """What two submissions share and can't share by chance is a finding of both; equal code is only noted.

    Args:
        asked: the text of each question, with which an answer begins.
    """
    shared: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)  # by the places of rows: names may agree
    for place, row in enumerate(rows):
        for name, run in row.get("runs", {}).items():
            shared["records", run["records"]][place] = name
        for id, answer in row.get("answers", {}).items():
            words = re.sub(r"\W+", " ", answer.removeprefix(asked.get(id, ""))).strip().casefold()
            if len(words) > SHORT and saved.BLANK not in answer:
                shared["answer", words][place] = id
        for task, code in row.get("codes", {}).items():
            if code:
                shared["code", code][place] = task
    for row in rows:
        row.setdefault("findings", [])
    for (what, _), places in shared.items():
        for place, name in places.items() if len(places) > 1 else ():
            row = rows[place]
            others = ", ".join(sorted(rows[other]["student"] for other in places if other != place)[:5])
            if what == "code":
                row.setdefault("alike", {})[name] = len(places) - 1
            elif what == "records":
                row["findings"].append(f"the records of a run ({name}) are also those of {others}")
            else:
                row["findings"].append(f"the answer to {name} is, word for word, also that of {others}")


def points(rows: Iterable[Row], folder: Path) -> None:
    """What the program gave, if nbgrader has graded the submissions of this folder (its gradebook stands beside it)."""
    for place in (folder, folder.parent):
        if (place / "gradebook.db").exists():
            with contextlib.suppress(Exception):  # no nbgrader, no such assignment: there are no points to show
                from nbgrader.api import Gradebook

                with Gradebook(f"sqlite:///{place / 'gradebook.db'}") as book:
                    found = {one.student.id: one.score for one in book.assignment_submissions("assignment")}
                for row in rows:
                    row["points"] = found.get(row["student"])


# --- what is written ----------------------------------------------------------------------------------------------


def table(rows: Iterable[Row]) -> Iterator[list[object]]:
    """The rows of class.csv. A cell that begins like a formula gets an apostrophe: spreadsheets would run it."""
    stages = [(stage, way) for stage in saved.STAGES for way in ("serial", "parallel")]
    yield [
        "student", "file", "name", "number", *(f"verdict {stage}" for stage in saved.STAGES), "photos", "source",
        "CPUs",
        *(f"{stage} {way} (s)" for stage, way in stages), *(f"speed-up {stage}" for stage in saved.STAGES),
        *(f"predicted {stage}" for stage in saved.STAGES), "points", "findings", "notes", "not read because",
    ]  # fmt: skip
    for row in rows:
        runs, of = row.get("runs", {}), lambda name, stage, row=row: row.get(name, {}).get(stage, "")
        cells = [
            row["student"], row["file"], row.get("name", ""), row.get("number", ""),
            *(of("verdicts", stage) for stage in saved.STAGES), row.get("photos"), row.get("source"), row.get("CPUs"),
            *(runs.get(f"{stage} {way}", {}).get("wall time (s)") for stage, way in stages),
            *(round(of("gains", stage) or 0, 2) or "" for stage in saved.STAGES),
            *(of("predictions", stage) for stage in saved.STAGES), row.get("points"),
            "; ".join(row.get("findings", [])), "; ".join(row.get("notes", [])), row.get("broken", ""),
        ]  # fmt: skip
        yield [f"'{cell}" if isinstance(cell, str) and cell.startswith(tuple("=+-@\t\r")) else cell for cell in cells]


def page(told: Mapping[str, object]) -> str:
    """The report as one page: its data are text, and its own script and style alone may run."""
    text = PAGE.read_text(encoding="utf-8")
    allowed = {
        f"{kind}-src": "'sha256-" + base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode() + "'"
        for kind in ("script", "style")
        if (found := re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL))
    }
    policy = f"default-src 'none'; img-src 'self' file:; {'; '.join(' '.join(one) for one in allowed.items())}"
    data = json.dumps(told, ensure_ascii=True).replace("<", "\\u003c").replace("&", "\\u0026")
    return text.replace("{{POLICY}}", policy).replace("{{DATA}}", data)


def _model(source: str) -> dict[str, str]:
    """A question and its model answer."""
    asked, _, rest = source.partition("<!-- BEGIN SOLUTION -->")
    return {"asked": asked.strip(), "model": rest.partition("<!-- END SOLUTION -->")[0].strip()}


if __name__ == "__main__":
    main()
