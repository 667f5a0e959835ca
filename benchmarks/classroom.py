"""A class made by program: submissions that are the reference notebook with other names, other times, other numbers.

All that the notebook computes from its records is computed again, so each one is as consistent as a real run.
"""

from __future__ import annotations

import base64
import html
import json
import random
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks.common import Refused
from checks import saved
from kit import display, evidence, runs, sentences
from kit.runs import Run
from kit.settings import Settings
from teacher.collected import bare

Notebook = dict[str, Any]


class NoServer:
    """In place of a Source: what is not known of a made run is taken from the reference."""

    server = None
    dataset = ""


def student(reference: bytes, number: int, name: str = "") -> bytes:
    """The reference notebook as a student's, whose machine and network were other ones; the same for each number."""
    chance = random.Random(number)
    factor = {"download": chance.lognormvariate(0, 0.3), "resize": chance.lognormvariate(0, 0.3)}
    slower = {"serial": 1.0, "parallel": chance.uniform(0.9, 1.4)}

    def other(run: Run) -> Run:
        return scaled(run, factor[run.task] * slower["serial" if run.mode == "serial" else "parallel"])

    return remade(json.loads(reference), other, name or f"Student {number}", f"s{number:06d}")


def scaled(run: Run, factor: float) -> Run:
    """The same run on a machine that takes `factor` times as long for everything."""
    later = tuple(
        replace(
            outcome,
            **{name: getattr(outcome, name) * factor for name in ("started", "finished", "waited", "cpu", "queued")},
        )
        for outcome in run.outcomes
    )
    return replace(run, wall=round(run.wall * factor, 6), outcomes=runs.whole_microseconds(later, 0.0))


def remade(notebook: Notebook, change: Callable[[Run], Run], name: str, number: str) -> bytes:
    """The notebook with other runs, and all that follows from them."""
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    before = saved.read(json.dumps(notebook).encode())
    if set(before.pairs) != set(saved.STAGES):
        raise Refused("assignment.ipynb holds no records of four runs: make run")
    lines = "".join(cells["summary"]["source"]).splitlines(keepends=True)
    lines[:2] = f"your_name = {json.dumps(name)}\n", f"student_number = {json.dumps(number)}\n"
    cells["summary"]["source"] = lines
    for id, cell in cells.items():
        if id.startswith("question-"):
            asked = saved.joined(cell["source"]).partition("<!-- BEGIN SOLUTION -->")[0].strip()
            cell["source"] = (
                f"{asked}\n\n{name} answers {id} like this, in words that nobody else in the class has found."
            )
    who = display.digest_of(name, number)
    began, pairs = 1_790_000_000 + secrets.randbelow(10**6), {}
    for stage, (serial, parallel) in before.runs.items():
        new = []
        for one, id in ((serial, f"{stage}-serial"), (parallel, f"{stage}-check")):
            run = change(one.run)
            data = evidence.pack(run, len, Settings(), NoServer())  # type: ignore[arg-type]
            kept = {name: one.about[name] for name in ("function", "source", "witness", "machine", "settings")}
            data |= kept | {"code": one.code, "bytes": one.bytes, "student": who, "began": began}
            began += round(run.wall) + 60
            _output(cells[id], evidence.MIME)["data"] |= {
                evidence.MIME: data,
                "text/plain": display.folded(run.sentence()),
            }
            new.append(run)
        pairs[stage] = (new[0], new[1])
    _told(cells, before.pairs, pairs, {"Name": name, "Student number": number})
    return json.dumps(notebook).encode()


def _told(cells: Mapping[str, Any], old: dict, new: dict[str, sentences.Pair], who: dict[str, str]) -> None:
    """Sentences, tables, box and charts of the new runs in place of those of the old ones."""
    tables = {f"{stage}-numbers": list(pair) for stage, pair in new.items()}
    tables["conclusion-table"] = [run for pair in new.values() for run in pair]
    for stage, pair in new.items():
        verdict = next(out for out in cells[f"{stage}-check"]["outputs"] if "Measured" in json.dumps(out))["data"]
        for form, text in verdict.items():
            verdict[form] = saved.joined(text).replace(sentences.measured(old[stage]), sentences.measured(pair))
        assert sentences.measured(pair) in " ".join(verdict["text/plain"].split())
        _stream(cells[f"{stage}-numbers"], display.folded(sentences.compared(pair)))
    _stream(cells["conclusion-sentences"], "\n".join(display.folded(sentences.concluded(p)) for p in new.values()))
    for id, listed in tables.items():
        frame = pd.DataFrame([run.row() for run in listed]).set_index(["stage", "mode"])
        shown = next(out for out in cells[id]["outputs"] if "wall time" in json.dumps(out.get("data", {})))["data"]
        with pd.option_context("display.max_columns", 20, "display.width", 80):  # as in a notebook
            shown |= {"text/plain": repr(frame), "text/html": frame._repr_html_()}
    texts = dict(zip(sentences.charts(old), sentences.charts(new), strict=True))
    for cell in cells.values():
        for out in cell.get("outputs", []):
            text = saved.joined(out.get("data", {}).get("text/plain", ""))
            if text in texts and "image/png" in out["data"]:
                out["data"] = {
                    "image/png": _described(out["data"]["image/png"], texts[text]),
                    "text/plain": texts[text],
                }
                out["metadata"] = {"image/png": {"alt": texts[text]}}
            elif text in texts:
                out["data"] = {"text/plain": texts[text], "text/html": html.escape(texts[text])}
    listed = [run for pair in new.values() for run in pair]
    box = next(iter(cells["summary"]["outputs"]))["data"]
    facts = who | sentences.facts(listed, list(new.values()))
    rows = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(fact)}</td></tr>" for name, fact in facts.items())
    box["text/html"] = f"<table>{''.join(rows)}</table>"


def _output(cell: dict, form: str) -> dict:
    return next(out for out in cell["outputs"] if form in out.get("data", {}))


def _stream(cell: dict, text: str) -> None:
    out = [out for out in cell["outputs"] if out["output_type"] == "stream"][-1]
    out["text"] = text + "\n"


def _described(picture: object, words: str) -> str:
    """A PNG with another text in it, behind its first chunk (w3.org/TR/png-3: length, name, content, CRC)."""
    png = bare(base64.b64decode(saved.joined(picture)))
    told = b"iTXtDescription\0\0\0\0\0" + words.encode()
    text = (len(told) - 4).to_bytes(4, "big") + told + zlib.crc32(told).to_bytes(4, "big")
    return base64.b64encode(png[:33] + text + png[33:]).decode()
