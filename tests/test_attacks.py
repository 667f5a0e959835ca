"""Images that attack, are odd, or are broken somewhere: a failed Outcome or a proper thumbnail, and no dead worker."""

from __future__ import annotations

import io
import multiprocessing
import random
import struct
import sys
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import psutil
import pytest
from conftest import jpeg
from PIL import Image, ImageCms
from test_thumbnail import assert_alike, gradient, thumbnail, turned

from helpers import Outcome, Status, make_thumbnail

try:
    import resource
except ImportError:  # Windows: the tests run without a limit of memory
    resource = None

MEMORY = 2 << 30  # bytes of address space that a worker may use: Pillow's largest picture (179 million pixels) fits in
FUZZED = 4_000


def _limit_memory(soft: int = MEMORY) -> None:
    if resource:
        resource.setrlimit(resource.RLIMIT_AS, (soft, MEMORY))


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessPoolExecutor]:
    """Two workers with limited memory. If an image kills one, all of its results are BrokenProcessPool."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), initializer=_limit_memory) as pool:
        yield pool


def with_little_memory(path: Path, folder: Path) -> Outcome:
    """make_thumbnail with 100 MB more than the worker has now."""
    _limit_memory(psutil.Process().memory_info().vms + 100_000_000)
    try:
        return make_thumbnail(path, folder, 200)
    finally:
        _limit_memory()


# --- bombs --------------------------------------------------------------------------------------------------------


def jpeg_of(width: int, height: int, **options: object) -> bytes:
    """A small JPEG whose header (SOF) claims another size in pixels."""
    body = bytearray(jpeg(gradient(64, 64), **options))
    at = body.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    body[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(body)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    """A black PNG with 1 bit for each pixel: a megabyte for 8 billion of them."""
    rows = zlib.compressobj(1)
    data = b"".join(rows.compress(bytes(1 + -(-width // 8))) for _ in range(height)) + rows.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def small_with(kind: str, at: int, size: bytes) -> bytes:
    """A small image of this kind, whose size in pixels stands at this place, and is another there."""
    body = io.BytesIO()
    Image.new("P", (8, 8)).save(body, kind)
    return body.getvalue()[:at] + size + body.getvalue()[at + len(size) :]


@cache
def packed() -> bytes:
    return zlib.compress(bytes(200_000_000), 1)


def text_of_200_megabytes(kind: bytes) -> bytes:
    data = b"bomb\0" + (b"\1\0\0\0" if kind == b"iTXt" else b"\0") + packed()
    return png_of(300, 200, chunk(kind, data))


BOMBS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: jpeg_of(65_500, 65_500),
    "progressive JPEG": lambda: jpeg_of(65_500, 65_500, progressive=True),
    "PNG": lambda: png_of(20_000, 20_000),
    "GIF": lambda: small_with("GIF", 6, struct.pack("<HH", 65_535, 65_535)),
    "BMP": lambda: small_with("BMP", 18, struct.pack("<ii", 2_000_000_000, 2_000_000_000)),
} | {f"text {kind!r}": partial(text_of_200_megabytes, kind) for kind in (b"zTXt", b"iTXt", b"iCCP")}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(
    tmp_path: Path, folder: Path, workers: ProcessPoolExecutor, name: str, record_property: Callable
) -> None:
    record_property("PNG text that unpacks to 200 MB" if "text" in name else "decompression bomb", 1)
    path = tmp_path / "bomb.jpg"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 1_000_000
    outcome = workers.submit(with_little_memory, path, folder).result(timeout=60)
    words = "too many pixels: it could be a decompression bomb"
    if "text" in name:
        words = "the image is broken: Decompressed data too large"
    assert outcome.status is Status.FAILED and outcome.error.startswith(words)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("progressive", [False, True])
def test_the_largest_picture_that_is_no_bomb_fits_into_memory(
    tmp_path: Path, folder: Path, workers: ProcessPoolExecutor, progressive: bool, record_property: Callable
) -> None:
    record_property("JPEG of 178 million pixels", 1)
    path = tmp_path / "large.jpg"
    path.write_bytes(jpeg_of(13_350, 13_350, progressive=progressive))
    outcome = workers.submit(make_thumbnail, path, folder, 200).result(timeout=60)
    assert (outcome.status, outcome.error) == (Status.DONE, None)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't limit the memory of a process")
def test_without_enough_memory_the_outcome_says_so_and_the_worker_goes_on(
    tmp_path: Path, folder: Path, workers: ProcessPoolExecutor, record_property: Callable
) -> None:
    record_property("too little memory for a large picture", 1)
    path = tmp_path / "large.png"
    path.write_bytes(png_of(9_000, 9_000))
    outcome = workers.submit(with_little_memory, path, folder).result(timeout=60)
    assert (outcome.status, outcome.error) == (Status.FAILED, "there is not enough memory for this image")
    assert list(folder.iterdir()) == []
    assert workers.submit(make_thumbnail, path, folder, 200).result(timeout=60).status is Status.DONE


# --- odd, but images ----------------------------------------------------------------------------------------------


def large_exif() -> bytes:
    exif = turned(6)
    exif[0x010E] = "x" * 60_000  # the description
    return exif.tobytes()


def cmyk(adobe: int | None) -> bytes:
    """CMYK with this colour transform in its Adobe marker (0 none, 2 YCCK), or without the marker."""
    body = jpeg(gradient().convert("CMYK"), quality=90)
    at = body.index(b"\xff\xeeAdobe"[:2])
    length = 2 + int.from_bytes(body[at + 2 : at + 4])
    assert body[at + 4 : at + 9] == b"Adobe"
    marker = b"" if adobe is None else body[at : at + length - 1] + bytes([adobe])
    return body[:at] + marker + body[at + length :]


def png_16_bit() -> bytes:
    """RGB with 16 bits for each channel, which Pillow can read but not write."""
    pixels = gradient().tobytes()
    row = 320 * 3
    lines = (b"\0" + bytes(v for b in pixels[y * row : (y + 1) * row] for v in (b, b)) for y in range(240))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"".join(lines))) + chunk(b"IEND", b"")


ODD: dict[str, Callable[[], bytes]] = {
    "EXIF of 60 kB": lambda: jpeg(gradient(), exif=large_exif()),
    "ICC profile of 400 kB of rubbish": lambda: jpeg(gradient(), icc_profile=random.Random(1).randbytes(400_000)),
    "16-bit PNG named .jpg": png_16_bit,
    "comment of 65,533 bytes": lambda: jpeg(gradient(), comment=b"x" * 65_533),
    "a second JPEG behind the first": lambda: jpeg(gradient()) + jpeg(Image.new("RGB", (2000, 2000))),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_gets_a_thumbnail(tmp_path: Path, folder: Path, name: str, record_property: Callable) -> None:
    record_property(name, 1)
    path = tmp_path / "odd.jpg"
    path.write_bytes(ODD[name]())
    upright = gradient().transpose(Image.Transpose.ROTATE_270) if "EXIF" in name else gradient()
    assert_alike(thumbnail(path, folder), upright)


@pytest.mark.parametrize("adobe", [None, 0, 1, 2, 255])
def test_cmyk_is_what_pillow_sees(tmp_path: Path, folder: Path, adobe: int | None, record_property: Callable) -> None:
    record_property("CMYK with an Adobe marker", 1)
    path = tmp_path / "odd.jpg"
    path.write_bytes(cmyk(adobe))
    with Image.open(path) as image:
        assert_alike(thumbnail(path, folder), image)


# --- fuzzed -------------------------------------------------------------------------------------------------------


def seeds() -> list[bytes]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = turned(6)
    exif[0x010F] = "Maker"
    return [
        jpeg(gradient(96, 64)),
        jpeg(gradient(64, 96), progressive=True, quality=90),
        jpeg(gradient(80, 80).convert("L"), optimize=True),
        jpeg(gradient(64, 64).convert("CMYK")),
        jpeg(gradient(160, 64), exif=exif, icc_profile=profile, comment=b"#a0b0c0"),
        jpeg(gradient(72, 72), subsampling=0, restart_marker_blocks=2, exif=exif),
    ]


def fuzzed(number: int, bodies: list[bytes]) -> bytes:
    """One of the seeds, with one to eight changes; the same for the same number."""
    luck = random.Random(number)
    body = bytearray(luck.choice(bodies))
    for _ in range(luck.choice((1, 1, 2, 4, 8))):
        # Headers are where the decoder's decisions are made: half of the changes go there.
        at = luck.randrange(luck.choice((min(len(body), 700), len(body))) or 1)
        piece = luck.randrange(1, 1 + luck.choice((1, 4, 64)))
        other, start = luck.choice(bodies), luck.randrange(1000)
        body[at : at + luck.choice((0, 1, piece))] = luck.choice((
            b"", luck.randbytes(1), luck.randbytes(piece), body[at : at + piece] * luck.randrange(1, 4),
            bytes([luck.choice((0, 255, 127, 128))]) * piece, other[start : start + piece],
            bytes([0xFF, luck.randrange(0xC0, 0x100)]),  # a marker
        ))  # fmt: skip
    if luck.random() < 0.1:
        del body[luck.randrange(len(body) + 1) :]
    return bytes(body)


def attack(folder: Path, numbers: range) -> Counter[str]:
    """Make a thumbnail of each fuzzed JPEG; returns how they ended. Runs in a worker."""
    warnings.simplefilter("ignore")  # Pillow's, about broken EXIF and many pixels
    ends, bodies = Counter(), seeds()
    for number in numbers:
        path, target = folder / f"{number}.jpg", folder / "thumbnails" / f"{number}.jpg"
        path.write_bytes(fuzzed(number, bodies))
        outcome = make_thumbnail(path, target.parent, 50)
        if outcome.status is Status.DONE:
            with Image.open(target) as small:
                small.load()
                assert (small.format, small.mode) == ("JPEG", "RGB")
                assert 1 <= min(small.size) <= max(small.size) <= 50
            target.unlink()
        else:
            assert outcome.error, number
            assert len(outcome.error.splitlines()) == 1, number
        path.unlink()
        ends[outcome.error or outcome.status] += 1
    return ends


def test_fuzzed_jpegs_neither_kill_a_worker_nor_leave_half_a_thumbnail(
    tmp_path: Path, folder: Path, workers: ProcessPoolExecutor, record_property: Callable
) -> None:
    record_property("fuzzed JPEG", FUZZED)
    parts = [range(start, start + 500) for start in range(0, FUZZED, 500)]
    ends = sum(workers.map(attack, [tmp_path] * len(parts), parts), Counter())
    assert ends.total() == FUZZED
    assert list(folder.iterdir()) == []
    assert not [error for error in ends if "memory" in error]
    assert not [error for error in ends if "Error" in error or error.endswith(" ")]  # plain words
    done = ends[Status.DONE]
    assert FUZZED / 10 < done < FUZZED * 9 / 10, "the changes are too strong or too weak"
