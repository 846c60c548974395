"""Which maps masks are cut from.

A model that judges every text on its own (sigmoid) gives its scores. Where texts only compete (softmax), a score says
who wins a place, not how far a tag reaches, so masks are cut from each tag's similarity map stretched to 0..1, the map
normalisation of TTD's own pseudo masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ttd_core.ops.calibrate import calibrate, stretch_maps

if TYPE_CHECKING:
    from ttd_core.recipes.maps import Looked
    from ttd_core.recipes.session import Reading


def tag_mask_maps(looked: Looked, kept: Sequence[int], reading: Reading, alone: Reading) -> torch.Tensor:
    """Maps of the kept tags.

    Args:
        looked: what the model saw.
        kept: positions of the tags among the K it was asked about.
        reading: how this sample's scores were read.
        alone: how the model reads a tag by itself.

    Returns:
        len(kept)×h×w in 0..1, except for the reading `none`, which leaves cosines.
    """
    index = torch.tensor(list(kept), dtype=torch.long, device=looked.maps.device)
    if reading.calibration in ("sigmoid", "none"):
        return looked.maps[index]
    return _alone(looked.cosines[index], alone)


def caption_mask_map(looked: Looked, reading: Reading, alone: Reading) -> torch.Tensor:
    """The caption's own map, h×w, read like the maps of the tags.

    Args:
        looked: what the model saw; it has a caption.
        reading: how this sample's scores were read.
        alone: how the model reads a text by itself.
    """
    assert looked.caption is not None
    if reading.calibration == "none":
        return looked.caption
    if looked.caption_map is not None:
        return looked.caption_map
    return _alone(looked.caption[None], alone)[0]


def _alone(cosines: torch.Tensor, alone: Reading) -> torch.Tensor:
    if alone.calibration == "sigmoid":
        return calibrate(cosines[None], "sigmoid", sigmoid_scale=alone.sigmoid_scale, sigmoid_bias=alone.sigmoid_bias)[
            0
        ]
    return stretch_maps(cosines[None])[0]
