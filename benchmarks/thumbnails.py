"""make_thumbnail beside other ways: speed, and PSNR against a full decode with a float Lanczos resize."""

from __future__ import annotations

import contextlib
import functools
import io
import statistics
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


def psnr(paths: Sequence[Path], folder: Path) -> list[float]:
    """Of every thumbnail in the folder (dB)."""

    def decibels(path: Path) -> float:
        with Image.open(path) as photo, Image.open(folder / path.name) as small:
            channels = [np.asarray(one.convert("F").resize(small.size, LANCZOS)) for one in photo.split()]
            error = np.asarray(small, np.float32) - np.clip(np.stack(channels, axis=-1), 0, 255)
        return 10 * np.log10(255**2 / max(np.mean(error**2), 1e-9))

    with ThreadPoolExecutor(helpers.usable_cpus()) as executor:
        return list(map(float, executor.map(decibels, paths)))


def prepare(options: Options, originals: Sequence[Path], name: str) -> list[Path]:
    """The photos, saved again with their own JPEG tables and without metadata, which tools treat differently."""
    paths, folder = [], options.folder(f"corpus-{name}")
    for original in originals:
        with contextlib.suppress(OSError), Image.open(original) as photo:  # what is no image is left out
            if photo.format == "JPEG" and photo.mode == "RGB" and max(photo.size) > max(LEAST):
                paths.append(folder / f"{len(paths):05d}.jpg")
                photo.save(paths[-1], quality="keep", comment=None)
    if not paths:
        raise Refused(f"no JPEG in colours of more than {max(LEAST)} pixels in {options.corpus}")
    return paths


def side_by_side(
    options: Options, paths: Sequence[Path], size: int, tools: dict[str, Tool] = TOOLS
) -> tuple[Rounds, dict[str, list[float]]]:
    """Rounds of all tools at one size, with the mean PSNR, and by tool the PSNR of each photo."""
    quality: dict[str, list[float]] = {}

    def ready(name: str, tool: Tool) -> Callable[[], Round]:
        def looked_at(folder: Path) -> Round:
            check(paths, size, folder)
            if name not in quality:
                quality[name] = psnr(paths, folder)
            return {"psnr": statistics.mean(quality[name])}

        return common.task(options, len(paths), lambda folder: tool(paths, folder, size), looked_at)

    rounds = common.alternate({name: ready(name, tool) for name, tool in tools.items()}, options.rounds)
    return rounds, quality


def loss(quality: dict[str, list[float]]) -> dict[str, float]:
    """By how much (dB) our PSNR is below thumbnail()'s: the mean, and that of the worst 5 % of the photos."""
    below = sorted(a - b for a, b in zip(quality[THUMBNAIL], quality[OURS], strict=True))
    worst = below[-max(1, len(below) // 20) :]
    return {"mean": statistics.mean(below), "worst": statistics.mean(worst)}


def measure(options: Options) -> dict:
    corpora = {"practice": common.draw(options, max(8, options.photos // 5))}
    if options.corpus:
        corpora["genuine"] = sorted(options.corpus.rglob("*.[jJ][pP]*[gG]"))
    data: dict[str, dict] = {"facts": {"Thumbnails": f"JPEG quality {JPEG_QUALITY}"}}
    for name, originals in corpora.items():
        paths = prepare(options, originals, name)
        kilobytes = sum(path.stat().st_size for path in paths) / len(paths) / 1e3
        data["facts"][f"Photos, {name}"] = f"{len(paths)} of {kilobytes:.0f} kB"
        data[name] = {}
        for size in LEAST:
            rounds, quality = side_by_side(options, paths, size)
            data[name][f"{size} px"] = {"rounds": rounds, "loss": loss(quality)}
    return data


def report(data: dict) -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = {}
    for corpus in ("genuine", "practice"):
        wanted = []
        for size, least in LEAST.items() if corpus in data else ():
            found = data[corpus][f"{size} px"]
            rounds = found["rounds"]
            blocks[f"{corpus} {size} px"] = common.table("tool", rounds, {
                "ms per photo": (each(), ".2f"),
                "make_thumbnail is ... times as fast": (lambda found, name: times(found, OURS, name), ".2f"),
                "PSNR (dB)": (of(lambda one: one["psnr"]), ".2f"),
            })  # fmt: skip
            wanted += [target(f"{size} px: PSNR below thumbnail()'s, dB", [found["loss"]["mean"]], at_most=0.1)]
            wanted += [
                target(f"{size} px: the same in the worst 5 % of the photos", [found["loss"]["worst"]], at_most=0.8)
            ]
            wanted += [target(f"{size} px: times {peer}", times(rounds, OURS, peer), least[peer]) for peer in least]
        blocks[f"{corpus} targets"] = common.targets(*wanted) if wanted else ["Not measured yet.", ""]
    return blocks
