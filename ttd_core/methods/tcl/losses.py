"""The losses of TCL, as functions of tensors (arXiv 2212.00785, section 3, and the released code).

Letters: B pictures, N texts (the texts of all pictures of a step), D embedding width, u×v mask grid. Picture b of a
B×N block belongs to one text; in a whole N×N matrix picture n belongs to text n.

All that the pictures of a step have to know of each other are three numbers per picture and text (`PairScores`), so
that is what parts of a batch exchange.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from ttd_core.methods.tcl.masks import soft_masks

EPS = 1e-6
LARGEST_SCALE = 100.0
AT_ONCE = 2**26
"""Mask values that are computed at once; more texts are taken in turns, and their masks anew in the backward pass."""


class PairScores(NamedTuple):
    """What a picture and a text have to do with each other.

    Args:
        pooled: B×N cosines of the text with the picture's embedding pooled under the text's mask.
        areas: B×N mean masks, 0..1.
        variation: B×N total variations of the masks.
    """

    pooled: torch.Tensor
    areas: torch.Tensor
    variation: torch.Tensor


def pair_scores(
    embedding: torch.Tensor,
    texts: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    at_once: int = AT_ONCE,
) -> PairScores:
    """Masks of every text in every picture, and what is wanted of them.

    Args:
        embedding: B×D×u×v masker embedding, not normalised.
        texts: N×D, of any length.
        scale: w of the masks, a scalar.
        bias: their b.
        at_once: mask values in memory at once.
    """
    texts = F.normalize(texts, dim=-1, eps=EPS)
    turns = -(-len(texts) * embedding[:, 0].numel() // at_once)
    if turns <= 1:
        return _pair_scores(embedding, texts, scale, bias)
    size = -(-len(texts) // turns)
    parts = [
        checkpoint(_pair_scores, embedding, some, scale, bias, use_reentrant=False, preserve_rng_state=False)
        for some in texts.split(size)
    ]
    return PairScores(*(torch.cat(columns, dim=1) for columns in zip(*parts, strict=True)))


def _pair_scores(embedding: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> PairScores:
    grid = embedding.shape[2:]
    # B×P×D, one row per place
    places = embedding.flatten(2).transpose(1, 2)
    lengths = places.norm(dim=-1, keepdim=True).clamp(min=EPS)
    # B×N×P
    soft = soft_masks(texts @ (places / lengths).transpose(1, 2), scale, bias)
    mass = soft.sum(dim=2)
    # B×N×D: sum(m·f) / (sum m + eps)
    pooled = (soft @ places) / (mass[:, :, None] + EPS)
    cosines = (F.normalize(pooled, dim=-1, eps=EPS) * texts).sum(dim=-1)
    return PairScores(cosines, mass / soft.shape[2], variations(soft.unflatten(2, grid)))


def variations(z: torch.Tensor) -> torch.Tensor:
    """Total variation of each map of B×K×u×v: mean|difference of neighbours| along either axis, B×K; at least 2×2."""
    across = (z[..., 1:] - z[..., :-1]).abs().mean(dim=(2, 3))
    return across + (z[..., 1:, :] - z[..., :-1, :]).abs().mean(dim=(2, 3))


def contrast(cosines: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE of N×N cosines, pictures in rows and their texts in columns; the scale stays at most 100."""
    logits = log_scale.exp().clamp(max=LARGEST_SCALE) * cosines
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def area_losses(areas: torch.Tensor, target: float) -> tuple[torch.Tensor, torch.Tensor]:
    """|mean own area − target| and the mean area of all others' texts, of N×N areas.

    The means are over all pictures of a step, whatever process computed them, and the distance is that of the mean.
    """
    own = areas.diagonal().sum()
    others = (areas.sum() - own) / (areas.numel() - len(areas))
    return (own / len(areas) - target).abs(), others.abs()


def sampled_masks(logits: torch.Tensor, noise: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Straight-through Gumbel-sigmoid: 0 or 1 forward, the gradient of the soft sample backward.

    Args:
        logits: of the masks, any shape.
        noise: the same shape, uniform in (0, 1).
        temperature: τ.
    """
    soft = torch.sigmoid((logits + torch.logit(noise)) / temperature)
    # x − x is exactly zero, so that the value is exactly 0 or 1
    return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())
