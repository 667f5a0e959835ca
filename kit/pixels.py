"""What an image is, and a smaller picture of it, by the rules that benchmarks/thumbnails.py measured.

No file is touched here.
"""

from __future__ import annotations

import functools
import io

from PIL import Image

from kit.files import plain

JPEG_QUALITY = 85  # of a thumbnail
IMAGE_PROBLEMS = (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError)


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
    """The image as RGB (or YCbCr, as JPEG stores it) in sRGB, upright, its longer side at most `size` pixels."""
    scale = min(1, size / max(image.size))
    fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    profile = image.info.get("icc_profile")
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which is faster but softer. The decoder may go down to 1.3
    # times the thumbnail. From 1.5 times on, enough is left for BICUBIC; below, only the slower LANCZOS keeps as much
    # sharpness. A JFIF file holds YCbCr; without that conversion, colours can be resized for themselves. The encoder
    # averages them anyway, as it stores them half as fine as brightness. So picking single pixels is enough, and
    # averaging twice would blur them (benchmarks/results.md); but not if 1/8 of a large image still has many more.
    as_stored = image.mode == "RGB" and "jfif" in image.info and not profile
    drafted = image.draft("YCbCr" if as_stored else None, (round(fitted[0] * 1.3), round(fitted[1] * 1.3)))
    box = drafted[1] if drafted else (0, 0, *image.size)  # in pixels and fractions of the scaled image
    left = max(box) / max(fitted)
    fine = Image.Resampling.BICUBIC if left >= 1.5 else Image.Resampling.LANCZOS
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
        image = _to_srgb(image, profile)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    if image.mode not in ("RGB", "YCbCr"):
        image = image.convert("RGB")
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


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


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours converted from the embedded ICC profile; a profile that makes no sense is ignored."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, _srgb(), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


@functools.lru_cache
def _srgb():
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")
