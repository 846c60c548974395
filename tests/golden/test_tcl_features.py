"""TCL's frozen features and its masker, stage by stage, against the published code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import load_case, normalised
from tests.support.models import tiny_backbone, tiny_tcl
from ttd_core.clip.vit import identity
from ttd_core.methods.tcl.masks import kp_masks, similarity, soft_masks
from ttd_core.methods.tcl.model import IMAGENET_MEAN, IMAGENET_STD
from ttd_core.text.bank import TextBank
from ttd_core.text.prompts import template_set


def picture(entry: dict[str, Any]) -> torch.Tensor:
    return normalised(*entry["test_image"], IMAGENET_MEAN, IMAGENET_STD)


@torch.inference_mode()
def test_frozen_image_features_match_the_published_code_on_square_tall_and_odd_grids() -> None:
    case = load_case("tcl", "features_seed0")
    backbone = tiny_backbone(0, dense="maskclip-full")
    for i, entry in enumerate(case.info["images"]):
        stream = backbone.vision.stream(picture(entry))
        case.check(f"img{i}_masker_input", stream.x)
        tokens = backbone.vision.last_block(stream, identity)
        case.check(f"img{i}_last_block_identity_attn", tokens)
        case.check(f"img{i}_dense", tokens[:, 1:].transpose(1, 2).unflatten(2, stream.grid))
        case.check(f"img{i}_kp_embed", backbone.encode_images(picture(entry)).dense)
        case.check(f"img{i}_clip_cls_embed", backbone.vision.pooled(stream))


@torch.inference_mode()
def test_raw_text_embeddings_match_the_published_code_with_overlong_text_cut() -> None:
    case = load_case("tcl", "features_seed0")
    backbone = tiny_backbone(0)
    case.check("tokens", backbone.text.tokenize(case.info["sentences"])[0])
    case.check("text_embed", backbone.encode_texts(case.info["sentences"]))


@pytest.mark.parametrize("seed", [0, 1])
@torch.inference_mode()
def test_masker_matches_the_published_code_stage_by_stage(seed: int) -> None:
    case = load_case("tcl", f"masker_seed{seed}")
    backbone = tiny_tcl(seed)
    masker = backbone.masker
    assert backbone.info.sigmoid_scale == pytest.approx(case.info["settings"]["sim2mask w"], rel=1e-7)
    assert backbone.info.sigmoid_bias == pytest.approx(case.info["settings"]["sim2mask b"], rel=1e-6)
    for i, entry in enumerate(case.info["images"]):
        stream = backbone.vision.stream(picture(entry))
        tokens = masker.tokens(stream.x)
        case.check(f"img{i}_backbone_tokens", tokens)
        patches = tokens[:, 1:].transpose(1, 2).unflatten(2, stream.grid)
        doubled = F.interpolate(patches, scale_factor=2, mode="nearest")
        if f"img{i}_after_up0_conv" in case:
            case.check(f"img{i}_after_up0_conv", masker.stages[0].first(doubled))
        if f"img{i}_after_up0" in case:
            case.check(f"img{i}_after_up0", masker.stages[0](patches))
        decoded = masker.decode(tokens, stream.grid)
        if f"img{i}_decoder_out" in case:
            case.check(f"img{i}_decoder_out", decoded)
        embedding = masker.project(decoded)
        if f"img{i}_masker_embed" in case:
            case.check(f"img{i}_masker_embed", embedding)


@pytest.mark.parametrize("seed", [0, 1])
@torch.inference_mode()
def test_masks_match_the_published_code_for_every_template_set(seed: int) -> None:
    case = load_case("tcl", f"masker_seed{seed}")
    backbone = tiny_tcl(seed)
    info = backbone.info
    bank = TextBank(backbone)
    for name, templates in case.info["template_sets"].items():
        assert template_set(name) == tuple(templates)
        text = bank.embed(case.info["classes"], name)
        case.check(f"text_{name}", text)
        raw = bank.prompt_embeddings(case.info["classes"], name).mean(dim=1)
        case.check(f"text_{name}_raw_mean_norm", raw.norm(dim=-1))
        for i, entry in enumerate(case.info["images"]):
            encoded = backbone.encode_images(picture(entry))
            cosines = similarity(encoded.dense, text)
            soft = soft_masks(cosines, info.sigmoid_scale, info.sigmoid_bias)
            case.check(f"img{i}_sim_{name}", cosines)
            case.check(f"img{i}_soft_{name}", soft)
            case.check(f"img{i}_hard_{name}", soft > 0.5)
            case.check(f"img{i}_kp_{name}", kp_masks(encoded.extra["kp"], text))
