"""A picture file -> upright RGB pixels, or one clear error.

The rules, for whatever Pillow can read:

- the content decides the format, not the name; JPEG, PNG, WebP, GIF, BMP, TIFF, PNM, AVIF and JPEG 2000 are read
  (the last two where Pillow was built with them);
- the EXIF orientation is applied, so all coordinates and masks are in the upright frame; an unreadable or unknown
  orientation is ignored;
- alpha is dropped, not composited, as CLIP's own preprocessing does;
- animations and multi-page files give their first frame, colour profiles are ignored;
- 16-bit grey is divided by 257 as stored, without stretching; 32-bit and float grey by `_grey_to_bytes`;
- a truncated or damaged picture is an error, missing parts are never padded; a JPEG without its end marker counts as
  truncated, a PNG without its end chunk does not;
- a picture of more than `max_pixels` is refused from its header, before anything is decoded.
"""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ttd_core.data.files import open_regular, show
from ttd_core.errors import ImageError
from ttd_core.text.clean import printable
from ttd_core.types import Picture

MAX_PIXELS = 89_478_485
"""A quarter of a gigabyte as RGB; from here on Pillow itself warns of decompression bombs."""

MAX_BYTES = 1 << 30
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")

# Everything that Pillow's decoders were seen to raise on damaged files; all of it means "cannot be decoded".
_DECODING = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError,
    OverflowError, ZeroDivisionError, NotImplementedError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Silencing warnings changes state of the whole process; the lock keeps two decoding threads from undoing each other.
_QUIET = threading.Lock()


def load_picture(
    source: str | os.PathLike[str] | bytes, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode one picture. Safe to call from several threads.

    Args:
        source: a path, or the encoded bytes of a picture.
        name: how messages call it; by default the path.
        max_pixels: refuse larger pictures. Pillow's own limit of 178,956,970 stays in force.

    Returns:
        H×W×3 uint8 RGB pixels, upright, in memory of their own.

    Raises:
        ImageError: when the file is missing, no ordinary file, no picture, damaged or too large.
    """
    if isinstance(source, bytes):
        return Picture(_decode(io.BytesIO(source), len(source), name or "picture", max_pixels), name or "picture")
    label = printable(name) if name else show(source)
    with open_regular(source, ImageError) as file:
        pixels = _decode(file, os.fstat(file.fileno()).st_size, label, max_pixels)
    return Picture(pixels, name or os.fspath(source), Path(source))


def _decode(file: BinaryIO, size: int, label: str, max_pixels: int) -> np.ndarray:
    if size == 0:
        raise ImageError(f"{label}: is empty, expected a picture")
    if size > MAX_BYTES:
        raise ImageError(f"{label}: has {size:,} bytes, expected a picture of at most {MAX_BYTES:,}")
    with _open(file, label, max_pixels) as image:
        try:
            image.load()
            return np.array(_upright(_to_rgb(image), image))
        except _DECODING as error:
            raise ImageError(
                f"{label}: damaged or cut short, expected a complete {image.format} picture ({_first_line(error)})",
                "fetch or export the file again",
            ) from error
        except MemoryError as error:
            raise ImageError(f"{label}: too little memory for {image.width} x {image.height} pixels") from error


def _open(file: BinaryIO, label: str, max_pixels: int) -> Image.Image:
    """Read the header and check the size; no pixel is decoded."""
    try:
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(file, formats=_formats())
    except Image.DecompressionBombError as error:
        raise _too_large(label, "too many", max_pixels) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{label}: not a picture that can be read, expected {', '.join(FORMATS[:4])} or similar"
        ) from error
    except _DECODING as error:
        raise ImageError(
            f"{label}: its header is damaged or cut short, expected a picture ({_first_line(error)})",
            "fetch or export the file again",
        ) from error
    if image.width * image.height > max_pixels:
        raise _too_large(label, f"{image.width} x {image.height}", max_pixels)
    if image.width == 0 or image.height == 0:
        raise ImageError(f"{label}: has {image.width} x {image.height} pixels, expected at least one")
    return image


@cache
def _formats() -> tuple[str, ...]:
    """Those of our formats that this Pillow has; naming another makes `Image.open` fail."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _too_large(label: str, size: str, max_pixels: int) -> ImageError:
    return ImageError(f"{label}: has {size} pixels, expected at most {max_pixels:,}", "shrink the picture first")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_grey_to_bytes(np.asarray(image))).convert("RGB")
    # A transparent colour of the palette or of the file: dropped like any alpha, and Pillow would warn about it.
    image.info.pop("transparency", None)
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_to_bytes(grey: np.ndarray) -> np.ndarray:
    """Grey of 16 bits, 32 bits or float -> 8 bits.

    Integers are taken as 16-bit unless they exceed it; floats as 0..1 unless they exceed it, then as 0..255.

    Args:
        grey: H×W.

    Returns:
        H×W uint8.

    Raises:
        ValueError: for floats outside 0..255, NaN included, and for negative integers.
    """
    low, high = grey.min(), grey.max()
    if np.issubdtype(grey.dtype, np.integer):
        if low < 0:
            raise ValueError(f"grey values from {low} to {high}, expected none below 0")
        # 257 = 65535 / 255; in float32 because old NumPy would overflow in uint16.
        return np.rint(grey.astype(np.float32) / (257.0 if high <= 65535 else high / 255.0)).astype(np.uint8)
    if not (low >= 0 and high <= 255):
        raise ValueError(f"grey values from {low} to {high}, expected 0..1 or 0..255")
    return np.rint(grey * (255.0 if high <= 1 else 1.0)).astype(np.uint8)


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    try:
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # After load(): Pillow turns TIFF files by itself there and takes the tag away.
            turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except _DECODING:
        return rgb
    return rgb if turn is None else rgb.transpose(turn)


def _first_line(error: Exception) -> str:
    return printable(str(error).split("\n", 1)[0])[:120] or type(error).__name__
