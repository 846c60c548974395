"""What the tagger needs from an image encoder, and how CLIP's vision transformers give it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from ttd_core.clip.vit import VisionTower, finish_block, norm
from ttd_core.errors import UsageError
from ttd_core.methods.tagclip.attention import last_projections, watch
from ttd_core.methods.tagclip.reidentify import look_again


@dataclass(frozen=True)
class Local:
    """Pictures of one size, place by place.

    Args:
        patches: B×N×D, normalised.
        mean: B×N×N mean attention of the chosen blocks.
        votes: B×N×N, blocks whose attention exceeds their own mean.
        grid: h, w.
    """

    patches: torch.Tensor
    mean: torch.Tensor
    votes: torch.Tensor
    grid: tuple[int, int]


class LocalTower(Protocol):
    """An image encoder that shows its attention.

    Attributes:
        patch: side of a patch in pixels.
        depth: blocks that vote.
        side: patches along a side of a crop.
    """

    patch: int
    depth: int
    side: int

    def local(self, images: torch.Tensor, blocks: Collection[int]) -> Local:
        """Patch embeddings and attention of B×3×H×W normalised pictures."""
        ...

    def crops(self, pictures: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """M×D normalised embeddings of M×3×S×S crops that look at the M×n×n patches of `keep` only."""
        ...


class ClipLocalTower:
    """CLIP's vision transformer for the tagger.

    Patch tokens come from the last block with every token attending to itself alone, residual and MLP kept; attention
    from the same block is the ordinary one. Positions are resized bilinearly and rounded to float16 on every grid but
    the trained one, as published.

    Args:
        visual: open_clip's `VisionTransformer`; `vision` walks it.

    Raises:
        UsageError: the encoder has no class token to ask about crops.
    """

    def __init__(self, visual: Any) -> None:
        plain_tower = VisionTower(visual)
        if getattr(visual, "pool_type", "tok") != "tok":
            raise UsageError("this image encoder pools patches; the tagger needs one with a class token")
        self.vision = VisionTower(visual, replace(plain_tower.variant, positions="half"))
        self.patch = plain_tower.patch
        self.depth = len(plain_tower.blocks)
        self.side = int(visual.grid_size[0])

    def local(self, images: torch.Tensor, blocks: Collection[int]) -> Local:
        """See `LocalTower`."""
        seen = watch(self.vision, images, blocks, vote=True)
        assert seen.votes is not None and seen.mean is not None
        last: Any = self.vision.blocks[-1]
        own = last_projections(self.vision, norm(last.ln_1, seen.x, self.vision.variant.block_eps)).v
        tokens = self.vision.project(finish_block(last, seen.x, own, self.vision.variant)[:, 1:])
        return Local(F.normalize(tokens, dim=-1), seen.mean, seen.votes, seen.grid)

    def crops(self, pictures: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """See `LocalTower`."""
        return F.normalize(look_again(self.vision, pictures, keep), dim=-1)
