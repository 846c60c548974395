"""Sizes of drawn pictures, and putting them on disk."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ttd_core.atomic import write_bytes

SMALLEST = 384
LARGEST = 1600


def fit(height: int, width: int, smallest: int = SMALLEST, largest: int = LARGEST) -> tuple[int, int]:
    """Height and width at which a picture is drawn.

    A picture whose longer side is below `smallest` pixels is enlarged by a whole factor; one above `largest` is reduced
    to it. No side gets less than one pixel.
    """
    longest = max(height, width)
    factor = -(-smallest // longest) if longest < smallest else min(1.0, largest / longest)
    return max(1, round(height * factor)), max(1, round(width * factor))


def resized(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """H×W×3 uint8 as an RGB picture of `size` (rows, columns): smooth, antialiased when reduced."""
    height, width = size
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def resized_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """h×w float map → H×W float32, bilinear."""
    height, width = size
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


def resized_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """H×W integer labels at `size` (rows, columns), each pixel taking the label at its centre: int32."""
    rows = ((np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]).astype(int)
    taken: np.ndarray = labels[rows][:, columns].astype(np.int32)
    return taken


def save_png(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG, whole or not at all; raises RunError when it cannot be written."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())
