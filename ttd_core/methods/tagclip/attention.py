"""Attention maps of a vision tower while it runs: the part that the tagger and its masks share.

Symbols: N = h·w patches, T = 1 + N tokens. Only sums over blocks and heads are kept, so memory is a few N×N matrices
whatever the depth of the tower.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch

from ttd_core.clip.vit import QKV, VisionTower, block_qkv, finish_block, norm, plain, project_qkv

# Entries of attention matrices computed at once, in all heads of all pictures: 128 Mi float32 values are 512 MiB.
MAX_ENTRIES = 128 * 2**20

# The same on a CPU, where matrices that stay within its cache are several times faster than those that do not.
CACHED_ENTRIES = 4 * 2**20


@dataclass(frozen=True)
class Watched:
    """What was seen on the way through all blocks but the last.

    Args:
        x: B×T×V tokens entering the last block, class token first.
        grid: h, w.
        mean: B×N×N mean over the chosen blocks of their head-averaged attention, [query, key], patches only; None where
            no block is chosen.
        votes: B×N×N int16, in how many of all blocks the attention exceeds that block's mean; None if not asked for.
    """

    x: torch.Tensor
    grid: tuple[int, int]
    mean: torch.Tensor | None
    votes: torch.Tensor | None


def watch(tower: VisionTower, images: torch.Tensor, blocks: Collection[int], vote: bool) -> Watched:
    """Run a tower up to its last block and watch the attention of all blocks, the last one included.

    The attention of the last block is the ordinary softmax, whatever is made of that block afterwards.

    Args:
        tower: the vision tower.
        images: B×3×H×W, normalised.
        blocks: numbers of the blocks whose attention is averaged.
        vote: count, for each place, the blocks with an attention above their own mean over all N² places.
    """
    x, grid = tower.embed(images)
    x = norm(tower.visual.ln_pre, x, tower.variant.edge_eps)
    total: torch.Tensor | None = None
    votes: torch.Tensor | None = None
    last = len(tower.blocks) - 1
    for number, block in enumerate(tower.blocks):
        qkv = block_qkv(block, x, tower.variant)
        if vote or number in blocks:
            context, attention = attend(qkv, number < last)
            if number in blocks:
                total = attention if total is None else total + attention
            if vote:
                above = (attention > attention.mean(dim=(1, 2), keepdim=True)).to(torch.int16)
                votes = above if votes is None else votes + above
        else:
            context = plain(qkv) if number < last else qkv.v
        if number < last:
            x = finish_block(block, x, context, tower.variant)
    return Watched(x, grid, None if total is None else total / len(blocks), votes)


def attend(qkv: QKV, mix: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Ordinary attention, with its matrix averaged over heads.

    Args:
        qkv: projections of a block.
        mix: compute the context; otherwise the values are given back in its place.

    Returns:
        B×heads×T×d context, and B×N×N attention among patches: softmax over all tokens, then the row and the column of
        the class token left out, so rows sum to less than one.
    """
    batch, heads, tokens, width = qkv.q.shape
    entries = CACHED_ENTRIES if qkv.q.device.type == "cpu" else MAX_ENTRIES
    size = max(1, min(heads, entries // (batch * tokens * tokens)))
    # without a gradient every group of heads is written over the one before
    room: list[torch.Tensor | None] = [None, None]
    if not torch.is_grad_enabled():
        room = [qkv.q.new_empty(batch, size, tokens, tokens, dtype=torch.float32) for _ in room]
    mean: torch.Tensor | None = None
    context = []
    for start in range(0, heads, size):
        part = slice(start, min(start + size, heads))
        logits, weights = (None if one is None else one[:, : part.stop - start] for one in room)
        # the factor goes to the queries, not to the T×T products; those are float32 whatever the projections are
        query, key = qkv.q[:, part].float() * width**-0.5, qkv.k[:, part].float().transpose(-2, -1)
        weights = torch.softmax(torch.matmul(query, key, out=logits), dim=-1, out=weights)
        if mix:
            context.append(weights.to(qkv.v.dtype) @ qkv.v[:, part])
        among = weights.sum(dim=1)
        mean = among if mean is None else mean + among
    assert mean is not None
    return (torch.cat(context, dim=1) if mix else qkv.v), mean[:, 1:, 1:] / heads


def last_projections(tower: VisionTower, y: torch.Tensor) -> QKV:
    """Queries, keys and values of the last block from its normalised input, B×T×V."""
    return project_qkv(tower.blocks[-1].attn, y)
