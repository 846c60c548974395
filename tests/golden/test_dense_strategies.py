"""The strategies built so far against the codes they come from: features; label stages follow with segmentation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import Case, load_case, normalised
from tests.support.models import tiny_backbone
from tests.support.tiny_clip import Geometry
from ttd_core.clip.dense import RELEASED_MASKCLIP, load_strategy
from ttd_core.clip.vit import Variant, VisionTower, plain
from ttd_core.text.bank import TextBank

DEEP = Geometry(vision_layers=12)
OFFSET = Variant(positions="offset")
CLIP_BYTES = ((122.771, 116.746, 104.094), (68.501, 66.632, 70.323))
IMAGENET_BYTES = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
NUMBERS = {"square": 1, "rect": 2, "odd": 4}


def picture(case: Case, name: str, constants: tuple[tuple[float, ...], ...] = CLIP_BYTES) -> torch.Tensor:
    mean, std = (tuple(value / 255 for value in row) for row in constants)
    seed = 1000 * NUMBERS[name] + case.info["weights"]["tiny_clip_seed"]
    return normalised(seed, *case.info["pictures"]["sizes"][name], mean, std)


@torch.inference_mode()
def test_texts_and_the_plain_tower_match_with_positions_resized_by_the_offset_rule() -> None:
    case = load_case("dense", "common_s0")
    backbone = tiny_backbone(case.info["weights"]["tiny_clip_seed"], DEEP)
    case.check("text", TextBank(backbone).embed(case.info["query_names"], "imagenet80"))
    tower = VisionTower(backbone.network.visual, OFFSET)
    for name in ("square", "rect"):
        image = picture(case, name)
        stream = tower.stream(image, hidden=(5,))
        case.check(f"{name}_tokens_before_ln_pre", tower.embed(image)[0][0])
        case.check(f"{name}_after_block5", stream.hidden[5][0])
        case.check(f"{name}_last_block_input", stream.x[0])
        case.check(f"{name}_plain_features", tower.project(tower.last_block(stream, plain))[0])


@pytest.mark.parametrize(("strategy", "suffix"), [("maskclip", ""), ("maskclip-full", "_residual_mlp")])
@torch.inference_mode()
def test_value_features_match_with_and_without_the_rest_of_the_block(strategy: str, suffix: str) -> None:
    case = load_case("dense", "maskclip-plain_s0")
    backbone = tiny_backbone(case.info["weights"]["tiny_clip_seed"], DEEP)
    tower = VisionTower(backbone.network.visual, OFFSET)
    for name in ("square", "rect"):
        tokens = load_strategy(strategy).read(tower, tower.stream(picture(case, name)))
        case.check(f"{name}_features{suffix}", tower.project(tokens)[0].flatten(0, 1))


@torch.inference_mode()
def test_released_maskclip_matches_with_its_own_norms_and_activation() -> None:
    case = load_case("dense", "maskclip_s0")
    backbone = tiny_backbone(case.info["weights"]["tiny_clip_seed"], DEEP)
    tower = VisionTower(backbone.network.visual, RELEASED_MASKCLIP)
    for name in NUMBERS:
        image = picture(case, name, IMAGENET_BYTES)
        padded = F.pad(image, (0, -image.shape[3] % 16, 0, -image.shape[2] % 16))
        tokens = load_strategy("maskclip-full").read(tower, tower.stream(padded))
        case.check(f"{name}_features", tower.project(tokens)[0].permute(2, 0, 1))
