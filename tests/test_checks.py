"""The checks of the exercises, in a real Jupyter kernel: every solution of solutions.py gets its own verdict."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest
import requests
from conftest import PATIENCE, ROOT, download_serial, download_threads, kernel

import checks
import helpers
import practice
from kit.journal import recorded
from tests import solutions

SETUP = """
import os, queue, sys, threading
os.chdir({folder!r})
sys.path[:0] = [{root!r}, {folder!r}]
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from itertools import repeat
from multiprocessing import get_context
from multiprocessing.pool import ThreadPool
from pathlib import Path
import checks, helpers
from helpers import download_photo, make_thumbnail
from checks import conductor, watch as watching

source = helpers.Source("practice", "practice", {api!r}, [{images!r}], helpers.Secret({key!r}), server=True)
photos = source.photos(helpers.collect_photos(source, 48))

def download_serial(photos, folder):
    for photo in photos:
        download_photo(photo, folder)

def resize_serial(paths, folder, size):
    for path in paths:
        make_thumbnail(path, folder, size)

serial_download = helpers.timed_run(download_serial, photos)
image_paths = helpers.keep(serial_download, "images")
serial_resize = helpers.timed_run(resize_serial, image_paths, 200)
helpers.keep(serial_resize, "thumbnails")
"""
DOWNLOAD = "print(checks.check(download_parallel, serial_download, photos, 8))"
RESIZE = "print(checks.check(resize_parallel, serial_resize, image_paths, 200, 2))"


@pytest.fixture(scope="module")
def run(
    start: Callable[..., practice.PracticeServer], tmp_path_factory: pytest.TempPathFactory, busy: None
) -> Iterator[Callable]:
    """Run cells in one kernel; returns what they print."""
    server, folder = start(latency=0.02), tmp_path_factory.mktemp("notebook")
    (folder / "loops.py").write_text(
        "from helpers import make_thumbnail\n\n\ndef helpers_loop(paths, folder, size):\n"
        "    for path in paths:\n        make_thumbnail(path, folder, size)\n"
    )
    (folder / "nest.py").write_text(  # asyncio.run for a thread that has a running loop already
        "import asyncio\n\n\ndef run(coroutine):\n"
        "    running, task = asyncio.get_running_loop(), asyncio.current_task()\n"
        "    asyncio.tasks._leave_task(running, task)  # from Python 3.14 on, a thread has one task, not one per loop\n"
        "    asyncio.events._set_running_loop(None)\n    try:\n"
        "        loop = asyncio.new_event_loop()\n        return loop.run_until_complete(coroutine)\n"
        "    finally:\n        loop.close()\n        asyncio.events._set_running_loop(running)\n"
        "        asyncio.tasks._enter_task(running, task)\n"
    )
    with kernel(folder, PYTHONPATH=f"{ROOT}{os.pathsep}{folder}") as run:
        setup = SETUP.format(root=str(ROOT), folder=str(folder), api=server.api, images=server.images, key=server.key)
        said = run(setup)
        assert "Traceback" not in said, said
        yield run


def verdict(run: Callable, code: str, patience: float = 20, quiet: float = 3) -> str:
    """What the check says.

    Args:
        patience: seconds for which an item waits for a second one to be in work.
        quiet: seconds without anything new until the item that is held is let go.
    """
    check = DOWNLOAD if "download_parallel" in code else RESIZE
    said = run(f"conductor.PATIENCE, conductor.QUIET = {patience}, {quiet}\n{textwrap.dedent(code)}\n{check}")
    return " ".join(said.split())  # a verdict is wrapped into lines


@pytest.mark.parametrize("code", solutions.NOT_ATTEMPTED.values(), ids=solutions.NOT_ATTEMPTED)
def test_an_untouched_exercise_is_not_attempted_yet(run: Callable, code: str) -> None:
    assert verdict(run, code).startswith("NOT ATTEMPTED YET")


RIGHT = [*solutions.RIGHT_DOWNLOADS.items(), *solutions.RIGHT_RESIZES.items()]
WRONG = [*solutions.WRONG_DOWNLOADS.items(), *solutions.WRONG_RESIZES.items()]


@pytest.mark.parametrize(("name", "code"), RIGHT, ids=[name for name, _ in RIGHT])
def test_a_right_solution_passes(run: Callable, name: str, code: str) -> None:
    said = verdict(run, code, quiet=3 if name == "one chunk for each worker" else 1)  # that one waits as long as ever
    assert said.startswith("RIGHT: 48 items") and solutions.NOTES.get(name, "") in said, said


@pytest.mark.parametrize(("reason", "code"), [row for _, row in WRONG], ids=[name for name, _ in WRONG])
def test_a_wrong_solution_is_caught_for_its_own_reason(run: Callable, reason: str, code: str) -> None:
    said = verdict(run, code, patience=0.5)  # no second item will ever be in work
    assert said.startswith("WRONG: ") and reason in said and "Next step: " in said, said


def test_the_reason_of_the_teachers_page_is_given(run: Callable) -> None:
    page = (ROOT / "teacher" / "README.md").read_text(encoding="utf-8")
    row = page.split("```python\nReason(")[1].split("\n```")[0]
    code = "\ndef download_parallel(photos, folder, workers):\n    with ThreadPoolExecutor(24) as executor:\n"
    code += "        list(executor.map(download_photo, photos, repeat(folder)))\n"
    assert verdict(run, code, quiet=1).startswith("RIGHT: ")
    run(f"from checks import reasons\nall_reasons = reasons.REASONS\nreasons.REASONS += (reasons.Reason({row},)")
    try:
        assert "workers, more than it was asked to. Next step: give the number of" in verdict(run, code, quiet=1)
    finally:
        run("reasons.REASONS = all_reasons")


def test_work_that_an_earlier_try_left_behind_is_no_part_of_the_next(run: Callable) -> None:
    said = verdict(
        run,
        """
        checks.attempt.SETTLE = 2
        go, left = threading.Event(), []
        def download_parallel(photos, folder, workers):
            def work():
                go.wait()
                for photo in photos:
                    download_photo(photo, folder)
            left.append(threading.Thread(target=work))
            left[-1].start()
    """,
        patience=0.5,
    )
    assert said.startswith("WRONG: "), said
    assert verdict(run, solutions.RIGHT_DOWNLOADS["executor map"], quiet=1).startswith("RIGHT: ")
    reason, swallowed = solutions.WRONG_DOWNLOADS["an exception of its own, swallowed"]
    said = verdict(run, textwrap.dedent(swallowed) + "    go.set()\n    left[0].join()\n", patience=0.5)
    run("checks.attempt.SETTLE = 30")
    assert said.startswith("WRONG: ") and reason in said, said


@pytest.mark.parametrize("code", solutions.STUCK.values(), ids=solutions.STUCK)
def test_a_function_that_never_ends_is_ended(run: Callable, code: str) -> None:
    said = verdict(run, "watching.STALL = 2\n" + textwrap.dedent(code))
    run("watching.STALL = 120")
    assert said.startswith("WRONG: No item was finished for 2 seconds"), said
    left = "import multiprocessing as m; print([c.name for c in m.active_children() if 'Loky' not in c.name])"
    assert run(left).strip() == "[]"  # joblib keeps its workers for the next call


@pytest.mark.parametrize("code", [
    solutions.DYING, solutions.DYING.replace("pool.map(", "list(pool.imap(").replace("paths)", "paths))"),
], ids=["map", "imap"])  # fmt: skip
def test_where_no_signal_wakes_who_waits_for_a_lock_the_waiting_ends(run: Callable, code: str) -> None:
    """As on Windows, where threads get no signals: what the main thread waits for fails."""
    run("import signal; kill = signal.pthread_kill; del signal.pthread_kill")
    try:
        said = verdict(run, code)
    finally:
        run("signal.pthread_kill = kill")
    assert said.startswith("WRONG: ") and "workers of the Pool died" in said, said


def test_the_tracebacks_of_dying_workers_become_one_line(run: Callable) -> None:
    before = run("print(os.fstat(2))")
    said = verdict(run, solutions.DYING)
    words = "module '__main__' has no" if sys.version_info >= (3, 14) else "Can't get"
    assert "a Pool waits for their tasks for ever. The cause: shrink is defined" in said, said
    assert f"worker said: AttributeError: {words} attribute 'shrink'" in said and "Traceback" not in said, said
    assert run("print(os.fstat(2))") == before  # standard error is what it was


@pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor came with Python 3.14")
@pytest.mark.parametrize("work", ["make_thumbnail", "shrink"])
def test_interpreters_of_one_process_are_explained(run: Callable, work: str) -> None:
    """The one-item function can't even be sent to them; a function of the notebook can, and fails at its import."""
    cell = "def shrink(*arguments):\n    import sys\n    sys.path.insert(0, {root!r})\n    import helpers\n"
    cell += "from concurrent.futures import InterpreterPoolExecutor\n"
    pool = "InterpreterPoolExecutor(workers)"
    code = solutions.in_processes(f"{work}, paths, repeat(folder), repeat(size)", pool=pool)
    said = verdict(run, cell.format(root=str(ROOT)) + code)
    error = "NotShareableError" if work == "make_thumbnail" else "ImportError: module PIL._imaging"
    assert f"WRONG: your function stopped with {error}" in said and "can't load Pillow" in said, said


# --- with the practice server as a witness --------------------------------------------------------------------------


@pytest.fixture
def judged(source: helpers.Source, photos: list[helpers.Photo]) -> Callable[[Callable], str]:
    """What the check says of a way to do one photo, in threads; the serial run's files are in images/."""
    serial = helpers.timed_run(download_serial, photos)
    helpers.keep(serial, "images")

    def judged(one: Callable) -> str:
        def in_threads(photos: list, folder: Path, workers: int) -> None:
            with ThreadPoolExecutor(workers) as executor:
                list(executor.map(one, photos, repeat(folder)))

        return " ".join(str(checks.check(in_threads, serial, photos, 4, source=source)).split())

    return judged


@recorded
def copied(photo: helpers.Photo, folder: Path) -> helpers.Outcome:
    target = shutil.copy(f"images/{photo.id}.jpg", folder)
    return helpers.Outcome(photo.id, helpers.Status.DONE, 1, str(target))


def fetched_twice(photo: helpers.Photo, folder: Path) -> None:
    requests.get(photo.url, timeout=PATIENCE)
    helpers.download_photo(photo, folder)


def test_the_server_says_which_photos_it_sent(judged: Callable[[Callable], str]) -> None:
    assert "Witness: the practice server sent each of the 30 photos in this time." in judged(helpers.download_photo)
    assert "WRONG: 30 photos were never sent by the practice server" in judged(copied)
    assert "WRONG: 30 photos were fetched more often than download_photo did it" in judged(fetched_twice)


def test_another_list_than_that_of_the_serial_run_is_named(photos: list[helpers.Photo]) -> None:
    serial = helpers.timed_run(download_serial, photos)
    said = str(checks.check(download_threads, serial, photos[:20], 4)).split("Next")[0]
    assert "your list has 20 items, 20 of them those of the serial run, which had 30." in " ".join(said.split())


def test_a_verdict_shows_its_word_with_a_sign_and_as_text() -> None:
    shown = checks.Verdict("WRONG", "one < two\nNext step: three")._repr_mimebundle_()
    assert shown["text/plain"] == "WRONG: one < two\nNext step: three"
    assert "<b>✗ WRONG</b><br>one &lt; two<br>Next step: three" in shown["text/html"]


def test_a_serial_loop_is_wrong_for_one_worker_too(run: Callable) -> None:
    loop = "def resize_parallel(paths, folder, size, workers):\n    resize_serial(paths, folder, size)\n"
    said = run(f"conductor.PATIENCE = 0.5\n{loop}\n{RESIZE.replace('200, 2)', '200, 1)')}")
    assert said.startswith("WRONG: all items were done by the notebook's own thread")


def test_a_server_that_can_not_be_asked_is_no_reason(run: Callable) -> None:
    """Another one, whose cell was run again, and one that has ended."""
    run(solutions.RIGHT_DOWNLOADS["executor map"])
    check = DOWNLOAD.replace("8)", "8, source=source)")
    run("from types import SimpleNamespace as Server\nsource.server = Server(images='http://127.0.0.1:1')")
    said = run(check)
    assert said.startswith("WRONG: the photos are those of another practice server") and "collect_photos" in said
    ended = "lambda: __import__('urllib.request').request.urlopen('http://127.0.0.1:1')"
    said = run(f"source.server = Server(images=source.image_hosts[0], sent={ended})\n{check}")
    assert said.startswith("RIGHT: "), said
