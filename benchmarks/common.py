"""What all parts share: options, alternating rounds, equal work, ratios with their spread, Markdown tables."""

from __future__ import annotations

import hashlib
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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

import helpers
import practice
from kit.machine import fingerprint

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, where the system has it
Round = dict[str, float]  # "seconds", and where it is measured "cpu" (seconds of CPU)
Rounds = dict[str, dict]  # by tool: {"rounds": [Round, ...]}, or {"refused": why there are none}


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    rounds: int = 7  # of what the targets are about; the rest runs in at most 3
    photos: int = 1500  # downloads, executors, drawing
    corpus_photos: int = 300  # thumbnails
    corpus: Path | None = None  # folder of JPEGs for the thumbnails, in place of the practice photos
    cache: Path = ROOT / "cache"  # drawn photos in `practice`, files of the runs in `benchmarks`

    @property
    def few(self) -> int:
        return min(3, self.rounds)

    def folder(self, *names: str) -> Path:
        """An empty folder for the files of one run; what was in it is set aside."""
        folder = self.cache.joinpath("benchmarks", *names)
        if folder.exists():
            set_aside(folder, self.aside)
        folder.mkdir(parents=True)
        return folder

    @property
    def aside(self) -> Path:
        """Where emptied files of former runs stay until the end."""
        return self.cache / "benchmarks" / "aside"


def set_aside(folder: Path, aside: Path) -> None:
    """Empty the files of a run and move its folder away, without deleting a file.

    Deleting would slow down whoever creates files next: ext4 without a journal does not use a file's number again for
    some minutes, and looks at every such number whenever it creates a file (`recently_deleted` in the kernel's
    fs/ext4/ialloc.c). Left as they are, the files would fill the memory.
    """
    empty(folder)
    aside.mkdir(parents=True, exist_ok=True)
    folder.rename(aside / f"{folder.name}-{time.time_ns()}")


def empty(folder: Path) -> None:
    """Empty all files in a folder and below."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def filesystem(folder: Path) -> str:
    """The type of the file system that holds a folder, such as "ext4"."""
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[str(parent)] for parent in folder.resolve().parents if str(parent) in mounts), "unknown")


class Refused(Exception):
    """A tool gets no figure: it is not installed, or it did unequal work. The text says which."""


def program(name: str, package: str | None = None) -> str:
    """Path of a program, or Refused with the command that installs it."""
    if path := shutil.which(name):
        return path
    raise Refused(f"not installed: apt-get install {package or name}")


def needs(package: str) -> None:
    """Refused, unless this Python has the package."""
    if not versions(package):
        raise Refused("not installed: pip install -r requirements-bench.txt")


# --- measuring --------------------------------------------------------------------------------------------------


@contextmanager
def stopwatch() -> Iterator[Round]:
    """Wall time and CPU time of a block: all threads of this process, and the processes that ended within it."""
    measured: Round = {}
    cpu, started = sum(os.times()[:4]), time.perf_counter()
    yield measured
    measured["seconds"] = time.perf_counter() - started
    measured["cpu"] = sum(os.times()[:4]) - cpu


def fresh_process(function: Callable[..., Round], *arguments: object) -> Round:
    """Call it in a process of its own: no tool finds connections, caches or garbage of the one before.

    Where the system can, the process is a copy of one that has done nothing but import the clients.
    """
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["benchmarks.clients"])
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()


def alternate(tools: dict[str, Callable[[], Round]], rounds: int, few: dict[str, int] | None = None) -> Rounds:
    """Run every tool once per round; each round begins with another one, so that drifts hit all of them alike.

    Args:
        tools: the first one is ours.
        few: tools that run in fewer rounds, and in how many.

    Raises:
        Refused: ours did unequal work. Another tool that is refused keeps the reason in place of rounds.
    """
    names, results = list(tools), {name: {"rounds": []} for name in tools}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            if "refused" in results[name] or number >= (few or {}).get(name, rounds):
                continue
            try:
                measured = tools[name]()
            except Refused as problem:
                if name == names[0]:
                    raise
                results[name] = {"refused": str(problem)}
            else:
                results[name]["rounds"].append(measured)
                say(f"  round {number + 1}/{rounds}  {name}: {measured['seconds']:.2f} s")
    return results


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files in a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def run(*command: object, folder: Path | None = None) -> None:
    """Run a program; Refused with what it said if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"failed: {(done.stderr or done.stdout).strip()[-200:]}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- sources ----------------------------------------------------------------------------------------------------


def draw(options: Options, count: int) -> list[Path]:
    """The first `count` practice photos, drawn if they are not on disk yet."""
    from practice.catalogue import Catalogue
    from practice.pictures import draw_missing, path_of

    folder, _ = draw_missing(
        options.cache / "practice",
        Catalogue(count).entries,
        min(helpers.usable_cpus(), 61),
        lambda done, total: say(f"  drawn {done}/{total}") if done % 100 == 0 else None,
    )
    return [path_of(folder, number) for number in range(count)]


@contextmanager
def served(
    options: Options, latency: float, pictures: int = 1500
) -> Iterator[tuple[practice.PracticeServer, list[helpers.Photo]]]:
    """A practice server with the same latency (seconds) for every answer and no limit of bandwidth, and its photos.

    Args:
        pictures: how many different drawings they have at most.
    """
    with practice.start(
        options.cache / "practice",
        photos=options.photos,
        pictures=pictures,
        latency=latency,
        spread=0,
        bandwidth=0,
        quota=1_000_000,
    ) as server:
        source = helpers.Source("practice", "bench", server.api, [server.images], helpers.Secret(server.key), server)
        records: dict[str, dict] = {}
        while len(records) < options.photos:
            records |= {record["id"]: record for record in source.get("/photos/random", count=30)}
        yield server, source.photos(list(records.values()))


def server_cpu(server: practice.PracticeServer) -> float:
    """CPU seconds that the server has used so far."""
    return sum(psutil.Process(server.process.pid).cpu_times()[:2])


# --- reporting --------------------------------------------------------------------------------------------------


def column(result: dict, name: str = "seconds") -> list[float]:
    """One figure of every round of a tool; nothing if it was refused."""
    return [measured[name] for measured in result.get("rounds", [])]


def ratios(rounds: Rounds, ours: str, peer: str) -> list[float]:
    """By round: how many times as fast `ours` was as `peer`."""
    return [b / a for a, b in zip(column(rounds[ours]), column(rounds[peer]), strict=False)]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The median and in brackets the lowest and the highest: "1.43 (1.38–1.51)"."""
    middle = f"{statistics.median(values):{form}}"
    return f"{middle} ({min(values):{form}}–{max(values):{form}})" if len(values) > 1 else middle


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table: the first column and "why" to the left, the others to the right. Short rows are filled up."""
    lines = [
        f"| {' | '.join(head)} |",
        "| --- |" + "".join(" --- |" if name == "why" else " ---: |" for name in head[1:]),
    ]
    for row in rows:
        cells = [*map(str, row), *[""] * (len(head) - len(row))]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def ladder(rounds: Rounds, steps: dict[str, str], items: float) -> list[str]:
    """Table of steps that lead to ours: rate, ratio to the step before in the same round, and why.

    Args:
        steps: name in `rounds` -> why it helps.
        items: how many items one round had (a round of fewer has its seconds scaled to that).
    """
    rows, before = [], ""
    for name, why in steps.items():
        rate = f"{items / statistics.median(column(rounds[name])):,.1f}"
        rows.append([name, rate, spread(ratios(rounds, name, before)) if before else "1", why])
        before = name
    return table(["step", "photos/s", "times the step before", "why"], rows)


@dataclass(frozen=True)
class Target:
    """One line of the list of targets: figures of all rounds, and what their median must not fall below or exceed."""

    what: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    def row(self) -> list[str]:
        limit = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        if not self.values:
            return [self.what, limit, "not measured"]
        middle = statistics.median(self.values)
        met = middle >= self.at_least if self.at_least is not None else middle <= self.at_most
        return [self.what, limit, spread(self.values), "met" if met else "**not met**"]


def targets(*lines: Target) -> list[str]:
    return table(["target", "asked for", "measured", ""], [line.row() for line in lines])


# --- the machine ------------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """What the figures depend on; to be asked for before anything is measured."""
    model = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists() and (found := re.search(r"model name\s*: (.*)", info.read_text())):
        model = found[1]
    return {
        "Machine": f"{helpers.usable_cpus()} usable CPUs ({model}), {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}",
        "Load when it began": f"{psutil.getloadavg()[0] / helpers.usable_cpus():.0%} of the CPUs in the minute before",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "Modules": f"version {fingerprint()} of helpers.py, checks and practice",
    }


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python packages; those that are missing are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def program_version(name: str, option: str = "--version") -> dict[str, str]:
    """The version that a program states, or nothing if it is missing."""
    if not shutil.which(name):
        return {}
    said = subprocess.run([name, option], capture_output=True, text=True).stdout
    return {name: found[0]} if (found := re.search(r"\d+\.\d[\w.-]*", said)) else {}


# --- img2dataset, in a virtual environment of its own -------------------------------------------------------------


class Img2dataset:
    """A process that stays alive, so that importing img2dataset is not timed. It speaks JSON, one line each way."""

    version: str | None = None

    def __init__(self) -> None:
        found = sorted((ROOT / ".venv-img2dataset").glob("*/python*"))
        self.process = None
        if found:
            script = Path(__file__).with_name("img2dataset_worker.py")
            self.process = subprocess.Popen(
                [found[0], script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self.version = self._answer()["version"]

    def _answer(self) -> dict:
        if not (line := self.process.stdout.readline()):
            raise Refused("its process has ended by itself")
        return json.loads(line)

    def ask(self, **order: object) -> Round:
        """What the worker measured; `order` is described in img2dataset_worker.py."""
        if not self.process:
            raise Refused("not installed: make bench")
        self.process.stdin.write(json.dumps(order, default=str) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
