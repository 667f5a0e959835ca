"""Whole files or none, leftovers of a killed run, and plain words for trouble with a disk. It knows no photo."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from kit.errors import FileProblem

CACHE = Path("cache")  # metadata, practice photographs, files of timed runs; may be deleted at any time


def write(path: Path | str, content: bytes | Callable[[BinaryIO], object]) -> int:
    """Write a whole file or none: it gets its name only after its last byte. Returns its size in bytes.

    Args:
        content: the bytes, or a function that writes them into an open file. Pillow encodes into a file without
            holding the GIL, but holds it while it encodes into memory.
    """
    part = f"{os.fspath(path)}.{os.getpid()}-{threading.get_ident()}.part"
    try:
        with open(part, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            size = file.tell()
        _replace(part, path)
        return size
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _replace(path: Path | str, target: Path | str) -> None:
    """os.replace, with a few short tries: on Windows it is refused while a virus scanner, or the client of a folder in
    the cloud, holds one of the files open.
    """
    for pause in (0.05, 0.1, 0.2):
        try:
            return os.replace(path, target)
        except PermissionError:
            time.sleep(pause)
    return os.replace(path, target)


def move(path: Path, target: Path) -> None:
    """Move a file, whole at any moment, to another disk as well."""
    try:
        _replace(path, target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        write(target, path.read_bytes())
        path.unlink()


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every whole file in a folder, by name."""
    whole = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".part")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in whole}


def delete_leftovers(folders: Iterable[Path] = ()) -> None:
    """Delete temporary files and folders of timed runs whose process is gone.

    Args:
        folders: where to look; by default, wherever a notebook in this folder writes whole files.
    """
    runs = CACHE / "runs"  # a pool that is terminated kills its workers while the notebook lives on
    folders = folders or (
        *map(Path, ("", "images", "thumbnails")), CACHE, CACHE / "metadata", runs, *runs.glob("*/*")
    )  # fmt: skip
    for path in itertools.chain.from_iterable(folder.glob("*") for folder in folders):
        owner = re.search(r"\.(\d+)-\d+\.part$", path.name) or re.fullmatch(r"runs/(\d+)", "/".join(path.parts[-2:]))
        if owner and not _lives(int(owner[1])):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _lives(process: int) -> bool:
    """A process that was killed keeps its number until its parent takes note of it, which not every one does."""
    import psutil  # comes with Jupyter

    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.Error as problem:
        return not isinstance(problem, psutil.NoSuchProcess)


def plain(problem: OSError) -> str:
    """Trouble with a file in a few plain words, without its path."""
    words = problem.strerror or str(problem) or type(problem).__name__
    moved = [os.path.dirname(os.fsdecode(name)) or "." for name in (problem.filename, problem.filename2) if name]
    if isinstance(problem, PermissionError) and len(moved) == 2 and all(os.access(path, os.W_OK) for path in moved):
        words += (
            " (does a virus scanner or OneDrive, Dropbox or iCloud hold the file open? take a folder outside of it)"
        )
    return words


def _where(problem: OSError) -> str:
    """ " at cache/runs", for example: the folder with the trouble, relative to the working folder, or only its name."""
    paths = [Path(os.fsdecode(name)) for name in (problem.filename, problem.filename2) if name]
    if not isinstance(problem, FileExistsError):  # there, a file is in the way of a folder
        paths = [path if os.path.isdir(path) else path.parent for path in paths]
    if not paths:
        return ""
    path = min(paths, key=lambda path: os.access(path, os.W_OK))  # a move has two: the one that can't be written
    name = path.name
    with contextlib.suppress(OSError, ValueError):  # the working folder is gone, or this one is elsewhere
        whole = path.absolute()
        name = whole.name if whole == Path.cwd() else whole.relative_to(Path.cwd()).as_posix()
    return f" at {name}"


@contextlib.contextmanager
def on_disk(step: str) -> Iterator[None]:
    """Turn trouble with files inside into one sentence.

    Raises:
        FileProblem: the step stopped; the text says in which folder, why and what to do.
    """
    try:
        yield
    except OSError as problem:
        raise FileProblem(
            f"{step} stopped{_where(problem)}: {plain(problem)}. What was complete is kept. Make room, or "
            "choose a folder that you may write into, and run this cell again."
        ) from None
