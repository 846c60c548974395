"""COCO segmentations -> masks: polygons, run lengths and compressed run lengths, checked before anything is drawn.

The C code of pycocotools believes what it is given: run lengths beyond the picture write behind its memory, and a far
polygon makes it allocate by distance. So run lengths are decoded here, and polygons are checked and clipped first; only
then are they drawn by pycocotools, whose rounding every published COCO mask has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ttd_core.errors import MissingPackageError

_MARGIN = 1000.0
"""Polygons are cut this many pixels outside the picture: far enough to leave every real one as it is, since a cut edge
is rounded differently, and near enough to bound what drawing costs."""

_MOST_POINTS = 1_000_000


class ShapeError(Exception):
    """Internal: a segmentation is no shape. The message goes behind the annotation's name."""


def draw_shape(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Draw one segmentation as COCO's own tools do.

    Args:
        segmentation: a list of polygons `[x0, y0, x1, y1, ...]` in pixels, or `{"size": [h, w], "counts": ...}` with
            column-major run lengths, background first, as numbers or COCO's compressed text.
        height: of the picture in pixels; parts of polygons outside are cut off.
        width: the same.

    Returns:
        H×W bool.

    Raises:
        ShapeError: it is malformed or does not fit the picture.
        MissingPackageError: polygons without pycocotools.
    """
    if isinstance(segmentation, dict):
        return _draw_runs(segmentation, height, width)
    if not isinstance(segmentation, list) or not segmentation:
        raise ShapeError("has no polygon and no run lengths")
    return _draw_polygons([_points(polygon) for polygon in segmentation], height, width)


def _draw_polygons(polygons: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    inside = [points for points in (_clipped(each, height, width) for each in polygons) if len(points) >= 3]
    if not inside:
        return np.zeros((height, width), dtype=bool)
    coder = _coder()
    codes = coder.frPyObjects([points.ravel().tolist() for points in inside], height, width)
    # Decoded here too: pycocotools' own decoding warns under NumPy 2.
    return _from_counts(_decompressed(coder.merge(codes)["counts"].decode("ascii"), height * width), height, width)


def _coder() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingPackageError(
            "COCO's polygons are drawn with the package pycocotools, which is not installed", "pip install pycocotools"
        ) from error
    return mask


def _points(polygon: Any) -> np.ndarray:
    """N×2 float64."""
    if not isinstance(polygon, list):
        raise ShapeError("has a polygon that is no list of numbers")
    if len(polygon) < 6 or len(polygon) % 2:
        raise ShapeError(f"has a polygon of {len(polygon)} numbers, expected x and y of at least 3 points")
    if len(polygon) > 2 * _MOST_POINTS:
        raise ShapeError(f"has a polygon of more than {_MOST_POINTS:,} points")
    if not all(type(number) in (int, float) for number in polygon):
        raise ShapeError("has a polygon that is no list of numbers")
    try:
        points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
    except OverflowError:  # a whole number beyond all floats
        points = np.array([[math.inf, math.inf]])
    if not np.isfinite(points).all():
        raise ShapeError("has a polygon with a coordinate that is not finite")
    return points


def _clipped(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut off what lies far outside; a polygon that stays near the picture is returned as it is.

    One side at a time (Sutherland and Hodgman). What is cut off runs along the margin, outside the picture.
    """
    for axis, low, high in ((0, -_MARGIN, width + _MARGIN), (1, -_MARGIN, height + _MARGIN)):
        for sign, bound in ((-1.0, -low), (1.0, high)):
            beyond = sign * points[:, axis] - bound
            if len(points) and beyond.max() > 0:
                points = _cut(points, beyond, axis, sign * bound)
    return points


def _cut(points: np.ndarray, beyond: np.ndarray, axis: int, bound: float) -> np.ndarray:
    following, beyond_following = np.roll(points, -1, axis=0), np.roll(beyond, -1)
    crosses = (beyond > 0) != (beyond_following > 0)
    with np.errstate(all="ignore"):
        share = np.where(crosses, beyond / np.where(crosses, beyond - beyond_following, 1.0), 0.0)
        crossing = points + share[:, None] * (following - points)
    crossing[:, axis] = bound
    both = np.stack([points, crossing], axis=1).reshape(-1, 2)
    kept = np.stack([beyond <= 0, crosses], axis=1).reshape(-1)
    result: np.ndarray = both[kept]
    return result


def _draw_runs(code: dict[str, Any], height: int, width: int) -> np.ndarray:
    size, counts = code.get("size"), code.get("counts")
    if size != [height, width]:
        raise ShapeError(f"has run lengths for a picture of size {str(size)[:40]}, expected [{height}, {width}]")
    if isinstance(counts, str):
        counts = _decompressed(counts, height * width)
    if not isinstance(counts, list) or not all(type(count) is int for count in counts):
        raise ShapeError("has run lengths that are neither whole numbers nor compressed text")
    if min(counts, default=0) < 0:
        raise ShapeError("has a negative run length")
    if sum(counts) != height * width:
        raise ShapeError(f"has run lengths that add up to {sum(counts)} pixels, expected {height * width}")
    return _from_counts(counts, height, width)


def _from_counts(counts: list[int], height: int, width: int) -> np.ndarray:
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T.copy()


def _decompressed(text: str, most: int) -> list[int]:
    """Decode COCO's compressed run lengths.

    Each is written in groups of five bits, from the fourth on as the difference to the last but one.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ShapeError("has compressed run lengths that cannot be decoded")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        if not 0 <= value <= most:
            raise ShapeError(f"has a run of {value} pixels, expected 0..{most}")
        counts.append(value)
        value = shift = 0
    if shift:
        raise ShapeError("has compressed run lengths that end in the middle of a number")
    return counts
