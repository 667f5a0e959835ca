"""Beyond one machine: the same functions on a Dask cluster of real worker processes, on loopback."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from conftest import until

import helpers
from helpers import Outcome, Photo, Status, as_done, cluster, compare, timed_run
from kit.errors import ClusterError
from practice import PracticeServer

pytest.importorskip("distributed", reason="Dask is not installed: pip install -r requirements-cluster.txt")

ROOT = Path(helpers.__file__).parent
WORKERS = 2


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    with cluster(WORKERS) as executor:
        yield executor


@pytest.fixture
def images(server: PracticeServer, pictures: Path) -> list[Path]:
    """Practice photographs, drawn before the server starts."""
    return sorted(pictures.glob("pictures-*/*.jpg"))[:24]


def workers_of(executor: Executor) -> set[int]:
    return set(executor._client.run(os.getpid).values())


# --- the same functions ---------------------------------------------------------------------------------------------


def resize_serial(paths: list[Path], folder: Path) -> None:
    for path in paths:
        helpers.make_thumbnail(path, folder)


def download_serial(photos: list[Photo], folder: Path) -> None:
    for photo in photos:
        helpers.download_photo(photo, folder)


def test_make_thumbnail_and_download_photo_run_unchanged(
    dask: Executor, images: list[Path], photos: list[Photo]
) -> None:
    def resize_cluster(paths: list[Path], folder: Path) -> None:
        list(as_done(dask, helpers.make_thumbnail, paths, itertools.repeat(folder.absolute()), limit=4))

    def download_cluster(photos: list[Photo], folder: Path) -> None:
        list(as_done(dask, helpers.download_photo, photos, itertools.repeat(folder.absolute()), limit=4))

    for serial, parallel, items in (
        (resize_serial, resize_cluster, images),
        (download_serial, download_cluster, photos),
    ):
        run = timed_run(parallel, items)
        assert compare(timed_run(serial, items), run) > 0
        assert {int(outcome.worker.split("-")[0]) for outcome in run.outcomes} <= workers_of(dask)
        assert run.mode == "processes"


def test_the_workers_are_processes_that_no_other_machine_can_reach(dask: Executor) -> None:
    assert len(workers_of(dask)) == WORKERS and os.getpid() not in workers_of(dask)
    for pid in {os.getpid(), *workers_of(dask)}:
        connections = psutil.Process(pid).net_connections(kind="inet")
        listening = {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}


def _count(number: int, notes: Path) -> int:
    with notes.open("a", encoding="utf-8") as file:
        file.write(f"{number}\n")
    return number


def test_equal_calls_are_computed_again(dask: Executor, tmp_path: Path) -> None:
    """Also while the earlier one is known: otherwise a repeated timing would be that of a remembered result."""
    numbers = [*range(20), *range(20)]
    for _ in range(2):
        results = as_done(dask, _count, numbers, itertools.repeat(tmp_path / "notes"), limit=len(numbers))
        assert sorted(results) == sorted(numbers)
    noted = (tmp_path / "notes").read_text(encoding="utf-8").splitlines()
    assert sorted(map(int, noted)) == sorted([*numbers, *numbers])


def test_no_more_than_the_limit_is_with_the_scheduler(dask: Executor) -> None:
    most = 0
    for _ in as_done(dask, abs, range(60), limit=5):
        most = max(most, len(dask._futures))
    assert 1 <= most <= 5


# --- a worker is lost -------------------------------------------------------------------------------------------------


def _thumbnail_when_told(path: Path, folder: Path, signs: Path) -> Outcome:
    """Note who has begun, and wait for the sign to go on."""
    (signs / f"begun-{os.getpid()}").touch()
    while not (signs / "go-on").exists():
        time.sleep(0.01)
    return helpers.make_thumbnail(path, folder)


def test_a_killed_workers_items_are_done_again(images: list[Path], tmp_path: Path) -> None:
    (signs := tmp_path / "signs").mkdir()
    (folder := tmp_path / "thumbnails").mkdir()
    with cluster(WORKERS) as executor:
        results = as_done(
            executor, _thumbnail_when_told, images, itertools.repeat(folder), itertools.repeat(signs), limit=8
        )

        def kill_one() -> int:
            try:
                until(lambda: len(list(signs.glob("begun-*"))) == WORKERS, "both workers had begun")
                victim = int(next(signs.glob("begun-*")).name.split("-")[1])
                assert victim in workers_of(executor)
                psutil.Process(victim).kill()  # SIGKILL: it can't defend itself
                return victim
            finally:
                (signs / "go-on").touch()

        with ThreadPoolExecutor(1) as killer:
            killed = killer.submit(kill_one)
            outcomes = list(results)
    assert sorted(outcome.item for outcome in outcomes) == sorted(map(str, images)), "lost, or there twice"
    assert {outcome.status for outcome in outcomes} <= {Status.DONE, Status.SKIPPED}
    assert not any(outcome.worker.startswith(f"{killed.result()}-") for outcome in outcomes)
    assert sorted(path.name for path in folder.glob("*.jpg")) == sorted(path.name for path in images)


# --- a scheduler that is there already ------------------------------------------------------------------------------


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Scheduler and worker as somebody else would start them: in another folder, without this project's files."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    started = []

    def start(module: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, *local]
        started.append(subprocess.Popen(command, cwd=elsewhere, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    try:
        first = start("dask_scheduler", "--port", "0")
        address = next(found[0] for line in first.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
        start("dask_worker", address, "--nthreads", "1", "--no-nanny")
        yield address
    finally:
        for process in started[::-1]:
            process.kill()
            process.wait()
            process.stderr.close()


def test_an_address_is_used_and_its_workers_take_bytes_and_give_bytes(scheduler: str, images: list[Path]) -> None:
    baseline = timed_run(resize_serial, images[:6])
    with cluster(1, scheduler) as executor:
        bodies = [path.read_bytes() for path in images[:6]]
        found = list(as_done(executor, helpers.thumbnail_bytes, [path.name for path in images[:6]], bodies, limit=2))
    assert sorted(outcome.item for outcome, _ in found) == sorted(path.name for path in images[:6])
    for outcome, thumbnail in found:
        assert outcome.status is Status.DONE and outcome.bytes == len(thumbnail)
        assert thumbnail == (baseline.folder / outcome.item).read_bytes()
        assert not outcome.worker.startswith(f"{os.getpid()}-")


def test_an_address_at_which_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "TIMEOUT", (0.2, 0.2))
    with (
        pytest.raises(ClusterError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        cluster(1, "tcp://127.0.0.1:9"),
    ):
        pass


def test_without_distributed_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'distributed~=[\d.]+'"), cluster(1):
        pass
    assert helpers.DISTRIBUTED in (ROOT / "requirements-cluster.txt").read_text(encoding="utf-8").splitlines()


# --- bytes in, bytes out ----------------------------------------------------------------------------------------------


def test_what_is_no_image_gives_a_failed_outcome_and_no_bytes() -> None:
    outcome, thumbnail = helpers.thumbnail_bytes("a", b"<html>")
    assert (outcome.item, outcome.status, thumbnail) == ("a", Status.FAILED, b"")
    assert outcome.error
