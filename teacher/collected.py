"""What a teacher has collected: finds the notebooks in a folder, and reads each one. Nothing of a submission is run.

Submissions are hostile until shown otherwise: archives are read in memory and within limits, nothing is unpacked, and
what can't be read is a row that says why.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from checks import saved
from checks.saved import Submission
from kit import sentences

MOST_MEMBERS = 5_000  # of an archive
LARGEST_ARCHIVE = 50_000_000  # bytes of an archive inside of another one
MOST_PIXELS = 4_000_000  # of a picture; a chart has a tenth of that
SKIPPED = {".ipynb_checkpoints", "autograded", "feedback", "release", "source", "__MACOSX", ".venv"}
CHARTS = ("download-compare", "resize-compare", "conclusion-table")  # ids of the cells whose charts a grader reads
NBGRADER = ("assignment", "assignment.ipynb")  # submitted/NAME/assignment/assignment.ipynb
# Names that learning platforms give, and which part is the student.
PLATFORMS = (
    re.compile(r"^(?P<who>.+?)_\d+_assignsubmission_[a-z]+(_|$)"),  # Moodle, a folder or a file
    re.compile(r"^.+?_(?P<who>[^_]+)_attempt_\d{4}(-\d\d){5}"),  # Blackboard
    re.compile(r"^(?P<who>[^_]+)(_LATE)?_\d+_\d+_"),  # Canvas
)


def found_in(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(student, path, member) of every notebook and of every archive with one; member: path inside of it, or "".

    An archive that can't be opened is among them, so that it becomes a row.
    """
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if SKIPPED & {*parts} or not path.is_file() or path.is_symlink():
            continue
        if path.suffix == ".ipynb":
            yield _student(parts), str(path), ""
        elif path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    names = _members(archive)
            except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
                names = []
            inside = [name for name in names if name.endswith((".ipynb", ".zip"))]
            # One submission, or the download of a whole class: then each member names its student.
            one = _named(parts) and not any(_named(tuple(name.split("/"))) for name in inside)
            if one and (chosen := _chosen(inside)):
                inside = [chosen]
            for name in inside or [""]:
                yield _student(tuple(name.split("/")) if len(inside) > 1 else parts), str(path), name


def _members(archive: zipfile.ZipFile) -> list[str]:
    names = [info.filename for info in archive.infolist()[:MOST_MEMBERS] if not info.is_dir()]
    return [name for name in names if not SKIPPED & {*name.split("/")}]


def _chosen(names: list[str]) -> str:
    """The notebook of the assignment among those of one archive, else the first one; "" if there is none."""
    notebooks = [name for name in names if name.endswith(".ipynb")]
    first = notebooks[0] if notebooks else ""
    return next((name for name in notebooks if name.endswith("assignment.ipynb")), first)


def _named(parts: tuple[str, ...]) -> str:
    """Who a path belongs to, as a platform's name says; "" if none does, or in nbgrader's folder."""
    found = (pattern.match(part) for part in parts for pattern in PLATFORMS)
    return "" if parts[1:] == NBGRADER else next((one["who"] for one in found if one), "")


def _student(parts: tuple[str, ...]) -> str:
    """Who a path belongs to: what a platform's name says, else the first folder, else the file."""
    return _named(parts) or (parts[0] if len(parts) > 1 else Path(parts[0]).stem)


def content_of(path: str, member: str) -> bytes:
    """The bytes of a notebook.

    Raises:
        ValueError: there is none, or more than a notebook may have.
    """
    try:
        if path.endswith(".ipynb"):
            with Path(path).open("rb") as file:
                return file.read(saved.LARGEST + 1)
        with zipfile.ZipFile(path) as archive:
            if member.endswith(".zip"):
                inner = io.BytesIO(_limited(archive, member, LARGEST_ARCHIVE))
                with zipfile.ZipFile(inner) as second:
                    if not (name := _chosen(_members(second))):
                        raise ValueError("the archive holds no notebook")
                    return _limited(second, name, saved.LARGEST)
            if not member:
                raise ValueError("the archive holds no notebook")
            return _limited(archive, member, saved.LARGEST)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, NotImplementedError, KeyError):
        raise ValueError("the file can't be read, or is encrypted") from None


def _limited(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:  # what the archive says of its size may be wrong
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{name[-80:]!r} is larger than {most / 1e6:,.0f} MB")
    return content


def row_of(number: int, student: str, path: str, member: str, folder: str, modules: str) -> dict[str, Any]:
    """One submission as a row of the report; its charts go into `folder`. Runs in a worker process, and never raises.

    Args:
        modules: fingerprint of the modules that were handed out.
    """
    gc.disable()  # a notebook makes many objects and hardly any cycle
    row: dict[str, Any] = {"student": student, "file": Path(path).name + (f" / {member}" if member else "")}
    try:
        content = content_of(path, member)
        found = saved.read(content, modules)
        row |= {"notebook": hashlib.sha256(content).hexdigest()[:16], **_facts(found)}
        row["pictures"] = list(_pictures(found, Path(folder), number))
    except (ValueError, MemoryError, RecursionError) as problem:
        row["broken"] = str(problem) or "it is too large to be read"
    except Exception as problem:  # noqa: BLE001 - one submission must not end the report
        row["broken"] = f"reading it ended with {type(problem).__name__}"
    return row


def _facts(found: Submission) -> dict[str, Any]:
    runs = {
        f"{stage} {way}": one
        for stage, both in found.runs.items()
        for way, one in zip(("serial", "parallel"), both, strict=False)
    }
    first = next(iter(runs.values()), None)
    about = first.about if first else {}
    machine = _plain(about.get("machine"))
    cpus = re.match(r"\d+", machine.get("CPUs", ""))
    row: dict[str, Any] = {
        "name": found.name, "number": found.number, "verdicts": found.verdicts, "box": found.box,
        "source": str(about.get("source", ""))[:80], "settings": _plain(about.get("settings")),
        "machine": machine, "CPUs": int(cpus[0]) if cpus else None,
        "photos": len(first.run.done) if first else None,
        "answers": found.answers, "code": found.code, "codes": {t: alike(s) for t, s in found.code.items()},
        "findings": [*found.refused, *found.findings], "notes": found.notes,
        "runs": {}, "gains": {}, "predictions": {},
    }  # fmt: skip
    for name, one in runs.items():
        run = one.run
        moments = [outcome.finished for outcome in run.outcomes]
        records = hashlib.sha256(repr(moments).encode()).hexdigest()[:16]
        row["runs"][name] = run.row() | {"others": run.others, "start-up": run.start_up, "records": records}
    for stage, pair in found.pairs.items():
        row["gains"][stage] = sentences.gain(pair)
        row["predictions"][stage] = pair[1].prediction and pair[1].prediction.number
    return row


def bare(png: bytes) -> bytes:
    """A PNG without what no picture needs: texts, profiles, and whatever follows its end (w3.org/TR/png-3, 5.6)."""
    at, kept = 8, [png[:8]]
    while at < len(png) and kept[-1][4:8] != b"IEND":
        size = 12 + int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(png[at : at + size])
        at += size
    return b"".join(kept)


def _plain(values: object) -> dict[str, str]:
    """A few names and texts, whatever a file claims."""
    return {str(k)[:40]: str(v)[:300] for k, v in list(values.items())[:20]} if isinstance(values, dict) else {}


def alike(source: str) -> str:
    """Digest of code up to names and layout; "" if it is no Python."""
    try:
        tree = ast.parse(source[:100_000])
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ""
    names: dict[str, str] = {}
    shape = []
    for node in ast.walk(tree):
        given = getattr(node, "id", getattr(node, "arg", getattr(node, "name", "")))
        shape.append(
            f"{type(node).__name__} {names.setdefault(given, str(len(names))) if isinstance(given, str) else ''}"
        )
    return hashlib.sha256("\n".join(shape).encode()).hexdigest()[:12]


def _pictures(found: Submission, folder: Path, number: int) -> Iterator[dict[str, str]]:
    """The charts, after they were decoded within limits, with their texts."""
    charts = [chart for cell in found.cells if cell.id in CHARTS for chart in cell.pictures()]
    for place, (content, alt) in enumerate(charts[:6]):
        try:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError("too many pixels")
                name = f"{number:04d}-{place}.png"
                image.load()
            (folder / name).write_bytes(bare(content))
        except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
            continue
        yield {"file": name, "alt": alt[:1000]}
