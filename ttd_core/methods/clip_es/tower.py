"""What class activation maps need from an image encoder, and how CLIP's vision transformers give it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from ttd_core.clip.vit import VisionTower, finish_block, norm
from ttd_core.errors import UsageError
from ttd_core.methods.tagclip.attention import attend, last_projections, watch


@dataclass(frozen=True)
class Approach:
    """Pictures just before the last block.

    Args:
        x: B×T×V tokens entering it; the patches are the last N of them.
        mean: B×N×N mean attention of the chosen blocks before the last one; None where none of them is chosen.
        grid: h, w; N = h·w.
        beside: what `CamTower.finish` needs besides, B first; None where it is nothing.
    """

    x: torch.Tensor
    mean: torch.Tensor | None
    grid: tuple[int, int]
    beside: torch.Tensor | None = None


class CamTower(Protocol):
    """An image encoder that can be stopped before its last block.

    Attributes:
        patch: side of a patch in pixels.
        depth: blocks.
    """

    patch: int
    depth: int

    def approach(self, images: torch.Tensor, blocks: Collection[int]) -> Approach:
        """Run B×3×H×W normalised pictures up to the last block, without gradient."""
        ...

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        """The first norm of the last block, B×T×V: what gradients are taken at."""
        ...

    def finish(self, x: torch.Tensor, y: torch.Tensor, approach: Approach) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the last block and pool.

        Args:
            x: 1×T×V tokens entering the block.
            y: 1×T×V, their norm.
            approach: what else is known of this one picture.

        Returns:
            The picture as the mean of its patches, 1×D normalised, and the block's own attention, N×N.
        """
        ...


class ClipCamTower:
    """CLIP's vision transformer for class activation maps; positions are rounded to float16 on every grid.

    Args:
        visual: open_clip's `VisionTransformer`.

    Raises:
        UsageError: the encoder has no class token, whose row the maps leave out.
    """

    def __init__(self, visual: Any) -> None:
        if getattr(visual, "pool_type", "tok") != "tok":
            raise UsageError("this image encoder pools patches; class activation maps need one with a class token")
        self.vision = VisionTower(visual, replace(VisionTower(visual).variant, positions="always-half"))
        self.patch = self.vision.patch
        self.depth = len(self.vision.blocks)

    @torch.no_grad()
    def approach(self, images: torch.Tensor, blocks: Collection[int]) -> Approach:
        """See `CamTower`."""
        seen = watch(self.vision, images, {block for block in blocks if block < self.depth - 1}, vote=False)
        return Approach(seen.x, seen.mean, seen.grid)

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        """See `CamTower`."""
        last: Any = self.vision.blocks[-1]
        return norm(last.ln_1, x, self.vision.variant.block_eps)

    def finish(self, x: torch.Tensor, y: torch.Tensor, approach: Approach) -> tuple[torch.Tensor, torch.Tensor]:
        """See `CamTower`; the class token is a key among others and no part of the mean."""
        variant, visual = self.vision.variant, self.vision.visual
        context, attention = attend(last_projections(self.vision, y))
        tokens = finish_block(self.vision.blocks[-1], x, context, variant)[:, 1:]
        # the projection is linear: that of the mean is the mean of the projections
        picture = norm(visual.ln_post, tokens, variant.edge_eps).mean(dim=1) @ visual.proj
        return F.normalize(picture, dim=-1), attention[0]
