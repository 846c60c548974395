"""Options of text-tag self-distillation, with the defaults measured on the generated scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Distance = Literal["mse", "l1", "bce", "bce-affine"]
DISTANCES: tuple[str, ...] = get_args(Distance)


@dataclass(frozen=True)
class TtdConfig:
    """What the losses need to know.

    The paper fixes the structure of the two losses. Distance, weights and threshold are unpublished; the defaults are
    the ones that measured best on the generated scenes (`benchmarks/ttd_ablation.py` repeats that).

    Args:
        distance: how a map is compared with its target: `mse`, `l1`, `bce` (the map itself as a probability) or
            `bce-affine` (sigmoid(a·cos + b) with trained a and b). For a model that reads its maps through a learned
            sigmoid (TCL), `bce-affine` starts from that scale and bias instead of those below.
        affine_scale, affine_bias: where a and b start.
        tag_weight: weight of L_tag; 0 leaves it out.
        distill_weight: weight of L_distill; 0 leaves it out.
        threshold: least score of a selected word, 0..1.
        keep_best: where no word of a caption passes, its best one is selected, so that no union is empty.
        scales, hflip: words are selected by, and targets made from, maps averaged over these sizes of the pictures and
            their mirror images, as masks are; the maps that are trained are those of the picture as it is.
    """

    distance: Distance = "bce-affine"
    affine_scale: float = 10.0
    affine_bias: float = -3.0
    tag_weight: float = 1.0
    distill_weight: float = 0.2
    threshold: float = 0.5
    keep_best: bool = True
    scales: tuple[float, ...] = (1.0,)
    hflip: bool = False
