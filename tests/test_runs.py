"""Timed runs: what is measured, when two of them may be compared, and the line that shows progress."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import PATIENCE, ROOT, download_serial, download_threads, resize_processes, resize_serial, source_of

import checks
import helpers
from helpers import Outcome, Photo, Run, Status, compare, keep, problems, progress, sweep, timed_run
from kit import journal
from kit.errors import FileProblem, UnequalWork
from kit.journal import JOURNAL, JOURNAL_VARIABLE
from practice import PracticeServer


def resize_threads(images: list[Path], folder: Path, size: int = 200) -> None:
    """Four threads, each of which gets some of the images for sure."""
    start = threading.Barrier(4)

    def work(part: list[Path]) -> None:
        start.wait(PATIENCE)
        resize_serial(part, folder, size)

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(work, (images[n::4] for n in range(4))))


@pytest.fixture
def baseline(images: list[Path]) -> Run:
    return timed_run(resize_serial, images)


# --- what a run says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "rest", "mode", "workers"), [
    (resize_serial, [], "serial", {1}), (resize_threads, [], "threads", {4}),
    *((resize_processes, [m], "processes", {1, 2}) for m in multiprocessing.get_all_start_methods() if m != "fork"),
])  # fmt: skip
def test_run_reports_who_did_what(images: list[Path], baseline: Run, function, rest: list, mode: str, workers) -> None:
    run = timed_run(function, images, *rest)
    assert (run.task, run.mode) == ("resize", mode)
    assert run.workers in workers
    assert run.items == tuple(str(image) for image in images)
    assert problems(run) == []
    assert {outcome.status for outcome in run.outcomes} == {Status.DONE}
    assert sorted(outcome.item for outcome in run.outcomes) == sorted(run.items)
    assert [outcome.finished for outcome in run.outcomes] == sorted(outcome.finished for outcome in run.outcomes)
    assert run.folder == helpers.CACHE / "runs" / str(os.getpid()) / function.__name__
    assert sorted(run.files) == sorted(image.name for image in images)
    assert run.files == baseline.files
    assert compare(baseline, run) == baseline.wall / run.wall
    assert compare(baseline, baseline) == 1
    said = rf"Resize, {run.label()}: 12 of 12 photos, \d+\.\d MB in \d+\.\d s \(\d+\.\d photos/s\)\."
    assert re.fullmatch(said, run.sentence())  # without a complaint


def test_wall_time_includes_the_start_and_the_end_of_the_pool(images: list[Path]) -> None:
    clock = []

    def resize_watched(images: list[Path], folder: Path) -> None:
        clock.append(time.perf_counter())
        resize_processes(images, folder)
        clock.append(time.perf_counter())

    run = timed_run(resize_watched, images)
    assert run.started <= clock[0] < min(outcome.started for outcome in run.outcomes)
    assert max(outcome.finished for outcome in run.outcomes) < clock[1] <= run.started + run.wall
    assert run.wall >= clock[1] - clock[0]


def test_every_run_starts_in_an_empty_folder(images: list[Path]) -> None:
    seen = []

    def resize_looking(images: list[Path], folder: Path) -> None:
        seen.append([entry.name for entry in folder.iterdir() if entry.name != JOURNAL])
        seen.append([entry.name for entry in (folder / JOURNAL).iterdir()])
        resize_serial(images, folder)
        (folder / "below").mkdir()

    first, second = timed_run(resize_looking, images), timed_run(resize_looking, images)
    assert seen == [[], [], [], []]
    assert problems(first) == problems(second) == []
    assert {outcome.status for outcome in second.outcomes} == {Status.DONE}


def made_up_run() -> Run:
    """Three items: 2 s and 1 s of work by two threads, and one that failed, within 2.5 s."""
    first = Outcome("a", Status.DONE, 3_000_000, "f/a.jpg", 10, 12, waited=1.5, cpu=0.5, worker="7-1")
    second = replace(first, item="b", bytes=1_500_000, path="f/b.jpg", started=10.5, finished=11.5, worker="7-2")
    third = Outcome("c", Status.FAILED, started=11.5, finished=12, cpu=0.25, worker="7-2", error="no answer in time")
    files = {"a.jpg": "0a", "b.jpg": "0b"}
    return Run("download", ("a", "b", "c"), 2.5, 9.75, "7-1", (second, first, third), files, Path("f"))


def test_figures_of_a_run() -> None:
    run = made_up_run()
    assert (run.workers, run.mode, run.label()) == (2, "threads", "2 threads")
    assert (run.throughput, run.overlap, run.peak) == (2 / 2.5, 3.5 / 2.5, 2)
    assert (run.waited, run.cpu) == (3, 1.25)
    assert run.start_up == 0.25  # until the first worker begins, not until the last one does
    assert replace(run, outcomes=()).start_up == 0
    assert run.row() == {
        "stage": "download", "mode": "threads", "workers": 2, "photos": 2, "MB written": 4.5, "wall time (s)": 2.5,
        "photos/s": 0.8, "CPU time (s)": 1.25, "in work at once": 1.4, "peak": 2, "retries": 0,
    }  # fmt: skip
    assert run.sentence() == (
        "Download, 2 threads: 2 of 3 photos, 4.5 MB in 2.5 s (0.8 photos/s). "
        "This run does not count: 1 of 3 items failed: no answer in time (1)."
    )


def test_cpu_time_is_that_of_the_items_own_thread() -> None:
    """One item computes while the other one waits for its end, in the same process."""
    begun, computed = threading.Event(), threading.Event()

    @journal.recorded
    def compute(item: str, folder: str) -> Outcome:
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass
        return Outcome(item, Status.DONE)

    @journal.recorded
    def wait(item: str, folder: str) -> Outcome:
        begun.set()
        assert computed.wait(PATIENCE)
        return Outcome(item, Status.DONE)

    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(wait, "a", ".")
        assert begun.wait(PATIENCE)
        busy = compute("b", ".")
        computed.set()
    idle = waiting.result()
    assert busy.cpu >= 0.2
    assert idle.cpu < 0.1 < 0.2 <= idle.finished - idle.started


def test_the_wait_ends_with_the_first_byte(start: Callable, records: list[dict], photos: list[Photo]) -> None:
    Path("at-once").mkdir()
    size = helpers.download_photo(photos[0], "at-once").bytes
    with start(bandwidth=size, latency=0.1, spread=0) as slow:  # a second for the whole photo
        (photo,) = source_of(slow).photos(records[:1])
        outcome = helpers.download_photo(photo, ".")
    assert outcome.bytes == size
    assert 0.1 <= outcome.waited < (outcome.finished - outcome.started) / 2


@pytest.mark.parametrize(("workers", "mode", "label"), [
    (["7-1", "7-1", "7-1"], "serial", "serial"),
    (["7-2", "7-2", "7-2"], "threads", "1 thread"),
    (["8-1", "9-1", "9-1"], "processes", "2 processes"),
    (["7-1", "8-1", "8-2"], "processes", "3 processes"),
])  # fmt: skip
def test_mode_is_read_from_the_workers(workers: list[str], mode: str, label: str) -> None:
    """Three items one after the other, each by the given worker; the caller is 7-1."""
    outcomes = [Outcome("a", Status.DONE, started=n, finished=n + 1, worker=name) for n, name in enumerate(workers)]
    run = replace(made_up_run(), outcomes=tuple(outcomes))
    assert (run.mode, run.label()) == (mode, label)


# --- wrong functions, and the rule that each of them breaks -------------------------------------------------------


ELSEWHERE = "12 files were written to another folder than the one that was given"
WRONG = {  # what is done in place of resizing each image into the folder, and the rule that it breaks
    "all but one": (lambda images, folder: resize_serial(images[1:], folder), "1 of 12 items were never done"),
    "without helpers": (
        lambda images, folder: [(folder / image.name).write_bytes(image.read_bytes()) for image in images],
        "12 of 12 items were never done",
    ),
    "one twice": (
        lambda images, folder: (
            resize_serial(images, folder), (folder / images[0].name).unlink(), resize_serial(images[:1], folder)
        ), "1 items were done more than once, or were not on the list",
    ),
    "one instead of another": (
        lambda images, folder: resize_serial(another_instead(images), folder),
        "1 of 12 items were never done; 1 items were done more than once",
    ),
    "elsewhere": (lambda images, folder: resize_serial(images, Path("elsewhere")), ELSEWHERE),
    "elsewhere, in processes": (lambda images, folder: resize_processes(images, Path("elsewhere")), ELSEWHERE),
    "where files are": (
        lambda images, folder: resize_serial(images, Path("thumbnails")),
        "12 items were skipped because their file was there already",
    ),
    "and leave a note": (
        lambda images, folder: (resize_serial(images, folder), (folder / "notes.txt").write_text("done")),
        "13 files stand in the folder, not 12",
    ),
    "and delete one": (
        lambda images, folder: (resize_serial(images, folder), (folder / images[0].name).unlink()),
        "11 files stand in the folder, not 12",
    ),
}  # fmt: skip


def another_instead(images: list[Path]) -> list[Path]:
    return [*images[1:], images[0].with_name("00040.jpg")]


def assert_refused(baseline: Run, run: Run, reason: str) -> None:
    for pair in ((baseline, run), (run, baseline)):
        with pytest.raises(UnequalWork, match=reason):
            compare(*pair)


@pytest.mark.parametrize(("function", "rule"), WRONG.values(), ids=WRONG)
def test_a_wrong_function_breaks_a_rule(images: list[Path], baseline: Run, function: Callable, rule: str) -> None:
    def resize_wrong(images: list[Path], folder: Path) -> None:
        function(images, folder)

    for name in ("thumbnails", "elsewhere"):
        Path(name).mkdir()
    resize_serial(images, Path("thumbnails"))
    run = timed_run(resize_wrong, images)
    assert rule in "; ".join(problems(run))
    assert rule in run.sentence()
    assert_refused(baseline, run, re.escape(rule))


def test_a_failure_is_refused(server: PracticeServer, photos: list[Photo], images: list[Path], baseline: Run) -> None:
    Path("broken.jpg").write_text("no image")
    run = timed_run(resize_serial, [*images[1:], Path("broken.jpg").absolute()])
    assert_refused(baseline, run, r"1 of 12 items failed: this is not an image that Pillow knows \(1\)")
    other = replace(photos[0], url=f"{photos[0].url}&fm=png")
    serial, run = timed_run(download_serial, photos), timed_run(download_threads, [other, *photos[1:]])
    assert_refused(serial, run, "The threads download does not count: 1 of 30 items failed: status 400")


@pytest.mark.parametrize("finished", ["never", "before the journal is read"])
def test_work_after_the_return_is_refused(
    images: list[Path], baseline: Run, monkeypatch: pytest.MonkeyPatch, finished: str
) -> None:
    returned = threading.Event()
    threads = []

    def resize_in_the_background(images: list[Path], folder: Path) -> None:
        resize_serial(images[1:], folder)
        threads.append(threading.Thread(target=lambda: returned.wait(PATIENCE) and resize_serial(images[:1], folder)))
        threads[0].start()

    def finish() -> None:
        returned.set()
        threads[0].join()

    if finished == "before the journal is read":
        read = journal.read
        monkeypatch.setattr(journal, "read", lambda folder: finish() or read(folder))
    run = timed_run(resize_in_the_background, images)
    finish()
    late = "1 items were finished after the clock had stopped"
    expected = "1 of 12 items were never done" if finished == "never" else late
    assert problems(run) == [expected]
    assert_refused(baseline, run, expected)


@pytest.fixture
def checked(photos: list[Photo]) -> Callable[[Callable], str]:
    """What the check of the exercise says of a function; the files of the serial run are in images/."""
    serial = timed_run(download_serial, photos)
    keep(serial, "images")
    return lambda function: " ".join(str(checks.check(function, serial, photos, 4)).split())


def test_a_check_sees_a_file_of_the_serial_run_that_is_changed(checked: Callable) -> None:
    def download_parallel(photos: list[Photo], folder: Path, workers: int) -> None:
        download_threads(photos, folder)
        Path("images", f"{photos[0].id}.jpg").write_bytes(b"another one")

    assert "changed or deleted 1 files of the serial run" in checked(download_parallel)


def test_a_check_waits_for_work_that_outlives_its_function(checked: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on only while the check sleeps: a thread does the last photo after 20 seconds."""
    now, calls, go_on, threads = [0.0], [], threading.Event(), []

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if now[0] > 20:
            go_on.set()
            threads[0].join()

    def late(photo: Photo, folder: Path) -> None:
        if go_on.wait(PATIENCE):
            helpers.download_photo(photo, folder)

    def download_parallel(photos: list[Photo], folder: Path, workers: int) -> None:
        calls.append(photos)
        last = len(photos) - (len(calls) == 3)  # after two rehearsals
        download_threads(photos[:last], folder)
        for photo in photos[last:]:
            threads.append(threading.Thread(target=late, args=(photo, folder)))
            threads[0].start()

    monkeypatch.setattr("checks.attempt.time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))
    said = checked(download_parallel)
    go_on.set()
    assert "returned before the work was done: 1 of 30 items finished after" in said


def test_right_runs_of_unequal_work_are_not_compared(images: list[Path], baseline: Run) -> None:
    def sharpen_serial(images: list[Path], folder: Path) -> None:
        resize_serial(images, folder)

    smaller = timed_run(resize_serial, images, 100)
    assert sum(o.bytes for o in smaller.outcomes) < sum(o.bytes for o in baseline.outcomes)
    for run, reason in (
        (smaller, "12 files of the serial run differ from those of the serial run"),
        (timed_run(resize_serial, images[1:]), "different items"),
        (timed_run(resize_serial, another_instead(images)), "different items"),
        (timed_run(sharpen_serial, images), "stage"),
    ):
        assert problems(run) == []
        assert_refused(baseline, run, reason)
    assert run.task == "sharpen"


def test_items_may_be_spelled_relative_or_absolute_and_stand_in_any_order(images: list[Path], baseline: Run) -> None:
    relative = [Path(os.path.relpath(image)) for image in reversed(images)]
    assert compare(baseline, timed_run(resize_serial, relative)) > 0

    def resize_resolved(images: list[Path], folder: Path) -> None:
        resize_serial([image.resolve() for image in images], folder.resolve())

    assert problems(timed_run(resize_resolved, relative)) == []


# --- afterwards -----------------------------------------------------------------------------------------------------


def test_keep_and_discard_leave_the_records_and_the_files_of_others(images: list[Path], baseline: Run) -> None:
    content = {path.name: path.read_bytes() for path in baseline.folder.glob("*.jpg")}
    target = Path("kept") / "thumbnails"
    target.mkdir(parents=True)
    (target / "mine.txt").write_text("mine")
    (target / images[0].name).write_bytes(b"of an earlier run")
    assert keep(baseline, target) == sorted(target / image.name for image in images)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {**content, "mine.txt": b"mine"}
    assert not baseline.folder.exists()
    again, third = timed_run(resize_threads, images), timed_run(resize_serial, images)
    assert all(path.is_file() for path in keep(again, "new/place"))
    third.discard()
    third.discard()
    for run in (again, third):
        assert not run.folder.exists()
        assert len(run.done) == len(run.files) == len(images) and compare(baseline, run) > 0


# --- several numbers of workers -------------------------------------------------------------------------------------


def test_sweep_alternates_and_deletes_the_files(images: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    calls = []

    def resize_one(paths: list[Path], folder: Path, size: int, workers: int) -> None:
        calls.append(("one", workers, len(list(Path().rglob("*.jpg")))))
        resize_serial(progress(paths, "a line of its own"), folder, size)

    def resize_other(paths: list[Path], folder: Path, size: int, workers: int) -> None:
        calls.append(("other", workers, len(list(Path().rglob("*.jpg")))))
        resize_threads(paths, folder, size)

    runs = sweep([resize_one, resize_other], images, [1, 4], 100, repetitions=2)
    # Never all repetitions of one kind in a row, and no files of an earlier run.
    assert calls == [("one", 1, 0), ("one", 4, 0), ("other", 1, 0), ("other", 4, 0)] * 2
    modes = {"one": "serial", "other": "threads"}
    assert [(count, run.mode) for count, run in runs] == [(count, modes[name]) for name, count, _ in calls]
    assert all(compare(runs[0][1], run) > 0 and not run.folder.exists() for _, run in runs)
    told = capsys.readouterr().err
    assert "8/8" in told and "a line of its own" not in told


@pytest.mark.parametrize(("number", "less", "reason"), [
    (0, 1, "1 of 12 items were never done"), (1, 0, "12 files of the serial run differ"),
])  # fmt: skip
def test_sweep_ends_with_the_first_run_of_unequal_work(images: list[Path], number: int, less: int, reason: str) -> None:
    calls = []

    def resize_well_but_once(paths: list[Path], folder: Path, workers: int) -> None:
        calls.append(workers)
        wrong = len(calls) == number + 1
        resize_serial(paths[less * wrong :], folder, 100 + wrong)

    with pytest.raises(UnequalWork, match=reason):
        sweep([resize_well_but_once], images, [1, 2, 3])
    assert calls == [1, 2, 3, 1, 2, 3][: number + 1]


def test_journal_is_switched_off_after_the_run_even_if_the_function_raises(images: list[Path]) -> None:
    def resize_raising(images: list[Path], folder: Path) -> None:
        assert Path(os.environ[JOURNAL_VARIABLE]).is_dir()
        raise KeyboardInterrupt

    timed_run(resize_serial, images)
    assert JOURNAL_VARIABLE not in os.environ
    with pytest.raises(KeyboardInterrupt):
        timed_run(resize_raising, images)
    assert JOURNAL_VARIABLE not in os.environ


def test_nothing_but_the_file_is_written_outside_of_a_timed_run(images: list[Path], photos: list[Photo]) -> None:
    Path("out").mkdir()
    assert helpers.download_photo(photos[0], "out").status is Status.DONE
    resize_serial(images[:1], Path("out"))
    found = sorted(path.as_posix() for path in Path().rglob("*"))
    assert found == sorted(["out", f"out/{photos[0].id}.jpg", f"out/{images[0].name}"])


def test_import_of_helpers_is_light() -> None:
    code = "import helpers, json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    modules = set(json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, timeout=120)))
    assert "helpers" in modules
    assert modules.isdisjoint({"pandas", "matplotlib", "numpy", "IPython", "tqdm", "practice", "psutil", "tornado"})


# --- progress -------------------------------------------------------------------------------------------------------


def test_progress_passes_the_items_on_and_counts_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(30), "Downloading")) == list(range(30))
    output, line = capsys.readouterr()
    assert (output, line.count("\n")) == ("", 1)
    last = line.strip().split("\r")[-1]
    assert last.startswith("Downloading: 100%") and "30/30" in last


def test_progress_stops_where_the_reader_stops_and_passes_an_exception_on(capsys: pytest.CaptureFixture[str]) -> None:
    def failing() -> Iterator[str]:
        yield from "ab"
        raise ValueError("of the items")

    items = progress(failing(), "Resizing", total=4)
    assert [next(items), next(items)] == ["a", "b"]
    items.close()
    assert "1/4" in capsys.readouterr().err.strip().split("\r")[-1]  # the second was handed out, but not finished
    with pytest.raises(ValueError, match="of the items"):
        list(progress(failing(), "Resizing", total=4))


def test_a_run_without_any_file_is_told_where_it_is_kept(tmp_path: Path) -> None:
    run = timed_run(resize_serial, [tmp_path / "none.jpg"])
    with pytest.raises(FileProblem, match=r"^No file came of this resize: .+ run this cell again\.$"):
        keep(run, "thumbnails")


def test_a_worker_that_outlives_an_interrupted_run_is_not_interrupted_in_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As workers of joblib do, which keep the variables of the run in which they were started."""

    @journal.recorded
    def asks(item: str, folder: Path) -> Outcome:
        return Outcome(item, Status.FAILED if journal.interrupted() else Status.DONE)

    for name in ("old", "new"):
        (tmp_path / name / JOURNAL).mkdir(parents=True)
    journal.stop(tmp_path / "old")
    monkeypatch.setenv(JOURNAL_VARIABLE, str(tmp_path / "old" / JOURNAL))
    assert journal.interrupted() and asks("a", tmp_path / "new").status is Status.DONE and journal.interrupted()
