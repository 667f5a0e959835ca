"""The benchmarks: quick runs give complete tables, unequal work gets no figure, a missing peer is named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

import helpers
from benchmarks import common, downloads, thumbnails
from benchmarks.__main__ import PARTS

FIGURE = re.compile(r"[-+]?[\d,]*\d(\.\d+)?( \(.*\))?")


@pytest.fixture(scope="module")
def results(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a quick run of all parts writes on a machine that has none of the programs."""
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "cache").mkdir()
    (folder / "cache" / "practice").symlink_to(pictures, target_is_directory=True)
    command = [sys.executable, "-m", "benchmarks", "--quick", "--cache", folder / "cache", "--output", folder]
    environment = {**os.environ, "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in folder.glob("rounds/*.json")} == set(PARTS)
    return (folder / "results.md").read_text(encoding="utf-8")


def tables(text: str) -> list[tuple[list[str], list[list[str]]]]:
    """Head and rows of each table of a page."""
    found = []
    for block in re.findall(r"(?m)(?:^\|.*\n)+", text):
        head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines())
        found.append((head, rows))
    return found


def test_a_quick_run_fills_every_table(results: str) -> None:
    for title in PARTS.values():
        section = results.split(f"\n## {title}\n")[1].split("\n## ")[0]
        assert all(f"\n- {word}: " in section for word in ("Date", "Machine", "Python"))
        assert tables(section)
    for head, rows in tables(results):
        assert rows
        for row in rows:
            assert len(row) == len(head)
            if "not installed" in row[1]:
                assert not any(row[2:])
            elif head[0] == "target":
                assert row[3] in ("met", "**not met**") or row[2] == "not measured", row
            elif head[0] == "cell":
                assert FIGURE.fullmatch(row[2])
            else:
                figures = [cell for name, cell in zip(head[1:], row[1:], strict=True) if name != "why"]
                assert all(FIGURE.fullmatch(cell) or (row[0] == thumbnails.FLOOR and not cell) for cell in figures), row


def test_every_tool_has_a_row_and_a_missing_one_is_named(results: str) -> None:
    rows = {row[0]: row[1] for head, found in tables(results) for row in found if head[0] in ("tool", "client", "step")}
    assert set(rows) >= {*downloads.CONNECTIONS, *downloads.LADDER, *thumbnails.LADDER}
    for name, package in {
        thumbnails.COMMAND: "libvips-tools", thumbnails.MAGICK: "imagemagick", thumbnails.GRAPHICS: "graphicsmagick",
        downloads.CURL: "curl", downloads.ARIA2C: "aria2", downloads.WGET: "wget",
    }.items():  # fmt: skip
        assert rows[name] == f"not installed: apt-get install {package}"


def test_a_missing_package_is_named() -> None:
    with pytest.raises(common.Refused, match=r"^not installed: pip install -r requirements-bench.txt$"):
        common.needs("no-such-package-as-this")


def test_files_of_former_runs_are_emptied_and_set_aside_not_deleted(tmp_path: Path) -> None:
    """Deleting them would slow down the next tool that creates files, on some file systems."""
    options = common.Options(cache=tmp_path)
    for number in range(3):
        (options.folder("run") / "photo.jpg").write_bytes(bytes([number]) * 1000)
    assert (options.folder("run", "inner").parent / "photo.jpg").read_bytes() == b"\2" * 1000
    options.folder("run")
    sizes = [path.stat().st_size for path in options.aside.rglob("photo.jpg")]
    assert sizes == [0, 0, 0]
    assert list((tmp_path / "benchmarks" / "run").iterdir()) == []


# --- unequal work -----------------------------------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    (tmp_path / "photos").mkdir()
    found = [tmp_path / "photos" / f"{number}.jpg" for number in range(4)]
    for path in found:
        Image.effect_mandelbrot((900, 600), (-2, -1, 1, 1), 50).convert("RGB").save(path)
    return found


@thumbnails.each
def smaller(image: Image.Image, size: int) -> Image.Image:
    return image.resize((size // 2, size // 3))


def one_less(paths: Sequence[Path], folder: Path, size: int) -> None:
    thumbnails.thumbnail(paths[1:], folder, size)


def other_quality(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.thumbnail((size, size))
            image.save(folder / path.name, quality=70)


def other_colours(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.thumbnail((size, size))
            image.save(folder / path.name, quality=85, subsampling="4:4:4")


UNEQUAL = {smaller: "pixels", one_less: "3 files for 4", other_quality: "quality 85", other_colours: "4:2:0"}


@pytest.mark.parametrize(("tool", "reason"), UNEQUAL.items(), ids=lambda value: getattr(value, "__name__", None))
def test_unequal_thumbnails_get_no_figure(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: thumbnails.Tool, reason: str
) -> None:
    found = {thumbnails.OURS: thumbnails.ours, "right": thumbnails.thumbnail, "wrong": tool}
    monkeypatch.setattr(thumbnails, "tools", lambda worker: found)
    options = common.Options(cache=tmp_path)
    results = thumbnails.side_by_side(options, paths, 200, 2, None)
    assert re.match(rf"unequal work: .*{reason}", results["wrong"]["refused"])
    assert "rounds" not in results["wrong"]
    assert len(results["right"]["rounds"]) == 2
    assert results["right"]["psnr"]["all"] == results["right"]["psnr"]["landscape"] > 25
    found[thumbnails.OURS] = tool  # ours is what all others are compared with
    with pytest.raises(common.Refused, match=reason):
        thumbnails.side_by_side(options, paths, 200, 2, None)


def test_psnr_knows_a_worse_thumbnail(paths: list[Path], tmp_path: Path) -> None:
    @thumbnails.each
    def coarse(image: Image.Image, size: int) -> Image.Image:
        return image.resize(thumbnails.fitted(image.size, size), Image.Resampling.NEAREST)

    folders = [tmp_path / "naive", tmp_path / "coarse"]
    for folder, tool in zip(folders, (thumbnails.naive, coarse), strict=True):
        folder.mkdir()
        tool(paths, folder, 200)
    good, bad = thumbnails.qualities(paths, folders)
    assert good["all"] > bad["all"] + 1


def cut(photos: Sequence[helpers.Photo], folder: Path) -> common.Round:
    """A client that keeps a photo of which only half has arrived."""
    with common.stopwatch() as measured:
        for photo in photos:
            path = Path(helpers.download_photo(photo, folder).path)
        path.write_bytes(path.read_bytes()[:-1000])
    return measured


def twice_the_same(photos: Sequence[helpers.Photo], folder: Path) -> common.Round:
    with common.stopwatch() as measured:
        for photo in photos:
            helpers.download_photo(photo, folder)
        (folder / f"{photos[0].id}.jpg").write_bytes((folder / f"{photos[1].id}.jpg").read_bytes())
    return measured


@pytest.mark.parametrize("client", [cut, twice_the_same])
def test_unequal_downloads_get_no_figure(photos: list[helpers.Photo], tmp_path: Path, client) -> None:
    digests = downloads.reference(photos[:4])
    with pytest.raises(common.Refused, match=r"^unequal work: 3 of 4 photos are right$"):
        downloads.timed(client, photos[:4], tmp_path / "run", tmp_path / "aside", digests)
    assert not (tmp_path / "run").exists()


def test_rounds_begin_with_another_tool_each_time() -> None:
    order = []

    def tool(name: str):
        return lambda: order.append(name) or {"seconds": 1.0}

    results = common.alternate({name: tool(name) for name in "abc"}, 4, {"c": 1})
    assert "".join(order) == "abc" + "ba" + "ab" + "ab"
    assert [len(common.column(results[name])) for name in "abc"] == [4, 4, 1]
