"""make_thumbnail beside other ways: speed, and PSNR against a full decode with a float Lanczos resize."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, JpegImagePlugin

import helpers
from benchmarks import common
from benchmarks.common import Options, Refused, Round, Rounds, each, of, target, times
from kit.pixels import JPEG_QUALITY

BESIDE = ("pyvips", "vips", "img2dataset")
LANCZOS = Image.Resampling.LANCZOS
Tool = Callable[[Sequence[Path], Path, int], Round | None]  # makes a thumbnail of every path, of the same name

OURS, THUMBNAIL, NAIVE = "make_thumbnail", "Pillow thumbnail()", "Pillow, full decode"
PYVIPS, COMMAND, IMG2DATASET = "pyvips thumbnail", "vipsthumbnail", "img2dataset's resizer"
LEAST = {  # size (longer side, pixels) -> how many times as fast as others make_thumbnail should be
    200: {THUMBNAIL: 1.4, PYVIPS: 1.45, COMMAND: 2.1, IMG2DATASET: 2.1, NAIVE: 4},
    400: {THUMBNAIL: 1.8, PYVIPS: 1.35, NAIVE: 2.5},
}


def fitted(size: tuple[int, int], longer: int) -> tuple[int, int]:
    scale = min(1, longer / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def ours(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        helpers.make_thumbnail(path, folder, size)


def thumbnail(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.thumbnail((size, size))
            image.save(folder / path.name, quality=JPEG_QUALITY)


def naive(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.resize(fitted(image.size, size), LANCZOS).save(folder / path.name, quality=JPEG_QUALITY)


def pyvips(paths: Sequence[Path], folder: Path, size: int) -> None:
    common.needs("pyvips")
    import pyvips

    for path in paths:
        pyvips.Image.thumbnail(str(path), size).jpegsave(str(folder / path.name), Q=JPEG_QUALITY, keep="none")


def vipsthumbnail(paths: Sequence[Path], folder: Path, size: int) -> None:
    options = ("-s", size, "-o", f"{folder}/%s.jpg[Q={JPEG_QUALITY},strip]")
    common.run("libvips-tools", "vipsthumbnail", *options, *paths)


def img2dataset(paths: Sequence[Path], folder: Path, size: int) -> Round:
    return common.img2dataset(paths=paths, folder=folder, size=size, quality=JPEG_QUALITY)


TOOLS: dict[str, Tool] = {
    OURS: ours, THUMBNAIL: thumbnail, NAIVE: naive,
    PYVIPS: pyvips, COMMAND: vipsthumbnail, IMG2DATASET: img2dataset,
}  # fmt: skip


def check(paths: Sequence[Path], size: int, folder: Path) -> None:
    """Refused, unless there is one thumbnail for each photo: right size, JPEG_QUALITY, colours 4:2:0."""
    names = {path.name for path in folder.iterdir()}
    if names != {path.name for path in paths}:
        raise Refused(f"unequal work: {len(names):,} files for {len(paths):,} photos")
    for path in paths:
        with Image.open(path) as photo, Image.open(folder / path.name) as small:
            wanted = fitted(photo.size, size)
            # Tools round the shorter side up or down.
            if max(small.size) != max(wanted) or abs(min(small.size) - min(wanted)) > 1:
                raise Refused(f"unequal work: {small.size} in place of {wanted} pixels")
            if (small.format, small.mode, JpegImagePlugin.get_sampling(small)) != ("JPEG", "RGB", 2):
                raise Refused("unequal work: not a JPEG in colours with 4:2:0")
            if small.quantization != _quantization():
                raise Refused(f"unequal work: not JPEG quality {JPEG_QUALITY}")


@functools.cache
def _quantization() -> dict[int, list[int]]:
    """The tables of JPEG_QUALITY."""
    Image.new("RGB", (16, 16)).save(file := io.BytesIO(), "JPEG", quality=JPEG_QUALITY)
    return Image.open(file).quantization


def psnr(paths: Sequence[Path], folder: Path) -> float:
    """Mean over all photos (dB) of a folder of thumbnails."""

    def decibels(path: Path) -> float:
        with Image.open(path) as photo, Image.open(folder / path.name) as small:
            channels = [np.asarray(one.convert("F").resize(small.size, LANCZOS)) for one in photo.split()]
            error = np.asarray(small, np.float32) - np.clip(np.stack(channels, axis=-1), 0, 255)
        return 10 * np.log10(255**2 / max(np.mean(error**2), 1e-9))

    with ThreadPoolExecutor(helpers.usable_cpus()) as executor:
        return float(np.mean(list(executor.map(decibels, paths))))


def prepare(options: Options) -> list[Path]:
    """The corpus, saved again with its own JPEG tables and without metadata, which tools treat differently."""
    count, paths = max(8, options.photos // 5), []
    originals = sorted(options.corpus.rglob("*.[jJ][pP]*[gG]")) if options.corpus else common.draw(options, count)
    folder = options.folder("corpus")
    for original in originals[:count]:
        with contextlib.suppress(OSError), Image.open(original) as photo:  # what is no image is left out
            if photo.format == "JPEG" and photo.mode == "RGB" and max(photo.size) > max(LEAST):
                paths.append(folder / f"{len(paths):05d}.jpg")
                photo.save(paths[-1], quality="keep", comment=None)
    if not paths:
        raise Refused(f"no JPEG in colours of more than {max(LEAST)} pixels in {options.corpus}")
    return paths


def side_by_side(options: Options, paths: Sequence[Path], size: int, tools: dict[str, Tool] = TOOLS) -> Rounds:
    """Rounds of all tools at one size, with the PSNR of their first one."""

    def ready(tool: Tool) -> Callable[[], Round]:
        once = functools.cache(functools.partial(psnr, paths))

        def looked_at(folder: Path) -> Round:
            check(paths, size, folder)
            return {"psnr": once(folder)}

        return common.task(options, len(paths), lambda folder: tool(paths, folder, size), looked_at)

    return common.alternate({name: ready(tool) for name, tool in tools.items()}, options.rounds)


def measure(options: Options) -> dict:
    paths = prepare(options)
    kilobytes = sum(path.stat().st_size for path in paths) / len(paths) / 1e3
    source = "from a folder of the user's" if options.corpus else "drawn for the practice server"
    corpus = f"{len(paths)} photos of {kilobytes:.0f} kB, {source}; thumbnails of JPEG quality {JPEG_QUALITY}"
    return {f"{size} px": side_by_side(options, paths, size) for size in LEAST} | {"facts": {"Corpus": corpus}}


def report(data: dict) -> dict[str, list[str]]:
    blocks, wanted, decibels = {}, [], of(lambda one: one["psnr"])
    for size, least in LEAST.items():
        rounds = data[f"{size} px"]
        blocks[f"{size} px"] = common.table("tool", rounds, {
            "ms per photo": (each(), ".2f"),
            "make_thumbnail is ... times as fast": (lambda found, name: times(found, OURS, name), ".2f"),
            "PSNR (dB)": (decibels, ".2f"),
        })  # fmt: skip
        loss = decibels(rounds, THUMBNAIL)[0] - decibels(rounds, OURS)[0]
        wanted += [target(f"{size} px: PSNR below thumbnail()'s, dB", [loss], at_most=0.15)]
        wanted += [target(f"{size} px: times {peer}", times(rounds, OURS, peer), least[peer]) for peer in least]
    return blocks | {"targets": common.targets(*wanted)}
