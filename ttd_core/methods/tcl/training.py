"""A masker under the losses of TCL, in two stages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.errors import UsageError
from ttd_core.methods.tcl.config import TclConfig
from ttd_core.methods.tcl.losses import (
    AT_ONCE,
    EPS,
    area_losses,
    contrast,
    pair_scores,
    sampled_masks,
    variations,
)
from ttd_core.methods.tcl.network import TclNetwork

LOG_SCALE = math.log(1 / 0.07)
"""Where the logarithms of both contrasts' scales start."""


@dataclass(frozen=True)
class PartScores:
    """What a part of a step's pictures gives: B pictures, the N texts of the whole step.

    Args:
        shared: B×3×N: pooled cosines, areas, and cosines of the masked pictures. The losses are of these numbers of
            all N pictures.
        mask_variation: mean total variation of the part's masks.
        embedding_variation: that of its masker embedding.
    """

    shared: torch.Tensor
    mask_variation: torch.Tensor
    embedding_variation: torch.Tensor


class TclTraining(nn.Module):
    """The learned part of TCL and its losses.

    Everything outside the masker is frozen and stays in evaluation mode.

    Args:
        network: a frozen CLIP with a masker; one that was trained before goes on with its scales of the contrasts.
        config: weights of the losses.
        at_once: mask values in memory at once, see `pair_scores`.
    """

    def __init__(self, network: TclNetwork, config: TclConfig | None = None, at_once: int = AT_ONCE) -> None:
        super().__init__()
        held: Any = network
        self.network: Any = held
        self.config = config or TclConfig()
        self.at_once = at_once
        self.tclf_log_scale, self.tcli_log_scale = (
            nn.Parameter(torch.tensor(network.log_scales.get(name, LOG_SCALE))) for name in ("tclf", "tcli")
        )
        held.requires_grad_(False)
        held.masker.requires_grad_(True)
        self.train_block(False)

    def train(self, mode: bool = True) -> TclTraining:
        """Training mode for the masker alone."""
        super().train(mode)
        self.network.eval()
        self.network.masker.train(mode)
        return self

    def train_block(self, trains: bool) -> None:
        """First stage: the masker's copy of CLIP's last block is frozen. Second stage: it trains too."""
        self.network.masker.block.requires_grad_(trains)

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        """Captions as they stand, L2-normalised N×D."""
        return F.normalize(self.network.encode_texts(texts).float(), dim=-1, eps=EPS)

    def scores(self, images: torch.Tensor, texts: torch.Tensor, first: int, noise: torch.Tensor) -> PartScores:
        """Look at a part of a step's pictures.

        Args:
            images: B×3×H×W, normalised; picture b belongs to text `first` + b.
            texts: N×D normalised texts of the whole step.
            first: number of the first picture within the step.
            noise: B×u×v, uniform in (0, 1), for the sampled masks.
        """
        masker = self.network.masker
        embedding = self.network.masker_embedding(images)
        with torch.autocast(images.device.type, enabled=False):
            embedding = embedding.float()
            own = texts[first : first + len(images)]
            pooled, areas, variation = pair_scores(embedding, texts, masker.scale, masker.bias, self.at_once)
            cosines = torch.einsum("bduv,bd->buv", F.normalize(embedding, dim=1, eps=EPS), own)
            logits = masker.scale * cosines + masker.bias
            hard = sampled_masks(logits, noise, self.config.temperature)
            shown = F.interpolate(hard[:, None], size=images.shape[2:], mode="nearest")
        masked = self.network.clip_embedding(shown * images)
        with torch.autocast(images.device.type, enabled=False):
            likeness = F.normalize(masked.float(), dim=-1, eps=EPS) @ texts.T
        return PartScores(torch.stack([pooled, areas, likeness], dim=1), variation.mean(), variations(embedding).mean())

    def losses(self, scores: PartScores, everyone: torch.Tensor) -> dict[str, torch.Tensor]:
        """Weighted losses by name, as published; their sum is minimised.

        Args:
            scores: of a part.
            everyone: N×3×N `PartScores.shared` of all pictures of the step in order, those of the part among them.

        Raises:
            UsageError: N is 1: a picture's mask for others' texts is undefined.
        """
        if len(everyone) < 2:
            raise UsageError(
                "a step with one pair has no other texts, so the area loss of negatives is undefined",
                hint="--batch-size 2 or more",
            )
        config = self.config
        pooled, areas, masked = everyone.unbind(dim=1)
        own, others = area_losses(areas, config.area_target)
        return {
            "area": config.area_weight * own,
            "neg_area": config.area_weight * others,
            "tclf": config.contrast_weight * contrast(pooled, self.tclf_log_scale),
            "tv_img": config.variation_weight * scores.embedding_variation,
            "tv_mask": config.variation_weight * scores.mask_variation,
            "tcli": config.contrast_weight * contrast(masked, self.tcli_log_scale),
        }
