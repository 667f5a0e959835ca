"""make_thumbnail: every kind of image becomes a small upright sRGB JPEG, or a failed Outcome and no file."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE, jpeg
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, TiffImagePlugin

import practice
from helpers import Status, make_thumbnail
from kit.pixels import MOST_SCANS
from practice.pictures import PROFILE

ORIENTATION = 0x0112  # number of the EXIF tag


def gradient(width: int = 320, height: int = 240) -> Image.Image:
    """Smooth colours that grow from left to right, from top to bottom, and along both."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((np.dstack([x, y, (x + y) / 2]) * 200 + 30).astype(np.uint8))


def grey() -> Image.Image:
    return gradient().convert("L")


def two_tone() -> Image.Image:
    return grey().convert("1", dither=Image.Dither.NONE)


def deep(top: float, kind: type) -> Image.Image:
    """A ramp with 16 or 32 bits for each pixel."""
    return Image.fromarray(ramp(top).astype(kind))


def shallow() -> Image.Image:
    """What a ramp should look like."""
    return deep(255, np.uint8)


def half_black() -> Image.Image:
    return Image.eval(shallow(), lambda value: value if value > 127 else 0)


def ramp(top: float) -> np.ndarray:
    """Grey values from 0 at the left to `top` at the right."""
    return np.tile(np.linspace(0, top, 320), (240, 1))


def half_clear(image: Image.Image) -> Image.Image:
    """The right half transparent."""
    image.putalpha(Image.fromarray(np.where(ramp(1) < 0.5, 255, 0).astype(np.uint8)))
    return image


def half_white(image: Image.Image) -> Image.Image:
    """The right half white: what `half_clear` should look like."""
    image = image.convert("RGB")
    image.paste("white", (image.width // 2, 0, image.width, image.height))
    return image


def palette_with_clear_entry() -> Image.Image:
    image = half_white(gradient()).quantize(255)
    image.putpalette([*image.getpalette()[: 255 * 3], 9, 9, 9])
    image.paste(255, (160, 0, 320, 240))
    return image


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def thumbnail(path: Path, folder: Path, size: int = 200) -> Image.Image:
    """The thumbnail of this image, whose Outcome and file must be right."""
    outcome = make_thumbnail(path, folder, size)
    target = folder / f"{path.stem}.jpg"
    assert (outcome.status, outcome.error) == (Status.DONE, None)
    assert (outcome.item, outcome.path) == (str(path), str(target))
    assert [entry.name for entry in folder.iterdir()] == [target.name]
    assert outcome.bytes == target.stat().st_size
    with Image.open(target) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        image.load()
        return image


def turned(orientation: int) -> Image.Exif:
    """What a camera says of how it was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def psnr(image: Image.Image, reference: Image.Image) -> float:
    error = np.mean((np.asarray(image, float) - np.asarray(reference, float)) ** 2)
    return float(10 * np.log10(255**2 / error))


def assert_alike(image: Image.Image, original: Image.Image, tolerance: float = 4) -> None:
    """Same colours everywhere, apart from what JPEG, palettes and half a pixel at an edge may change."""
    expected = np.asarray(original.convert("RGB").resize(image.size, Image.Resampling.BICUBIC), float)
    assert np.abs(np.asarray(image, float) - expected).mean() < tolerance
    assert np.abs(np.asarray(image, float).mean((0, 1)) - expected.mean((0, 1))).max() < tolerance


# --- input modes and formats -------------------------------------------------------------------------------------

# name of the file -> image to save, options for saving it, and how it should look
KINDS: dict[str, tuple[Callable, dict, Callable]] = {
    "RGB.jpg": (gradient, {}, gradient),
    "RGB.png": (gradient, {}, gradient),
    "RGB.bmp": (gradient, {}, gradient),
    "RGB.webp": (gradient, {"quality": 90}, gradient),
    "progressive.jpg": (gradient, {"progressive": True, "quality": 90}, gradient),
    "upper.JPEG": (gradient, {}, gradient),
    "L.jpg": (grey, {}, grey),
    "L.png": (grey, {}, grey),
    "L-with-transparency.png": (half_black, {"transparency": 0}, lambda: Image.eval(half_black(), lambda v: v or 255)),
    "1.png": (two_tone, {}, two_tone),
    "P.png": (lambda: gradient().quantize(256), {}, gradient),
    "P-with-transparency.png": (palette_with_clear_entry, {"transparency": 255}, lambda: half_white(gradient())),
    "PA.tif": (lambda: half_clear(gradient().quantize(256)), {}, lambda: half_white(gradient())),
    "LA.png": (lambda: half_clear(grey()), {}, lambda: half_white(grey())),
    "RGB-with-transparency.png": (
        lambda: half_white(gradient()), {"transparency": (255, 255, 255)}, lambda: half_white(gradient())
    ),
    "RGBA.png": (lambda: half_clear(gradient()), {}, lambda: half_white(gradient())),
    "RGBA.webp": (lambda: half_clear(gradient()), {"quality": 90}, lambda: half_white(gradient())),
    "CMYK.jpg": (lambda: gradient().convert("CMYK"), {"quality": 90}, gradient),
    "CMYK.tif": (lambda: gradient().convert("CMYK"), {}, gradient),
    "YCbCr.tif": (lambda: gradient().convert("YCbCr"), {}, gradient),
    "LAB.tif": (lambda: ImageCms.profileToProfile(
        gradient(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    ), {}, gradient),
    "I;16.png": (lambda: deep(65535, np.uint16), {}, shallow),
    "I;16.tif": (lambda: deep(65535, np.uint16), {}, shallow),
    "I-of-16-bit.tif": (lambda: deep(65535, np.int32), {}, shallow),
    "I-of-8-bit.tif": (lambda: deep(255, np.int32), {}, shallow),
    "F-of-16-bit.tif": (lambda: deep(65535, np.float32), {}, shallow),
    "F-of-8-bit.tif": (lambda: deep(255, np.float32), {}, shallow),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_image_becomes_an_rgb_jpeg_that_looks_the_same(tmp_path: Path, folder: Path, name: str) -> None:
    make, options, expected = KINDS[name]
    path = save(make(), tmp_path / name, **options)
    small = thumbnail(path, folder)
    assert small.size == (200, 150)
    assert_alike(small, expected())


def test_16_bit_gradient_keeps_its_shape(tmp_path: Path, folder: Path) -> None:
    path = save(deep(65535, np.uint16), tmp_path / "deep.png")
    line = np.asarray(thumbnail(path, folder), float).mean((0, 2))
    assert np.abs(line - np.linspace(0, 255, line.size)).max() < 4
    assert len(set(np.round(line))) > 150  # neither clipped nor banded


def test_animation_gives_its_first_picture(tmp_path: Path, folder: Path) -> None:
    frames = [Image.new("RGB", (300, 200), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "b.webp", "c.png", "d.mpo"):
        path = save(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], duration=50)
        with Image.open(path) as image:
            assert image.n_frames == 3
        small = thumbnail(path, folder)
        assert_alike(small, frames[0])
        (folder / f"{path.stem}.jpg").unlink()


# --- orientation and colour profile ------------------------------------------------------------------------------

# Where the first and the last pixel of the first stored row belong (Exif 3.0, tag 274: which sides they name).
CORNERS = {
    1: ("top left", "top right"), 2: ("top right", "top left"), 3: ("bottom right", "bottom left"),
    4: ("bottom left", "bottom right"), 5: ("top left", "bottom left"), 6: ("top right", "bottom right"),
    7: ("bottom right", "top right"), 8: ("bottom left", "top left"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("orientation", "suffix"), [*((number, "jpg") for number in CORNERS), (6, "png"), (6, "webp"), (6, "tif")]
)
def test_thumbnail_stands_upright(tmp_path: Path, folder: Path, orientation: int, suffix: str) -> None:
    stored = Image.new("RGB", (900, 600), "grey")
    stored.paste("red", (0, 0, 300, 200))
    stored.paste("blue", (600, 0, 900, 200))
    small = thumbnail(save(stored, tmp_path / f"turned.{suffix}", exif=turned(orientation)), folder, size=120)
    assert small.size == ((120, 80) if orientation < 5 else (80, 120))
    assert small.getexif().get(ORIENTATION, 1) == 1  # or a viewer would turn it again
    right, bottom = small.width - 10, small.height - 10
    spots = {"top left": (9, 9), "top right": (right, 9), "bottom left": (9, bottom), "bottom right": (right, bottom)}
    colours = {name: tuple(value > 190 for value in small.getpixel(spot)) for name, spot in spots.items()}
    first, last = CORNERS[orientation]
    assert colours.pop(first) == (True, False, False)
    assert colours.pop(last) == (False, False, True)
    assert set(colours.values()) == {(False, False, False)}


def broken_exif(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """EXIF with orientation 6 and one more tag, as a camera with a bug may write it."""
    entries = [(ORIENTATION, 3, 1, struct.pack(">HH", 6, 0)), (tag, kind, count, value)]
    body = b"".join(struct.pack(">HHI4s", *entry) for entry in sorted(entries))
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 2) + body + bytes(4)


@pytest.mark.filterwarnings("ignore:.*(Metadata Warning|Tag data|Truncated File|Corrupt EXIF)")
@pytest.mark.parametrize("tag", [
    (0x0100, 2, 4, b"abc\0"),  # the width as text
    (0x010E, 11, 1, struct.pack(">f", 8.5)),  # the description as a number
    (0x011A, 3, 2, struct.pack(">HH", 72, 1)),  # the resolution as two whole numbers
    (0x010F, 2, 99, struct.pack(">I", 9999)),  # a text beyond the end
    (0x8769, 11, 1, struct.pack(">f", 8.5)),  # a directory at a place that is none
], ids=["width", "description", "resolution", "beyond the end", "directory"])  # fmt: skip
def test_broken_exif_beside_an_orientation_does_not_matter(tmp_path: Path, folder: Path, tag: tuple) -> None:
    path = save(gradient(), tmp_path / "camera.jpg", exif=broken_exif(*tag))
    assert thumbnail(path, folder).size == (150, 200)


@pytest.mark.parametrize("exif", [*map(turned, (0, 9, 65535)), b"Exif\0\0MM\0*", b"Exif\0\0rubbish"])
def test_exif_that_makes_no_sense_is_ignored(tmp_path: Path, folder: Path, exif: Image.Exif | bytes) -> None:
    assert_alike(thumbnail(save(gradient(), tmp_path / "camera.jpg", exif=exif), folder), gradient())


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries have changed places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"????"), (b"bXYZ", b"rXYZ"), (b"????", b"bXYZ")):
        assert profile.count(old) == 1
        profile = profile.replace(old, new)
    return profile


@pytest.mark.parametrize("name", ["RGB.jpg", "RGB.png", "RGBA.png"])
def test_colours_are_converted_from_the_embedded_profile(tmp_path: Path, folder: Path, name: str) -> None:
    make, options, expected = KINDS[name]
    path = save(make(), tmp_path / name, icc_profile=swapped_profile(), **options)
    small = thumbnail(path, folder)
    red, green, blue = expected().split()
    assert_alike(small, Image.merge("RGB", (blue, green, red)))
    assert "icc_profile" not in small.info  # sRGB is what a JPEG without a profile means


@pytest.mark.parametrize("name", ["RGB.jpg", "L.jpg", "CMYK.jpg", "RGBA.png"])
@pytest.mark.parametrize("profile", ["rubbish", "cut off", "of LAB", "of RGB"])
def test_profile_that_makes_no_sense_is_ignored(tmp_path: Path, folder: Path, name: str, profile: str) -> None:
    rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    body = {"rubbish": b"no profile" * 30, "cut off": rgb[:200], "of LAB": lab, "of RGB": rgb}[profile]
    make, options, expected = KINDS[name]
    assert_alike(thumbnail(save(make(), tmp_path / name, icc_profile=body, **options), folder), expected())


@pytest.mark.parametrize(("old", "new", "same"), [
    (b"", b"", True), ("sRGB".encode("utf-16-be"), "Ours".encode("utf-16-be"), True),
    (b"\0\2\x66\x66", b"\0\2\x33\x33", False),
], ids=["as it is", "another name", "a gamma of 2.2 for 2.4"])  # fmt: skip
def test_what_is_srgb_is_not_converted(tmp_path: Path, folder: Path, old: bytes, new: bytes, same: bool) -> None:
    assert old in PROFILE
    paths = [save(gradient(), tmp_path / "plain.jpg")]
    paths.append(save(gradient(), tmp_path / "profile.jpg", icc_profile=PROFILE.replace(old, new)))
    plain, profile = (Path(make_thumbnail(path, folder, 200).path).read_bytes() for path in paths)
    assert (plain == profile) is same


def test_a_profile_of_another_type_is_ignored(tmp_path: Path, folder: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[34675], tags.tagtype[34675] = "a text", 2
    assert_alike(thumbnail(save(gradient(), tmp_path / "text.tif", tiffinfo=tags), folder), gradient())


# --- size --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(16, 1080), st.sampled_from(["jpg", "png"]))
@example(1, 1, 200, "png")
@example(1, 3000, 16, "jpg")
@example(60_000, 1, 200, "jpg")
@example(3000, 2999, 1080, "jpg")
@example(200, 200, 200, "jpg")
@example(201, 200, 200, "jpg")
def test_size_is_limited_and_the_aspect_ratio_kept(width: int, height: int, size: int, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = save(Image.new("L", (width, height), 90), Path(place) / f"any.{suffix}")
        target = Path(place) / "thumbnails"
        target.mkdir()
        small = thumbnail(path, target, size)
    scale = min(1, size / max(width, height))
    assert max(small.size) == min(size, max(width, height))  # never enlarged
    assert min(small.size) >= 1
    assert abs(small.width - width * scale) <= 1
    assert abs(small.height - height * scale) <= 1


def test_thumbnail_is_as_sharp_as_pillows_own(images: list[Path], folder: Path) -> None:
    ours, theirs = [], []
    for path in images:
        with Image.open(path) as image:
            fitted = tuple(max(1, round(side * 200 / max(image.size))) for side in image.size)
            reference = image.resize(fitted, Image.Resampling.LANCZOS)
        with Image.open(path) as image:
            image.thumbnail((200, 200))
            body = io.BytesIO()
            image.save(body, "JPEG", quality=85)
        outcome = make_thumbnail(path, folder, 200)
        with Image.open(outcome.path) as mine, Image.open(body) as pillows:
            ours.append(psnr(mine, reference))
            theirs.append(psnr(pillows.resize(fitted) if pillows.size != fitted else pillows, reference))
    assert np.mean(ours) >= np.mean(theirs) - 0.15


def test_colours_of_a_large_image_are_averaged(tmp_path: Path, folder: Path) -> None:
    """A JPEG can be decoded at 1/8 at least. Picking single pixels of that would keep the noise of the colours."""
    noise = [Image.effect_noise((500, 375), 90).resize((4000, 3000), Image.Resampling.NEAREST) for _ in range(2)]
    path = save(Image.merge("YCbCr", [Image.new("L", (4000, 3000), 128), *noise]), tmp_path / "large.jpg")
    with Image.open(path) as image:
        wanted = [np.std(band) for band in image.convert("YCbCr").resize((100, 75), Image.Resampling.LANCZOS).split()]
    found = [np.std(band) for band in thumbnail(path, folder, 100).convert("YCbCr").split()]
    assert min(wanted[1:]) > 5
    assert max(found[1:]) < 1.2 * max(wanted[1:])


# --- files that are no images ------------------------------------------------------------------------------------


def cut_off(kind: str) -> bytes:
    body = io.BytesIO()
    Image.effect_noise((300, 200), 80).save(body, kind)
    return body.getvalue()[: len(body.getvalue()) * 3 // 5]


def test_a_large_photo_is_worked_on_and_nothing_is_printed(tmp_path: Path, folder: Path) -> None:
    path = save(Image.new("L", (9_500, 9_500)), tmp_path / "large.jpg")  # Pillow warns of it
    code = "import sys, helpers; print(helpers.make_thumbnail(*sys.argv[1:], 200).status)"
    run = subprocess.run(
        [sys.executable, "-c", code, path, folder], cwd=practice.ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (run.stdout.strip(), run.stderr) == ("done", "")


def one_scan_for_each_colour() -> bytes:
    """A JPEG that is not progressive, but comes in three scans."""
    grey = jpeg(gradient().convert("L"))
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    colours = b"\xff\xc0\0\x11" + grey[frame + 4 : frame + 9] + b"\3\1\x11\0\2\x11\0\3\x11\0"
    scans = (b"\xff\xda\0\x08\1" + bytes([n, 0, 0, 63, 0]) + grey[scan + 10 : -2] for n in (1, 2, 3))
    return grey[:frame] + colours + grey[frame + 13 : scan] + b"".join(scans) + b"\xff\xd9"


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("make", [lambda: jpeg(gradient(), progressive=True), one_scan_for_each_colour])
def test_too_many_scans_are_refused(tmp_path: Path, folder: Path, make: Callable[[], bytes], more: int) -> None:
    body = make()
    last = body[body.rindex(b"\xff\xda") : -2]
    repeated = body[:-2] + last * (MOST_SCANS + more - body.count(b"\xff\xda")) + b"\xff\xd9"
    (tmp_path / "scans.jpg").write_bytes(repeated + last * 99)  # what follows the end is no part of the picture
    outcome = make_thumbnail(tmp_path / "scans.jpg", folder, 200)
    wanted = (Status.FAILED, "the image is broken: more than 30 scans, which could take minutes")
    assert (outcome.status, outcome.error) == (wanted if more else (Status.DONE, None))


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
def test_no_other_program_is_started(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace, path = tmp_path / "trace", tmp_path / "a.jpg"
    (tmp_path / "gs").write_text(f"#!/bin/sh\necho >> '{trace}'\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    gradient().save(path, "EPS")
    with Image.open(path) as image, contextlib.suppress(OSError):
        image.load()
    trace.unlink()  # Pillow alone would have started it
    outcome = make_thumbnail(path, folder, 200)
    assert (outcome.status, outcome.error) == (Status.FAILED, "this is not an image that Pillow knows")
    assert not trace.exists()


NO_IMAGES = {
    "empty": (b"", "this is not an image that Pillow knows"),
    "text": (b"<html>log in</html>", "this is not an image that Pillow knows"),
    "four bytes": (b"\xff\xd8\xff\xe0", "this is not an image that Pillow knows"),
    **{kind: (cut_off(kind), "the image is broken: ") for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")},
}


@pytest.mark.parametrize(("body", "words"), NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_is_no_whole_image_fails_and_leaves_no_file(tmp_path: Path, folder: Path, body: bytes, words: str) -> None:
    path = tmp_path / "none.jpg"
    path.write_bytes(body)
    outcome = make_thumbnail(path, folder, 200)
    assert (outcome.status, outcome.path, outcome.bytes) == (Status.FAILED, "", 0)
    assert outcome.error.startswith(words)
    assert list(folder.iterdir()) == []


def test_what_is_not_there_or_a_folder_fails(tmp_path: Path, folder: Path) -> None:
    image = save(gradient(), tmp_path / "a.jpg")
    calls = [(tmp_path / "none.jpg", folder), (image, tmp_path / "nowhere"), (folder, folder)]
    missing, nowhere, directory = (make_thumbnail(*call, 200) for call in calls)
    assert {outcome.status for outcome in (missing, nowhere, directory)} == {Status.FAILED}
    assert missing.error == nowhere.error == "No such file or directory"
    assert directory.error in ("Is a directory", "Permission denied")  # the latter on Windows
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("way", ["same", "relative", "through a symlink", "the image is a symlink"])
def test_original_is_never_overwritten(tmp_path: Path, folder: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(gradient(), folder / "a.jpg")
    original = path.read_bytes()
    target: Path | str = folder
    if way == "relative":
        monkeypatch.chdir(folder)
        target = "."
    elif way == "through a symlink":
        target = tmp_path / "link"
        target.symlink_to(folder, target_is_directory=True)
    elif way == "the image is a symlink":
        path = tmp_path / "a.jpg"
        path.symlink_to(folder / "a.jpg")
    outcome = make_thumbnail(path, target, 200)
    assert (outcome.status, outcome.error) == (Status.FAILED, "the thumbnail would overwrite its original")
    assert (folder / "a.jpg").read_bytes() == original
    assert [entry.name for entry in folder.iterdir()] == ["a.jpg"]


# --- one contract for every executor -----------------------------------------------------------------------------


def test_thumbnail_that_is_there_is_skipped_and_not_touched(tmp_path: Path, folder: Path) -> None:
    path = save(gradient(), tmp_path / "a.png")
    target = folder / "a.jpg"
    target.write_bytes(b"my own")
    os.utime(target, ns=(10**18, 10**18))
    outcome = make_thumbnail(path, folder, 200)
    assert (outcome.status, outcome.path, outcome.bytes) == (Status.SKIPPED, str(target), 6)
    assert (target.read_bytes(), target.stat().st_mtime_ns) == (b"my own", 10**18)
