"""The one way to run, keep and write a row: alternating rounds of equal work, Markdown tables, targets, the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import multiprocessing
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

import helpers
import practice
from kit.files import digests
from kit.machine import cpu_of_others
from practice.catalogue import Catalogue
from practice.pictures import draw_missing, path_of

ROOT = Path(__file__).resolve().parent.parent
Round = dict[str, float]  # what a tool needed for its "items": "seconds" and "cpu" (seconds), and what its table shows
Rounds = dict[str, list[Round] | str]  # by tool; in place of its rounds the reason why there are none
DISTURBED, AGAIN = 0.1, 2  # CPUs that went to other programs in a run; how often it is then run again
SHORT = 0.5  # seconds; in less, the system's counters of CPU time, which go by 10 ms, say little


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    rounds: int = 7
    photos: int = 1500
    corpus: Path | None = None  # folder of JPEGs for the thumbnails, in place of the practice photos
    cache: Path = ROOT / "cache"  # drawn photos in `practice`, files of the runs in `benchmarks`

    @property
    def aside(self) -> Path:
        """Where emptied files of former runs stay until the end."""
        return self.cache / "benchmarks" / "aside"

    def folder(self, name: str = "run") -> Path:
        """An empty folder for the files of one run. What was in it is emptied and moved away, but not deleted.

        Deleting would slow down whoever creates files next: ext4 without a journal looks at every number of a deleted
        file for some minutes (`recently_deleted` in the kernel's fs/ext4/ialloc.c). Full, they would fill the memory.
        """
        folder = self.cache / "benchmarks" / name
        if folder.exists():
            for path in filter(Path.is_file, folder.rglob("*")):
                os.truncate(path, 0)
            self.aside.mkdir(parents=True, exist_ok=True)
            folder.rename(self.aside / f"{name}-{time.time_ns()}")
        folder.mkdir(parents=True)
        return folder


class Refused(Exception):
    """A tool gets no figure: it is not installed, or it did unequal work. The text says which."""


# --- measuring --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stopwatch() -> Iterator[Round]:
    """Wall time and CPU time of a block: all threads of this process, and the processes that ended within it."""
    measured: Round = {}
    cpu, started = sum(os.times()[:4]), time.perf_counter()
    yield measured
    measured |= {"seconds": time.perf_counter() - started, "cpu": sum(os.times()[:4]) - cpu}


def task(
    options: Options,
    items: int,
    work: Callable[[Path], Round | None],
    check: Callable[[Path], Round | None] = lambda folder: None,
) -> Callable[[], Round]:
    """A tool, ready to be run once a round: `work` fills an empty folder, then `check` looks at what is in it.

    Args:
        work: may return what it measured itself, in place of the stopwatch's figures.
        check: raises Refused if it was unequal work, and may return further figures.
    """

    def once() -> Round:
        folder = options.folder()
        with stopwatch() as measured:
            inside = work(folder)
        return {"items": items} | measured | (inside or {}) | (check(folder) or {})

    return once


def alternate(tools: dict[str, Callable[[], Round]], rounds: int) -> Rounds:
    """Run every tool once per round; each round begins with another one, so that drifts hit all of them alike.

    Every round notes as "others" how many CPUs went to other programs meanwhile. A disturbed one, with more than
    DISTURBED, is run again, up to AGAIN times, and the least disturbed one counts.

    Raises:
        Refused: the first tool, which is ours, did unequal work. Another one keeps the reason in place of rounds.
    """
    names, found = list(tools), {name: [] for name in tools}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            if isinstance(found[name], str):
                continue
            tries: list[Round] = []
            try:
                while len(tries) <= AGAIN:
                    before, began = spent_by_others(), time.perf_counter()
                    measured = tools[name]()
                    took = time.perf_counter() - began
                    tries.append(measured | {"others": max(0, spent_by_others() - before) / took})
                    if tries[-1]["others"] <= DISTURBED or took < SHORT:
                        break
            except Refused as problem:
                if name == names[0]:
                    raise
                found[name] = str(problem)
            else:
                best = min(tries, key=lambda one: one["others"])
                found[name].append(best | {"tries": len(tries)})
                say(f"  round {number + 1}/{rounds}  {name}: {best['seconds']:.2f} s, others {best['others']:.2f} CPUs")
    return found


def spent_by_others() -> float:
    return cpu_of_others() or 0.0


def fresh_process(function: Callable[..., Round], *arguments: object) -> Round:
    """Call it in a process of its own: no tool finds connections, caches or garbage of the one before.

    Where the system can, the process is a copy of one that has done nothing but import the clients.
    """
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["benchmarks.clients"])
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()


def same_files(count: int) -> Callable[[Path], None]:
    """A check: so many files, with the same names and bytes as those of the first run that it sees."""
    first: dict[str, dict[str, str]] = {}

    def check(folder: Path) -> None:
        found = digests(folder)
        if len(found) != count or found != first.setdefault("files", found):
            raise Refused("unequal work: other files than in the first run")

    return check


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- what is measured: tools that may be missing, and photos ------------------------------------------------------


def needs(package: str) -> None:
    """Refused, unless this Python has the package."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise Refused("not installed: pip install -r requirements-bench.txt") from None


def run(package: str, name: str, *arguments: object, folder: Path | None = None) -> None:
    """Run a program. Refused, with the Debian package that has it, or with what it said when it failed."""
    if not (path := shutil.which(name)):
        raise Refused(f"not installed: apt-get install {package}")
    done = subprocess.run([path, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"failed: {(done.stderr or done.stdout).strip()[-200:]}")


def img2dataset(**order: object) -> Round:
    """What img2dataset measured in a virtual environment of its own; `order`: see img2dataset_worker.py."""
    if not (found := sorted((ROOT / ".venv-img2dataset").glob("*/python*"))):
        raise Refused("not installed: make bench")
    command = [found[0], Path(__file__).with_name("img2dataset_worker.py")]
    done = subprocess.run(command, input=json.dumps(order, default=str), capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"failed: {done.stderr.strip()[-200:]}")
    return json.loads(done.stdout.splitlines()[-1])


def draw(options: Options, count: int) -> list[Path]:
    """The first `count` practice photos, drawn if they are not on disk yet."""
    cache, workers = options.cache / "practice", min(helpers.usable_cpus(), 61)
    folder, _ = draw_missing(cache, Catalogue(count).entries, workers, lambda done, total: None)
    return [path_of(folder, number) for number in range(count)]


@contextlib.contextmanager
def served(
    options: Options, latency: float, pictures: int = 1500
) -> Iterator[tuple[helpers.Source, list[helpers.Photo]]]:
    """A practice server with the same latency (seconds) for every answer and no limit of bandwidth, and its photos.

    Args:
        pictures: how many different drawings they have at most.
    """
    cache, settings = options.cache / "practice", {"latency": latency, "spread": 0, "bandwidth": 0, "quota": 10**9}
    with practice.start(cache, photos=options.photos, pictures=pictures, **settings) as server:
        source = helpers.Source("practice", "bench", server.api, [server.images], helpers.Secret(server.key), server)
        records: dict[str, dict] = {}
        while len(records) < options.photos:
            records |= {record["id"]: record for record in source.get("/photos/random", count=helpers.PER_PAGE)}
        yield source, source.photos(list(records.values()))


# --- pages. A Figure is a function (rounds, name of the tool) -> one figure of each round, none if it was refused -----

Figure = Callable[[Rounds, str], Sequence[float]]


def of(what: Callable[[Round], float]) -> Figure:
    return lambda rounds, name: [what(one) for one in rounds[name]] if not isinstance(rounds[name], str) else []


def each(key: str = "seconds") -> Figure:
    """Milliseconds per item."""
    return of(lambda one: one[key] * 1e3 / one["items"])


rate = of(lambda one: one["items"] / one["seconds"])


def times(rounds: Rounds, ours: str, peer: str) -> list[float]:
    """By round: how many times as fast `ours` was as `peer`."""
    return [a / b for a, b in zip(rate(rounds, ours), rate(rounds, peer), strict=False)]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The median and in brackets the lowest and the highest: "1.43 (1.38–1.51)"; only one if all look the same."""
    middle, low, high = (f"{value:{form}}" for value in (statistics.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table: the first column and "why" to the left, the others to the right. Short rows are filled up."""
    sides = [" --- |" if number == 0 or name == "why" else " ---: |" for number, name in enumerate(head)]
    filled = ([*row, *[""] * (len(head) - len(row))] for row in rows)
    return [f"| {' | '.join(head)} |", f"|{''.join(sides)}", *(f"| {' | '.join(row)} |" for row in filled), ""]


def table(first: str, rounds: Rounds, columns: dict[str, tuple[Figure, str] | dict[str, str]]) -> list[str]:
    """One row for each tool, and below them how much of the CPUs others took.

    Args:
        first: head of the first column.
        columns: head -> (figure, format), or texts by tool.
    """

    def cells(name: str) -> list[str]:
        if isinstance(rounds[name], str):
            return [rounds[name]]
        parts = columns.values()
        return [p[name] if isinstance(p, dict) else spread(p[0](rounds, name), p[1]) for p in parts]

    measured = [found for found in rounds.values() if not isinstance(found, str)]
    number, runs = max(map(len, measured)), [one for found in measured for one in found]
    again, left = sum(one["tries"] - 1 for one in runs), sum(one["others"] > DISTURBED for one in runs)
    worst = max(one["others"] for one in runs)
    return [
        *markdown([first, *columns], [[name, *cells(name)] for name in rounds]),
        f"{number} round{'s' * (number > 1)}. Runs in which other programs took more than {DISTURBED:g} CPUs: "
        f"{again} repeated, {left} of {len(runs)} left, the worst with {worst:.2f}.",
        "",
    ]


def target(
    what: str, values: Sequence[float], at_least: float | None = None, at_most: float | None = None
) -> list[str]:
    """The row of a target: figures of all rounds, and what their median must not fall below or exceed."""
    limit = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
    if not values:
        return [what, limit, "not measured"]
    middle = statistics.median(values)
    met = middle >= at_least if at_least is not None else middle <= at_most
    return [what, limit, spread(values), "met" if met else "**not met**"]


def targets(*rows: list[str]) -> list[str]:
    return markdown(["target", "asked for", "measured", ""], rows)


def machine(*names: str) -> dict[str, str]:
    """What the figures depend on. `names`: packages and programs whose versions count, where they are installed."""
    model = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists() and (found := re.search(r"model name\s*: (.*)", info.read_text())):
        model = found[1]
    hardware = f"{model}, {psutil.virtual_memory().total / 2**30:.0f} GiB"
    peers = ", ".join(f"{name} {version}" for name in names if (version := _version(name)))
    facts = {"Machine": hardware, **helpers.environment(), "Beside": peers}
    return {name: fact for name, fact in facts.items() if fact}


def _version(name: str) -> str:
    """The version of a package or of a program; "" if it is not installed."""
    folders = [*sys.path, *map(str, (ROOT / ".venv-img2dataset").rglob("site-packages"))]
    for package in importlib.metadata.distributions(name=name, path=folders):
        return package.version
    said = subprocess.run([name, "--version"], capture_output=True, text=True).stdout if shutil.which(name) else ""
    return found[0] if (found := re.search(r"\d+\.\d[\w.]*", said)) else ""


def origin(data: dict) -> list[str]:
    """Day and machine of a part's figures, and what was measured."""
    facts = {"Date": data["date"], **data["machine"], **data["facts"]}
    return [*(f"- {name}: {fact}" for name, fact in facts.items()), ""]
