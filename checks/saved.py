"""A saved notebook, read and never run: what is in it, and whether its parts agree with each other.

Each finding says what was seen and where. It is a reason to look, and no more: whoever wants to can forge all of it.
What is found of which change, and what is not, is tried in tests/test_saved.py and told in docs/evidence.md.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import html
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit import evidence, sentences
from kit.display import digest_of
from kit.evidence import Saved
from kit.machine import source_digest

LARGEST = 10_000_000  # bytes of a notebook; with all its charts and records it has less than 3 million
MOST_HTML, MOST_CODE = 100_000, 100_000  # characters of an output or a cell that are looked at more closely
MOST_CELLS, MOST_OUTPUTS, MOST_RUNS = 2_000, 20_000, 8
BLANK = "Write your answer here, in place of this line."  # as nbgrader_config.py has it
ANY_TIME = {"submission", "reading"}  # tags of cells that may run whenever you like: they judge a run, and change none
WORDS = re.compile(r"RIGHT|WRONG|NOT ATTEMPTED YET")
STAGES = ("download", "resize")
AGAIN = "Restart the kernel, run all cells, wait for the end, save, and try again."


@dataclass(frozen=True)
class Cell:
    """One cell, with its outputs as text."""

    id: str
    kind: str
    source: str
    count: int | None
    tags: frozenset[str]
    outputs: tuple[dict[str, Any], ...]

    @property
    def first_line(self) -> str:
        """To find the cell by; without long words, because one of them could be a key."""
        return re.sub(r"[\w-]{20,}", "...", (self.source.strip().splitlines() or [""])[0])[:50]

    @property
    def texts(self) -> list[str]:
        """What it printed or displayed, as plain text."""
        return [joined(out.get("text") or data_of(out).get("text/plain", "")) for out in self.outputs]

    def pictures(self) -> Iterator[tuple[bytes, str]]:
        """PNG files with their texts for those who can't see them."""
        for out in self.outputs:
            if picture := data_of(out).get("image/png"):
                about = out.get("metadata")
                about = about.get("image/png") if isinstance(about, dict) else None
                alt = about.get("alt", "") if isinstance(about, dict) else ""
                yield base64.b64decode(joined(picture)), str(alt)


@dataclass
class Submission:
    """What a saved notebook holds.

    Attributes:
        runs: by stage, the serial run and the parallel one, as far as they are saved.
        verdicts: by exercise.
        answers: texts of the cells with a question, by cell id.
        code: source of the cells with an exercise, by exercise.
        box: names and facts of the box at the top.
        refused: reasons why it can't be handed in as it is.
        findings: what does not agree, each in a sentence.
        notes: what a reader should know, and nothing is wrong with.
    """

    name: str = ""
    number: str = ""
    cells: list[Cell] = field(default_factory=list)
    runs: dict[str, list[Saved]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    box: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> dict[str, sentences.Pair]:
        """By stage, the serial and the parallel run, where both are there."""
        found = {stage: self.runs.get(stage, []) for stage in STAGES}
        return {stage: (runs[0].run, runs[1].run) for stage, runs in found.items() if len(runs) == 2}


def joined(lines: object) -> str:
    """A field of a notebook: one string, or a list of lines."""
    return lines if isinstance(lines, str) else "".join(map(str, lines)) if isinstance(lines, list) else ""


def data_of(output: Mapping[str, Any]) -> dict[str, Any]:
    found = output.get("data")
    return found if isinstance(found, dict) else {}


def cells_of(content: bytes) -> list[Cell]:
    """The cells of a notebook.

    Raises:
        ValueError: it is none, or it is larger than any notebook of this assignment.
    """
    if len(content) > LARGEST:
        raise ValueError(f"{len(content) / 1e6:,.0f} MB are more than a notebook of this assignment has")
    try:
        cells = json.loads(content)["cells"]
        if len(cells) > MOST_CELLS or sum(len(cell.get("outputs", ())) for cell in cells) > MOST_OUTPUTS:
            raise ValueError("more cells or outputs than a notebook of this assignment has")
        found = []
        for cell in cells:
            count, about = cell.get("execution_count"), cell.get("metadata") or {}
            if len(joined(cell["source"])) > MOST_CODE:
                raise ValueError(f"a cell has more than {MOST_CODE:,} characters")
            outputs = tuple(out for out in cell.get("outputs", ()) if isinstance(out, dict))
            tags = frozenset(tag for tag in about.get("tags", ()) if isinstance(tag, str))
            count = count if isinstance(count, int) else None
            id = cell.get("id") or about.get("id") or ""  # before nbformat 4.5, Colab has it in the metadata
            found.append(Cell(str(id), cell["cell_type"], joined(cell["source"]), count, tags, outputs))
        return found
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("this is not a notebook") from None


def read(content: bytes, modules: str = "") -> Submission:
    """All that can be read from a saved notebook.

    Args:
        modules: fingerprint of the modules that were handed out; "": any will do.

    Raises:
        ValueError: as cells_of.
    """
    found = Submission(cells=cells_of(content))
    code = [cell for cell in found.cells if cell.kind == "code"]
    sources = "\n".join(cell.source for cell in code)
    found.name, found.number = (_given(name, sources) for name in ("your_name", "student_number"))
    for cell in code:
        for tag in sorted(cell.tags):
            kind, _, name = tag.partition(":")
            if kind == "check":
                words = (WORDS.match(one) for one in cell.texts)
                found.verdicts[name] = next((word[0] for word in words if word), "without a verdict")
            elif kind == "exercise":
                found.code[name] = cell.source
    found.answers = {cell.id: cell.source for cell in found.cells if cell.id.startswith("question-")}
    found.box = _box(code)
    found.refused = list(_not_run(code))
    saved = list(_saved(code, found.findings))
    for one in saved:
        found.runs.setdefault(one.run.task, []).append(one)
    for check in (_same_code, _possible, _fits, _said, _drawn):
        found.findings += check(found)
    found.findings += _one_machine(saved, modules)
    found.notes = list(_notes(found))
    return found


def _given(name: str, sources: str) -> str:
    """A text that the first cell sets."""
    for line in re.findall(rf"(?m)^{name}\b.{{0,120}}$", sources):
        with contextlib.suppress(SyntaxError, ValueError, TypeError, AttributeError):
            return str(ast.literal_eval(ast.parse(line).body[0].value))  # type: ignore[attr-defined]
    return ""


def _saved(code: Sequence[Cell], findings: list[str]) -> Iterator[Saved]:
    kept = ((cell, out) for cell in code for out in cell.outputs if evidence.MIME in data_of(out))
    for cell, out in itertools.islice(kept, MOST_RUNS):  # a notebook has four
        try:
            one = evidence.unpack(data_of(out)[evidence.MIME])
        except ValueError as problem:
            findings.append(f"the cell {cell.first_line!r}: its records can't be read ({problem})")
            continue
        shown = " ".join(joined(data_of(out).get("text/plain", "")).split())
        if shown != one.run.sentence():
            findings.append(f"the cell {cell.first_line!r}: its sentence is not that of its records")
        yield one


# --- Was it run from top to bottom? -----------------------------------------------------------------------------


def _not_run(cells: Sequence[Cell]) -> Iterator[str]:
    """Reasons why this notebook doesn't show one run from top to bottom."""
    code = [cell for cell in cells if cell.source.strip()]
    if not any(cell.count for cell in code):
        yield f"The notebook was never run, or its outputs were cleared. {AGAIN}"
        return
    allowed = {1}
    for cell in code:
        name = f"The cell {cell.first_line!r}"
        if ANY_TIME & cell.tags:  # its number may be missing in the row
            allowed |= {number + 1 for number in allowed}
            continue
        if cell.count is None:
            yield f"{name} was not run when the notebook was saved. {AGAIN}"
            break
        if cell.count not in allowed:
            yield f"{name} was not run in its turn: it has the number {cell.count}, not {max(allowed)}. {AGAIN}"
            break
        allowed = {cell.count + 1}
    for cell in code:
        name = f"The cell {cell.first_line!r}"
        if error := next((out for out in cell.outputs if out.get("output_type") == "error"), None):
            yield f"{name} ended with {str(error.get('ename'))[:50]}. Mend it first. {AGAIN}"
        elif any(tag.startswith("check:") for tag in cell.tags) and not any(cell.texts):
            yield f"{name} has no output, but a check always says something. {AGAIN}"


# --- Do its parts agree? ----------------------------------------------------------------------------------------


def _same_code(found: Submission) -> Iterator[str]:
    """The function that was timed stands in a cell as it was then."""
    for one in itertools.chain(*found.runs.values()):
        name = str(one.about.get("function", ""))
        defined = re.compile(rf"(?m)^(async )?def {re.escape(name)}\(")
        places = [cell for cell in found.cells if cell.kind == "code" and defined.search(cell.source)]
        if not one.code or not name.isidentifier() or any(not _is_python(cell.source) for cell in places):
            continue  # made by another function, or in a cell with magic words: nothing to compare
        if not any(source_digest(cell.source) == one.code for cell in places):
            yield f"{name} is not the code that was timed: its cell was changed after the run, or never held it"


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _possible(found: Submission) -> Iterator[str]:
    """Events that can't be, in the records of each run."""
    for one in itertools.chain(*found.runs.values()):
        run, name = one.run, f"{one.run.task}, {one.run.label()}"
        ends: dict[str, float] = {}
        overlapping = late = odd = 0
        for outcome in sorted(run.outcomes, key=lambda outcome: outcome.started):
            overlapping += outcome.started < ends.get(outcome.worker, 0.0)
            ends[outcome.worker] = outcome.finished
            late += outcome.finished > run.wall
            took = outcome.finished - outcome.started
            odd += outcome.waited > took + 1e-5 or outcome.cpu > took + 0.02  # some systems count it in steps of 16 ms
        if overlapping and run.mode != "coroutines":
            yield f"{name}: {overlapping:,} items began in a worker that had not ended its item before"
        if late:
            yield f"{name}: {late:,} items ended after the clock had stopped"
        if odd:
            yield f"{name}: {odd:,} items waited or computed for longer than they took"
        idle = run.wall - max(ends.values(), default=0.0)
        if idle > 2 + 0.05 * run.wall:
            yield f"{name}: the clock went on for {idle:.1f} s after the last item had ended"
        if len({outcome.item for outcome in run.outcomes}) < len(run.outcomes):
            yield f"{name}: an item is there more than once"


def _fits(found: Submission) -> Iterator[str]:
    """The runs belong together, to this notebook and to its student."""
    every = list(itertools.chain(*found.runs.values()))
    for stage, runs in found.runs.items():
        if len(runs) > 2:
            yield f"{stage}: there are records of {len(runs)} runs, and the notebook makes two"
        first, *rest = runs
        for other in rest:
            if first.bytes != other.bytes or {o.item for o in first.run.done} != {o.item for o in other.run.done}:
                yield f"{stage}: the two runs did not do equal work"
        if first.run.mode != "serial":
            yield f"{stage}: there are no records of the serial run"
    if len({one.id for one in every}) < len(every):
        yield "the records of one run are there twice"
    for before, after in itertools.pairwise(every):
        began, wall = before.about["began"], before.run.wall
        if after.about["began"] < began + wall - 2:  # whole seconds; the wall time is none of a clock
            name = f"{after.run.task}, {after.run.label()}"
            yield f"the records of {name} are from before the run above it had ended"
    who = digest_of(found.name, found.number)
    if any(one.about.get("student") != who for one in every):
        yield "name or student number is not that of the run: they were changed after it, or the run is another's"
    for seed in {str(kept.get("seed") or "") for one in every if isinstance(kept := one.about.get("settings"), dict)}:
        if seed and seed != found.number:
            yield f"the catalogue is that of the seed {seed[:40]!r}, and not of the student number"
    for stage, verdict in found.verdicts.items():
        if verdict == "RIGHT" and len(found.runs.get(stage, ())) < 2:
            yield f"{stage}: the check says RIGHT, and there are no records of two runs"
        if verdict != "RIGHT" and len(found.runs.get(stage, ())) > 1:
            yield f"{stage}: there are records of a parallel run, and the check says {verdict}"


def _one_machine(saved: Sequence[Saved], modules: str) -> Iterator[str]:
    machines = [one.about.get("machine") for one in saved]
    if any(machine != machines[0] for machine in machines):
        yield "the runs were made on different machines, or with different versions"
    told = "\n".join(str(machine.get("Modules")) for machine in machines if isinstance(machine, dict))
    versions = set(re.findall(r"(?m)^version ([0-9a-f]{8}) of", told))
    if modules and versions - {modules}:
        yield f"other modules than those that were handed out: version {', '.join(sorted(versions))}, not {modules}"


def _said(found: Submission) -> Iterator[str]:
    """Sentences, tables and the box, computed again from the records."""
    pairs = found.pairs
    runs = [one.run for stage in STAGES for one in found.runs.get(stage, ())]
    by_id = {cell.id: cell for cell in found.cells}
    wanted: dict[str, list[str]] = {"conclusion-sentences": [sentences.concluded(pair) for pair in pairs.values()]}
    tables = {"conclusion-table": runs}
    for stage, pair in pairs.items():
        wanted[f"{stage}-check"] = [sentences.measured(pair)]
        wanted[f"{stage}-numbers"] = [sentences.compared(pair)]
        tables[f"{stage}-numbers"] = list(pair)
    for id, expected in wanted.items():
        if (cell := by_id.get(id)) is None:
            continue
        for form in ("text/plain", "text/html"):
            shown = " ".join(" ".join(_forms(cell, form)).split())
            if missing := [one for one in expected if one not in shown and (form == "text/plain" or "Measured" in one)]:
                yield f"the cell {cell.first_line!r}: its output is not what its records give ({missing[0][:60]} ...)"
                break
    for id, listed in tables.items():
        cell = by_id.get(id)
        if cell is None or not listed:
            continue
        numbers = {float(str(value)) for run in listed for value in run.row().values() if not isinstance(value, str)}
        for form in ("text/plain", "text/html"):
            tabled = [one for one in _forms(cell, form, table=True) if "wall time" in one]
            if not tabled or _numbers(tabled[0]) != numbers:
                yield f"the cell {cell.first_line!r}: its table is not that of its records"
                break
    facts = sentences.facts(runs, list(pairs.values()))
    different = [name for name, fact in facts.items() if found.box.get(name) != fact]
    if runs and found.box and different:
        yield f"the box at the top is not that of the records: {different[0]}"
    if runs and not found.box:
        yield "the box at the top is missing"


def _forms(cell: Cell, form: str, table: bool = False) -> Iterator[str]:
    """Each output as plain text, or as what a browser shows of its HTML."""
    for out in cell.outputs:
        if form == "text/html" and form in data_of(out):
            shown = re.sub(r"<style[^<>]*>[^<]*</style>|<[^<>]*>", " ", joined(data_of(out)[form])[:MOST_HTML])
            yield html.unescape(shown)
        elif form == "text/plain" or not table:
            yield joined(out.get("text") or data_of(out).get("text/plain", ""))


def _numbers(shown: str) -> set[float]:
    return {float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", shown)}


def _drawn(found: Submission) -> Iterator[str]:
    """The charts of these runs are there: their texts, outside and inside of the picture, are computed again."""
    alts = {alt: picture for cell in found.cells for picture, alt in _pictures(cell)}
    pairs = found.pairs
    for words in sentences.charts(pairs):
        if words not in alts:
            yield f"a chart is missing, or shows other numbers than the records: {words[:60]} ..."
        elif alts[words] != words:
            yield f"a picture is not the chart that its text names: {words[:60]} ..."


def _pictures(cell: Cell) -> Iterator[tuple[str, str]]:
    """The text in each picture, and the one beside it."""
    from PIL import Image

    try:
        for content, alt in cell.pictures():
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                yield str(image.info.get("Description", "")), alt
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        yield "", ""


def _box(code: Sequence[Cell]) -> dict[str, str]:
    """Names and facts of the table that the first cell shows."""
    for cell in code:
        for out in cell.outputs:
            shown = joined(data_of(out).get("text/html", ""))[:MOST_HTML]
            if "Student number" in shown:
                rows = re.findall(r"<tr><th[^<>]*>([^<]*)</th><td[^<>]*>([^<]*)</td></tr>", shown)
                return {html.unescape(name): html.unescape(fact) for name, fact in rows}
    return {}


def _notes(found: Submission) -> Iterator[str]:
    """What is allowed, and probably not meant."""
    if blank := sum(BLANK in cell.source for cell in found.cells if cell.kind == "markdown"):
        yield f"{blank} answers are blank"
    for cell in itertools.takewhile(lambda cell: cell.id != "further", found.cells):  # the rest is optional
        for shown in cell.texts if cell.kind == "code" else ():
            if (word := WORDS.match(shown)) and word[0] != "RIGHT":
                yield f"the cell {cell.first_line!r} says {word[0]}"
    first = next(iter(found.runs.get("download", ())), None)
    if first and len(first.run.done) < 1500:
        yield f"{len(first.run.done):,} photos were downloaded, and 1,500 are asked for"
    if not any("image/png" in data_of(out) for cell in found.cells for out in cell.outputs):
        yield "there is no chart in the notebook"
    if not found.number:
        yield "there is no student number in it"
