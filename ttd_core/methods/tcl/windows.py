"""The geometry of TCL's evaluation: how large a picture is read, which windows cover it, how windows are padded.

Semantics of mmsegmentation 0.27 as TCL configures it: one scale, ratio kept, sliding windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

SIZE = 448
"""Published shorter side in pixels."""

LONGEST = 2048
"""Published limit of the longer side in pixels."""

WINDOW = 448
STRIDE = 224


@dataclass(frozen=True)
class Window:
    """Part of a picture in pixels: rows top..bottom, columns left..right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, maps: torch.Tensor) -> torch.Tensor:
        """The view of …×H×W maps within the window."""
        return maps[..., self.top : self.bottom, self.left : self.right]


def resized_size(size: tuple[int, int], shorter: int = SIZE, longest: int = LONGEST) -> tuple[int, int]:
    """Size at which a picture is read: the largest that keeps its ratio and both limits.

    Args:
        size: H and W of the picture in pixels.
        shorter: what the shorter side becomes, by shrinking or enlarging.
        longest: what the longer side must not exceed.

    Returns:
        Rows and columns, each int(side·scale + 0.5) and at least 1.
    """
    scale = min(longest / max(size), shorter / min(size))
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def sliding_windows(size: tuple[int, int], side: int = WINDOW, stride: int = STRIDE) -> list[Window]:
    """Windows that cover a picture, row by row; all have one size.

    The last window of an axis is moved back to end at the border; a picture smaller than the window gives a smaller
    one.

    Args:
        size: H and W in pixels.
        side: of the windows.
        stride: distance between their starts, 1..side so that no pixel is left out.
    """
    if not 1 <= stride <= side:
        raise ValueError(f"stride {stride} of windows of {side} pixels, expected 1..{side}")
    rows, columns = (_starts(length, side, stride) for length in size)
    return [Window(top, min(top + side, size[0]), left, min(left + side, size[1])) for top in rows for left in columns]


def _starts(length: int, side: int, stride: int) -> list[int]:
    count = max(length - side + stride - 1, 0) // stride + 1
    return [max(min(i * stride, length - side), 0) for i in range(count)]


def coverage(size: tuple[int, int], windows: Sequence[Window]) -> torch.Tensor:
    """How many windows hold each pixel, H×W float."""
    count = torch.zeros(size)
    for window in windows:
        window.of(count).add_(1.0)
    return count


def padding(size: tuple[int, int], patch: int) -> tuple[int, int, int, int]:
    """Columns left and right, rows above and below that make H and W multiples of the patch; the smaller half first."""
    rows, columns = -size[0] % patch, -size[1] % patch
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def pad(images: torch.Tensor, patch: int) -> tuple[torch.Tensor, Window]:
    """Pad B×3×H×W normalised images with zeros to multiples of the patch; also where the images lie in the result."""
    height, width = images.shape[-2:]
    left, right, above, below = padding((height, width), patch)
    padded = F.pad(images, (left, right, above, below))
    return padded, Window(above, above + height, left, left + width)
