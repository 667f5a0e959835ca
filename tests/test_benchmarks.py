"""The benchmarks: quick runs give complete tables, unequal work gets no figure, a missing peer is named."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from conftest import ROOT
from PIL import Image
from published import published

import helpers
from benchmarks import common, downloads, reading, thumbnails
from benchmarks.__main__ import PARTS, results

FIGURE = re.compile(r"[-+]?[\d,]*\d(\.\d+)?( \(.*\))?")


@pytest.fixture(scope="module")
def quick(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a quick run of all parts fills on a machine that has none of the programs."""
    cache = tmp_path_factory.mktemp("benchmarks")
    (cache / "practice").symlink_to(pictures, target_is_directory=True)
    parts = [part for part in PARTS if part not in ("grading", "reading")]  # they need a notebook that was run
    command = [sys.executable, "-m", "benchmarks", *parts, "--quick", "--cache", cache]
    environment = {**os.environ, "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return cache / "benchmarks" / "quick"


def tables(text: str) -> list[tuple[list[str], list[list[str]]]]:
    """Head and rows of each table of a page."""
    found = []
    for block in re.findall(r"(?m)(?:^\|.*\n)+", text):
        head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines())
        found.append((head, rows))
    return found


def test_a_quick_run_fills_every_table(quick: Path) -> None:
    page = (quick / "results.md").read_text(encoding="utf-8")
    assert results(quick / "rounds") == page  # nothing but the rounds is needed
    assert page.count("\n- Date: ") == page.count("\n- Modules: ") == len(PARTS) - 2
    assert len(re.findall(r"other programs took more than 0\.1 CPUs: \d+ repeated, \d+ of \d+ left", page)) == 9
    for head, rows in tables(page):
        for row in rows:
            assert len(row) == len(head)
            if "not installed" in row[1]:
                assert not any(row[2:])
            elif head[0] == "target":
                assert row[3] in ("met", "**not met**") or row[2] == "not measured", row
            else:
                assert all(FIGURE.fullmatch(row[n]) for n, name in enumerate(head) if n and name != "why"), row
    growth = (quick / "growth.md").read_text(encoding="utf-8")
    assert "1,000,000" in growth and "{" not in page + growth
    assert all(FIGURE.fullmatch(cell) for _, rows in tables(growth) for row in rows for cell in row[1:])


def test_every_tool_has_a_row_and_a_missing_one_is_named(quick: Path) -> None:
    found = tables((quick / "results.md").read_text(encoding="utf-8"))
    rows = {row[0]: row[1] for head, rows in found for row in rows if head[0] != "target"}
    assert set(rows) >= {*downloads.CLIENTS, *downloads.LADDER, *thumbnails.TOOLS}
    packages = {thumbnails.COMMAND: "libvips-tools", downloads.CURL: "curl", downloads.ARIA2C: "aria2"}
    for name, package in packages.items():
        assert rows[name] == f"not installed: apt-get install {package}"
    with pytest.raises(common.Refused, match=r"^not installed: pip install -r requirements-bench.txt$"):
        common.needs("no-such-package-as-this")


def test_a_part_that_is_not_measured_says_so(tmp_path: Path) -> None:
    page = results(tmp_path)
    assert page.count("\nNot measured yet.\n") == len(PARTS) and not tables(page)


def test_files_of_former_runs_are_emptied_and_set_aside_not_deleted(tmp_path: Path) -> None:
    options = common.Options(cache=tmp_path)
    for _ in range(4):
        folder = options.folder()
        assert not list(folder.iterdir())
        (folder / "photo.jpg").write_bytes(bytes(1000))
    assert [path.stat().st_size for path in options.aside.rglob("photo.jpg")] == [0, 0, 0]
    assert (folder / "photo.jpg").stat().st_size == 1000


def test_rounds_begin_with_another_tool_each_time() -> None:
    order = []
    found = common.alternate({name: lambda name=name: order.append(name) or {"seconds": 1.0} for name in "abc"}, 4)
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"
    assert [len(found[name]) for name in "abc"] == [4, 4, 4]


def test_a_disturbed_run_is_repeated_and_the_least_disturbed_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    others = iter([0, 9e9, 0, 1, 0, 7e9])  # before and after each run
    monkeypatch.setattr(common, "spent_by_others", lambda: next(others))
    monkeypatch.setattr(common, "SHORT", 0)
    seconds = iter([1.0, 2.0, 3.0])
    (one,) = common.alternate({"a": lambda: {"seconds": next(seconds)}}, 1)["a"]
    assert (one["seconds"], one["tries"]) == (2.0, common.AGAIN + 1)


def test_only_the_cpu_time_of_others_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that does nothing but what the tools and one other program do."""
    others = [0.0]
    times = type("Times", (tuple,), {"idle": 100.0})
    monkeypatch.setattr(psutil, "cpu_times", lambda: times((sum(os.times()[:4]) + others[0], times.idle)))
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(children=lambda recursive: []))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)

    def busy(seconds_of_others: float) -> common.Round:
        subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
        others[0] += seconds_of_others
        return {"seconds": 1.0}

    found = common.alternate({"alone": lambda: busy(0), "disturbed": lambda: busy(1000)}, 1)
    assert found["alone"][0]["others"] < 0.5  # a tick of the system's counter may fall between two looks
    assert found["disturbed"][0]["others"] > 1  # 1000 s in less than 250 s


# --- unequal work -----------------------------------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    (tmp_path / "photos").mkdir()
    found = [tmp_path / "photos" / f"{number}.jpg" for number in range(4)]
    for path in found:
        Image.effect_mandelbrot((900, 600), (-2, -1, 1, 1), 50).convert("RGB").save(path)
    return found


def saved(size: tuple[int, int], quality: int = 85, resample: int | None = None, **options: str) -> thumbnails.Tool:
    def tool(paths: Sequence[Path], folder: Path, _: int) -> None:
        for path in paths:
            with Image.open(path) as image:
                image.resize(size, resample).save(folder / path.name, quality=quality, **options)

    return tool


UNEQUAL = {
    "pixels": saved((100, 67)),
    "3 files for 4": lambda paths, folder, size: thumbnails.thumbnail(paths[1:], folder, size),
    "quality 85": saved((200, 133), quality=70),
    "4:2:0": saved((200, 133), subsampling="4:4:4"),
}


@pytest.mark.parametrize("reason", UNEQUAL)
def test_unequal_thumbnails_get_no_figure(paths: list[Path], tmp_path: Path, reason: str) -> None:
    coarse = saved((200, 133), resample=Image.Resampling.NEAREST)
    tools = {"ours": thumbnails.ours, "right": thumbnails.naive, "coarse": coarse, "wrong": UNEQUAL[reason]}
    options = common.Options(rounds=2, cache=tmp_path)
    found, _ = thumbnails.side_by_side(options, paths, 200, tools)
    assert re.match(rf"unequal work: .*{reason}", found["wrong"])
    right, coarse = ({one["psnr"] for one in found[name]} for name in ("right", "coarse"))
    assert right.pop() > coarse.pop() + 1 and not right and not coarse
    with pytest.raises(common.Refused, match=reason):  # ours is what all others are compared with
        thumbnails.side_by_side(options, paths, 200, {"ours": UNEQUAL[reason]})


SPOILED = {
    "cut": lambda first, second: first.write_bytes(first.read_bytes()[:-1000]),  # not all of it has arrived
    "twice the same": lambda first, second: first.write_bytes(second.read_bytes()),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_unequal_downloads_get_no_figure(photos: list[helpers.Photo], tmp_path: Path, spoil: Callable) -> None:
    digests, same = downloads.reference(photos[:4]), common.same_files(4)
    for photo in photos[:4]:
        helpers.download_photo(photo, tmp_path)
    downloads.check(photos[:4], digests, tmp_path)
    same(tmp_path)
    spoil(*(tmp_path / f"{photo.id}.jpg" for photo in photos[:2]))
    with pytest.raises(common.Refused, match=r"^unequal work: 3 of 4 photos are right$"):
        downloads.check(photos[:4], digests, tmp_path)
    with pytest.raises(common.Refused, match="other files than in the first run"):
        same(tmp_path)


def test_the_class_report_is_measured_on_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assignment.ipynb").write_bytes(published("assignment.ipynb"))
    monkeypatch.setattr(common, "ROOT", tmp_path)
    reading.make(tmp_path, [3], 2)
    measured = reading.read(tmp_path / "3", 3, tmp_path)
    assert measured["seconds"] > 0 and 50 < measured["MB"] < 2000
    (tmp_path / "3" / "student0001" / "assignment.ipynb").unlink()
    with pytest.raises(common.Refused, match="not all submissions were read"):
        reading.read(tmp_path / "3", 3, tmp_path)


def test_a_part_that_can_not_be_measured_says_why_and_the_others_go_on(tmp_path: Path, pictures: Path) -> None:
    """With a notebook that was never run, there is no class to read."""
    for name in ("benchmarks", "kit", "checks", "practice", "teacher"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "rounds"))
    for name in ("helpers.py", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    notebook = json.loads(published("assignment.ipynb"))
    for one in notebook["cells"]:
        one.pop("outputs", None)
    (tmp_path / "assignment.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "practice").symlink_to(pictures, target_is_directory=True)
    command = [sys.executable, "-m", "benchmarks", "reading", "load", "--quick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.rstrip().endswith("reading: assignment.ipynb holds no records of four runs: make run")
    assert (tmp_path / "cache" / "benchmarks" / "quick" / "rounds" / "load.json").exists()
