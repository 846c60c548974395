"""Losses that need caption-picture pairs only, never tags or masks.

Letters: B pictures, P patches of a picture, K distinct words of the batch, D embedding width. All embeddings are
L2-normalised unless said otherwise.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

MOST_COUNTED_PICTURES = 8


def caption_contrast(pictures: torch.Tensor, captions: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE between B×D pictures and their B×D captions (CLIP, arXiv 2103.00020, figure 3)."""
    logits = scale * pictures @ captions.T
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def word_contrast(
    pictures: torch.Tensor, words: torch.Tensor, counts: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """InfoNCE of single words over the pictures of the batch: the word term.

    The target of a word is spread over the pictures in proportion to how many of their captions hold it. Words are
    weighted by the number of pictures that hold them, at most 8, so that frequent words do not rule.

    Args:
        pictures: B×D.
        words: K×D, each word encoded alone.
        counts: K×B, how many captions of each picture hold the word; no row is all zero.
        scale: logit scale, a scalar.

    Returns:
        A scalar.
    """
    target = counts / counts.sum(dim=1, keepdim=True)
    per_word = -(target * F.log_softmax(scale * words @ pictures.T, dim=1)).sum(dim=1)
    weight = (counts > 0).sum(dim=1).clamp(max=MOST_COUNTED_PICTURES).to(per_word.dtype)
    return (weight * per_word).sum() / weight.sum()


def alignment(
    patches: torch.Tensor,
    words: torch.Tensor,
    counts: torch.Tensor,
    null: torch.Tensor,
    scale: torch.Tensor,
    null_share: float,
) -> torch.Tensor:
    """Negative log likelihood of the captions' words when every patch emits words.

    Each patch emits one word of the batch by a softmax over all of them, a picture mixes its patches evenly, and a
    share of the words comes from a learned source that sees no picture. It is the mixture of the first word alignment
    model of Brown et al. (1993) with patches in place of foreign words: words compete for a patch just as candidates
    do when tags are scored, and words that no patch explains are left to the null source.

    Args:
        patches: B×P×D.
        words: K×D.
        counts: K×B, see `word_contrast`.
        null: D, the source of words that show nowhere; not normalised.
        scale: scale of the cosine in the softmax, a scalar.
        null_share: prior share of the null source, inside (0, 1).

    Returns:
        A scalar, per word.
    """
    # B×P×K -> B×K
    emitted = (scale * patches @ words.T).softmax(dim=2).mean(dim=1)
    unseen = (words @ null).softmax(dim=0)
    likelihood = (1 - null_share) * emitted + null_share * unseen
    return -(counts.T * likelihood.clamp(min=1e-8).log()).sum() / counts.sum()


def gated_contrast(
    patches: torch.Tensor, captions: torch.Tensor, scale: torch.Tensor, gate_scale: float, gate_bias: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """InfoNCE with text-conditioned pooling, and areas of texts in pictures (after TCL, arXiv 2212.00785).

    Args:
        patches: B×P×D.
        captions: B×D, row b belongs to picture b.
        scale: logit scale, a scalar.
        gate_scale: patches are weighted by sigmoid(gate_scale·cos + gate_bias).
        gate_bias: see `gate_scale`.

    Returns:
        The contrastive loss, a scalar, and the B×B mean gates, pictures in rows and texts in columns.
    """
    # B×P×T, with T = B texts
    gates = torch.sigmoid(gate_scale * patches @ captions.T + gate_bias)
    # B×T×D
    pooled = F.normalize(gates.transpose(1, 2) @ patches, dim=-1)
    logits = scale * (pooled * captions).sum(dim=-1)
    target = torch.arange(len(logits), device=logits.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss, gates.mean(dim=1)


def area_terms(areas: torch.Tensor, target: float) -> torch.Tensor:
    """|mean area of true pairs − target| + mean area of false pairs, from B×B areas in 0..1."""
    own = areas.diagonal().mean()
    others = (areas.sum() - areas.diagonal().sum()) / max(1, areas.numel() - len(areas))
    return (own - target).abs() + others
