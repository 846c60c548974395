"""Published settings of TCL's training: losses, rates, lengths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TclConfig:
    """Weights and constants of the losses; the defaults are the published ones.

    Args:
        contrast_weight: of both contrastive losses, `tclf` (pooled embeddings) and `tcli` (masked pictures).
        area_weight: of both area losses.
        variation_weight: of both total variations.
        area_target: mean area of a caption in its own picture, 0..1; in other pictures it is 0.
        temperature: of the sampled masks.
    """

    contrast_weight: float = 0.1
    area_weight: float = 0.4
    variation_weight: float = 1.0
    area_target: float = 0.4
    temperature: float = 1.0
