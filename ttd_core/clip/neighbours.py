"""Attention of the cells of a grid to their 3×3 neighbours, at two sizes of grid.

Small grids go through the masked attention of torch, which is the faster there and what the model is trained with. Its
mask has as many entries as pairs of cells, so larger grids gather the nine neighbours of each cell instead: memory
grows with the cells. Both compute the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import product

import torch
from torch.nn import functional as F

Mix = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Queries, keys and values, each B×heads×N×d -> what every token takes from the others, B×heads×N×d."""

MASKED_CELLS = 24 * 24  # 192-pixel pictures at a patch of 8; the mask holds the square of it
_SHIFTS = tuple(product(range(3), range(3)))


def neighbour_mix(height: int, width: int, device: torch.device) -> Mix:
    """Attention within the 3×3 neighbourhoods of a grid, in the form that suits its size."""
    if height * width <= MASKED_CELLS:
        return partial(F.scaled_dot_product_attention, attn_mask=neighbourhood_mask(height, width, device))
    return partial(shifted_attention, grid=(height, width))


@lru_cache(maxsize=16)
def neighbourhood_mask(height: int, width: int, device: torch.device) -> torch.Tensor:
    """N×N boolean, N = height·width: True where two cells of a grid are 3×3 neighbours. Shared: do not write to it."""
    with torch.inference_mode(False):  # one made for inference could not be used in training later
        rows = torch.arange(height, device=device).repeat_interleave(width)
        columns = torch.arange(width, device=device).repeat(height)
        near_rows = (rows[:, None] - rows[None, :]).abs() <= 1
        near_columns = (columns[:, None] - columns[None, :]).abs() <= 1
        return near_rows & near_columns


def shifted_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """softmax(q·kᵀ/√d)·v over the nine neighbours of each cell, those beyond the border left out.

    The grid is moved by one cell in each direction, so that no neighbourhood is copied out.

    Args:
        q: queries, B×heads×N×d, N = h·w row by row.
        k: keys, likewise.
        v: values, likewise.
        grid: h, w.

    Returns:
        B×heads×N×d. Differentiable.
    """
    height, width = grid
    inside = _moved(torch.ones(1, height, width, 1, dtype=torch.bool, device=q.device))
    here = q.unflatten(2, grid) * q.shape[-1] ** -0.5
    # nine of B×heads×h×w -> 9×B×heads×h×w
    scores = torch.stack([(here * keys).sum(dim=-1) for keys in _moved(k.unflatten(2, grid))])
    outside = ~torch.stack(inside).view(9, 1, 1, height, width)
    weights = scores.masked_fill(outside, -torch.inf).softmax(dim=0)
    mixed = torch.zeros_like(here)
    for weight, values in zip(weights, _moved(v.unflatten(2, grid)), strict=True):
        mixed = torch.addcmul(mixed, weight[..., None], values)
    return mixed.flatten(2, 3)


def _moved(cells: torch.Tensor) -> list[torch.Tensor]:
    """…×h×w×d -> nine views of that shape: what lies up left, up, … down right of each cell, 0 outside."""
    height, width = cells.shape[-3:-1]
    padded = F.pad(cells, (0, 0, 1, 1, 1, 1))
    return [padded[..., row : row + height, column : column + width, :] for row, column in _SHIFTS]
