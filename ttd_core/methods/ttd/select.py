"""Which words of a caption a picture shows, by pixel-tag scoring with the model as it is now."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ttd_core.ops.calibrate import calibrate
from ttd_core.ops.select import select


@dataclass(frozen=True)
class MapReading:
    """How cosines of places become maps that can be compared with a threshold.

    Args:
        calibration: `softmax` over a caption's words at every place, or `sigmoid` for models with learned scale and
            bias.
        logit_scale: factor of the softmax.
        sigmoid_scale, sigmoid_bias: of the sigmoid reading; None where the model has none.
        maps: what distillation works on, `cosine` or `sigmoid`; None takes sigmoids where the model has scale and bias
            for them, which is how the method defines S, and the cosines elsewhere.
    """

    calibration: str = "softmax"
    logit_scale: float = 100.0
    sigmoid_scale: float | None = None
    sigmoid_bias: float | None = None
    maps: str | None = None

    @property
    def sigmoid(self) -> tuple[float, float] | None:
        """Scale and bias where the maps S are sigmoids, None where they are the cosines."""
        if self.maps == "cosine" or self.sigmoid_scale is None or self.sigmoid_bias is None:
            return None
        return self.sigmoid_scale, self.sigmoid_bias

    def read(self, cosines: torch.Tensor) -> torch.Tensor:
        """The maps S that distillation works on: sigmoids or cosines."""
        if self.sigmoid is None:
            return cosines
        scale, bias = self.sigmoid
        return torch.sigmoid(scale * cosines + bias)


@torch.no_grad()
def select_words(
    cosines: torch.Tensor, valid: torch.Tensor, reading: MapReading, threshold: float, keep_best: bool = True
) -> torch.Tensor:
    """Keep the words whose best place reaches the threshold.

    The score of a word is the maximum of its calibrated map over places (pixel-tag scoring, paper figure 2).

    Args:
        cosines: B×K×h×w in -1..1.
        valid: B×K bool, False for the padding of captions with fewer words.
        reading: how cosines become scores.
        threshold: least score that is kept, 0..1.
        keep_best: keep the best word of a caption where none passes.

    Returns:
        B×K bool; never true for padding. No gradient flows through it.
    """
    if not cosines.shape[1]:
        return valid.clone()
    maps = calibrate(
        cosines, reading.calibration, logit_scale=reading.logit_scale, sigmoid_scale=reading.sigmoid_scale,
        sigmoid_bias=reading.sigmoid_bias, valid=valid,
    )  # fmt: skip
    return select(maps.amax(dim=(2, 3)), "fixed", threshold, valid=valid, keep_best=keep_best)
