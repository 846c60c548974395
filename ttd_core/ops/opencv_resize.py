"""OpenCV's bilinear resize of 8-bit pictures, reproduced to the last bit in NumPy.

Published evaluations that stand on mmsegmentation or detectron read pictures through OpenCV, whose resize neither
averages where it shrinks (Pillow, antialiased torch) nor computes in floats (torch): coefficients are rounded to 11
bits, products are truncated on the way. A picture resized otherwise differs by a grey level in many places, which
moves labels. The algorithm is OpenCV's documented INTER_LINEAR for CV_8U (modules/imgproc/src/resize.cpp).
"""

from __future__ import annotations

import numpy as np

_ONE = 2048
"""Coefficients are fixed-point numbers of 11 bits."""


def resize_bilinear(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What `cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)` gives.

    Args:
        pixels: H×W×C uint8.
        size: rows and columns of the result, at least 1 each.

    Returns:
        h×w×C uint8, the picture itself where it already has that size.
    """
    height, width = pixels.shape[:2]
    if (height, width) == tuple(size):
        return pixels
    if (height, width) == (2 * size[0], 2 * size[1]):  # OpenCV takes the mean of the four pixels here
        quads = pixels.reshape(size[0], 2, size[1], 2, -1).astype(np.uint16)
        return ((quads.sum(axis=(1, 3), dtype=np.uint16) + 2) >> 2).astype(np.uint8)
    left, right, near, far = (tap.astype(np.int32) for tap in _taps(width, size[1], clamp=True))
    above, below, up, down = _taps(height, size[0], clamp=False)
    used, places = np.unique(np.concatenate([above, below]), return_inverse=True)
    wide = pixels[used].astype(np.int32)  # a photograph is shrunk from a few of its rows
    # 8 + 11 bits, of which the vertical pass keeps 15
    rows = (wide[:, left] * near[:, None] + wide[:, right] * far[:, None]) >> 4
    upper, lower = np.split(places.ravel(), 2)
    mixed = (rows[upper] * up[:, None, None]) >> 16
    mixed += (rows[lower] * down[:, None, None]) >> 16
    return ((mixed + 2) >> 2).astype(np.uint8)


def _taps(source: int, target: int, clamp: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each place of the target: both neighbours in the source and their coefficients.

    Args:
        source: places there are.
        target: places wanted.
        clamp: outside the source all weight goes to the border (columns); otherwise both neighbours are the border
            and share the weight (rows), which truncates differently.
    """
    step = 1.0 / (target / source)
    centre = ((np.arange(target) + 0.5) * step - 0.5).astype(np.float32)
    first = np.floor(centre).astype(np.int64)
    share = centre - first.astype(np.float32)
    if clamp:
        share[(first < 0) | (first >= source - 1)] = 0.0
    near = np.rint((np.float32(1.0) - share) * np.float32(_ONE)).astype(np.int32)
    far = np.rint(share * np.float32(_ONE)).astype(np.int32)
    return np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), near, far
