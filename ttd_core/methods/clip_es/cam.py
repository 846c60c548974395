"""Class activation maps of CLIP: how much each channel of each patch speaks for a tag.

Symbols: N patches, V width of the tower, n tags of a picture, B words of background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ttd_core.methods.clip_es.tower import Approach, CamTower
from ttd_core.methods.tagclip.attention import MAX_ENTRIES

AT_ONCE = 32
"""Most tags whose gradients a GPU computes together. A CPU takes one at a time, as published, which is up to twice as
fast: the gradients of many leave its cache."""

MAX_VALUES = 512 * 2**20
"""Values that those gradients may take on their way back through the block: 2 GiB."""

HEAD_WIDTH = 64
"""Channels of an attention head in CLIP's encoders."""

FLOOR = 1e-7
"""Added to the range of a map when it is stretched, so that its maximum ends just below 1."""


@dataclass(frozen=True)
class Activation:
    """The maps of one picture's tags.

    Args:
        maps: n×N, ReLU of the weighted channels, not stretched.
        weights: n×V channel weights.
        scores: n+B probabilities of tags and background words.
        attention: N×N attention of the last block, heads averaged.
    """

    maps: torch.Tensor
    weights: torch.Tensor
    scores: torch.Tensor
    attention: torch.Tensor


def activation_maps(
    tower: CamTower, approach: Approach, index: int, texts: torch.Tensor, tags: int, logit_scale: float
) -> Activation:
    """Grad-CAM at the first norm of the last block.

    The picture is the mean of its patches after the last block; a tag's score is its share in a softmax over all
    texts; a channel's weight is the mean over patches of that score's gradient at the normalised input of the block.

    Args:
        tower: the image encoder.
        approach: pictures just before the last block.
        index: which of them.
        texts: (n+B)×D normalised, the tags first.
        tags: n.
        logit_scale: s of the softmax.
    """
    x = approach.x[index : index + 1].detach()
    patches = approach.grid[0] * approach.grid[1]
    with torch.enable_grad():
        y = tower.normed(x).detach().requires_grad_()
        own = Approach(x, None, approach.grid, None if approach.beside is None else approach.beside[index : index + 1])
        picture, attention = tower.finish(x, y, own)
        scores = torch.softmax(logit_scale * picture @ texts.T, dim=-1)[0]
        # made beforehand: small results between the large ones would keep their memory from being used again
        weights = y.new_empty(tags, y.shape[2])
        done = 0
        for gradient in _gradients(scores, y, tags):
            weights[done : done + len(gradient)] = gradient[:, 0, -patches:].mean(dim=1)
            done += len(gradient)
    maps = (weights @ y.detach()[0, -patches:].T).clamp(min=0)
    return Activation(maps, weights, scores.detach(), attention.detach())


def _gradients(scores: torch.Tensor, y: torch.Tensor, tags: int) -> Iterator[torch.Tensor]:
    """The gradients of the first scores at y, n×1×T×V: one backward pass per tag, on a GPU several at once."""
    together = tags_at_once(y.shape[1], y.shape[2], y.device.type)
    for start in range(0, tags, together):
        rows = torch.zeros(min(together, tags - start), len(scores), device=y.device, dtype=scores.dtype)
        rows[:, start : start + len(rows)].fill_diagonal_(1)
        more = start + len(rows) < tags
        yield torch.autograd.grad(scores, y, rows, is_grads_batched=True, retain_graph=more)[0]


def tags_at_once(tokens: int, width: int, device: str) -> int:
    """One on a CPU; on a GPU as many as fit into `MAX_VALUES`.

    On its way each is three times as large as the attention of the heads that `attend` takes together (before, in and
    after the softmax), and twice as large as the hidden channels, of which there are 4V.

    Args:
        tokens: T.
        width: V.
        device: `cpu`, or the kind of GPU.

    Returns:
        1 to `AT_ONCE`.
    """
    if device == "cpu":
        return 1
    heads = max(1, min(width // HEAD_WIDTH, MAX_ENTRIES // tokens**2))
    return max(1, min(AT_ONCE, MAX_VALUES // (3 * heads * tokens**2 + 8 * tokens * width)))


def stretched(maps: torch.Tensor) -> torch.Tensor:
    """(m − min) / (1e-7 + max(m − min)) of every map, n×N; a map of zeros stays one."""
    maps = maps - maps.amin(dim=-1, keepdim=True)
    return maps / (FLOOR + maps.amax(dim=-1, keepdim=True))
