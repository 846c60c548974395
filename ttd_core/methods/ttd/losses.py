"""L_tag and L_distill on padded batches. B pairs, K words of the longest caption, h×w places.

Every pair counts the same, whatever the number of its words: the losses of equal slices of a batch average to the loss
of the whole batch, so that gradient accumulation and several processes change nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.methods.ttd.config import DISTANCES
from ttd_core.methods.ttd.select import MapReading

CLIP = 1e-3
"""Cosines read as probabilities are held this far from 0 and 1."""


def map_distance(
    cosines: torch.Tensor,
    targets: torch.Tensor,
    kind: str,
    reading: MapReading,
    affine: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Distance of maps from their targets, place by place.

    Args:
        cosines: any shape, in -1..1; the gradient flows to them (and to `affine`), never to the targets.
        targets: the same shape, in 0..1.
        kind: `mse`, `l1` and `bce` compare the maps of the reading (`bce` holds plain cosines within 0.001..0.999);
            `bce-affine` compares sigmoid(a·cos + b).
        reading: whether the maps are sigmoids or cosines.
        affine: a and b, for `bce-affine`.

    Returns:
        The same shape, not negative.

    Raises:
        UsageError: an unknown distance.
    """
    targets = targets.detach()
    if kind == "bce-affine":
        if affine is None:
            raise ValueError("bce-affine needs a scale and a bias")
        return F.binary_cross_entropy_with_logits(affine[0] * cosines + affine[1], targets, reduction="none")
    if kind == "bce":
        if reading.sigmoid is not None:
            scale, bias = reading.sigmoid
            return F.binary_cross_entropy_with_logits(scale * cosines + bias, targets, reduction="none")
        return F.binary_cross_entropy(cosines.clamp(CLIP, 1 - CLIP), targets, reduction="none")
    if kind == "mse":
        return (reading.read(cosines) - targets).square()
    if kind == "l1":
        return (reading.read(cosines) - targets).abs()
    raise UsageError(f"unknown distance {kind!r}", hint=f"one of {', '.join(DISTANCES)}")


def tag_loss(distances: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """L_tag: mean over places, then over the candidates of each caption, then over pairs.

    Args:
        distances: B×K×h×w, of selected words from their stretched maps and of rejected ones from zero.
        valid: B×K bool, False for padding. A caption without words contributes nothing.

    Returns:
        A scalar. `ttd.md` 5, step 4.
    """
    if not distances.shape[1]:
        return distances.sum()
    # B×K
    words = distances.mean(dim=(2, 3)) * valid
    return (words.sum(dim=1) / valid.sum(dim=1).clamp(min=1)).mean()


def distill_loss(distances: torch.Tensor, selected: torch.Tensor) -> torch.Tensor:
    """L_distill: mean over places, then over pairs; a caption without a selected word contributes nothing.

    Args:
        distances: B×h×w, of the captions' maps from the union of their selected words' maps.
        selected: B×K bool.

    Returns:
        A scalar. `ttd.md` 5, step 5.
    """
    return (distances.mean(dim=(1, 2)) * selected.any(dim=1)).mean()
