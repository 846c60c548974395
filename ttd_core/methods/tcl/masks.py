"""TCL's masks from embeddings: the learned ones, CLIP's own ("kp"), and their mixture."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ttd_core.ops.resize import resize_maps

KP_SCALE = 10.0
KP_CENTRE = 0.25
"""Constants of the kp mask, sigmoid(10·(cos − 0.25)); not the learned scale and bias."""

KP_WEIGHT = 0.3
"""Share of the kp mask in the published evaluation."""


def similarity(embedding: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Cosines of every place with every text.

    Args:
        embedding: B×D×h×w, of any length.
        text: K×D, of any length.

    Returns:
        B×K×h×w in −1..1.
    """
    embedding = F.normalize(embedding, dim=1, eps=1e-6)
    return torch.einsum("bdhw,kd->bkhw", embedding, F.normalize(text, dim=-1, eps=1e-6))


def soft_masks(cosines: torch.Tensor, scale: torch.Tensor | float, bias: torch.Tensor | float) -> torch.Tensor:
    """sigmoid(scale·cos + bias), in 0..1, any shape; scale and bias are the masker's learned `w` and `b`."""
    return torch.sigmoid(scale * cosines + bias)


def kp_masks(kp: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Knowledge-preserving masks of the frozen CLIP, B×K×h×w in 0..1, from B×D×h×w and K×D embeddings."""
    return torch.sigmoid(KP_SCALE * (similarity(kp, text) - KP_CENTRE))


def mix_kp(masks: torch.Tensor, kp: torch.Tensor, weight: float = KP_WEIGHT) -> torch.Tensor:
    """weight·kp + (1 − weight)·masks, the kp masks resized to the masks' grid (bilinear, corners not aligned).

    Args:
        masks: B×K×u×v in 0..1, after PAMR where that is used: PAMR never touches the kp masks.
        kp: B×K×h×w in 0..1.
        weight: share of the kp masks, 0..1; 0 leaves the masks as they are.

    Returns:
        B×K×u×v.
    """
    if weight == 0.0:
        return masks
    kp = resize_maps(kp, (masks.shape[-2], masks.shape[-1]))
    return weight * kp + (1.0 - weight) * masks
