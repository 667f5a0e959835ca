"""Write submission.zip, what you hand in: `python -m checks.submission` beside the notebook, or its own last cell.

With a student number in the notebook it is submission-NUMBER.zip. It holds the notebook with its outputs and what a
grader needs to run it, and nothing else. It is not written if the notebook on disk was not run from top to bottom, or
if a file holds an access key: the reasons say what to do.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from checks.saved import AGAIN, Submission, joined, read
from kit.display import say
from kit.errors import AssignmentError
from kit.files import plain
from kit.files import write as write_file
from kit.machine import ROOT, fingerprint, modules_in

NOTEBOOK = "assignment.ipynb"
NEEDED = (NOTEBOOK, "helpers.py", "README.md", "requirements.txt")
WELCOME = ("config.ini.example", "LICENSE")  # never config.ini: it may hold the access key
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,40}")  # of a student, as part of a file's name


class Refused(AssignmentError):
    """There is a reason not to hand this in; the text says what to do."""


def write(root: Path = ROOT, executed: Sequence[str] = (), began: float = 0) -> str:
    """Write submission.zip into the folder `root`, whole or not at all; returns what is in it, in words.

    Args:
        executed: what the running kernel executed, by execution count; empty outside of a notebook.
        began: when that kernel was started, in seconds since the epoch.

    Raises:
        Refused: with every reason that was found. A file of an earlier call stays as it is.
    """
    if missing := [name for name in NEEDED if not (root / name).is_file()]:
        raise Refused(f"{', '.join(missing)} is missing here: run this in the folder of the assignment.")
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}
    try:
        found = read(contents[NOTEBOOK])
        keys = _own_keys(root)
        places = [place for name, content in contents.items() for place in _keys_in(name, content, keys)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{NOTEBOOK} is not a notebook: open it in JupyterLab and save it again.") from None
    reasons = [*found.refused, *_changed(found, executed), *_other_modules(found)]
    target = root / (f"submission-{found.number}.zip" if _NUMBER.fullmatch(found.number) else "submission.zip")
    saved = (root / NOTEBOOK).stat().st_mtime
    if saved < began:
        reasons = [f"{NOTEBOOK} has not been saved since this run began: save it, then run this cell again."]
    if places:
        reasons.append(
            f"An access key, or what looks like one, stands in {', '.join(places[:5])}. Keys belong into config.ini "
            "only: delete it there. If others may have seen it, make a new one on Unsplash's page of your application."
        )
    if reasons:
        old = f"\nThe {target.name} that lies here is from an earlier time." if target.exists() else ""
        raise Refused(f"{target.name} was not written.\n" + "\n".join(f"- {reason}" for reason in reasons) + old)
    size = _zip(target, contents)
    return "\n".join(
        [
            f"{target.name} is written: {len(contents)} files, {size / 1e6:.2f} MB.",
            *(f"  {name:30}{len(content) / 1e3:10,.1f} kB" for name, content in contents.items()),
            f"The notebook is the one that was saved on {datetime.fromtimestamp(saved):%Y-%m-%d at %H:%M:%S}.",
            f"Checks in it: {', '.join(f'{task} {word}' for task, word in found.verdicts.items()) or 'none'}.",
            *(f"Look again: {warning}." for warning in [*found.notes, *found.findings]),
            "Not in it: config.ini, photos, thumbnails, caches, the virtual environment.",
        ]
    )


def hand_in() -> None:
    """The same from within the notebook: prints what came of it and never raises, so that a run goes on.

    While all cells run in one go the notebook on disk is older than the run. Then it only says what to do.
    """
    import psutil  # comes with Jupyter

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    executed = [text or "" for text in shell.history_manager.input_hist_raw] if shell else ()
    began = psutil.Process().create_time()
    with contextlib.suppress(OSError):
        if (ROOT / NOTEBOOK).stat().st_mtime < began:
            say("To hand in: wait for the end of the run, save the notebook, and run this cell once more.")
            return
    try:
        print(write(executed=executed, began=began))
    except Refused as reason:
        say(str(reason))


def _files(root: Path) -> Iterator[Path]:
    """The notebook, every module and package beside it, and the texts; no links, nothing hidden."""
    packages = [path.parent for path in root.glob("[!.]*/__init__.py")]
    modules = [*root.glob("*.py"), *(path for package in packages for path in modules_in(package))]
    listed = [root / name for name in (*NEEDED, *WELCOME)]
    found = sorted({*listed, *modules} - {root / "nbgrader_config.py"})  # settings of the teacher
    return (path for path in found if path.is_file() and not path.is_symlink())


def _zip(target: Path, contents: dict[str, bytes]) -> int:
    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():  # the bytes that were looked at, whatever happens to the files
                archive.writestr(name, content)

    try:
        return write_file(target, fill)
    except OSError as problem:
        raise Refused(f"{target.name} can't be written: {plain(problem)}. Is it open in another program?") from None


def _changed(found: Submission, executed: Sequence[str]) -> Iterator[str]:
    """Cells that the kernel ran with another text, as far as it knows."""
    for cell in found.cells:
        count = cell.count or 0
        known = 0 < count < len(executed) and "submission" not in cell.tags
        if known and executed[count].strip() != cell.source.strip():
            yield f"The cell {cell.first_line!r} was changed after it had been run. {AGAIN}"


def _other_modules(found: Submission) -> Iterator[str]:
    """The notebook prints a fingerprint of the modules that it ran with."""
    printed = "\n".join(shown for cell in found.cells for shown in cell.texts)
    ran_with = re.search(r"version ([0-9a-f]{8}) of helpers\.py", printed)
    if ran_with and ran_with[1] != fingerprint():
        yield f"helpers.py, kit, checks or practice were changed after the notebook had been run with them. {AGAIN}"


# --- Does a file hold an access key? ----------------------------------------------------------------------------

# This is against accidents. The keys of this machine are found also if they are split over lines, over outputs or by
# colours and HTML tags, and in base64. Deliberate disguises (reversed, compressed, drawn) are out of reach.

# Unsplash's keys have 43 letters, digits, - and _. Where a key is expected, anything from 20 on counts.
_EXPECTED = re.compile(
    r"(?i)(?:client[-_ ]?id|bearer|(?:access|secret|api)[-_ ]?key)"
    r"[\"'`*\\\])]*[\s:=,|]+(?:[a-z]*[.(\[])*[\"'`*\\]*([\w-]{20,})"
)
_QUOTED = re.compile(r"[\"'`]([\w-]{43})[\"'`]")
_PICTURE = re.compile(r"[\w+/]{200,}")  # in base64: it could look like anything by chance
_ESCAPED = re.compile(r"(?:\\u00|\\x|%(?:25)*)([0-7][0-9a-fA-F])")  # \u003d, \x1b, %3D; %253D in nested addresses
_COLOUR = re.compile(r"\x1b\[[\d;]*[A-Za-z]")  # of a terminal
_TAG = re.compile(r"<[^<>]*>")


def _own_keys(root: Path) -> set[str]:
    """The keys of this machine: of the environment, and every one that stands in config.ini, even as a comment.

    Each in all its spellings: as it is, its letters alone, and the letters of its base64 at each of three offsets.
    """
    found = {os.environ.get("UNSPLASH_ACCESS_KEY", "").strip()}
    with contextlib.suppress(OSError):
        text = (root / "config.ini").read_bytes().replace(b"\0", b"").decode("utf-8", "replace")
        found.update(re.findall(r"(?im)^[\s;#]*(?:access|secret)_key\s*[=:](?:[^\S\n]|\n(?=[ \t]))*(\S+)", text))
    keys = {key for key in found if len(key) >= 8}  # what is shorter is no key, and would be found everywhere
    spellings = {_letters(key) for key in keys}
    for shift in range(3):
        for raw in (bytes(shift) + key.encode(errors="replace") for key in keys):
            whole = slice((shift * 8 + 5) // 6, len(raw) * 8 // 6)  # the characters that depend on the key alone
            spellings.add(_letters(base64.b64encode(raw)[whole].decode()))
    return keys | {text for text in spellings if len(text) >= 16}  # shorter: digits of a table could give it


def _letters(text: str) -> str:
    """Letters and digits only: no white space, quotes, commas, # of comments, nor what wrapped lines have else."""
    return "".join(re.findall(r"[^\W_]+", re.sub(r"\\[nrt]", " ", text)))


def _keys_in(name: str, content: bytes, own: set[str]) -> list[str]:
    """Places in this file that hold one of these keys, or what looks like a key."""
    if _holds_key(name, False, own):
        return ["the name of a file"]
    text = content.replace(b"\0", b"").decode("utf-8", "replace")  # NUL: a file saved as UTF-16
    whole = _holds_key(text, name.endswith(".py"), own)  # also over two lines, and what a reader of JSON leaves out
    if not whole and name != NOTEBOOK:
        return []
    return [place for place, piece, code in _pieces(name, text) if _holds_key(piece, code, own)] or [name] * whole


def _holds_key(text: str, is_code: bool, own: set[str]) -> bool:
    seen = _COLOUR.sub("", _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text))
    shown = _TAG.sub("", html.unescape(seen))  # by a browser
    if any(key in form for form in (text, _letters(seen), _letters(shown)) for key in own):
        return True
    read = "\n".join(_PICTURE.sub(" ", form) for form in (seen, shown))
    patterns = [_EXPECTED, _QUOTED] if is_code else [_EXPECTED]
    return any(_is_random(found[1]) for pattern in patterns for found in pattern.finditer(read))


def _is_random(text: str) -> bool:
    """Whether this could be a key: old ones are hexadecimal, new ones change often between a, A and 0. Words don't."""
    runs = re.findall(r"[a-z]+|[A-Z]+|\d+", text)
    return bool(re.fullmatch(r"[0-9a-f]{32,}", text)) or len(runs) > 0.37 * len(text)


def _pieces(name: str, text: str) -> Iterator[tuple[str, str, bool]]:
    """(where, text, whether it is code) of all that a file says."""
    if name != NOTEBOOK:
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{name}, line {number}", line, name.endswith(".py")
        return
    notebook = json.loads(text)
    cells = notebook.pop("cells")
    yield f"{name}, its metadata", _flat(notebook), False
    for number, cell in enumerate(cells, start=1):
        where = f"{name}, cell {number}"
        fields: dict[str, list] = {}  # of all outputs together: what one begins, the next one may end
        for output in cell.pop("outputs", []):
            for field, value in {**output.pop("data", {}), **output}.items():
                fields.setdefault(field.removesuffix("/plain"), []).append(value)  # printed or shown: both are text
        yield where, joined(cell.pop("source")), True
        yield f"{where}, its metadata", _flat(cell), False
        yield f"{where}, its output", _flat(fields), False


def _flat(node: object) -> str:
    """All names and texts in a piece of JSON, whatever they mean; lines are joined."""
    if isinstance(node, dict):
        return "".join(f"{name}: {_flat(value)}\n" for name, value in node.items())
    return "".join(map(_flat, node)) if isinstance(node, list) else str(node)


def main() -> None:
    try:
        print(write())
    except Refused as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
