"""Resampling of maps, with the one convention of this package: bilinear, half-pixel centres."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def resize_maps(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resample B×K×h×w maps to `size` (rows, columns), bilinear, corners not aligned; a no-op at their own size."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    if not maps.shape[0] * maps.shape[1]:  # torch does not resize nothing
        return maps.new_zeros(*maps.shape[:2], *size)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def resized_rows(maps: torch.Tensor, size: tuple[int, int], first: int, last: int) -> torch.Tensor:
    """Rows first..last of `resize_maps`, without computing the others.

    Args:
        maps: K×h×w float.
        size: H and W of the whole result.
        first: first row of the result wanted.
        last: row after the last one.

    Returns:
        K×(last - first)×W.
    """
    height = maps.shape[1]
    centre = (torch.arange(first, last, device=maps.device, dtype=maps.dtype) + 0.5) * (height / size[0]) - 0.5
    centre = centre.clamp(min=0)
    above = centre.floor().long().clamp(max=height - 1)
    below = (above + 1).clamp(max=height - 1)
    share = (centre - above).clamp(max=1)[None, :, None]
    rows = maps[:, above] * (1 - share) + maps[:, below] * share  # K strip w
    return resize_maps(rows[None], (last - first, size[1]))[0]
