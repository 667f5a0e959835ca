"""Disks that are full, read-only, missing, forbidden or elsewhere: one clear sentence, and what is done stays.

The disks are real: small file systems in memory, which only an administrator on Linux may mount. Elsewhere a limit on
the size of files (RLIMIT_FSIZE) stands in for a full disk, and what needs a second file system is skipped.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from conftest import ROOT, download_threads, one_line, resize_processes
from PIL import Image

import helpers
from helpers import Outcome, Photo, Source, Status, download_photo, make_thumbnail, problems, timed_run
from kit.errors import FileProblem, SettingsError
from kit.files import digests, on_disk, write

FULL = ("No space left on device", "File too large")
ROOM = 600_000  # bytes: a few practice photos


def mounted(folder: Path, options: str) -> bool:
    """Mount a file system in memory there, if this process may."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return bool(shutil.which("mount")) and subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def disk(folder: Path, size: int, limit: bool = False) -> Iterator[None]:
    """A file system of its own at this folder, with room for so many bytes; skips the test where that can't be.

    Args:
        limit: a limit on the size of files may stand in for it.
    """
    folder.mkdir()
    if mounted(folder, f"size={size}"):
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    if not limit:
        pytest.skip("only an administrator on Linux may mount a file system")
    resource = pytest.importorskip("resource", reason="no file system can be mounted, and no limit on files be set")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))  # bytes: smaller than half of the photos
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def assert_whole(outcomes: list[Outcome], folder: Path, reasons: tuple[str, ...]) -> None:
    """Each is done, with a whole file, or failed for one of these reasons, without; and nothing else is left."""
    done = [outcome for outcome in outcomes if outcome.status is Status.DONE]
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    assert len(done) + len(failed) == len(outcomes)
    assert {outcome.error for outcome in failed} <= set(reasons)
    assert sorted(path.name for path in folder.iterdir()) == sorted(Path(outcome.path).name for outcome in done)
    for outcome in done:
        assert Path(outcome.path).stat().st_size == outcome.bytes
        with Image.open(outcome.path) as image:
            image.load()


# --- full ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 32])
def test_on_a_full_disk_each_download_is_whole_or_failed_and_goes_on_when_there_is_room(
    photos: list[Photo], tmp_path: Path, record_property: Callable, threads: int
) -> None:
    record_property("disk full", len(photos))
    folder = tmp_path / "disk"
    with disk(folder, ROOM, limit=True), ThreadPoolExecutor(threads) as executor:
        outcomes = list(executor.map(download_photo, photos, [folder] * len(photos)))
        assert_whole(outcomes, folder, FULL)
        statuses = {outcome.status for outcome in outcomes}
        assert statuses == {Status.DONE, Status.FAILED} or (threads > 1 and statuses == {Status.FAILED})
        assert {outcome.tries for outcome in outcomes} == {1}  # another try would not help
        for path in folder.iterdir():
            path.unlink()
        assert any(download_photo(photo, folder).status is Status.DONE for photo in photos)


def test_on_a_full_disk_a_thumbnail_fails_and_leaves_nothing(tmp_path: Path, record_property: Callable) -> None:
    record_property("disk full", 1)
    Image.effect_noise((1000, 1000), 90).save(tmp_path / "noise.png")
    folder = tmp_path / "disk"
    with disk(folder, ROOM, limit=True):
        fill(folder / "filling")
        outcome = make_thumbnail(tmp_path / "noise.png", folder, 1000)
        assert outcome.status is Status.FAILED
        assert outcome.error in FULL
        assert [path.name for path in folder.iterdir()] == ["filling"]


def test_a_timed_run_on_a_full_disk_says_so_and_does_not_count(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    record_property("disk full", len(photos))
    folder = tmp_path / "disk"
    with disk(folder, ROOM, limit=True):
        monkeypatch.chdir(folder)
        try:
            run = timed_run(download_threads, photos)
        except FileProblem as problem:  # not even the records could be written
            assert any(reason in str(problem) for reason in FULL)
        else:
            found = "; ".join(problems(run))
            assert any(reason in found for reason in FULL)
            assert f"of {len(photos)} items failed" in found
        assert not list(folder.rglob("*.part"))
        monkeypatch.chdir(tmp_path)


def test_metadata_that_find_no_room_keep_the_rest(source: Source, tmp_path: Path, record_property: Callable) -> None:
    record_property("disk full", 1)
    folder = tmp_path / "disk"
    with disk(folder, ROOM):
        helpers.collect_photos(source, 30, False, folder)
        [cache] = folder.iterdir()
        before = cache.read_bytes()
        fill(folder / "filling")
        text = one_line(FileProblem, helpers.collect_photos, source, 60, False, folder)
        assert any(reason in text for reason in FULL)
        assert cache.read_bytes().startswith(before)
        (folder / "filling").unlink()
        assert len(helpers.collect_photos(source, 60, False, folder)) == 60


# --- read-only, no permission, missing ----------------------------------------------------------------------------


def assert_every_step_says(
    words: str, folder: Path, lock: Callable[[], object], photos: list[Photo], source: Source, patch: pytest.MonkeyPatch
) -> None:
    """After `lock()` nothing can be written into the folder: seven steps say so in one sentence each."""
    shutil.copy(ROOT / "config.ini.example", folder)
    image = Path("a.png").absolute()
    Image.new("RGB", (30, 20)).save(image)
    run = timed_run(download_threads, photos[:3])
    lock()
    for outcome in (download_photo(photos[0], folder), make_thumbnail(image, folder, 200)):
        assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, words, 1)
    told = f" stopped at {folder.name}: {words}. "  # no file, whose name may be that of a process
    for target in (folder, folder / "images"):
        assert told in one_line(FileProblem, helpers.keep, run, target)
    with patch.context() as inside:
        inside.chdir(folder)
        assert told in one_line(FileProblem, timed_run, download_threads, photos)
        assert told in one_line(FileProblem, helpers.collect_photos, source, 30)
        assert words in one_line(SettingsError, helpers.load_settings)
    assert [path.name for path in folder.iterdir()] == ["config.ini.example"]
    assert len(helpers.keep(run, "elsewhere")) == 3  # nothing was lost


def test_on_a_read_only_disk_every_step_says_so(
    photos: list[Photo], source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    record_property("folder read-only", 7)
    folder = tmp_path / "stick"
    with disk(folder, 20_000_000):

        def lock() -> None:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)

        assert_every_step_says("Read-only file system", folder, lock, photos, source, monkeypatch)


def may_write_anywhere() -> bool:
    """Whether this process has the administrator's right to pass over permissions."""
    if not hasattr(os, "geteuid"):
        return True  # Windows: chmod does not forbid to write into a folder
    try:
        rights = int(re.search(r"CapEff:\t(\w+)", Path("/proc/self/status").read_text())[1], 16)
    except OSError:
        return os.geteuid() == 0
    return bool(rights & 1 << CAP_DAC_OVERRIDE)


CAP_DAC_OVERRIDE = 1  # linux/capability.h
WITHOUT = "TESTED_WITHOUT_CAP_DAC_OVERRIDE"


def test_without_permission_every_step_says_so(
    photos: list[Photo], source: Source, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    record_property: Callable,
) -> None:  # fmt: skip
    record_property("no permission", 7)
    if may_write_anywhere():  # so this test runs once more, without that right
        assert WITHOUT not in os.environ, "the right to write anywhere was not given up"
        given_up = [shutil.which("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
        if not given_up[0] or subprocess.run([*given_up, "true"], capture_output=True).returncode:
            pytest.skip("the administrator may write anywhere, and can't give that up here")
        test = f"{__file__}::{test_without_permission_every_step_says_so.__name__}"
        command = [*given_up, sys.executable, "-m", "pytest", "-n0", test]
        own = os.environ | {WITHOUT: "1", "DRAWN_FOR_TESTS": str(pictures)}
        done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True)
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
        return
    folder = tmp_path / "forbidden"
    folder.mkdir()
    try:
        assert_every_step_says("Permission denied", folder, lambda: folder.chmod(0o500), photos, source, monkeypatch)
    finally:
        folder.chmod(0o700)


def test_a_folder_is_made_and_its_loss_is_told(photos: list[Photo], tmp_path: Path, record_property: Callable) -> None:
    assert len(helpers.keep(timed_run(download_threads, photos[:3]), "new/images")) == 3

    def download_and_delete(photos: list[Photo], folder: Path) -> None:
        download_threads(photos, folder)
        shutil.rmtree("cache")

    assert "No such file or directory" in one_line(FileProblem, timed_run, download_and_delete, photos[:3])
    run = timed_run(download_threads, photos[:3])
    shutil.rmtree("cache")
    told = f" stopped at {run.folder.as_posix()}: No such file or directory. "
    assert told in one_line(FileProblem, helpers.keep, run, "images")
    Path("in the way").write_text("a file")
    run = timed_run(download_threads, photos[:3])
    assert " stopped at in the way: File exists. " in one_line(FileProblem, helpers.keep, run, "in the way")
    assert len(helpers.keep(run, "images")) == 3
    record_property("folder missing", 4)


@pytest.mark.parametrize("trouble", [OSError, ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_whose_writing_is_stopped_leaves_nothing(tmp_path: Path, trouble: type[BaseException]) -> None:
    def content(file: BinaryIO) -> None:
        file.write(b"half")
        raise trouble

    with pytest.raises(trouble):
        write(tmp_path / "photo.jpg", content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "told"), [
    ("images/small/photo.jpg", "images/small"), ("../beside/images/photo.jpg", "images"),
])  # fmt: skip
def test_a_file_that_is_not_written_is_told_by_its_folder(tmp_path: Path, path: str, told: str) -> None:
    def step() -> None:
        with on_disk("A step"):
            write(os.path.normpath(tmp_path / path), b"whole")

    assert one_line(FileProblem, step).startswith(f"A step stopped at {told}: No such file or directory. ")


def test_a_file_that_is_still_being_written_is_no_file_of_the_run(photos: list[Photo]) -> None:
    """A worker that outlives the function may give it its name between listing and reading."""

    def download_and_leave(photos: list[Photo], folder: Path) -> None:
        download_threads(photos, folder)
        (folder / f"late.jpg.{os.getpid()}-1.part").write_bytes(b"half")

    run = timed_run(download_and_leave, photos[:3])
    names = sorted(f"{photo.id}.jpg" for photo in photos[:3])
    assert (run.folder / f"late.jpg.{os.getpid()}-1.part").exists()
    assert sorted(run.files) == names
    assert problems(run) == []
    helpers.keep(run, "images")
    assert sorted(path.name for path in Path("images").iterdir()) == names


# --- elsewhere, and under any name --------------------------------------------------------------------------------


def test_images_may_be_on_another_disk_and_what_does_not_fit_there_stays_and_is_moved_later(
    photos: list[Photo], tmp_path: Path, record_property: Callable
) -> None:
    with disk(tmp_path / "images", ROOM):
        run = timed_run(download_threads, photos)
        assert run.folder.stat().st_dev != Path("images").stat().st_dev
        assert "No space left on device" in one_line(FileProblem, helpers.keep, run, "images")
        assert list(Path("images").iterdir())
        there = digests(run.folder) | digests(Path("images"))
        assert there == run.files  # each in one of the two places, whole, and nothing else
        subprocess.run(["mount", "-o", "remount,size=50m", "images"], check=True)
        paths = helpers.keep(run, "images")
        assert [path.name for path in paths] == sorted(path.name for path in Path("images").iterdir())
        assert digests(Path("images")) == run.files
        assert not run.folder.exists()
    for fault in ("disk full", "images/ on another disk"):
        record_property(fault, len(photos))


def test_the_whole_way_works_in_a_folder_with_any_name(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    record_property("path with spaces and non-ASCII characters", 1)
    folder = tmp_path / "-Zoë's  Fotos & 写真; 100 % [neu] 🏔"
    folder.mkdir()
    shutil.copy(ROOT / "config.ini.example", folder)
    monkeypatch.chdir(folder)
    assert helpers.load_settings().photos == 1500
    assert Path("config.ini").read_bytes() == Path("config.ini.example").read_bytes()
    assert helpers.load_settings().photos == 1500
    paths = helpers.keep(timed_run(download_threads, photos), "images")
    run = timed_run(resize_processes, paths)
    assert problems(run) == []
    assert [path.name for path in helpers.keep(run, "thumbnails")] == [path.name for path in paths]
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("refused", [2, 99])
def test_a_file_held_open(tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    replace, tries = os.replace, []

    def held(source: str, target: str) -> None:
        tries.append(source)
        if len(tries) <= refused:
            raise PermissionError(13, "Permission denied", source, None, target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", held)
    outcome = make_thumbnail(images[0], tmp_path, 200)
    assert outcome.status is (Status.DONE if refused == 2 else Status.FAILED)
    assert refused == 2 or "OneDrive" in outcome.error
    assert len(list(tmp_path.iterdir())) == (refused == 2)  # and nothing half-written
