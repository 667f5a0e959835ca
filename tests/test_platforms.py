"""What differs between Windows, macOS and Linux, as far as Linux can show it."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

import helpers
from helpers import Photo, Run, Secret, Source, make_thumbnail

ROOT = Path(__file__).parent.parent


def resize_serial(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        make_thumbnail(path, folder, size)


def resize_processes(paths: Sequence[Path], folder: Path, size: int, method: str) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size)))


@pytest.fixture
def images(photos: list[Photo], tmp_path: Path) -> list[Path]:
    return [Path(helpers.download_photo(photo, tmp_path).path) for photo in photos[:12]]


@pytest.mark.parametrize("method", [name for name in multiprocessing.get_all_start_methods() if name != "fork"])
def test_every_start_method_gives_the_same_files(method: str, images: list[Path]) -> None:
    serial: Run = helpers.timed_run(resize_serial, images, 120)
    parallel = helpers.timed_run(resize_processes, images, 120, method)
    assert parallel.mode == "processes" and len(parallel.files) == 12
    assert helpers.compare(serial, parallel) > 0


LOCALE = """
import json, sys
from pathlib import Path
import helpers
settings = helpers.load_settings()
record = {"id": "abcdefghijk", "description": "K\\u00e4se"}
path = Path("cache/metadata/here.jsonl")
path.parent.mkdir(parents=True)
line = json.dumps({"source": "here", "photos": [record]}, ensure_ascii=False)
path.write_bytes(line.encode("utf-8") + b"\\n")
source = helpers.Source("here", "here", "http://127.0.0.1:9", [], settings.access_key)
assert helpers.collect_photos(source, 1) == [record]
assert helpers.environment()
print(sys.flags.utf8_mode, settings.photos)
"""


def test_files_are_read_as_utf8_whatever_the_system_thinks(tmp_path: Path) -> None:
    example = (ROOT / "config.ini.example").read_text(encoding="utf-8").replace("photos = 1500", "photos = 7")
    (tmp_path / "config.ini.example").write_text("; Größe\n" + example, encoding="utf-8")
    (tmp_path / "program.py").write_text(LOCALE, encoding="utf-8")
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["0", "7"]


def test_of_two_ids_that_differ_in_capitals_one_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """On Windows and macOS their files would be the same one."""
    pages = [[{"id": "abcdefghijk", "likes": 1}, {"id": "ABCDEFGHIJK", "likes": 2}], [{"id": "lmnopqrstuv"}]]
    source = Source("a list", "list", "http://127.0.0.1:9", [], Secret())
    source.get = lambda *_, **__: pages.pop(0)
    records = helpers.collect_photos(source, 2, cache=tmp_path)
    assert [record["id"] for record in records] == ["abcdefghijk", "lmnopqrstuv"] and not pages
    lines = (tmp_path / "list.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(json.loads(lines[0])["photos"]) == 2  # what was paid for is kept
    assert helpers.collect_photos(source, 2, cache=tmp_path) == records
    assert "no request was needed" in capsys.readouterr().out
