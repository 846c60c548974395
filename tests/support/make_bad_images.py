"""Awkward and broken pictures, made from a seed, each with what must come of it.

A case is accepted (`skip` is None) with the size and mean colour it must have, or refused with a word that the message
must hold.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

CORNERS = {(0, 0): (220, 30, 30), (0, -1): (30, 200, 40), (-1, 0): (40, 60, 220), (-1, -1): (230, 220, 40)}
"""Row and column of a corner -> its colour in every picture of `orientations`."""


@dataclass(frozen=True)
class ImageCase:
    name: str
    data: bytes
    skip: str | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, float, float] | None = None
    tolerance: float = 2.0


def drawing(seed: int, height: int = 62, width: int = 97) -> np.ndarray:
    """A colour gradient with a box and a little noise, H×W×3 uint8."""
    rng = np.random.default_rng(seed)
    left, right, box = rng.integers(30, 226, (3, 3))
    pixels = left + (right - left) * np.linspace(0, 1, width)[None, :, None] + rng.integers(-6, 7, (height, width, 3))
    pixels[height // 3 : height // 2, width // 4 : width // 2] = box
    return np.clip(pixels, 0, 255).astype(np.uint8)


def encode(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, raw: bytes, extra: bytes = b"") -> bytes:
    """A PNG with given header values; `raw` is what gets compressed."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + extra + body


def png16(values: np.ndarray) -> bytes:
    """16-bit grey (H×W) or RGB (H×W×3)."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, 2 if values.ndim == 3 else 0, rows)


def accepted(name: str, data: bytes, pixels: np.ndarray, tolerance: float = 2.0) -> ImageCase:
    colours = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
    mean = colours.reshape(-1, 3).mean(0)
    return ImageCase(name, data, None, pixels.shape[:2], (mean[0], mean[1], mean[2]), tolerance)


def image_cases(seed: int) -> list[ImageCase]:
    return [*_truncated(seed), *_misnamed(seed), *_modes(seed), *_frames(seed), *_oversized(seed), *orientations()]


def _truncated(seed: int) -> list[ImageCase]:
    picture = drawing(seed)
    rng = np.random.default_rng(seed)
    jpg, ping, webp = encode(picture, "JPEG", quality=90), encode(picture, "PNG"), encode(picture, "WEBP")
    progressive = encode(picture, "JPEG", progressive=True)
    scan, idat = jpg.index(b"\xff\xda"), ping.index(b"IDAT")
    share = rng.uniform(0.3, 0.7)
    flipped = bytearray(ping)
    flipped[idat + 60] ^= 0x5A
    cut = "cut short"
    return [
        ImageCase("soi.jpg", jpg[:2], "not a picture"),
        ImageCase("tables.jpg", jpg[: rng.integers(24, 120)], cut),
        ImageCase("before_scan.jpg", jpg[: scan + 14], cut),
        ImageCase("half.jpg", jpg[: scan + int((len(jpg) - scan) * share)], cut),
        ImageCase("no_end.jpg", jpg[:-2], cut),
        ImageCase("progressive_cut.jpg", progressive[: int(len(progressive) * 0.6)], cut),
        ImageCase("signature.png", ping[:8], "not a picture"),
        ImageCase("header.png", ping[:20], cut),
        ImageCase("half.png", ping[: idat + int((len(ping) - idat) * share)], cut),
        ImageCase("flipped_byte.png", bytes(flipped), "damaged"),
        ImageCase("cut.webp", webp[: len(webp) // 2], cut),
        ImageCase("empty.jpg", b"", "is empty"),
        ImageCase("text.jpg", b"a line of text\n" * 4, "not a picture"),
        ImageCase("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "not a picture"),
        ImageCase("noise.png", rng.bytes(700), "not a picture"),
        ImageCase("archive.jpg", b"PK\x05\x06" + b"\0" * 18, "not a picture"),
        accepted("no_iend.png", ping[:-12], picture),
        accepted("trailing.jpg", jpg + b"more bytes" * 9, picture, 4),
    ]


def _misnamed(seed: int) -> list[ImageCase]:
    picture = drawing(seed + 1)
    jpg, ping = encode(picture, "JPEG", quality=92), encode(picture, "PNG")
    return [
        accepted("is_png.jpg", ping, picture),
        accepted("is_jpeg.png", jpg, picture, 4),
        accepted("UPPER.JPEG", jpg, picture, 4),
        accepted("no_extension", jpg, picture, 4),
        accepted("progressive.jpg", encode(picture, "JPEG", quality=92, progressive=True), picture, 4),
        accepted("lossless.webp", encode(picture, "WEBP", lossless=True), picture),
    ]


def _modes(seed: int) -> list[ImageCase]:
    picture = drawing(seed + 2)
    height, width = picture.shape[:2]
    grey = picture.mean(2).astype(np.uint8)
    black = np.full((height, width), 40, np.uint8)
    inks = np.dstack([255 - picture, black])
    printed = picture.astype(float) * (255 - 40) / 255
    ramp = np.tile(np.linspace(0, 65535, width).round(), (height, 1))
    half = np.zeros((height, width), np.uint8)
    half[:, : width // 2] = 255
    indexed = Image.fromarray(picture).quantize(32)
    colours = np.asarray(indexed.convert("RGB"))
    profile = np.random.default_rng(seed).bytes(300)
    first = tuple(int(value) for value in picture[0, 0])
    return [
        accepted("cmyk.jpg", encode(Image.fromarray(inks, "CMYK"), "JPEG", quality=95), printed, 8),
        accepted("grey16.png", png16(ramp), ramp / 257),
        accepted("grey12in16.png", png16(ramp / 16), ramp / 16 / 257),
        accepted("rgb16.png", png16(picture.astype(np.uint16) * 257), picture),
        accepted("grey.jpg", encode(grey, "JPEG", quality=92), grey, 4),
        accepted("bilevel.png", encode(Image.fromarray(grey > 127), "PNG"), (grey > 127) * 255),
        accepted("palette.png", encode(indexed, "PNG"), colours),
        accepted("palette_alpha.png", encode(indexed, "PNG", transparency=bytes([0, 255] * 16)), colours),
        accepted("alpha0.png", encode(np.dstack([picture, half * 0]), "PNG"), picture),
        accepted("alpha_half.png", encode(np.dstack([picture, half]), "PNG"), picture),
        accepted("grey_alpha.png", encode(Image.fromarray(np.dstack([grey, half]), "LA"), "PNG"), grey),
        accepted("one_colour_clear.png", encode(picture, "PNG", transparency=first), picture),
        accepted("float01.tiff", encode(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"), grey),
        accepted("float255.tiff", encode(Image.fromarray(grey.astype(np.float32)), "TIFF"), grey),
        ImageCase("nan.tiff", encode(Image.fromarray(np.full((4, 5), np.nan, np.float32)), "TIFF"), "grey values"),
        ImageCase("far.tiff", encode(Image.fromarray(np.full((4, 5), 1e4, np.float32)), "TIFF"), "grey values"),
        accepted("profile.png", encode(picture, "PNG", icc_profile=profile), picture),
    ]


def _frames(seed: int) -> list[ImageCase]:
    base = drawing(seed + 3) // 3
    frames = [Image.fromarray(base + np.array(tint, np.uint8)) for tint in ((150, 0, 0), (0, 150, 0), (0, 0, 150))]
    every: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    first = np.asarray(frames[0])
    return [
        accepted("moving.gif", encode(frames[0], "GIF", **every), first, 6),
        accepted("moving.webp", encode(frames[0], "WEBP", lossless=True, **every), first, 6),
        accepted("moving.png", encode(frames[0], "PNG", **every), first),
        accepted("pages.tiff", encode(frames[0], "TIFF", **every), first),
    ]


def _oversized(seed: int) -> list[ImageCase]:
    side = 60000 + seed
    band = 12000 + seed
    jpg = bytearray(encode(drawing(seed, 16, 16), "JPEG"))
    frame = jpg.index(b"\xff\xc0")
    jpg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    full = struct.pack("<HH", 65535, 65535)
    gif = b"GIF89a" + full + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0" + full + b"\0\x02\x02D\x01\0;"
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * (48 << 20)))
    raw = b"".join(b"\0" + row.tobytes() for row in drawing(seed, 30, 40))
    thin = [(1, 1, "png"), (1, 2000, "png"), (2000, 1, "png"), (5, 3, "jpeg")]
    return [
        ImageCase("bomb.png", png(side, side, 8, 0, b"\0" * 4000), "pixels"),
        ImageCase("bomb.jpg", bytes(jpg), "pixels"),
        ImageCase("bomb.gif", gif, "pixels"),
        ImageCase("band.png", png(band, band, 1, 0, (b"\0" * (1 + -(-band // 8))) * band), f"{band} x {band}"),
        ImageCase("comment.png", png(40, 30, 8, 2, raw, comment), "damaged"),
        *(ImageCase(f"{h}x{w}.{kind}", encode(drawing(seed, h, w), kind), size=(h, w)) for h, w, kind in thin),
    ]


def orientations() -> list[ImageCase]:
    """The same upright picture stored in all eight ways, and with orientations that mean nothing."""
    upright = np.zeros((60, 90, 3), np.uint8)
    for (row, column), colour in CORNERS.items():
        upright[slice(0, 30) if row == 0 else slice(30, 60), slice(0, 30) if column == 0 else slice(60, 90)] = colour
    turn = Image.Transpose
    stored = {
        1: None, 2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE, 6: turn.ROTATE_90, 7: turn.TRANSVERSE, 8: turn.ROTATE_270, 99: None,
    }  # fmt: skip
    cases = []
    for tag, how in stored.items():
        image = Image.fromarray(upright)
        image = image if how is None else image.transpose(how)
        exif = Image.Exif()
        exif[0x0112] = tag
        for kind, options in (("JPEG", {"quality": 95, "subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True})):
            data = encode(image, kind, exif=exif.tobytes(), **options)
            cases.append(ImageCase(f"turned_{tag}.{kind.lower()}", data, size=(60, 90)))
        cases.append(ImageCase(f"turned_{tag}.tiff", encode(image, "TIFF", exif=exif), size=(60, 90)))
    broken = bytearray(cases[0].data)
    at = broken.index(b"Exif\0\0") + 6
    broken[at : at + 8] = b"\xff" * 8
    return [*cases, ImageCase("turned_broken.jpeg", bytes(broken), size=(60, 90))]
