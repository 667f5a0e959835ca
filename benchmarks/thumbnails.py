"""make_thumbnail beside other ways: speed, and PSNR against a full decode with a float Lanczos resize."""

from __future__ import annotations

import contextlib
import cProfile
import functools
import io
import pstats
import shutil
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError, features

import helpers
from benchmarks import common
from benchmarks.common import Img2dataset, Options, Refused, Round, Target, column, program, ratios, spread

LANCZOS, BICUBIC = Image.Resampling.LANCZOS, Image.Resampling.BICUBIC
SIZES = (200, 400)  # pixels, longer side
Tool = Callable[[Sequence[Path], Path, int], Round | None]  # makes a thumbnail of every path, of the same name

OURS, THUMBNAIL, NAIVE, TWICE = "make_thumbnail", "Pillow thumbnail()", "Pillow, full decode", "draft to 2 x, BICUBIC"
PYVIPS, COMMAND, IMG2DATASET = "pyvips thumbnail", "vipsthumbnail", "img2dataset's resizer"
MAGICK, GRAPHICS, FLOOR = "ImageMagick mogrify", "GraphicsMagick mogrify", "floor"

LADDER = {
    NAIVE: "decode all pixels, then `resize` with Lanczos: most of the work is on pixels that are thrown away",
    THUMBNAIL: "a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, and then there are fewer pixels to resize; but "
    "Pillow asks for twice the square box, which a landscape photo of 1,080 x 720 only reaches in full",
    TWICE: "asking for twice the size that the thumbnail really gets lets the decoder use a smaller scale",
    OURS: "a smaller margin lets it use a smaller scale more often; of the colours, single pixels are picked, as the "
    "encoder averages them anyway. The checks, the atomic write and the record are in this step, too",
}


# --- the tools --------------------------------------------------------------------------------------------------


def fitted(size: tuple[int, int], longer: int) -> tuple[int, int]:
    scale = min(1, longer / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def ours(paths: Sequence[Path], folder: Path, size: int) -> None:
    for path in paths:
        helpers.make_thumbnail(path, folder, size)


def each(make: Callable[[Image.Image, int], Image.Image]) -> Tool:
    """A tool that opens one image after the other with Pillow, and saves what `make` returns."""

    @functools.wraps(make)
    def tool(paths: Sequence[Path], folder: Path, size: int) -> None:
        for path in paths:
            with Image.open(path) as image:
                make(image, size).save(folder / path.name, quality=85)

    return tool


@each
def naive(image: Image.Image, size: int) -> Image.Image:
    return image.resize(fitted(image.size, size), LANCZOS)


@each
def thumbnail(image: Image.Image, size: int) -> Image.Image:
    image.thumbnail((size, size))
    return image


@each
def twice(image: Image.Image, size: int) -> Image.Image:
    small = fitted(image.size, size)
    image.draft(None, (2 * small[0], 2 * small[1]))
    return image.resize(small, BICUBIC)


@each
def floor(image: Image.Image, size: int) -> Image.Image:
    """Decoded at the smallest of 1/1, 1/2, 1/4, 1/8 that is not below the thumbnail, and not resized."""
    image.draft(None, fitted(image.size, size))
    return image


def pyvips(paths: Sequence[Path], folder: Path, size: int) -> None:
    common.needs("pyvips")
    import pyvips

    for path in paths:
        pyvips.Image.thumbnail(str(path), size).jpegsave(str(folder / path.name), Q=85, keep="none")


def vipsthumbnail(paths: Sequence[Path], folder: Path, size: int) -> None:
    common.run(program("vipsthumbnail", "libvips-tools"), "-s", size, "-o", f"{folder}/%s.jpg[Q=85,strip]", *paths)


def mogrify(paths: Sequence[Path], folder: Path, size: int) -> None:
    options = ("-define", f"jpeg:size={2 * size}x{2 * size}", "-thumbnail", f"{size}x{size}")
    options += ("-sampling-factor", "4:2:0", "-quality", 85, "-type", "TrueColor")  # it would save a grey photo as grey
    common.run(program("mogrify", "imagemagick"), *options, "-path", folder, *paths)


def graphicsmagick(paths: Sequence[Path], folder: Path, size: int) -> None:
    command = program("gm", "graphicsmagick")
    copies = [shutil.copy(path, folder) for path in paths]  # it writes over its originals
    options = ("-size", f"{2 * size}x{2 * size}", "-resize", f"{size}x{size}", "+profile", "*", "-quality", 85)
    common.run(command, "mogrify", *options, *copies)


def tools(worker: Img2dataset) -> dict[str, Tool]:
    def resizer(paths: Sequence[Path], folder: Path, size: int) -> Round:
        return worker.ask(do="resize", paths=paths, folder=folder, size=size)

    return {
        OURS: ours, THUMBNAIL: thumbnail, NAIVE: naive, TWICE: twice, PYVIPS: pyvips, COMMAND: vipsthumbnail,
        IMG2DATASET: resizer, MAGICK: mogrify, GRAPHICS: graphicsmagick, FLOOR: floor,
    }  # fmt: skip


# --- equal work and equal quality -------------------------------------------------------------------------------


def check(paths: Sequence[Path], folder: Path, size: int, resized: bool = True) -> None:
    """Refused, unless there is one thumbnail for each photo, of the right size, JPEG quality 85, colours 4:2:0."""
    names = {path.name for path in folder.iterdir()}
    if names != {path.name for path in paths}:
        raise Refused(f"unequal work: {len(names):,} files for {len(paths):,} photos")
    for path in paths:
        with Image.open(path) as photo, Image.open(folder / path.name) as small:
            wanted = fitted(photo.size, size)
            # Tools round the shorter side up or down.
            fits = max(small.size) == max(wanted) and min(small.size) - min(wanted) in (-1, 0, 1)
            if resized and not fits:
                raise Refused(f"unequal work: {small.size} in place of {wanted} pixels")
            if small.format != "JPEG" or small.mode != "RGB" or JpegImagePlugin.get_sampling(small) != 2:
                raise Refused("unequal work: not a JPEG in colours with 4:2:0")
            if small.quantization != quality_85():
                raise Refused("unequal work: not JPEG quality 85")


@functools.cache
def quality_85() -> dict[int, list[int]]:
    """The quantization tables of JPEG quality 85."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", quality=85)
    return Image.open(file).quantization


def qualities(paths: Sequence[Path], folders: Sequence[Path]) -> list[dict[str, float]]:
    """For each folder of thumbnails their mean PSNR (dB): all, landscape and portrait."""

    def decibels(path: Path) -> list[float]:
        with Image.open(path) as photo:
            channels = [channel.convert("F") for channel in photo.split()]
        wanted, found = {}, []
        for folder in folders:
            with Image.open(folder / path.name) as small:
                pixels = np.asarray(small, np.float32)
            if small.size not in wanted:
                resized = [np.asarray(channel.resize(small.size, LANCZOS)) for channel in channels]
                wanted[small.size] = np.clip(np.stack(resized, axis=-1), 0, 255)
            error = float(np.mean((pixels - wanted[small.size]) ** 2))
            found.append(10 * np.log10(255**2 / max(error, 1e-9)))
        return found

    with ThreadPoolExecutor(helpers.usable_cpus()) as executor:
        rows = np.array(list(executor.map(decibels, paths)))
    upright = np.array([is_portrait(path) for path in paths])
    parts = {"all": np.full(len(paths), True), "landscape": ~upright, "portrait": upright}
    return [
        {name: float(rows[chosen, number].mean()) for name, chosen in parts.items() if chosen.any()}
        for number in range(len(folders))
    ]


def is_portrait(path: Path) -> bool:
    with Image.open(path) as photo:
        return photo.height > photo.width


# --- the part ---------------------------------------------------------------------------------------------------


def prepare(options: Options, progressive: bool) -> list[Path]:
    """The corpus, saved again with its own JPEG tables, baseline or progressive, without metadata."""
    if options.corpus:
        originals = [path for path in sorted(options.corpus.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg")]
    else:
        originals = common.draw(options, options.corpus_photos)
    folder = options.folder("corpus", "progressive" if progressive else "baseline")
    paths: list[Path] = []
    for original in originals[: options.corpus_photos]:
        with contextlib.suppress(OSError, UnidentifiedImageError), Image.open(original) as photo:  # left out
            if photo.format == "JPEG" and photo.mode == "RGB" and max(photo.size) > max(SIZES):
                path = folder / f"{len(paths):05d}.jpg"
                photo.save(path, quality="keep", progressive=progressive, comment=None)
                paths.append(path)
    if not paths:
        raise SystemExit(f"No JPEG in colours of more than {max(SIZES)} pixels in {options.corpus}.")
    return paths


def side_by_side(options: Options, paths: list[Path], size: int, rounds: int, worker: Img2dataset) -> common.Rounds:
    """Rounds and PSNR of all tools at one size."""
    found = tools(worker)

    def timed(number: int, name: str) -> Round:
        folder = options.folder("thumbnails", str(number))
        with common.stopwatch() as measured:
            measured_inside = found[name](paths, folder, size)
        check(paths, folder, size, resized=name != FLOOR)
        return measured_inside or measured

    runs = {name: functools.partial(timed, number, name) for number, name in enumerate(found)}
    results = common.alternate(runs, rounds, {MAGICK: options.few, GRAPHICS: options.few})
    folders = {
        name: options.cache / "benchmarks" / "thumbnails" / str(number)
        for number, name in enumerate(found)
        if "rounds" in results[name] and name != FLOOR
    }
    for name, psnr in zip(folders, qualities(paths, list(folders.values())), strict=True):
        results[name]["psnr"] = psnr
    return results


REST = "Python, and what it reads"
KINDS = {  # in the names under which cProfile knows functions that are written in C
    "'decode' of 'ImagingDecoder'": "decode",
    "'resize' of 'ImagingCore'": "resize",
    "of 'ImagingEncoder'": "encode",
    "posix.": "open, rename and look up files",
    "io.open": "open, rename and look up files",
}


def profile(options: Options, paths: list[Path], tool: Tool) -> dict[str, float]:
    """Milliseconds per photo at the first size, by kind of work."""
    profiler = cProfile.Profile()
    profiler.runcall(tool, paths, options.folder("thumbnails", "profile"), SIZES[0])
    spent = dict.fromkeys([*KINDS.values(), REST], 0.0)
    for (_, _, function), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():
        kind = next((kind for text, kind in KINDS.items() if text in function), REST)
        spent[kind] += own * 1e3 / len(paths)
    return spent


def measure(options: Options) -> dict:
    baseline, progressive = prepare(options, False), prepare(options, True)
    kilobytes = [statistics.mean(path.stat().st_size for path in paths) / 1e3 for paths in (baseline, progressive)]
    data: dict = {
        "photos": len(baseline),
        "corpus": f"{len(baseline)} photos, {sum(map(is_portrait, baseline))} of them portrait, "
        f"{kilobytes[0]:.0f} kB each as baseline and {kilobytes[1]:.0f} kB as progressive JPEGs, "
        + ("from a folder of the user's" if options.corpus else "drawn for the practice server"),
    }
    with contextlib.closing(Img2dataset()) as worker:
        for kind, paths, rounds in (("baseline", baseline, options.rounds), ("progressive", progressive, options.few)):
            for size in SIZES:
                common.say(f" {size} px, {kind}")
                data[f"{size} {kind}"] = side_by_side(options, paths, size, rounds, worker)
        data["profile"] = {OURS: profile(options, baseline, ours), FLOOR: profile(options, baseline, floor)}
        data["versions"] = (
            common.versions("Pillow", "pyvips")
            | {"libjpeg-turbo": features.version("libjpeg_turbo"), "img2dataset": worker.version}
            | common.program_version("vipsthumbnail", "--vips-version")
            | common.program_version("mogrify")
            | common.program_version("gm", "version")
        )
    return data


def report(data: dict) -> list[str]:
    lines = [
        f"Corpus: {data['corpus']}. Every tool reads the files, makes the thumbnails, and writes them as JPEG of "
        "quality 85 with colours 4:2:0. Checked in every round: one thumbnail for each photo, its size (one pixel more "
        "or less on the shorter side is rounding), quantization tables, colour sampling. PSNR is the mean over all "
        "photos, against a full decode that is resized with Lanczos in floating point. The commands get the whole list "
        "at once; libvips may use all CPUs, the others work on one photo after the other. The floor decodes at the "
        "smallest scale that is not below the thumbnail, and encodes without resizing.",
        "",
    ]
    for kind in ("baseline", "progressive"):
        for size in SIZES:
            rounds = data[f"{size} {kind}"]
            lines += [f"### {size} px, {kind} JPEGs: {len(column(rounds[OURS]))} rounds", ""]
            lines += common.table(
                ["tool", "ms per photo", "make_thumbnail is ... times as fast", "PSNR (dB)", "landscape", "portrait"],
                [row(name, rounds, data["photos"]) for name in rounds],
            )
    small, large = (data[f"{size} baseline"] for size in SIZES)

    def times(rounds: common.Rounds, size: int, **least: float) -> list[Target]:
        peers = {"thumbnail": THUMBNAIL, "pyvips": PYVIPS, "command": COMMAND, "img2dataset": IMG2DATASET,
                 "naive": NAIVE}  # fmt: skip
        loss = rounds[THUMBNAIL]["psnr"]["all"] - rounds[OURS]["psnr"]["all"]
        compared = [Target(f"{size} px: times {peers[p]}", ratios(rounds, OURS, peers[p]), n) for p, n in least.items()]
        return [Target(f"{size} px: PSNR below thumbnail()'s, dB", [loss], at_most=0.15), *compared]

    lines += ["### Targets", ""]
    lines += common.targets(
        *times(small, SIZES[0], thumbnail=1.4, pyvips=1.45, command=2.1, img2dataset=2.1, naive=4),
        *times(large, SIZES[1], thumbnail=1.8, pyvips=1.35, naive=2.5),
        Target("200 px: share of the floor's speed", ratios(small, OURS, FLOOR), 0.6),
    )
    own, least = data["profile"][OURS], data["profile"][FLOOR]
    own, least = (kinds | {"together": sum(kinds.values())} for kinds in (own, least))
    lines += ["Where the time goes at 200 px: ms per photo under cProfile, which slows Python down, once.", ""]
    lines += common.table(
        ["work", OURS, FLOOR, "difference"],
        [[kind, f"{own[kind]:.2f}", f"{least[kind]:.2f}", f"{own[kind] - least[kind]:+.2f}"] for kind in own],
    )
    return [*lines, "### The ladder at 200 px", "", *common.ladder(small, LADDER, data["photos"])]


def row(name: str, rounds: common.Rounds, photos: int) -> list[str]:
    """One tool of a table."""
    result = rounds[name]
    if "refused" in result:
        return [name, result["refused"]]
    psnr = [f"{result['psnr'][part]:.2f}" for part in result.get("psnr", ())]
    each = f"{statistics.median(column(result)) * 1e3 / photos:.2f}"
    return [name, each, spread(ratios(rounds, OURS, name)) if name != OURS else "1", *psnr]
