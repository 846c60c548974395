"""Options of the contrastive losses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipLossConfig:
    """Weights and constants of the two training stages; defaults are those of the shipped model.

    Args:
        word_weight: weight of the word term (each word of the batch against the batch's pictures).
        align_weight: weight of the alignment term (each picture's patches must emit its captions' words).
        align_stride: the alignment term looks at one in so many cells, drawn anew every step.
        null_share: share of a picture's words that the alignment term lets be explained by no patch at all.
        area_weight: weight of the area terms of the second stage.
        area_target: mean area a caption covers in its own picture, second stage.
        gate_scale, gate_bias: the second stage weighs patches by sigmoid(scale·cos + bias).
    """

    word_weight: float = 1.0
    align_weight: float = 1.0
    align_stride: int = 4
    null_share: float = 0.5
    area_weight: float = 0.4
    area_target: float = 0.4
    gate_scale: float = 20.0
    gate_bias: float = -5.0
