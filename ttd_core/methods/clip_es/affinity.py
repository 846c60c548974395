"""Attention as affinity between patches, and maps spread along it."""

from __future__ import annotations

import torch

from ttd_core.methods.tagclip.boxes import box_masks

ROUNDS = 3
"""Rounds of dividing columns, then rows, by their sums (Sinkhorn)."""


def affinity(attention: torch.Tensor) -> torch.Tensor:
    """Doubly normalised, symmetrised and squared attention, N×N, [query, key] (CLIP-ES, class-aware affinity)."""
    spread = attention
    for _ in range(ROUNDS):
        spread = spread / spread.sum(dim=0, keepdim=True)
        spread = spread / spread.sum(dim=1, keepdim=True)
    spread = (spread + spread.T) / 2
    return spread @ spread


def spread_maps(
    maps: torch.Tensor, along: torch.Tensor, grid: tuple[int, int], box_threshold: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each map spread along the affinity from inside its own boxes.

    Args:
        maps: n×N in 0..1.
        along: N×N affinity.
        grid: h, w.
        box_threshold: share of a map's maximum that its boxes lie around; published: 0.4 for VOC, 0.7 for COCO.

    Returns:
        n×N spread maps, not stretched, and n×h×w bool boxes.
    """
    boxes = box_masks(maps.reshape(-1, *grid).float().cpu().numpy(), box_threshold)
    inside = torch.from_numpy(boxes).flatten(1).to(maps)
    return (maps * inside) @ along.T, torch.from_numpy(boxes)
