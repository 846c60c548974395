"""CLIP-ES as TagCLIP uses it, stage by stage, against the published code."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.support.golden import ROOT, load_case
from tests.support.tagclip import image_of, visual
from ttd_core.methods.clip_es.affinity import affinity, spread_maps
from ttd_core.methods.clip_es.cam import activation_maps, stretched
from ttd_core.methods.clip_es.config import ClipEsConfig
from ttd_core.methods.clip_es.maps import ClipEs, enlarged
from ttd_core.methods.clip_es.tower import ClipCamTower

BLOCKS = {"4..10": tuple(range(4, 11)), "4..11": tuple(range(4, 12))}


@pytest.mark.parametrize("name", ["cam_voc", "cam_voc_224", "cam_coco", "cam_stuff"])
def test_maps_of_known_tags_match_the_published_code_stage_by_stage(name: str) -> None:
    case = load_case("tagclip", name)
    config = ClipEsConfig(BLOCKS[case.info["attention_blocks_used"]], case.info["box_threshold"])
    maker = ClipEs(ClipCamTower(visual(case)), 100.0, config)
    image = image_of(case.arrays["image"])
    tags = case.info["tags"]
    texts = torch.from_numpy(case.arrays["text_fg"][tags])
    background = torch.from_numpy(case.arrays["text_bg"])
    seen = maker.tower.approach(image[None], config.blocks)
    grid = seen.grid
    case.check("feat_block11", seen.x[0], rtol=0, atol=2e-3)

    found = activation_maps(maker.tower, seen, 0, torch.cat([texts, background]), len(tags), 100.0)
    case.check("probs", found.scores, rtol=0, atol=1e-5)
    case.check("cam_weights", found.weights, rtol=1e-3, atol=1e-6)
    maps = stretched(stretched(found.maps))
    case.check("cam", maps.reshape(-1, *grid), rtol=0, atol=2e-4)
    mean = maker.attention(seen, 0, found.attention)
    case.check("attn_selected_mean", mean, rtol=0, atol=2e-6)
    along = affinity(mean)
    case.check("affinity", along, rtol=0, atol=1e-7)
    spread, boxes = spread_maps(maps, along, grid, config.box_threshold)
    case.check("box_mask", boxes)
    case.check("refined_raw", spread.reshape(-1, *grid), rtol=1e-4, atol=1e-7)

    whole = maker(image[None], [texts], background)[0]
    large = enlarged(whole, case.arrays["image"].shape[:2])
    np.testing.assert_allclose(large.half().float(), case.arrays["attn_highres"].astype(np.float32), atol=4e-3)


def test_a_tag_without_activation_has_a_map_of_zeros_and_no_tag_none() -> None:
    case = load_case("tagclip", "cam_voc")
    maker = ClipEs(ClipCamTower(visual(case)), 100.0)
    image = image_of(case.arrays["image"])[None]
    background = torch.from_numpy(case.arrays["text_bg"])
    assert maker(image, [background[:0]], background)[0].shape == (0, 7, 10)
    assert torch.equal(stretched(torch.zeros(2, 6)), torch.zeros(2, 6))
    assert json.loads((ROOT / "tagclip" / "cam_voc.json").read_text())["tags"] == [17, 9, 11]
