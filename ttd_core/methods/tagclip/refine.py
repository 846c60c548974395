"""Dual-masking attention refinement: coarse scores of patches, spread along attention that enough blocks agree on.

Symbols: N patches, K texts (classes first, then background words). All of a picture at once, classes without a loop.
"""

from __future__ import annotations

import torch

from ttd_core.methods.tagclip.boxes import box_masks


def masked_attention(mean: torch.Tensor, votes: torch.Tensor, least: int) -> torch.Tensor:
    """Attention where at least `least` blocks exceed their mean, zero elsewhere; not renormalised. …×N×N."""
    return mean * (votes >= least)


AT_ONCE = 512
"""Texts refined together: what is needed besides the scores themselves does not grow with the list."""


def refine(attention: torch.Tensor, coarse: torch.Tensor, grid: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Spread scores along the attention, then again from inside each class's own boxes only.

    The boxes of a class lie around the patches whose once-refined score, stretched to 0..1, exceeds its mean; they
    decide which patches the *coarse* scores come from. A class whose refined column is nowhere positive keeps it; one
    whose column is constant and positive, where the published code stops, has an empty mask.

    Args:
        attention: N×N masked attention, [query, key].
        coarse: N×K.
        grid: h, w.

    Returns:
        N×K after the first and after the second refinement.
    """
    first, second = torch.empty_like(coarse), torch.empty_like(coarse)
    for start in range(0, coarse.shape[1], AT_ONCE):
        part = slice(start, start + AT_ONCE)
        first[:, part], second[:, part] = _refine(attention, coarse[:, part], grid)
    return first, second


def _refine(attention: torch.Tensor, coarse: torch.Tensor, grid: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    first = attention @ coarse
    low, high = first.amin(dim=0), first.amax(dim=0)
    span = high - low
    # N×K -> K×h×w in 0..1
    maps = ((first - low) / torch.where(span > 0, span, 1.0)).T.reshape(-1, *grid).float().cpu()
    shares = maps.flatten(1).mean(dim=1)
    inside = torch.from_numpy(box_masks(maps.numpy(), shares.numpy())).flatten(1).T.to(coarse.device)
    second = attention @ (coarse * inside)
    return first, torch.where(high > 0, second, first)
