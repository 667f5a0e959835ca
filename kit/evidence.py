"""A timed run as data: what a notebook saves of it beside a picture, the run again from that, and its trace.

It can be forged by who wants to. So what is read here is consistent or not; nothing is proved by it. No path, no key
and no name of the machine is in it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import linecache
import math
import os
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import display, journal
from kit.files import on_disk, write
from kit.items import Outcome, Status, is_id
from kit.machine import environment, gil, source_digest
from kit.predictions import Prediction
from kit.runs import Run, problems
from kit.settings import Settings
from kit.source import Source

MIME = "application/vnd.parallel-photos.run+json"
MOST_ITEMS = 25_000  # of a run that is read, the most that settings allow: a file may claim anything
# Times are microseconds; `letters` is the length of the id, `status` its place in Status.
_COLUMNS = ("worker", "begin", "took", "waited", "cpu", "queued", "bytes", "tries", "letters", "status")
_SETTINGS = ("photos", "quality", "threads", "processes", "thumbnail_size", "latency_ms", "bandwidth_mbit", "seed")


@dataclass(frozen=True)
class Saved:
    """A run as a notebook has saved it.

    Attributes:
        run: its records; it began at 0 on its own clock, and its items are ids of photos.
        id: made by chance for each run.
        code: digest of the cell in which the function stands, "" if that is not known.
        bytes: digest of all files, the same for equal work.
        about: the rest, by name: "function", "student", "source", "witness", "machine", "settings", "began".
    """

    run: Run
    id: str
    code: str
    bytes: str
    about: dict[str, Any]


def show(run: Run | None, function: Callable, settings: Settings, source: Source) -> None:
    """Say what a run did, and save its records in the same output of the cell; nothing if there is no run.

    Args:
        function: the one that was timed. It is known by the cell in which it stands.
    """
    if run is None:
        return
    text = display.folded(run.sentence())
    if problems(run) or not display.in_notebook():  # what does not count is not kept
        print(text)
        return
    from IPython.display import display as show_output

    data = pack(run, function, settings, source)
    show_output({"text/plain": text, MIME: data}, raw=True)


def pack(run: Run, function: Callable, settings: Settings, source: Source) -> dict[str, Any]:
    """A run as JSON: 1,500 items take at most 40 kB."""
    files = sorted(run.files.items())
    kept = {name: value for name, value in vars(settings).items() if name in _SETTINGS}
    return {
        "form": 1,
        "id": secrets.token_hex(8),
        "task": run.task,
        "function": getattr(function, "__name__", type(function).__name__),
        "code": code_of(function),
        "student": display.student(),
        "began": round(time.time() - (journal.clock() - run.started)),
        "source": "practice" if source.server else source.name if source.dataset else "Unsplash",
        "witness": _witness(run, source),
        "machine": environment() | {"GIL": gil()},
        "settings": kept,
        "prediction": run.prediction and [run.prediction.number, run.prediction.because],
        "wall": _micro(run.wall),
        "others": run.others and _micro(run.others),
        "caller": _caller(run),
        "bytes": hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16],
        **_packed(run),
    }


def code_of(function: Callable) -> str:
    """Digest of the whole cell in which a function stands: what else the cell defines counts as well."""
    code = getattr(function, "__code__", None)
    text = "".join(linecache.getlines(code.co_filename)) if code else ""
    return source_digest(text) if text else ""


def _witness(run: Run, source: Source) -> int | None:
    """How often the practice server has sent each of the photos until now, at least; None if there is no witness."""
    if source.server is None or run.task != "download":
        return None
    try:
        sent = source.server.sent()
    except OSError:  # it has ended
        return None
    return min((sent.get(outcome.item, 0) for outcome in run.done), default=0)


def _micro(seconds: float) -> int:
    return max(0, round(seconds * 1e6))


def _lanes(run: Run) -> dict[str, int]:
    """A number for each worker, in the order in which they began."""
    ordered = sorted(run.outcomes, key=lambda outcome: outcome.started)
    return {name: number for number, name in enumerate(dict.fromkeys(outcome.worker for outcome in ordered))}


def _caller(run: Run) -> list[int]:
    """The numbers of the workers that are the notebook's main thread, and of those that are threads of its process."""
    process = run.caller.partition("-")[0]
    lanes = _lanes(run)
    main = lanes.get(run.caller, -1)
    return [main, *(number for name, number in lanes.items() if number != main and name.partition("-")[0] == process)]


def _packed(run: Run) -> dict[str, Any]:
    """The items in columns of unsigned numbers, the bytes of each by their weight: so they compress well."""
    lanes, ends = _lanes(run), dict.fromkeys(_lanes(run), 0)
    columns: dict[str, list[int]] = {name: [] for name in _COLUMNS}
    outcomes = sorted(run.outcomes, key=lambda outcome: outcome.started)
    for outcome in outcomes:
        begin, end = _micro(outcome.started - run.started), _micro(outcome.finished - run.started)
        lane = lanes[outcome.worker]
        gap = (begin - ends[outcome.worker]) % 2**64  # since the same worker's item before; coroutines overlap
        row = (lane, gap, max(0, end - begin), _micro(outcome.waited), _micro(outcome.cpu), _micro(outcome.queued),
               outcome.bytes, outcome.tries, len(_id(outcome.item)), list(Status).index(outcome.status))  # fmt: skip
        ends[outcome.worker] = end
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    # Letters of ids are those of base 64, so they take six bits each.
    letters = "".join(_id(outcome.item) for outcome in outcomes)
    pieces = [base64.urlsafe_b64decode(letters + "A" * (-len(letters) % 4))]
    for column in columns.values():
        flat = struct.pack(f"<{len(column)}Q", *column)
        pieces += [flat[weight::8] for weight in range(8)]
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for piece in pieces) + packer.flush()
    return {"items": len(outcomes), "names": len(pieces[0]), "packed": base64.b85encode(packed).decode()}


def _id(item: str) -> str:
    """The id of a photo, also of its file's path; of any other name a digest."""
    name = os.path.splitext(os.path.basename(item))[0]
    return name if is_id(name) else hashlib.sha256(name.encode()).hexdigest()[:16]


# --- read ---------------------------------------------------------------------------------------------------------


def unpack(data: Mapping[str, Any]) -> Saved:
    """A run from what `pack` gave. What is read may come from anybody: nothing of it is believed or run.

    Raises:
        ValueError: it is not of this form.
    """
    try:
        if data["form"] != 1:
            raise ValueError("another form of evidence")
        count, length = int(data["items"]), int(data["names"])
        if not (1 <= count <= MOST_ITEMS and 0 <= length <= 64 * MOST_ITEMS):
            raise ValueError("no items, or too many")
        limit = length + count * 8 * len(_COLUMNS)
        raw = zlib.decompressobj().decompress(base64.b85decode(data["packed"]), limit + 1)
        if len(raw) != limit:
            raise ValueError("its items are not complete")
        columns, at = {}, length
        for name in _COLUMNS:
            flat = bytearray(8 * count)
            for weight in range(8):
                flat[weight::8] = raw[at : at + count]
                at += count
            columns[name] = struct.unpack(f"<{count}Q", flat)
        kinds, text = list(Status), io.StringIO(base64.urlsafe_b64encode(raw[:length]).decode())
        names = [text.read(letters) for letters in columns.pop("letters")]
        task, wall = data["task"], int(data["wall"]) / 1e6
        if task not in ("download", "resize") or not all(map(is_id, names)):
            raise ValueError("no task, or no ids")
        main, *threads = map(int, data["caller"])
        ends: dict[int, int] = {}
        outcomes = []
        for name, row in zip(names, zip(*columns.values(), strict=True), strict=True):
            lane, gap, took, waited, cpu, queued, size, tries, status = row
            begin = (gap + ends.get(lane, 0)) % 2**64
            ends[lane] = begin + took
            worker = f"0-{lane}" if lane in (main, *threads) else f"{lane + 1}-{lane}"
            times = (begin / 1e6, (begin + took) / 1e6, waited / 1e6, cpu / 1e6, queued / 1e6)
            outcomes.append(Outcome(name, kinds[status], size, f"run/{name}.jpg", *times, worker, tries))
        expected = data.get("prediction")
        if expected and not math.isfinite(float(expected[0])):
            raise ValueError("its prediction is no number")
        others = data.get("others")
        run = Run(
            task=task,
            items=tuple(names),
            wall=wall,
            started=0.0,
            caller=f"0-{main}",
            outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.finished)),
            files={f"{one.item}.jpg": "" for one in outcomes if one.status is Status.DONE},
            folder=Path("run"),
            prediction=Prediction(float(expected[0]), str(expected[1])) if expected else None,
            others=None if others is None else int(others) / 1e6,
        )
        if wall <= 0:
            raise ValueError("no wall time")
        data = {**data, "began": int(data["began"])}
        about = {name: value for name, value in data.items() if name not in ("packed", "names", "items", "caller")}
        return Saved(run, str(data["id"])[:32], str(data["code"])[:32], str(data["bytes"])[:32], about)
    except (LookupError, TypeError, AttributeError, OverflowError, zlib.error, struct.error) as problem:
        raise ValueError(f"not of this form: {type(problem).__name__}") from None


# --- trace --------------------------------------------------------------------------------------------------------


def trace(runs: Sequence[Run], path: Path | str) -> None:
    """Write runs as a Chrome trace (JSON), which https://ui.perfetto.dev opens; it does not leave your browser.

    The form: "Trace Event Format", Google 2016. Times are microseconds since the first run began.

    Raises:
        FileProblem: the file can't be written.
    """
    first = min(run.started for run in runs)
    events: list[dict[str, Any]] = []
    for pid, run in enumerate(runs, start=1):
        lanes, at = _lanes(run), (lambda moment: _micro(moment - first))
        name = f"{run.task}, {run.label()}"
        events.append({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}})
        for lane in lanes.values():
            named = {"name": f"worker {lane + 1}"}
            events.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": lane + 1, "args": named})
        for outcome in run.outcomes:
            place = {"pid": pid, "tid": lanes[outcome.worker] + 1, "cat": run.task}
            begin, end, photo = at(outcome.started), at(outcome.finished), _id(outcome.item)
            told = {"bytes": outcome.bytes, "CPU time (µs)": _micro(outcome.cpu), "tries": outcome.tries}
            events.append({"ph": "X", "name": photo, "ts": begin, "dur": end - begin, "args": told, **place})
            if outcome.waited:
                dur = min(_micro(outcome.waited), end - begin)
                events.append({"ph": "X", "name": "waiting for the first byte", "ts": begin, "dur": dur, **place})
            if outcome.tries > 1:
                again = f"tried {outcome.tries} times"
                events.append({"ph": "I", "name": again, "ts": begin, "s": "t", **place})
            arrow = {"name": "photo", "id": zlib.crc32(photo.encode()), "cat": "photo"}
            if run.task == "download":
                events.append({"ph": "s", "ts": end, **place, **arrow})
            else:
                events.append({"ph": "f", "bp": "e", "ts": begin, **place, **arrow})
        edges = sorted([(at(o.started), 1) for o in run.outcomes] + [(at(o.finished), -1) for o in run.outcomes])
        under_way = 0
        for moment, step in edges:
            under_way += step
            count = {"photos": under_way}
            events.append({"ph": "C", "name": "under way", "pid": pid, "tid": 0, "ts": moment, "args": count})
    with on_disk("The trace"):
        write(path, json.dumps({"displayTimeUnit": "ms", "traceEvents": events}).encode())
