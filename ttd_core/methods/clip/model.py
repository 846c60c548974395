"""The part that contrastive training adds to a backbone: learned scales, the null source, and the sum of the losses."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from ttd_core.clip.scenes_towers import PictureTower, TextTower
from ttd_core.methods.clip.config import ClipLossConfig
from ttd_core.methods.clip.loss import alignment, area_terms, caption_contrast, gated_contrast, word_contrast

LARGEST_SCALE = 100.0


class ContrastiveTraining(nn.Module):
    """Two towers under contrastive losses.

    Args:
        visual: maps B×3×H×W pictures to B×h×w×D cells.
        text: maps K×L ids to K×D.
        width: D.
        config: weights of the losses.
    """

    def __init__(self, visual: PictureTower, text: TextTower, width: int, config: ClipLossConfig) -> None:
        super().__init__()
        self.visual = visual
        self.text = text
        self.config = config
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.log_align_scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.null = nn.Parameter(torch.zeros(width))

    def losses(
        self, pictures: torch.Tensor, captions: torch.Tensor, words: torch.Tensor, counts: torch.Tensor, gated: bool
    ) -> dict[str, torch.Tensor]:
        """Losses by name; their sum is what a step minimises.

        Args:
            pictures: B×3×H×W, normalised.
            captions: B×L ids.
            words: K×3 ids, every word framed alone.
            counts: K×B, how many captions of a picture hold the word.
            gated: second stage: pool the picture for each caption (TCL-like) and constrain the areas.
        """
        config = self.config
        # B×h×w×D -> B×P×D
        cells = self.visual(pictures).float().flatten(1, 2)
        patches = F.normalize(cells, dim=-1)
        texts = F.normalize(self.text(captions).float(), dim=-1)
        if config.word_weight or config.align_weight:
            singles = F.normalize(self.text(words).float(), dim=-1)
        pooled = F.normalize(cells.mean(dim=1), dim=-1)
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        losses = {}
        if gated:
            losses["caption"], areas = gated_contrast(patches, texts, scale, config.gate_scale, config.gate_bias)
            losses["area"] = config.area_weight * area_terms(areas, config.area_target)
        else:
            losses["caption"] = caption_contrast(pooled, texts, scale)
        if config.word_weight:
            losses["word"] = config.word_weight * word_contrast(pooled, singles, counts, scale)
        if config.align_weight:
            align_scale = self.log_align_scale.exp().clamp(max=LARGEST_SCALE)
            # a random share of the cells: neighbours say nearly the same, and each costs a softmax over all words
            some = torch.randperm(patches.shape[1])[: -(-patches.shape[1] // config.align_stride)]
            loss = alignment(patches[:, some], singles, counts, self.null, align_scale, config.null_share)
            losses["align"] = config.align_weight * loss
        return losses
