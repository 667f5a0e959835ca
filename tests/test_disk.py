"""Disks that are full, read-only, missing, forbidden or elsewhere: one clear sentence, and what is done stays.

The disks are real: small file systems in memory, which only an administrator on Linux may mount. Elsewhere a limit on
the size of files (RLIMIT_FSIZE) stands in for a full disk, and what needs a second file system is skipped.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

import helpers
from helpers import Outcome, Photo, Source, Status, download_photo, make_thumbnail
from kit.errors import FileProblem, SettingsError
from kit.files import digests

ROOT = Path(helpers.__file__).parent
FULL = ("No space left on device", "File too large")
ROOM = 600_000  # bytes: a few practice photos


def mounted(folder: Path, options: str) -> bool:
    """Mount a file system in memory there, if this process may."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return bool(shutil.which("mount")) and subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of its own at this folder, with room for so many bytes; skips the test where that can't be."""
    folder.mkdir()
    if not mounted(folder, f"size={size}"):
        pytest.skip("only an administrator on Linux may mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A folder with ROOM for a few photos."""
    folder.mkdir()
    if mounted(folder, f"size={ROOM}"):
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    resource = pytest.importorskip("resource", reason="no file system can be mounted, and no limit on files be set")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))  # bytes: smaller than most photos
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A project folder on a file system of its own; the call makes it read-only."""
    folder = tmp_path / "stick"
    with disk(folder, 20_000_000):
        shutil.copy(ROOT / "config.ini.example", folder)

        def lock() -> Path:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            return folder

        yield lock


def sentence(kind: type[Exception], function: Callable, *arguments: object) -> str:
    """The one line in which the call fails, in a notebook and anywhere."""
    with pytest.raises(kind) as caught:
        function(*arguments)
    text = str(caught.value)
    assert caught.value._render_traceback_() == [f"{kind.__name__}: {text}"]
    assert len(text.splitlines()) == 1 and len(text) < 300
    assert "Errno" not in text and str(Path.cwd()) not in text
    return text


def download_some(photos: list[Photo], folder: Path) -> None:
    with ThreadPoolExecutor(32) as executor:
        list(executor.map(download_photo, photos, [folder] * len(photos)))


def resize_some(paths: list[Path], folder: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, [folder] * len(paths)))


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


def test_on_a_full_disk_each_download_is_whole_or_failed_and_goes_on_when_there_is_room(
    photos: list[Photo], tmp_path: Path, record_property: Callable
) -> None:
    record_property("fault", "disk full")
    record_property("times", len(photos))
    folder = tmp_path / "disk"
    with full_disk(folder):
        outcomes = [download_photo(photo, folder) for photo in photos]
        assert_whole(outcomes, folder, FULL)
        assert 0 < sum(outcome.status is Status.FAILED for outcome in outcomes) < len(photos)
        assert all(outcome.tries == 1 for outcome in outcomes)  # another try would not help
        for path in folder.iterdir():
            path.unlink()
        smallest = min((o for o in outcomes if o.status is Status.DONE), key=lambda outcome: outcome.bytes)
        [photo] = [photo for photo in photos if photo.id == smallest.item]
        assert download_photo(photo, folder).status is Status.DONE


def test_on_a_full_disk_32_threads_leave_only_whole_photos(
    photos: list[Photo], tmp_path: Path, record_property: Callable
) -> None:
    record_property("fault", "disk full")
    record_property("times", len(photos))
    folder = tmp_path / "disk"
    with full_disk(folder), ThreadPoolExecutor(32) as executor:
        outcomes = list(executor.map(download_photo, photos, [folder] * len(photos)))
        assert_whole(outcomes, folder, FULL)
        assert any(outcome.status is Status.FAILED for outcome in outcomes)


def test_on_a_full_disk_a_thumbnail_fails_and_leaves_nothing(tmp_path: Path, record_property: Callable) -> None:
    record_property("fault", "disk full")
    record_property("times", 1)
    Image.effect_noise((1000, 1000), 90).save(tmp_path / "noise.png")
    folder = tmp_path / "disk"
    with full_disk(folder):
        with contextlib.suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        outcome = make_thumbnail(tmp_path / "noise.png", folder, 1000)
        assert outcome.status is Status.FAILED
        assert outcome.error in FULL
        assert [path.name for path in folder.iterdir()] == ["filling"]


def test_a_timed_run_on_a_full_disk_says_so_and_does_not_count(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    record_property("fault", "disk full")
    record_property("times", len(photos))
    folder = tmp_path / "disk"
    with full_disk(folder):
        monkeypatch.chdir(folder)
        try:
            run = helpers.timed_run(download_some, photos)
        except FileProblem as problem:  # not even the records could be written
            assert any(reason in str(problem) for reason in FULL)
        else:
            found = "; ".join(helpers.problems(run))
            assert any(reason in found for reason in FULL)
            assert f"of {len(photos)} items failed" in found
        assert not list(folder.rglob("*.part"))
        monkeypatch.chdir(tmp_path)


def test_metadata_that_find_no_room_are_told_and_the_rest_is_kept(
    source: Source, tmp_path: Path, record_property: Callable
) -> None:
    record_property("fault", "disk full")
    record_property("times", 1)
    folder = tmp_path / "disk"
    with disk(folder, ROOM):
        helpers.collect_photos(source, 30, False, folder)
        [cache] = folder.iterdir()
        before = cache.read_bytes()
        with (folder / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        text = sentence(FileProblem, helpers.collect_photos, source, 60, False, folder)
        assert any(reason in text for reason in FULL)
        assert cache.read_bytes().startswith(before)
        (folder / "filling").unlink()
        assert len(helpers.collect_photos(source, 60, False, folder)) == 60


# --- read-only ----------------------------------------------------------------------------------------------------


def test_on_a_read_only_disk_every_step_says_so_in_one_sentence(
    photos: list[Photo],
    source: Source,
    read_only: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable,
) -> None:
    run = helpers.timed_run(download_some, photos[:3])
    image = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(image)
    folder = read_only()
    for outcome in (download_photo(photos[0], folder), make_thumbnail(image, folder)):
        assert (outcome.status, outcome.error, outcome.tries) == (Status.FAILED, "Read-only file system", 1)
    assert "Read-only file system" in sentence(FileProblem, helpers.keep, run, folder / "images")
    assert "Read-only file system" in sentence(FileProblem, helpers.keep, run, folder)
    assert len(helpers.keep(run, tmp_path / "elsewhere")) == 3  # nothing was lost
    monkeypatch.chdir(folder)
    assert "Read-only file system" in sentence(FileProblem, helpers.timed_run, download_some, photos)
    assert "Read-only file system" in sentence(FileProblem, helpers.collect_photos, source, 30)
    assert "Read-only file system" in sentence(SettingsError, helpers.load_settings)
    record_property("fault", "folder read-only")
    record_property("times", 7)
    assert [path.name for path in folder.iterdir()] == ["config.ini.example"]
    monkeypatch.chdir(tmp_path)


# --- no permission, missing ---------------------------------------------------------------------------------------


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


def test_without_permission_every_step_says_so_in_one_sentence(
    photos: list[Photo], source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    if may_write_anywhere():  # so this test runs once more, without that right
        assert WITHOUT not in os.environ, "the right to write anywhere was not given up"
        given_up = [shutil.which("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
        if not given_up[0] or subprocess.run([*given_up, "true"], capture_output=True).returncode:
            pytest.skip("the administrator may write anywhere, and can't give that up here")
        test = f"{__file__}::{test_without_permission_every_step_says_so_in_one_sentence.__name__}"
        command = [*given_up, sys.executable, "-m", "pytest", "-n0", test]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {WITHOUT: "1"}, capture_output=True, text=True)
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
        record_property("fault", "no permission")
        record_property("times", 4)
        return
    run = helpers.timed_run(download_some, photos[:3])
    folder = tmp_path / "forbidden"
    folder.mkdir()
    shutil.copy(ROOT / "config.ini.example", folder)
    monkeypatch.chdir(folder)
    folder.chmod(0o500)
    try:
        assert "Permission denied" in sentence(FileProblem, helpers.timed_run, download_some, photos)
        assert "Permission denied" in sentence(FileProblem, helpers.collect_photos, source, 30)
        assert "Permission denied" in sentence(SettingsError, helpers.load_settings)
        monkeypatch.chdir(tmp_path)
        assert "Permission denied" in sentence(FileProblem, helpers.keep, run, folder)
    finally:
        folder.chmod(0o700)
    record_property("fault", "no permission")
    record_property("times", 4)
    assert len(helpers.keep(run, "images")) == 3


def test_a_missing_folder_is_made_and_one_that_disappears_is_told(
    photos: list[Photo], tmp_path: Path, record_property: Callable
) -> None:
    assert len(helpers.keep(helpers.timed_run(download_some, photos[:3]), "new/images")) == 3

    def download_and_delete(photos: list[Photo], folder: Path) -> None:
        download_some(photos, folder)
        shutil.rmtree("cache")

    text = sentence(FileProblem, helpers.timed_run, download_and_delete, photos[:3])
    assert "No such file or directory" in text
    run = helpers.timed_run(download_some, photos[:3])
    shutil.rmtree("cache")
    assert "No such file or directory" in sentence(FileProblem, helpers.keep, run, "images")
    Path("in the way").write_text("a file")
    run = helpers.timed_run(download_some, photos[:3])
    sentence(FileProblem, helpers.keep, run, "in the way")
    assert len(helpers.keep(run, "images")) == 3
    record_property("fault", "folder missing")
    record_property("times", 4)


# --- elsewhere, and under any name --------------------------------------------------------------------------------


def test_images_and_thumbnails_may_be_on_another_disk(
    photos: list[Photo], tmp_path: Path, record_property: Callable
) -> None:
    record_property("fault", "images/ on another disk")
    record_property("times", len(photos))
    with disk(tmp_path / "images", 50_000_000):
        run = helpers.timed_run(download_some, photos)
        assert run.folder.stat().st_dev != Path("images").stat().st_dev
        paths = helpers.keep(run, "images")
        assert [path.name for path in paths] == sorted(path.name for path in Path("images").iterdir())
        assert digests(Path("images")) == run.files
        assert not run.folder.exists()


def test_what_does_not_fit_on_the_other_disk_stays_and_is_moved_later(
    photos: list[Photo], tmp_path: Path, record_property: Callable
) -> None:
    record_property("fault", "disk full")
    record_property("times", len(photos))
    with disk(tmp_path / "images", ROOM):
        run = helpers.timed_run(download_some, photos)
        assert "No space left on device" in sentence(FileProblem, helpers.keep, run, "images")
        moved = {path.name for path in Path("images").iterdir()}
        assert moved
        there = digests(run.folder) | digests(Path("images"))
        assert there == run.files  # each in one of the two places, whole, and nothing else
        subprocess.run(["mount", "-o", "remount,size=50m", "images"], check=True)
        assert len(helpers.keep(run, "images")) == len(photos)
        assert digests(Path("images")) == run.files


def test_the_whole_way_works_in_a_folder_with_any_name(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    record_property("fault", "path with spaces and non-ASCII characters")
    record_property("times", 1)
    folder = tmp_path / "Zoë's  Fotos & 写真 100 % [neu] 🏔"
    folder.mkdir()
    shutil.copy(ROOT / "config.ini.example", folder)
    monkeypatch.chdir(folder)
    assert str(helpers.load_settings()) == str(helpers.load_settings())  # made, then read
    paths = helpers.keep(helpers.timed_run(download_some, photos), "images")
    run = helpers.timed_run(resize_some, paths)
    assert helpers.problems(run) == []
    assert [path.name for path in helpers.keep(run, "thumbnails")] == [path.name for path in paths]
    monkeypatch.chdir(tmp_path)
