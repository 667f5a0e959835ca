"""What an image is, and a smaller picture of it, by the rules that benchmarks/thumbnails.py measured.

No file is written here.
"""

from __future__ import annotations

import functools
import io
import itertools
import re
import warnings

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from kit.files import plain

JPEG_QUALITY = 85  # of a thumbnail
MOST_SCANS = 30  # of a JPEG: encoders make about ten, and thousands fit into a small file that takes minutes to decode
# What photos come as (MPO counts as JPEG). Pillow decodes all of these itself; for EPS it would start Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")
IMAGE_PROBLEMS = (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError)

# Pillow refuses pictures of more than 179 million pixels, and warns from 89 million on. There are cameras that make
# such photos, so these are worked on: a JPEG is decoded at 1/8 of its size, others take up to 2 GB of memory, and if
# that is missing, the Outcome says so. catch_warnings is no choice: it changes the filters of all threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def not_a_jpeg(body: bytes) -> str:
    """Why these bytes are not a whole JPEG file, or "" (its first and last marker: ITU-T T.81, B.1.1.3)."""
    if not body:
        return "the answer was empty"
    if not body.startswith(b"\xff\xd8\xff"):
        return "the answer is not a JPEG (a log-in page of the Wi-Fi?)"
    if b"\xff\xd9" not in body[-64:]:  # some cameras pad the end
        return "the JPEG ends in the middle"
    return ""


def why(problem: Exception) -> str:
    """In plain words, what one of the IMAGE_PROBLEMS says of an image file."""
    if isinstance(problem, Image.DecompressionBombError):
        return "too many pixels: it could be a decompression bomb"
    if isinstance(problem, Image.UnidentifiedImageError):
        return "this is not an image that Pillow knows"
    if isinstance(problem, MemoryError):
        return "there is not enough memory for this image"
    if isinstance(problem, OSError) and problem.errno:  # the disk
        return plain(problem)
    return f"the image is broken: {str(problem).partition(' (')[0]}".rstrip(": ")[:200]


def shrink(image: Image.Image, size: int) -> Image.Image:
    """The image as RGB (or YCbCr, as JPEG stores it) in sRGB, upright, its longer side at most `size` pixels.

    Raises:
        Exception: one of the IMAGE_PROBLEMS.
    """
    if isinstance(image, JpegImageFile) and _scans(image) > MOST_SCANS:
        raise ValueError(f"more than {MOST_SCANS} scans, which could take minutes")
    scale = min(1, size / max(image.size))
    fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or _is_srgb(profile):
        profile = None
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which is faster but softer. The decoder may go down to 1.3
    # times the thumbnail. From 1.95 times on, enough is left for BICUBIC; below, only the slower LANCZOS keeps as much
    # sharpness. A JFIF file holds YCbCr; without that conversion, colours can be resized for themselves. The encoder
    # averages them anyway, as it stores them half as fine as brightness. So picking single pixels is enough, and
    # averaging twice would blur them (benchmarks/results.md); but not if 1/8 of a large image still has many more.
    as_stored = image.mode == "RGB" and "jfif" in image.info and not profile
    drafted = image.draft("YCbCr" if as_stored else None, (round(fitted[0] * 1.3), round(fitted[1] * 1.3)))
    box = drafted[1] if drafted else (0, 0, *image.size)  # in pixels and fractions of the scaled image
    left = max(box) / max(fitted)
    fine = Image.Resampling.BICUBIC if left >= 1.95 else Image.Resampling.LANCZOS
    coarse = Image.Resampling.NEAREST if left < 3 else Image.Resampling.BOX
    orientation = image.getexif().get(0x0112, 1) if "exif" in image.info else 1
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bit(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in ("L", "RGB", "RGBA", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    if image.mode == "YCbCr":
        brightness, *colours = image.split()
        colours = [band.resize(fitted, coarse, box) for band in colours]
        image = Image.merge("YCbCr", [brightness.resize(fitted, fine, box), *colours])
    else:
        image = image.resize(fitted, fine, box)
    if profile:
        image = _to_srgb(image, profile) or image
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    if image.mode not in ("RGB", "YCbCr"):
        image = image.convert("RGB")
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _scans(image: JpegImageFile) -> int:
    """In how many scans a JPEG comes (ITU-T T.81, B.2.3). Counting ends above MOST_SCANS."""
    file = image.fp
    assert file
    if "progressive" not in image.info:  # nearly always one scan holds all colours: its header was just read
        header = bytes((0, 6 + 2 * image.layers, image.layers))
        file.seek(max(0, file.tell() - header[1]))
        if file.read(len(header)) == header:
            return 1
    file.seek(0)
    body, at, scans = file.read(), 2, 0
    while scans <= MOST_SCANS and (marker := _MARKER.search(body, at)) and marker[0] != b"\xff\xd9":  # its end
        scans += marker[0] == b"\xff\xda"
        at = marker.end() + int.from_bytes(body[marker.end() : marker.end() + 2], "big")
    return scans


_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")  # but not the few that nothing belongs to

# What makes an image upright, by its EXIF orientation (CIPA DC-008, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit or float grey as 8 bit: values above 255 are taken as 16 bit and divided by 256."""
    grey = image.convert("F")
    deep = grey.getextrema()[1] > 255  # type: ignore[operator]  # a grey image has one band
    return grey.point(lambda value: value * (1 / 256)).convert("L") if deep else grey.convert("L")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Colours converted from the embedded ICC profile; None if that makes no sense."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, _srgb(), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


@functools.lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile means sRGB, whatever its name: no colour of a sample moves by more than 1 of 255 levels.

    The usual files for sRGB, tiny or not, move none. Rec. 709, the nearest other one, moves some by 16.
    """
    levels = bytes(itertools.chain.from_iterable(itertools.product(range(0, 256, 15), repeat=3)))
    moved = _to_srgb(Image.frombytes("RGB", (len(levels) // 3, 1), levels), profile)
    return moved is not None and all(abs(old - new) <= 1 for old, new in zip(levels, moved.tobytes(), strict=True))


@functools.lru_cache
def _srgb():
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")
