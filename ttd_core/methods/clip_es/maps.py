"""From a picture and its tags to one map per tag, and from maps to labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from ttd_core.clip.vit import VisionTower
from ttd_core.methods.clip_es.affinity import affinity, spread_maps
from ttd_core.methods.clip_es.cam import activation_maps, stretched
from ttd_core.methods.clip_es.config import ClipEsConfig
from ttd_core.methods.tagclip.attention import watch


class ClipEs:
    """CLIP-ES over CLIP's vision transformer.

    Args:
        visual: open_clip's `VisionTransformer`.
        logit_scale: s of the softmax over a picture's tags and the background words.
        config: the settings.
    """

    def __init__(self, visual: Any, logit_scale: float, config: ClipEsConfig | None = None) -> None:
        variant = replace(VisionTower(visual).variant, positions="always-half")
        self.tower = VisionTower(visual, variant)
        self.config = config or ClipEsConfig()
        self._scale = logit_scale
        depth = len(self.tower.blocks)
        self._blocks = self.config.block_numbers(depth)
        self._last = depth - 1

    def __call__(
        self, images: torch.Tensor, texts: Sequence[torch.Tensor], background: torch.Tensor
    ) -> list[torch.Tensor]:
        """Maps of pictures of one size.

        Args:
            images: B×3×H×W, resized to multiples of the patch and normalised.
            texts: B tensors n×D, normalised, one row per tag of a picture; n may be 0.
            background: B×D normalised words that compete with the tags.

        Returns:
            B tensors n×h×w in 0..1; a tag without any activation has a map of zeros.
        """
        with torch.no_grad():
            seen = watch(self.tower, images, self._blocks - {self._last} or {0}, vote=False)
        return [
            self._maps(x, mean, own, background, seen.grid)
            for x, mean, own in zip(seen.x, seen.mean, texts, strict=True)
        ]

    def _maps(
        self, x: torch.Tensor, mean: torch.Tensor, texts: torch.Tensor, background: torch.Tensor, grid: tuple[int, int]
    ) -> torch.Tensor:
        if not len(texts):
            return texts.new_zeros(0, *grid)
        found = activation_maps(self.tower, x, torch.cat([texts, background]), len(texts), self._scale)
        along = affinity(self._mean(mean, found.attention))
        # the published code stretches the map twice
        maps = stretched(stretched(found.maps))
        spread, _ = spread_maps(maps, along, grid, self.config.box_threshold)
        return stretched(spread).reshape(-1, *grid)

    def _mean(self, mean: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """The mean over the chosen blocks, of which the last one was seen with its gradient."""
        if self._last not in self._blocks:
            return mean
        others = len(self._blocks) - 1
        return (mean * others + last) / (others + 1) if others else last


def enlarged(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """n×h×w maps bilinear at n×H×W: half-pixel centres, no antialiasing."""
    if not len(maps):
        return maps.new_zeros(0, *size)
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]
