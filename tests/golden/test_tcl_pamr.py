"""PAMR, stage by stage, against the published code; both forms of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import Case, load_case, normalised
from ttd_core.ops.pamr import affinity, local_deviation, pamr, pamr_torch

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CASE = load_case("tcl", "pamr_seed0")
Form = Callable[..., torch.Tensor]


def by_torch(image: torch.Tensor, masks: torch.Tensor, iterations: int, dilations: tuple[int, ...]) -> torch.Tensor:
    resized = F.interpolate(masks, size=image.shape[-2:], mode="bilinear", align_corners=True)
    return pamr_torch(image, resized, iterations, dilations)


FORMS = pytest.mark.parametrize("form", [pamr, by_torch], ids=["fused", "torch"])


def inputs(case: Case, index: int) -> tuple[torch.Tensor, torch.Tensor, int, tuple[int, ...]]:
    entry = case.info["subcases"][index]
    pictures = []
    for image in entry["images"]:
        seed, height, width = image["test_image"]
        pictures.append(normalised(seed, height, width, MEAN, STD))
    masks = torch.from_numpy(case.arrays[f"c{index}_mask_in"]).float() / 256
    return torch.cat(pictures), masks, entry["iterations"], tuple(entry["dilations"])


@FORMS
def test_every_stage_matches_the_published_code(form: Form) -> None:
    image, masks, _, dilations = inputs(CASE, 0)
    weights = affinity(image, dilations)
    CASE.check("c0_std", local_deviation(image, dilations))
    CASE.check("c0_affinity", weights)
    CASE.check("c0_mask_upsampled", form(image, masks, 0, dilations))
    CASE.check("c0_mask_after_1", form(image, masks, 1, dilations))


@FORMS
@pytest.mark.parametrize("index", range(len(CASE.info["subcases"])))
def test_refined_masks_match_the_published_code(form: Form, index: int) -> None:
    CASE.check(f"c{index}_mask_out", form(*inputs(CASE, index)))
