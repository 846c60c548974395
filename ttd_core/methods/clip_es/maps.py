"""From a picture and its tags to one map per tag, and from maps to labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ttd_core.methods.clip_es.affinity import affinity, spread_maps
from ttd_core.methods.clip_es.cam import activation_maps, stretched
from ttd_core.methods.clip_es.config import ClipEsConfig
from ttd_core.methods.clip_es.tower import Approach, CamTower


class ClipEs:
    """CLIP-ES over an image encoder.

    Args:
        tower: the encoder.
        logit_scale: s of the softmax over a picture's tags and the background words.
        config: the settings.
    """

    def __init__(self, tower: CamTower, logit_scale: float, config: ClipEsConfig | None = None) -> None:
        self.tower = tower
        self.config = config or ClipEsConfig()
        self._scale = logit_scale
        self._blocks = self.config.block_numbers(tower.depth)
        self._last = tower.depth - 1

    def __call__(
        self, images: torch.Tensor, texts: Sequence[torch.Tensor], background: torch.Tensor
    ) -> list[torch.Tensor]:
        """Maps of pictures of one size.

        Args:
            images: B×3×H×W, resized to multiples of the patch and normalised.
            texts: B tensors n×D, normalised, one row per tag of a picture; n may be 0.
            background: R×D normalised words that compete with the tags.

        Returns:
            B tensors n×h×w in 0..1; a tag without any activation has a map of zeros.
        """
        approach = self.tower.approach(images, self._blocks)
        return [self._maps(approach, index, own, background) for index, own in enumerate(texts)]

    def _maps(self, approach: Approach, index: int, texts: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        if not len(texts):
            return texts.new_zeros(0, *approach.grid)
        asked = torch.cat([texts, background])
        found = activation_maps(self.tower, approach, index, asked, len(texts), self._scale)
        along = affinity(self.attention(approach, index, found.attention))
        # the published code stretches the map twice
        maps = stretched(stretched(found.maps))
        spread, _ = spread_maps(maps, along, approach.grid, self.config.box_threshold)
        return stretched(spread).reshape(-1, *approach.grid)

    def attention(self, approach: Approach, index: int, last: torch.Tensor) -> torch.Tensor:
        """N×N mean over the chosen blocks; the last one's was seen on the way to the scores."""
        mean = approach.mean
        if mean is None:
            return last
        if self._last not in self._blocks:
            return mean[index]
        others = len(self._blocks) - 1
        return (mean[index] * others + last) / (others + 1)


def enlarged(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """n×h×w maps bilinear at n×H×W: half-pixel centres, no antialiasing."""
    if not len(maps):
        return maps.new_zeros(0, *size)
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]
