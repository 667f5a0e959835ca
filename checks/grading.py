"""Grading: run a student's function once more, on photos and with a serial run that the notebook did not make.

The teacher's version of the notebook runs this file from its cells with points, by `runpy`, when it is graded. So it
does not matter what the notebook did to its own variables (a verdict, the list of photos, the number of threads).
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any

from IPython.utils.capture import capture_output

import checks
import helpers
from kit.files import CACHE
from practice.catalogue import Catalogue

PHOTOS = 24
MANY = 1000  # items of a rehearsal, in which nothing is done: chunks of 500 leave something for a second worker
THREADS, PROCESSES = 6, 2
SIZE = 160  # pixels, another one than the default: the function has to pass it on
OURS = re.compile(r"(helpers|practice)$|(kit|checks)(\.|$)")  # names of modules; drawings judge nothing


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Nothing is shown: nbgrader takes whatever goes to standard error for a mistake.

    A handler of `logging` keeps the stream that it was given at first, so loggers are switched off.
    """
    before = logging.root.manager.disable
    logging.disable()
    try:
        with capture_output():
            yield
    finally:
        logging.disable(before)


def explored(given: Mapping[str, Any]) -> int:
    """How many of the exploratory functions are right, on records that the notebook did not make.

    Args:
        given: the notebook's variables. What is missing, because its cell failed, is not right.
    """
    if replaced():
        return 0
    catalogue = Catalogue(10 * PHOTOS)
    data = helpers.tidy([catalogue.record(entry, "http://api", "http://images") for entry in catalogue.entries])
    with silent():
        return sum(checks.explore(given[name], data, name).right for name in checks.STEPS if callable(given.get(name)))


def read_right(given: Mapping[str, Any]) -> float:
    """How many numbers were read off rightly."""
    return 0 if replaced() else checks.read_right(given)


def grade(function: Callable, task: str):
    """The Verdict on a student's download_parallel or resize_parallel, from a small run of its own."""
    if found := replaced():
        return checks.Verdict(
            "WRONG",
            f"this notebook changes what it is graded with: {', '.join(found)}.\n"
            "Next step: take that out; the exercise needs no change outside of your own functions.",
        )
    with silent():
        source = helpers.connect(helpers.Settings(photos=PHOTOS, latency_ms=20))
        try:
            photos = source.photos(helpers.collect_photos(source, PHOTOS))
            downloaded = helpers.timed_run(download_grading, photos)
            if task == "download":
                many: list = [
                    replace(photos[n % len(photos)], id=f"{photos[n % len(photos)].id}-{n}") for n in range(MANY)
                ]
                verdict = checks.check(
                    function, downloaded, photos, THREADS, source=source, graded=True, rehearsed_with=many
                )
                return _without_timing(verdict)
            paths = sorted(downloaded.folder.glob("*.jpg"))
            resized = helpers.timed_run(resize_grading, paths, SIZE)
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                many = [Path(folder).absolute() / f"{number:04}.jpg" for number in range(MANY)]
                smallest = min(paths, key=lambda path: path.stat().st_size)
                for path in many:  # a function may open or sort them
                    try:
                        path.hardlink_to(smallest)
                    except OSError:  # a file system without hard links
                        shutil.copyfile(smallest, path)
                verdict = checks.check(function, resized, paths, SIZE, PROCESSES, graded=True, rehearsed_with=many)
            return _without_timing(verdict)
        finally:
            source.close()


def _without_timing(verdict):
    """A time that so few photos took means nothing."""
    lines = [line for line in verdict.text.split("\n") if not line.startswith("Measured: ")]
    return replace(verdict, text="\n".join(lines))


def download_grading(photos: Sequence, folder: Path) -> None:
    for photo in photos:
        helpers.download_photo(photo, folder)


def resize_grading(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        helpers.make_thumbnail(path, folder, size)


def replaced() -> list[str]:
    """Names in the project's modules that are not what their files say: `checks.check = ...` in a cell.

    Whoever tries another number in helpers.py or kit/, such as TRIES, is left alone: it judges nobody.
    """
    live = {name: module for name, module in sys.modules.items() if OURS.match(name)}
    path, root = list(sys.path), str(Path(__file__).resolve().parent.parent)
    for name in live:
        del sys.modules[name]
    try:
        sys.path.insert(0, root)
        fresh = {name: importlib.import_module(name) for name in live}
    finally:
        sys.path[:] = path
        sys.modules.update(live)
    return [
        f"{module}.{name}"
        for module in fresh
        for name, thing in vars(fresh[module]).items()
        if not name.startswith("__")
        and not _same(thing, now := getattr(live[module], name, None))
        and not (module.startswith(("helpers", "kit")) and {type(thing), type(now)} <= {int, float})
    ]


def _same(one: object, other: object) -> bool:
    """Whether two things mean the same: functions have the same code, classes the same members, values are equal."""
    if isinstance(one, ModuleType):
        return isinstance(other, ModuleType) and one.__name__ == other.__name__
    if isinstance(one, type) and (not OURS.match(one.__module__) or not isinstance(other, type)):
        return one is other
    if isinstance(one, type):
        skipped = ("__dict__", "__weakref__")
        return all(_same(member, vars(other).get(name)) for name, member in vars(one).items() if name not in skipped)
    if type(one).__name__ != type(other).__name__:
        return False
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(_same, one, other))
    if one is None or isinstance(one, str | int | float | frozenset | Path | BuiltinFunctionType | CodeType):
        return one == other
    # A property, a static method and a decorated function hold another one; a function holds its code. All that is
    # left are locks, counters and caches, whose content changes while a notebook runs.
    inner = ("fget", "__func__", "__wrapped__", "__code__")
    return all(_same(getattr(one, name, None), getattr(other, name, None)) for name in inner)
