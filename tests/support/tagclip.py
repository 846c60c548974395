"""What the cases of TagCLIP and CLIP-ES share: the tiny encoder with twelve blocks, and their preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tests.support.golden import Case
from tests.support.models import TAGCLIP_TINY, tiny_backbone
from ttd_core.recipes.maps import picture_tensor
from ttd_core.types import Picture


def visual(case: Case) -> Any:
    return tiny_backbone(case.info["weights_seed"], TAGCLIP_TINY).network.visual


def image_of(pixels: np.ndarray) -> torch.Tensor:
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    height, width = (-(-side // 16) * 16 for side in pixels.shape[:2])
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return picture_tensor(Picture(pixels, "case"), (height, width), mean, std)
