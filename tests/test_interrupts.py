"""Ctrl-C, "interrupt kernel" and kill -9 in every stage, with real signals: nothing is half-written or left behind.

An interrupt stops the queue at once. What is under way ends within the time-out of a connection, which is short here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import IO

import psutil
import pytest
from conftest import (
    PATIENCE,
    PHOTOS,
    ROOT,
    Kernel,
    assert_all_end,
    download_serial,
    download_threads,
    ended,
    source_of,
    until,
    within,
)

import helpers
import practice
from helpers import Photo, Run, collect_photos, problems, timed_run
from kit import transport
from kit.errors import Interrupted, WorkerLost
from kit.journal import JOURNAL, STOP

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows can't send these signals to other processes")

ARRIVE = 6  # photos that arrive before all others hang
LINKS = 2400  # images to resize: more than half a minute of work
RANDOM = "/photos/random"
Tried = Callable[..., None]
Server = practice.PracticeServer


# --- two places in which cells run --------------------------------------------------------------------------------

PRELUDE = """
from contextlib import suppress
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from itertools import repeat
from multiprocessing import get_context, resource_tracker, util
from pathlib import Path
import queue, signal, sys, threading
import helpers
import kit.transport
from helpers import download_photo, make_thumbnail, timed_run

kit.transport.TIMEOUT = (2, 6)  # not in worker processes
source = helpers.Source("the practice server", "practice-test", {api!r}, [{images!r}], helpers.Secret({key!r}))
photos = [photo for page in (1, 2) for photo in source.photos(source.get("/photos", per_page=30, page=page))]

def hanging(how):
    return photos[:{arrive}] + [helpers.Photo(photo.id, photo.url + how) for photo in photos[{arrive}:]]
many = sorted(Path("many").glob("*.jpg"))

def download_serial(photos, folder):
    for photo in photos:
        download_photo(photo, folder)

def download_map(photos, folder):
    with ThreadPoolExecutor(32) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))

def submit(executor, function, items, *arguments):
    with executor:
        for future in as_completed([executor.submit(function, item, *arguments) for item in items]):
            future.result()

def download_submit(photos, folder):
    submit(ThreadPoolExecutor(8), download_photo, photos, folder)

def download_queue(photos, folder):
    left = queue.SimpleQueue()
    [left.put(photo) for photo in photos]
    def work():
        with suppress(queue.Empty):
            while True:
                download_photo(left.get_nowait(), folder)
    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

def download_processes(photos, folder):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))

def resize_serial(images, folder):
    for image in images:
        make_thumbnail(image, folder, 1080)

def resize_threads(images, folder):
    submit(ThreadPoolExecutor(2), make_thumbnail, images, folder, 1080)

def resize_processes(images, folder):
    submit(ProcessPoolExecutor(2, mp_context=get_context("spawn")), make_thumbnail, images, folder, 1080)

def resize_pool(images, folder):
    with get_context("spawn").Pool(2) as pool:
        pool.starmap(make_thumbnail, zip(images, repeat(folder), repeat(1080)), chunksize=1)

def resize_forked(images, folder):
    submit(ProcessPoolExecutor(2, mp_context=get_context("fork")), make_thumbnail, images, folder, 1080)

def resize_pressed(images, folder):
    with ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(make_thumbnail, image, folder, 1080) for image in images]
        held, main = threading.Event(), threading.get_ident()
        def press():
            with futures[-1]._condition:
                held.set()
                while sys._current_frames()[main].f_code.co_qualname != "_AcquireFutures.__enter__":
                    pass  # as_completed takes the locks of all futures before it begins
                signal.pthread_kill(main, signal.SIGINT)
        threading.Thread(target=press).start()
        held.wait()
        for future in as_completed(futures):
            future.result()

def resize_tracked(images, folder):
    resource_tracker._resource_tracker._stop()  # so that it is started again
    plain = util.spawnv_passfds
    def pressed(*arguments):
        util.spawnv_passfds = plain
        number = plain(*arguments)
        signal.raise_signal(signal.SIGINT)  # arrives when multiprocessing no longer blocks it
        return number
    util.spawnv_passfds = pressed
    resize_processes(images, folder)

def resize_left(images, folder):
    executor = ProcessPoolExecutor(2, mp_context=get_context("spawn"))  # nobody shuts it down
    list(executor.map(make_thumbnail, images, repeat(folder), repeat(1080)))

def resize_one_each(images, folder):
    workers = [get_context("spawn").Process(target=make_thumbnail, args=(image, folder, 200)) for image in images[:12]]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
"""

# A Python that runs cells as a terminal's prompt does, one for each line of its input.
PROMPT = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
names = {"__name__": "__main__"}
for line in sys.stdin:
    try:
        exec(json.loads(line), names)
        end = ""
    except BaseException as problem:
        end = f"{type(problem).__name__}: {problem}"
    print("\\0" + end, flush=True)
"""


def python(code: str, folder: Path, environment: dict[str, str], errors: IO[str] | int) -> subprocess.Popen:
    """A Python in this folder, the leader of its own group of processes."""
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
    )  # fmt: skip


class Terminal:
    """Cells that run in a Python of its own; Ctrl-C goes to all processes of its group."""

    missed = 0  # interrupts that nobody heard

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.python = python(PROMPT, folder, environment, (folder / "stderr").open("w"))
        self.process = psutil.Process(self.python.pid)

    def run(self, cell: str) -> tuple[str, str]:
        """What a cell printed, and what is shown of the exception with which it ended, or ""."""
        self.python.stdin.write(json.dumps(cell) + "\n")
        self.python.stdin.flush()
        printed = []
        for line in self.python.stdout:
            text, mark, end = line.partition("\0")
            printed.append(text)
            if mark:
                return "".join(printed), end.strip()
        raise AssertionError(f"the process ended: {(self.folder / 'stderr').read_text()}")

    def complaints(self) -> str:
        """All that was written to standard error so far, by worker processes as well."""
        return (self.folder / "stderr").read_text()

    def interrupt(self) -> None:
        os.killpg(self.python.pid, signal.SIGINT)

    def close(self) -> None:
        self.python.stdin.close()
        self.python.wait(PATIENCE)
        self.python.stdout.close()


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Count a fault that was caused, for docs/tests.md."""

    def tried(fault: str, times: int = 1) -> None:
        record_property(fault, times)

    return tried


@pytest.fixture(scope="module")
def hanging(start: Callable[..., Server]) -> Server:
    """A server whose addresses hang if their query says so."""
    return start()


Place = Terminal | Kernel


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, hanging: Server, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    drawn = sorted(pictures.glob("pictures-*/*.jpg"))
    (folder / "many").mkdir()
    for number in range(LINKS):
        os.link(drawn[number % len(drawn)], folder / "many" / f"{number:05d}.jpg")
    environment = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    environment |= {"PYTHONPATH": str(ROOT)} | {
        name: str(folder / "jupyter") for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")
    }
    place = {"Terminal": Terminal, "Kernel": Kernel}[request.param](folder, environment)
    try:
        prelude = PRELUDE.format(api=hanging.api, images=hanging.images, key=hanging.key, arrive=ARRIVE)
        assert place.run(prelude) == ("", "")
        yield place
        place.close()
    finally:
        place.process.kill() if place.process.is_running() else None


def command(process: psutil.Process) -> str:
    """How it was called; nothing if it is gone or a zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def tracks(process: psutil.Process) -> bool:
    """Whether it is the tracker of multiprocessing, which lives as long as its parent. Not seen while it starts."""
    return "resource_tracker" in command(process)


def workers_of(place: Place) -> list[psutil.Process]:
    return [child for child in place.process.children(recursive=True) if not tracks(child)]


def orders_to_stop(place: Place) -> set[Path]:
    """What the handler of an interrupt writes into the journals of timed runs."""
    return set(place.folder.glob(f"cache/runs/*/*/{JOURNAL}/{STOP}"))


@contextlib.contextmanager
def begin(place: Place, cell: str) -> Iterator[Future]:
    """Run a cell beside what is in the `with` block; if it runs on after that, its process is killed."""
    assert not ended(place.process), "an earlier test had to kill it"
    with ThreadPoolExecutor(1) as executor:
        running: Future = executor.submit(place.run, cell)
        try:
            yield running
        finally:
            for process in [] if running.done() else [*workers_of(place), place.process]:
                process.kill()


def interrupted(place: Place, cell: str, begun: Callable[[], bool], alone: bool = False) -> str:
    """Run a cell, interrupt it once it has begun; returns the one sentence that is shown. Nothing may be left of it.

    Args:
        alone: only the parent gets the signal, not its workers.
    """
    with begin(place, cell) as running:
        until(lambda: begun() or running.done(), f"{cell} had begun")
        assert not running.done(), running.result()
        workers, orders = workers_of(place), orders_to_stop(place)
        press = partial(place.process.send_signal, signal.SIGINT) if alone else place.interrupt
        press()
        # Python misses one that comes between its last look and the wait for a lock: then its user presses again.
        if cell.startswith("timed_run") and not within(10, lambda: running.done() or orders_to_stop(place) - orders):
            place.missed += 1
            assert place.missed < 3
            press()
        printed, end = running.result(PATIENCE)
    assert end.startswith("Interrupted: ") and "\n" not in end, (printed, end)
    until(lambda: all(ended(process) or tracks(process) for process in workers), f"{workers} had ended")
    until(lambda: not workers_of(place), "no process was left, not even a zombie")
    assert "Traceback" not in place.complaints()
    return end


def written(place: Place, name: str) -> list[Path]:
    """Whole files of the function's timed run; a folder may vanish meanwhile."""
    runs = os.walk(place.folder / "cache" / "runs")
    return [
        Path(path, file) for path, _, files in runs for file in files if path.endswith(name) and file.endswith(".jpg")
    ]


def assert_no_leftovers(place: Place) -> None:
    cell = "helpers.connect(helpers.Settings(access_key=helpers.Secret('x' * 43)))"
    assert place.run(f"{cell};")[1] == ""
    assert list(place.folder.rglob("*.part")) == []


# --- Ctrl-C and "interrupt kernel" --------------------------------------------------------------------------------

PAUSE = 10  # seconds
FAULTS = [
    {"path": "&silent", "fault": "silence"},
    {"path": "&stall", "fault": "stall"},
    {"path": "&busy", "fault": "503", "value": PAUSE},
    {"path": "&late", "fault": "delay", "value": 2},
]
ALONE = "interrupt of the parent of processes alone"
BOTH, PROMPT_ONLY = (
    ("Terminal", "Kernel"),
    ("Terminal",),
)  # a kernel differs by its main thread and by who gets a signal
DOWNLOADS = [
    (BOTH, "interrupt of a serial download", "download_serial", "&silent", 1),
    (BOTH, "interrupt of threads (map), silent connections", "download_map", "&silent", 32),
    (PROMPT_ONLY, "interrupt of threads (map), pauses before another try", "download_map", "&busy", 32),
    (PROMPT_ONLY, "interrupt of threads (submit)", "download_submit", "&silent", 8),
    (PROMPT_ONLY, "interrupt of threads (a queue)", "download_queue", "&stall", 8),
    (BOTH, "interrupt of processes that download", "download_processes", "&late", 2),
    (PROMPT_ONLY, ALONE, "download_processes", "&late", 2),
]
RESIZES = [
    (PROMPT_ONLY, "interrupt of a serial resize", "resize_serial"),
    (PROMPT_ONLY, "interrupt of threads that resize", "resize_threads"),
    (BOTH, "interrupt of processes that resize (submit)", "resize_processes"),
    (BOTH, "interrupt of processes that resize (Pool)", "resize_pool"),
    (PROMPT_ONLY, "interrupt of processes that resize (fork)", "resize_forked"),
]
STARTS = [
    (BOTH, "resize_processes", False), (BOTH, "resize_processes", True),
    (PROMPT_ONLY, "resize_pool", False), (BOTH, "resize_pool", True),
    (PROMPT_ONLY, "resize_left", False), (BOTH, "resize_left", True),
    (PROMPT_ONLY, "resize_one_each", False), (PROMPT_ONLY, "resize_one_each", True),
]  # fmt: skip


def in_places(names: str, rows: Sequence[tuple]) -> pytest.MarkDecorator:
    """Parameters of a test, of which the first one says in which places it runs."""
    cases = [
        pytest.param(place, *row, id="-".join([place, *map(str, row[:2])])) for places, *row in rows for place in places
    ]
    return pytest.mark.parametrize(f"place, {names}", cases, indirect=["place"], scope="module")


def in_place(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("place", [name], indirect=True, scope="module")


@in_places("name, function, how, workers", DOWNLOADS)
def test_an_interrupted_download_begins_nothing_more_and_tells_what_it_has(
    place: Place, hanging: Server, tried: Tried, name: str, function: str, how: str, workers: int
) -> None:
    hanging.faults(*FAULTS)
    before, begun = hanging.stats()["images"], ARRIVE + workers  # some arrive, then all workers hang
    told = interrupted(
        place,
        f"timed_run({function}, hanging('{how}'))",
        lambda: len(written(place, function)) >= ARRIVE and hanging.stats()["images"] - before >= begun,
        alone=name == ALONE,
    )
    place.run("for thread in threading.enumerate(): '(work)' in thread.name and thread.join()")  # nobody joined these
    assert hanging.stats()["images"] - before == begun, told  # neither another photo nor another try
    found = re.match(r"Interrupted: download, (\d+) photos were done in ([\d.]+) s", told)
    assert found, told
    assert ARRIVE <= int(found[1]) == len(written(place, function)) <= (begun if how == "&late" else ARRIVE)
    assert how != "&busy" or float(found[2]) < PAUSE  # which was cut short
    assert_no_leftovers(place)
    assert place.run(f"print(helpers.problems(timed_run({function}, photos)))") == ("[]\n", "")  # it works again
    tried(name)


@in_places("name, function", RESIZES)
def test_an_interrupted_resize_stops_and_tells_what_it_has(
    place: Place, tried: Tried, name: str, function: str
) -> None:
    told = interrupted(place, f"timed_run({function}, many)", lambda: len(written(place, function)) > 4)
    found = re.match(r"Interrupted: resize, (\d+) photos were done in \d", told)
    assert found, told
    assert int(found[1]) <= len(written(place, function)) <= int(found[1]) + 2
    assert len(written(place, function)) < LINKS / 2
    assert_no_leftovers(place)
    assert place.run(f"print(helpers.problems(timed_run({function}, many[:8])))") == ("[]\n", "")
    tried(name)


@in_places("function, alone", STARTS)
def test_an_interrupt_while_workers_start_shows_one_sentence(
    place: Place, tried: Tried, function: str, alone: bool
) -> None:
    for least in (1, 2):
        told = interrupted(
            place, f"timed_run({function}, many)", lambda least=least: len(workers_of(place)) >= least, alone
        )
        assert told.startswith("Interrupted: resize, ")
    tried("interrupt while worker processes start", 2)


@in_place("Terminal")
def test_an_interrupt_while_the_tracker_of_multiprocessing_starts_leaves_nothing(place: Place, tried: Tried) -> None:
    with begin(place, "timed_run(resize_tracked, many)") as running:
        assert running.result(PATIENCE)[1].startswith("Interrupted: resize, ")
    assert place.run("print(helpers.problems(timed_run(resize_processes, many[:8])))") == ("[]\n", "")
    until(lambda: not workers_of(place), "no process was left, not even a zombie")  # as a tracker that was lost
    tried("interrupt while the tracker of multiprocessing starts")


@in_place("Terminal")
def test_an_interrupt_while_an_executor_holds_all_its_locks_ends_the_run(place: Place, tried: Tried) -> None:
    with begin(place, "timed_run(resize_pressed, many[:60])") as running:
        assert running.result(PATIENCE)[1].startswith("Interrupted: resize, ")
    assert_no_leftovers(place)
    assert place.run("print(helpers.problems(timed_run(resize_threads, many[:8])))") == ("[]\n", "")
    tried("interrupt while an executor holds its locks")


@in_place("Terminal")
@pytest.mark.parametrize("fault", ["silence", "stall"])
def test_interrupted_collecting_keeps_what_it_has(place: Place, hanging: Server, tried: Tried, fault: str) -> None:
    page = place.folder / fault / "practice-test.jsonl"
    passing = {"path": RANDOM, "fault": "delay", "value": 0, "times": 1}
    hanging.faults(passing, {"path": RANDOM, "fault": fault})
    asked = hanging.stats()["requests"]
    cell = f"helpers.collect_photos(source, 60, cache=Path('{fault}'))"
    told = interrupted(place, cell, lambda: page.exists() and hanging.stats()["requests"] - asked >= 2)
    assert "30 of 60 records are on disk. Run this cell again: only the rest" in told
    [line] = page.read_text(encoding="utf-8").splitlines()
    assert len(json.loads(line)["photos"]) == 30
    again = place.run(f"print(len(helpers.collect_photos(source, 30, cache=Path('{fault}'))))")
    assert again[0].endswith("30\n") and "no request was needed" in again[0]
    tried("interrupt of collect_photos")


@in_place("Terminal")
def test_interrupted_waiting_for_the_quota_ends(place: Place, hanging: Server, tried: Tried) -> None:
    hanging.faults({"path": RANDOM, "fault": "quota"})
    asked = hanging.stats()["requests"]
    cell = "helpers.collect_photos(source, 60, wait=True, cache=Path('quota'))"
    assert "0 of 60 records" in interrupted(place, cell, lambda: hanging.stats()["requests"] > asked)
    tried("interrupt while waiting for the quota")


@in_place("Kernel")
def test_interrupted_drawing_leaves_no_process_and_keeps_what_it_drew(
    place: Place, tried: Tried, pictures: Path
) -> None:
    def drawn() -> list[Path]:
        return list(place.folder.glob("cache/practice/*/*.jpg"))

    told = interrupted(place, "helpers.connect(helpers.Settings(photos=40))", lambda: len(drawn()) >= 2)
    assert "Run this cell again: only what is not drawn yet" in told
    whole = {path.name: path.read_bytes() for path in pictures.glob("pictures-*/*.jpg")}
    assert 2 <= len(drawn()) < 40
    assert all(path.read_bytes() == whole[path.name] for path in drawn())
    tried("interrupt while the server draws")


# --- kill -9 -----------------------------------------------------------------------------------------------------


def names(folder: Path) -> set[str]:
    """Every file that stands or stood in a folder for photos or thumbnails, whatever its name."""
    places = (folder / "cache" / "runs", folder / "images", folder / "thumbnails")
    return {
        f"{path}/{name}" for place in places for path, _, found in os.walk(place) for name in found if ".jpg" in name
    }


def kill_after(moment: int, folder: Path, victim: Callable[[], int | None], over: Callable[[], bool]) -> bool:
    """Kill a process once `moment` files have been seen, the unfinished ones included; whether it came to that."""
    seen: set[str] = set()
    before = names(folder)
    while len(seen) < moment:
        if over():
            return False
        seen |= names(folder) - before
    pid = victim()
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Digests of all photographs and of all thumbnails as they should be."""
    folder = tmp_path_factory.mktemp("whole")
    drawn = list(pictures.glob("pictures-*/*.jpg"))
    for size in (200, 1080):
        (folder / str(size)).mkdir()
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(helpers.make_thumbnail, drawn, repeat(folder / str(size)), repeat(size)))
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in [*drawn, *folder.rglob("*.jpg")]}


def assert_nothing_is_half_written(folder: Path, whole: set[str]) -> None:
    for path in map(Path, names(folder)):
        if path.suffix == ".jpg":
            assert hashlib.sha256(path.read_bytes()).hexdigest() in whole, path


def start_again() -> None:
    """What every start of the notebook does, here without a practice server."""
    helpers.connect(helpers.Settings(access_key=helpers.Secret("x" * 43)))


def test_a_start_deletes_what_dead_processes_left_in_the_runs_of_living_notebooks_too() -> None:
    """A pool that is terminated kills its workers in the middle of a file, and the notebook lives on."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run = Path("cache", "runs", str(os.getpid()), "resize_pool")
    run.mkdir(parents=True)
    left, in_work = (run / f"photo.jpg.{pid}-1.part" for pid in (gone.pid, os.getpid()))
    trace = Path("cache", f"trace.json.{gone.pid}-1.part")
    for path in (left, in_work, trace):
        path.write_bytes(b"half")
    start_again()
    assert list(run.iterdir()) == [in_work] and not trace.exists()


NOTEBOOK = """
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat
from multiprocessing import get_context
import helpers

def download_threads(photos, folder):
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(helpers.download_photo, photos, repeat(folder)))

def resize_processes(images, folder):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        list(executor.map(helpers.make_thumbnail, images, repeat(folder), repeat(200)))

source = helpers.connect(helpers.Settings(photos=60, latency_ms=2, bandwidth_mbit=0))
photos = source.photos(helpers.collect_photos(source, 60))
print("ready", flush=True)
sys.stdin.readline()
download = helpers.timed_run(download_threads, photos)
images = helpers.keep(download, "images")
resize = helpers.timed_run(resize_processes, images)
helpers.keep(resize, "thumbnails")
print(helpers.problems(download) + helpers.problems(resize), flush=True)
"""


def notebook(folder: Path, pictures: Path) -> subprocess.Popen:
    """A process that does what the notebook does, as soon as it gets a line."""
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    if not (folder / "cache" / "practice").exists():
        (folder / "cache" / "practice").symlink_to(pictures)
    process = python(NOTEBOOK, folder, os.environ | {"PYTHONPATH": str(ROOT)}, subprocess.DEVNULL)
    for line in process.stdout:  # another line tells of metadata that are there already
        if line == "ready\n":
            return process
    raise AssertionError("the notebook ended before it was ready")


def test_a_killed_notebook_leaves_nothing_half_written_and_no_process_and_the_last_one_completes(
    pictures: Path, whole: set[str], tried: Tried, tmp_path: Path
) -> None:
    chance, kills = random.Random(1), 0
    while kills < 4:
        with notebook(tmp_path, pictures) as process:
            servers = psutil.Process(process.pid).children(recursive=True)
            family: list[psutil.Process] = []

            def victim(process: subprocess.Popen = process, family: list = family) -> int:
                family.extend(psutil.Process(process.pid).children(recursive=True))
                return process.pid

            process.stdin.write("\n")
            process.stdin.flush()
            kills += kill_after(chance.randrange(1, 150), tmp_path, victim, lambda: process.poll() is not None)
        # A worker ends with its parent from its first item on. Before, it has not even imported helpers, and waits in
        # concurrent.futures for ever; so does the tracker of multiprocessing, as long as there are workers.
        begun = {path.name.split("-")[0] for path in tmp_path.glob(f"cache/runs/{process.pid}/*/{JOURNAL}/*")}
        assert_all_end(servers + [child for child in family if str(child.pid) in begun])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert_nothing_is_half_written(tmp_path, whole)
    with notebook(tmp_path, pictures) as process:
        assert process.communicate("\n")[0] == "[]\n"
    assert_nothing_is_half_written(tmp_path, whole)
    for folder in ("images", "thumbnails"):
        assert len(list((tmp_path / folder).iterdir())) == PHOTOS  # and no .part
    start_again()
    assert list(Path().rglob("*.part")) == []
    tried("kill -9 of a notebook's process", kills)


def download_processes(photos: list[Photo], folder: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        list(executor.map(helpers.download_photo, photos, repeat(folder)))


def resize_processes(images: list[Path], folder: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        list(executor.map(helpers.make_thumbnail, images, repeat(folder), repeat(1080)))


def killed_run(function: Callable, items: Sequence, moment: int, victim: Callable[[], int | None]) -> tuple[bool, Run]:
    """A timed run during which a process is killed; whether it came to that, and the run unless it raised.

    A worker that is killed when there is no more work can leave the others waiting for a lock, and the pool for them:
    a known weakness of concurrent.futures, which is rescued here and avoided below.
    """
    over = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        killer = executor.submit(kill_after, moment, Path(), victim, over.is_set)
        rescue = threading.Timer(PATIENCE, lambda: [worker.kill() for worker in own_workers()])
        rescue.start()
        try:
            run = timed_run(function, items)
        except WorkerLost as problem:
            assert problem._render_traceback_() == [f"WorkerLost: {problem}"] and "\n" not in str(problem)
            run = None
        over.set()
        rescue.cancel()
        return killer.result(), run


def own_workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in command(child)]


def test_a_killed_worker_leaves_nothing_half_written_and_a_rerun_completes(
    server: Server, photos: list[Photo], pictures: Path, whole: set[str], tried: Tried
) -> None:
    chance, kills = random.Random(3), 0
    drawn = sorted(pictures.glob("pictures-*/*.jpg"))
    work = [(resize_processes, drawn), (download_processes, photos)]

    def victim() -> int | None:
        workers = own_workers()
        half_done = len(list(Path().glob(f"cache/runs/{os.getpid()}/{function.__name__}/*.jpg"))) > len(items) / 2
        return chance.choice(workers).pid if workers and not half_done else None

    server.faults({"path": "w=1080", "fault": "delay", "value": 0.02})  # so that half of the work takes a while
    while kills < 6:
        function, items = work[kills % 2]
        killed, run = killed_run(function, items, chance.randrange(1, len(items) // 3), victim)
        assert run is None or problems(run) == []  # it was killed after its last item
        kills += killed
        assert_nothing_is_half_written(Path(), whole)
    for function, items in work:
        assert problems(timed_run(function, items)) == []  # in the same folders, which it empties
    start_again()
    assert list(Path().rglob("*.part")) == []
    tried("kill -9 of a worker", kills)


def test_a_killed_server_is_told_and_another_one_gives_the_rest(
    start: Callable[..., Server], whole: set[str], tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TRIES", 1)  # no pauses
    chance, kills = random.Random(4), 0
    server = start()
    records = collect_photos(source_of(server), PHOTOS)
    with ThreadPoolExecutor(1) as executor:
        while kills < 4:
            following = executor.submit(start)
            photos = source_of(server).photos(records)
            killed, run = killed_run(
                download_threads, photos, chance.randrange(1, PHOTOS), lambda server=server: server.process.pid
            )
            kills += killed
            broken = {"the connection broke off", "the connection was refused"}
            assert {outcome.error for outcome in run.outcomes} <= {None, *broken}
            assert len(run.outcomes) == PHOTOS
            assert len(run.files) == len(run.done)
            assert not killed or problems(run) != [] or len(run.done) == PHOTOS
            assert_nothing_is_half_written(Path(), whole)
            server = following.result()
    assert problems(timed_run(download_threads, source_of(server).photos(records))) == []
    tried("kill -9 of the practice server", kills)


# --- two at once -------------------------------------------------------------------------------------------------


def test_two_notebooks_at_once_in_one_folder_both_complete(
    pictures: Path, whole: set[str], tried: Tried, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "practice").symlink_to(pictures)
    with ThreadPoolExecutor(2) as executor:
        both = list(executor.map(notebook, [tmp_path] * 2, [pictures] * 2))
        said = list(executor.map(lambda process: process.communicate("\n")[0], both))
    assert said == ["[]\n"] * 2
    assert_nothing_is_half_written(tmp_path, whole)
    for folder in ("images", "thumbnails"):
        assert len(list((tmp_path / folder).iterdir())) == PHOTOS
    [metadata] = (tmp_path / "cache" / "metadata").iterdir()
    assert {len(json.loads(line)["photos"]) for line in metadata.read_text(encoding="utf-8").splitlines()} == {30}
    tried("two notebooks at once in one folder")


def test_two_servers_that_draw_at_once_both_complete(pictures: Path, tried: Tried, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as executor:
        starts = [executor.submit(practice.start, tmp_path / "cache", photos=3, workers=2) for _ in range(2)]
        for start in starts:
            with start.result() as server:
                assert len(source_of(server).get("/photos", per_page=3)) == 3
    drawn = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    whole = {path.name: path.read_bytes() for path in pictures.glob("pictures-*/*.jpg")}
    assert len(drawn) == 3 and all(path.read_bytes() == whole[path.name] for path in drawn)
    tried("two practice servers that draw at once")


class Falls:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)  # Python would print it, and go on


def test_an_interrupt_that_falls_into_a_callback_is_not_lost(
    photos: list[Photo], capsys: pytest.CaptureFixture
) -> None:
    def download_interrupted(photos: list[Photo], folder: Path) -> None:
        Falls()
        download_serial(photos, folder)

    with pytest.raises(Interrupted, match="download, 0 photos were done"):
        timed_run(download_interrupted, photos)
    assert capsys.readouterr().err == ""
