"""Several views of one picture: the plan of scales and flips, and the average of what they show."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

import torch

from ttd_core.errors import UsageError
from ttd_core.ops.resize import resize_maps

# Beyond this the long side is squeezed: a 1×30000 strip would otherwise cost as much as thirty thousand pictures.
MAX_ASPECT = 4.0


def plan_sizes(
    size: tuple[int, int],
    patch: int,
    image_size: int,
    scales: Sequence[float] = (1.0,),
    max_aspect: float = MAX_ASPECT,
) -> list[tuple[int, int]]:
    """The sizes at which a picture is encoded, one per scale.

    The shorter side becomes `image_size · scale`, rounded to the nearest multiple of the patch (halves up) and at least
    one patch. The longer side keeps the aspect ratio, is rounded likewise, and is at most `max_aspect` times the
    shorter one; pictures longer than that are squeezed along their long side.

    Args:
        size: H and W of the picture in pixels.
        patch: side of a patch in pixels.
        image_size: shorter side in pixels at scale 1.
        scales: factors, in the order in which the views are wanted.
        max_aspect: longest allowed long side over short side, at least 1.

    Returns:
        Rows and columns in pixels, multiples of the patch, one pair per scale.

    Raises:
        UsageError: no scale, a scale that is not a positive number, or an image size below 1.
    """
    if not scales or not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise UsageError(f"scales are {list(scales)}, expected one or more numbers above 0")
    if image_size < 1:
        raise UsageError(f"image size is {image_size}, expected at least 1 pixel")
    height, width = size
    aspect = min(max(height, width) / min(height, width), max_aspect)
    plan = []
    for scale in scales:
        short = max(1, math.floor(image_size * scale / patch + 0.5))
        long = max(short, math.floor(short * aspect + 0.5))
        plan.append((short * patch, long * patch) if height <= width else (long * patch, short * patch))
    return plan


def group_by_shape(shapes: Iterable[Hashable]) -> list[list[int]]:
    """Indices of equal shapes together, in order of first appearance, so that each group can be one batch."""
    groups: dict[Hashable, list[int]] = {}
    for index, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(index)
    return list(groups.values())


def average_maps(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean of several B×K×h×w maps after bilinear resampling (corners not aligned) to the tallest and widest grid."""
    grid = (max(m.shape[-2] for m in maps), max(m.shape[-1] for m in maps))
    total = resize_maps(maps[0], grid)
    for more in maps[1:]:
        total = total + resize_maps(more, grid)
    return total / len(maps) if len(maps) > 1 else total
