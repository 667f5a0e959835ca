"""Beyond one machine: the same functions on a Dask cluster of real worker processes, on loopback."""

from __future__ import annotations

import importlib.util
import itertools
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from conftest import ROOT, download_serial, resize_serial, until

import helpers
from helpers import Outcome, Photo, Status, as_done, cluster, compare, timed_run
from kit.errors import ClusterError

distributed = pytest.importorskip("distributed", reason="Dask is missing: pip install -r requirements-cluster.txt")

WORKERS = 2


class Dask(NamedTuple):
    executor: Executor
    client: distributed.Client  # knows more than the interface of concurrent.futures tells

    def workers(self) -> dict[str, int]:
        """Process ids by address."""
        return self.client.run(os.getpid)


@pytest.fixture(scope="module")
def here() -> Iterator[Dask]:
    with cluster(WORKERS) as executor:
        yield Dask(executor, distributed.Client.current())


class Scheduler(NamedTuple):
    address: str
    start: Callable[..., subprocess.Popen]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """Scheduler and workers as somebody else would start them: in another folder, without this project's files."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    started: list[subprocess.Popen] = []

    def start(module: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{module}", *arguments]
        with (elsewhere / f"{module}.log").open("a") as log:
            options = ["--host", "127.0.0.1", "--no-dashboard"]
            started.append(subprocess.Popen([*command, *options], cwd=elsewhere, env=environment, stderr=log))
        return started[-1]

    def listening() -> re.Match | None:
        return re.search(r"tcp://127\.0\.0\.1:\d+", (elsewhere / "scheduler.log").read_text())

    try:
        start("scheduler", "--port", "0")
        until(listening, "the scheduler had an address")
        address = listening()[0]
        yield Scheduler(address, lambda: start("worker", address, "--nthreads", "1", "--no-nanny"))
    finally:
        for process in started[::-1]:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def outside(scheduler: Scheduler) -> Iterator[Dask]:
    """Two workers which know this project only by what `cluster` sends them."""
    processes = {scheduler.start().pid for _ in range(WORKERS)}
    with distributed.Client(scheduler.address) as client:
        client.wait_for_workers(WORKERS)
        for module in ("helpers", "kit"):
            assert list(client.run(importlib.util.find_spec, module).values()) == [None] * WORKERS
    with cluster(WORKERS, scheduler.address) as executor:
        dask = Dask(executor, distributed.Client.current())
        assert set(dask.workers().values()) == processes
        yield dask


def complain(module: str) -> None:
    logging.getLogger(module).error("Failed to communicate with scheduler during heartbeat.")


def test_complaints_of_a_cluster_that_closes_do_not_get_into_the_notebook(capfd: pytest.CaptureFixture) -> None:
    with cluster(1) as executor:
        executor.submit(complain, "distributed.worker").result()
    assert capfd.readouterr().err == ""


# --- the same functions ---------------------------------------------------------------------------------------------


def test_make_thumbnail_and_download_photo_run_unchanged(
    outside: Dask, images: list[Path], photos: list[Photo]
) -> None:
    def resize_cluster(paths: list[Path], folder: Path) -> None:
        folders, sizes = itertools.repeat(folder.absolute()), itertools.repeat(200)
        list(as_done(outside.executor, helpers.make_thumbnail, paths, folders, sizes, limit=4))

    def download_cluster(photos: list[Photo], folder: Path) -> None:
        list(as_done(outside.executor, helpers.download_photo, photos, itertools.repeat(folder.absolute()), limit=4))

    for serial, parallel, items in (
        (resize_serial, resize_cluster, images), (download_serial, download_cluster, photos),
    ):  # fmt: skip
        run = timed_run(parallel, items)
        assert compare(timed_run(serial, items), run) > 0
        assert {int(outcome.worker.split("-")[0]) for outcome in run.outcomes} <= set(outside.workers().values())
        assert run.mode == "processes"


def test_workers_that_share_no_disk_take_bytes_and_give_the_same_bytes(outside: Dask, images: list[Path]) -> None:
    baseline = timed_run(resize_serial, images)
    names, bodies = [path.name for path in images], [path.read_bytes() for path in images]
    found = list(as_done(outside.executor, helpers.thumbnail_bytes, names, bodies, itertools.repeat(200), limit=2))
    assert sorted(outcome.item for outcome, _ in found) == sorted(names)
    for outcome, thumbnail in found:
        assert outcome.status is Status.DONE and outcome.bytes == len(thumbnail)
        assert thumbnail == (baseline.folder / outcome.item).read_bytes()
        assert int(outcome.worker.split("-")[0]) in outside.workers().values()


def test_a_late_worker_gets_the_modules_as_well(outside: Dask, scheduler: Scheduler, images: list[Path]) -> None:
    late = scheduler.start()
    try:
        outside.client.wait_for_workers(WORKERS + 1)
        (address,) = (address for address, pid in outside.workers().items() if pid == late.pid)
        body = images[0].read_bytes()
        found = outside.client.run(helpers.thumbnail_bytes, "a", body, 200, workers=[address])
        assert found[address][1] == helpers.thumbnail_bytes("a", body, 200)[1] != b""
        assert found[address][0].worker.startswith(f"{late.pid}-")
    finally:
        late.kill()
        until(lambda: len(outside.client.nthreads()) == WORKERS, "the scheduler knew that it is gone")


def test_the_workers_are_processes_that_no_other_machine_can_reach(here: Dask) -> None:
    workers = set(here.workers().values())
    assert len(workers) == WORKERS and os.getpid() not in workers
    for pid in {os.getpid(), *workers}:
        connections = psutil.Process(pid).net_connections(kind="inet")
        listening = {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}


def _count(number: int, notes: Path) -> int:
    with notes.open("a", encoding="utf-8") as file:
        file.write(f"{number}\n")
    return number


def test_equal_calls_are_computed_again(here: Dask, tmp_path: Path) -> None:
    """Also while the earlier one is known: otherwise a repeated timing would be that of a remembered result."""
    numbers = [*range(20), *range(20)]
    for _ in range(2):
        results = as_done(here.executor, _count, numbers, itertools.repeat(tmp_path / "notes"), limit=len(numbers))
        assert sorted(results) == sorted(numbers)
    noted = (tmp_path / "notes").read_text(encoding="utf-8").splitlines()
    assert sorted(map(int, noted)) == sorted([*numbers, *numbers])


# --- a worker is lost -------------------------------------------------------------------------------------------------


def _thumbnail_when_told(path: Path, folder: Path, signs: Path) -> Outcome:
    """Note who has begun, and wait for the sign to go on."""
    (signs / f"begun-{os.getpid()}").touch()
    while not (signs / "go-on").exists():
        time.sleep(0.01)
    return helpers.make_thumbnail(path, folder, 200)


def test_a_killed_workers_items_are_done_again_and_no_variable_is_left(images: list[Path], tmp_path: Path) -> None:
    before = dict(os.environ)
    (signs := tmp_path / "signs").mkdir()
    (folder := tmp_path / "thumbnails").mkdir()
    with cluster(WORKERS) as executor:
        # A process pool that is started now gets none of Dask's; another test may have left some before.
        assert dict(os.environ) == before and "MALLOC_TRIM_THRESHOLD_" not in before
        workers = set(Dask(executor, distributed.Client.current()).workers().values())
        results = as_done(
            executor, _thumbnail_when_told, images, itertools.repeat(folder), itertools.repeat(signs), limit=8
        )

        def kill_one() -> int:
            try:
                until(lambda: len(list(signs.glob("begun-*"))) == WORKERS, "both workers had begun")
                victim = int(next(signs.glob("begun-*")).name.split("-")[1])
                assert victim in workers
                psutil.Process(victim).kill()  # SIGKILL: it can't defend itself
                return victim
            finally:
                (signs / "go-on").touch()

        with ThreadPoolExecutor(1) as killer:
            killed = killer.submit(kill_one)
            outcomes = list(results)
    assert dict(os.environ) == before
    assert sorted(outcome.item for outcome in outcomes) == sorted(map(str, images)), "lost, or there twice"
    assert {outcome.status for outcome in outcomes} <= {Status.DONE, Status.SKIPPED}
    assert not any(outcome.worker.startswith(f"{killed.result()}-") for outcome in outcomes)
    assert sorted(path.name for path in folder.glob("*.jpg")) == sorted(path.name for path in images)


# --- what is missing --------------------------------------------------------------------------------------------------


def test_an_address_at_which_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.cluster.TIMEOUT", (0.2, 0.2))
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
    outcome, thumbnail = helpers.thumbnail_bytes("a", b"<html>", 200)
    assert (outcome.item, outcome.status, thumbnail) == ("a", Status.FAILED, b"")
    assert outcome.error
