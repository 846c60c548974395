"""The colours of label pictures."""

from __future__ import annotations

from functools import cache

import numpy as np

IGNORED = 255


@cache
def voc_palette() -> np.ndarray:
    """PASCAL VOC's colour map as 256×3 uint8, read only: 0 is black, 255 (ignored) is (224, 224, 192).

    The bits of an index are dealt out in turn to red, green and blue, from the highest bit of each downwards.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = (index >> (3 * level + channel)) & 1
            palette[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    palette.setflags(write=False)
    return palette


def colours_to_labels(rgb: np.ndarray) -> np.ndarray | None:
    """Undo the VOC palette.

    Args:
        rgb: H×W×3 uint8.

    Returns:
        H×W uint8, or None when some colour is not in the palette.
    """
    codes = _codes(rgb)
    known = _codes(voc_palette())
    order = np.argsort(known)
    place = np.searchsorted(known[order], codes).clip(max=255)
    if not np.array_equal(known[order][place], codes):
        return None
    labels: np.ndarray = order[place].astype(np.uint8)
    return labels


def _codes(colours: np.ndarray) -> np.ndarray:
    """…×3 uint8 → … int64, one number per colour."""
    wide = colours.astype(np.int64)
    codes: np.ndarray = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return codes
