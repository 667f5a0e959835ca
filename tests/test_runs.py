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
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbclient
import nbformat
import pytest

import helpers
from helpers import Outcome, Photo, Run, Status, compare, keep, problems, progress, timed_run
from kit.errors import UnequalWork
from kit.journal import JOURNAL, JOURNAL_VARIABLE
from practice import PracticeServer

ROOT = Path(helpers.__file__).parent


# --- right functions, as a student writes them ----------------------------------------------------------------


def download_serial(photos: list[Photo], folder: Path) -> None:
    for photo in photos:
        helpers.download_photo(photo, folder)


def download_threads(photos: list[Photo], folder: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(helpers.download_photo, photos, [folder] * len(photos)))


def resize_serial(images: list[Path], folder: Path, size: int = 200) -> None:
    for image in images:
        helpers.make_thumbnail(image, folder, size)


def resize_threads(images: list[Path], folder: Path) -> None:
    """Four threads, each of which gets some of the images for sure."""
    start = threading.Barrier(4)

    def work(part: list[Path]) -> None:
        start.wait(60)
        resize_serial(part, folder)

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(work, (images[n::4] for n in range(4))))


def resize_processes(images: list[Path], folder: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        list(executor.map(helpers.make_thumbnail, images, [folder] * len(images)))


@pytest.fixture
def images(server: PracticeServer, pictures: Path) -> list[Path]:
    """Twelve practice photographs, drawn before the server starts."""
    return sorted(pictures.glob("pictures-*/*.jpg"))[:12]


@pytest.fixture
def baseline(images: list[Path]) -> Run:
    return timed_run(resize_serial, images)


# --- what a run says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "mode", "workers"),
    [(resize_serial, "serial", {1}), (resize_threads, "threads", {4}), (resize_processes, "processes", {1, 2})],
)
def test_run_reports_who_did_what_and_counts(
    images: list[Path], baseline: Run, function: Callable, mode: str, workers: set[int]
) -> None:
    run = timed_run(function, images)
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


def test_downloads_in_a_loop_and_in_threads_are_equal_work(photos: list[Photo]) -> None:
    serial, threads = timed_run(download_serial, photos), timed_run(download_threads, photos)
    assert (serial.task, serial.mode, threads.mode) == ("download", "serial", "threads")
    assert serial.items == tuple(photo.id for photo in photos)
    assert sorted(serial.files) == sorted(f"{photo.id}.jpg" for photo in photos)
    assert compare(serial, threads) == serial.wall / threads.wall
    assert serial.overlap <= serial.peak == 1


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


def test_arguments_are_passed_on(images: list[Path], baseline: Run) -> None:
    smaller = timed_run(resize_serial, images, 64)
    assert problems(smaller) == []
    assert sum(o.bytes for o in smaller.outcomes) < sum(o.bytes for o in baseline.outcomes)


def made_up_run() -> Run:
    """Three items: 2 s and 1 s of work by two threads, and one that failed, within 2.5 s."""
    first = Outcome("a", Status.DONE, 3_000_000, "f/a.jpg", 10, 12, cpu=0.5, worker="7-1")
    second = replace(first, item="b", bytes=1_500_000, path="f/b.jpg", finished=11, worker="7-2")
    third = Outcome("c", Status.FAILED, started=11, finished=11.5, cpu=0.25, worker="7-2", error="no answer in time")
    files = {"a.jpg": "0a", "b.jpg": "0b"}
    return Run("download", ("a", "b", "c"), 2.5, 9.8, "7-1", (first, second, third), files, Path("f"))


def test_figures_of_a_run() -> None:
    run = made_up_run()
    assert (run.workers, run.mode, run.label()) == (2, "threads", "2 threads")
    assert (run.throughput, run.overlap, run.peak) == (2 / 2.5, 3.5 / 2.5, 2)
    assert run.row() == {
        "stage": "download",
        "mode": "threads",
        "workers": 2,
        "photos": 2,
        "MB written": 4.5,
        "wall time (s)": 2.5,
        "photos/s": 0.8,
        "CPU time (s)": 1.25,
        "in work at once": 1.4,
        "peak": 2,
        "retries": 0,
    }
    assert run.sentence() == (
        "Download, 2 threads: 2 of 3 photos, 4.5 MB in 2.5 s (0.8 photos/s). "
        "This run does not count: 1 of 3 items failed: no answer in time (1)."
    )


@pytest.mark.parametrize(
    ("workers", "mode", "label"),
    [
        (["7-1", "7-1", "7-1"], "serial", "serial"),
        (["7-2", "7-2", "7-2"], "threads", "1 thread"),
        (["8-1", "9-1", "9-1"], "processes", "2 processes"),
        (["7-1", "8-1", "8-2"], "processes", "3 processes"),
    ],
)
def test_mode_is_read_from_the_workers(workers: list[str], mode: str, label: str) -> None:
    """Three items one after the other, each by the given worker; the caller is 7-1."""
    outcomes = [Outcome("a", Status.DONE, started=n, finished=n + 1, worker=name) for n, name in enumerate(workers)]
    run = replace(made_up_run(), outcomes=tuple(outcomes))
    assert (run.mode, run.label()) == (mode, label)


def test_sentence_of_a_run_that_counts_has_no_complaint(baseline: Run) -> None:
    assert re.fullmatch(
        r"Resize, serial: 12 of 12 photos, \d+\.\d MB in \d+\.\d s \(\d+\.\d photos/s\)\.", baseline.sentence()
    )


# --- wrong functions, and the rule that each of them breaks -------------------------------------------------------


def resize_all_but_one(images: list[Path], folder: Path) -> None:
    resize_serial(images[1:], folder)


def resize_without_helpers(images: list[Path], folder: Path) -> None:
    for image in images:
        (folder / image.name).write_bytes(image.read_bytes())


def resize_one_twice(images: list[Path], folder: Path) -> None:
    resize_serial(images, folder)
    (folder / images[0].name).unlink()
    resize_serial(images[:1], folder)


def resize_one_instead_of_another(images: list[Path], folder: Path) -> None:
    resize_serial(images[1:], folder)
    helpers.make_thumbnail(images[0].with_name("00040.jpg"), folder)


def resize_elsewhere(images: list[Path], folder: Path) -> None:
    Path("elsewhere").mkdir()
    resize_serial(images, Path("elsewhere"))


def resize_elsewhere_in_processes(images: list[Path], folder: Path) -> None:
    Path("elsewhere").mkdir()
    resize_processes(images, Path("elsewhere"))


def resize_where_files_are(images: list[Path], folder: Path) -> None:
    resize_serial(images, Path("thumbnails"))


def resize_and_leave_a_note(images: list[Path], folder: Path) -> None:
    resize_serial(images, folder)
    (folder / "notes.txt").write_text("done")


def resize_and_delete_one(images: list[Path], folder: Path) -> None:
    resize_serial(images, folder)
    (folder / images[0].name).unlink()


WRONG = [
    (resize_all_but_one, "1 of 12 items were never done"),
    (resize_without_helpers, "12 of 12 items were never done"),
    (resize_one_twice, "1 items were done more than once, or were not on the list"),
    (resize_one_instead_of_another, "1 of 12 items were never done; 1 items were done more than once"),
    (resize_elsewhere, "12 files were written to another folder than the one that was given"),
    (resize_elsewhere_in_processes, "12 files were written to another folder than the one that was given"),
    (resize_where_files_are, "12 items were skipped because their file was there already"),
    (resize_and_leave_a_note, "13 files stand in the folder, not 12"),
    (resize_and_delete_one, "11 files stand in the folder, not 12"),
]


@pytest.mark.parametrize(("function", "rule"), WRONG, ids=[function.__name__ for function, _ in WRONG])
def test_wrong_function_is_refused_and_the_rule_is_named(
    images: list[Path], baseline: Run, function: Callable, rule: str
) -> None:
    Path("thumbnails").mkdir()
    resize_serial(images, Path("thumbnails"))
    run = timed_run(function, images)
    assert rule in "; ".join(problems(run))
    assert rule in run.sentence()
    for pair in ((baseline, run), (run, baseline)):
        with pytest.raises(UnequalWork, match=re.escape(rule)):
            compare(*pair)


def test_failed_item_is_refused_and_the_reason_is_named(images: list[Path], baseline: Run) -> None:
    Path("broken.jpg").write_text("no image")
    run = timed_run(resize_serial, [*images[1:], Path("broken.jpg").absolute()])
    with pytest.raises(UnequalWork, match=r"1 of 12 items failed: this is not an image that Pillow knows \(1\)"):
        compare(baseline, run)


def test_failed_download_is_refused_and_the_reason_is_named(server: PracticeServer, photos: list[Photo]) -> None:
    gone = replace(photos[0], url=f"{server.images}/none")
    serial, run = timed_run(download_serial, photos), timed_run(download_threads, [gone, *photos[1:]])
    with pytest.raises(UnequalWork, match=r"The threads download does not count: 1 of 30 items failed: status 404"):
        compare(serial, run)


def test_photos_that_are_in_images_already_are_no_download(photos: list[Photo]) -> None:
    def download_to_images(photos: list[Photo], folder: Path) -> None:
        download_serial(photos, Path("images"))

    Path("images").mkdir()
    download_serial(photos[:4], Path("images"))
    run = timed_run(download_to_images, photos[:4])
    assert problems(run) == ["4 items were skipped because their file was there already"]


@pytest.mark.parametrize("finished", ["never", "before the journal is read"])
def test_work_after_the_return_is_refused(
    images: list[Path], baseline: Run, monkeypatch: pytest.MonkeyPatch, finished: str
) -> None:
    returned = threading.Event()
    threads = []

    def resize_in_the_background(images: list[Path], folder: Path) -> None:
        resize_serial(images[1:], folder)
        threads.append(threading.Thread(target=lambda: returned.wait(60) and resize_serial(images[:1], folder)))
        threads[0].start()

    def finish() -> None:
        returned.set()
        threads[0].join()

    if finished == "before the journal is read":
        read = helpers._read_journal
        monkeypatch.setattr(helpers, "_read_journal", lambda folder: finish() or read(folder))
    run = timed_run(resize_in_the_background, images)
    finish()
    late = "1 items were finished after the clock had stopped"
    expected = "1 of 12 items were never done" if finished == "never" else late
    assert problems(run) == [expected]
    with pytest.raises(UnequalWork, match=expected):
        compare(baseline, run)


def test_different_bytes_are_refused(images: list[Path], baseline: Run) -> None:
    smaller = timed_run(resize_serial, images, 100)
    with pytest.raises(UnequalWork, match="12 files of the serial run differ from those of the serial run"):
        compare(baseline, smaller)


@pytest.mark.parametrize(
    "choose", [lambda images: images[1:], lambda images: [*images[1:], images[0].with_name("00040.jpg")]]
)
def test_different_items_are_refused(images: list[Path], baseline: Run, choose: Callable) -> None:
    other = timed_run(resize_serial, choose(images))
    assert problems(other) == []
    for pair in ((baseline, other), (other, baseline)):
        with pytest.raises(UnequalWork, match="different items"):
            compare(*pair)


def test_different_stages_are_refused_and_the_rule_is_named(images: list[Path], baseline: Run) -> None:
    def sharpen_serial(images: list[Path], folder: Path) -> None:
        resize_serial(images, folder)

    other = timed_run(sharpen_serial, images)
    assert other.task == "sharpen"
    with pytest.raises(UnequalWork, match="stage"):
        compare(baseline, other)


def test_items_may_be_spelled_relative_or_absolute_and_stand_in_any_order(images: list[Path], baseline: Run) -> None:
    relative = [Path(os.path.relpath(image)) for image in reversed(images)]
    assert compare(baseline, timed_run(resize_serial, relative)) > 0

    def resize_resolved(images: list[Path], folder: Path) -> None:
        resize_serial([image.resolve() for image in images], folder.resolve())

    assert problems(timed_run(resize_resolved, relative)) == []


# --- afterwards -----------------------------------------------------------------------------------------------------


def test_keep_moves_the_files_and_leaves_others_alone(images: list[Path], baseline: Run) -> None:
    content = {path.name: path.read_bytes() for path in baseline.folder.glob("*.jpg")}
    target = Path("kept") / "thumbnails"
    target.mkdir(parents=True)
    (target / "mine.txt").write_text("mine")
    (target / images[0].name).write_bytes(b"of an earlier run")
    assert keep(baseline, target) == sorted(target / image.name for image in images)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {**content, "mine.txt": b"mine"}
    assert not baseline.folder.exists()
    assert compare(baseline, timed_run(resize_threads, images)) > 0  # its records stay


def test_keep_makes_the_folder(baseline: Run) -> None:
    assert all(path.is_file() for path in keep(baseline, "new/place"))


def test_discard_deletes_the_files_and_keeps_the_records(images: list[Path], baseline: Run) -> None:
    baseline.discard()
    baseline.discard()
    assert not baseline.folder.exists()
    assert len(baseline.done) == len(baseline.files) == len(images)
    assert compare(baseline, timed_run(resize_threads, images)) > 0


def test_journal_is_switched_off_after_the_run_even_if_the_function_raises(images: list[Path]) -> None:
    seen = []

    def resize_raising(images: list[Path], folder: Path) -> None:
        seen.append(os.environ.get(JOURNAL_VARIABLE))
        raise KeyboardInterrupt

    timed_run(resize_serial, images)
    assert JOURNAL_VARIABLE not in os.environ
    with pytest.raises(KeyboardInterrupt):
        timed_run(resize_raising, images)
    assert Path(seen[0]).is_dir()
    assert JOURNAL_VARIABLE not in os.environ


def test_nothing_but_the_file_is_written_outside_of_a_timed_run(images: list[Path], photos: list[Photo]) -> None:
    Path("out").mkdir()
    outcome = helpers.download_photo(photos[0], "out")
    assert outcome.status is Status.DONE
    resize_serial(images[:1], Path("out"))
    found = sorted(path.as_posix() for path in Path().rglob("*"))
    assert found == sorted(["out", f"out/{photos[0].id}.jpg", f"out/{images[0].name}"])


def test_import_of_helpers_is_light() -> None:
    code = "import helpers, json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    modules = set(json.loads(answer.stdout))
    assert "helpers" in modules
    assert modules.isdisjoint({"pandas", "matplotlib", "numpy", "IPython", "tqdm", "practice", "psutil", "tornado"})


# --- progress -------------------------------------------------------------------------------------------------------


def test_progress_passes_the_items_on_and_counts_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(30), "Downloading")) == list(range(30))
    output, line = capsys.readouterr()
    assert output == ""
    assert line.count("\n") == 1
    last = line.strip().split("\r")[-1]
    assert last.startswith("Downloading: 100%")
    assert "30/30" in last


def test_progress_takes_an_iterator_of_known_length_and_stops_where_the_reader_stops(
    capsys: pytest.CaptureFixture[str],
) -> None:
    items = progress(iter("abcd"), "Resizing", total=4)
    assert [next(items), next(items)] == ["a", "b"]
    items.close()
    last = capsys.readouterr().err.strip().split("\r")[-1]
    assert "1/4" in last  # the second was handed out, but not finished


def test_progress_passes_an_exception_on(capsys: pytest.CaptureFixture[str]) -> None:
    def failing():
        yield 1
        raise ValueError("of the items")

    with pytest.raises(ValueError, match="of the items"):
        list(progress(failing(), "Resizing", total=2))


def test_progress_updates_one_text_output_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    code = "import time\nimport helpers\nfor n in helpers.progress(range(40), 'Downloading'):\n    time.sleep(0.02)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert list(output.data) == ["text/plain"]
    assert output.data["text/plain"].startswith("Downloading: 100%")
    assert "40/40" in output.data["text/plain"]
    assert "\n" not in output.data["text/plain"].strip()
