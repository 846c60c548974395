"""ReCLIP's dense features, both activation variants, against the published code."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import load_case
from tests.support.models import tiny_backbone
from ttd_core.clip.dense import RECLIP, RECLIP_2024, load_strategy
from ttd_core.clip.vit import VisionTower, identity, norm


@pytest.mark.parametrize("name", ["dense_s0", "dense_s1_square"])
@torch.inference_mode()
def test_reclip_dense_features_match_stage_by_stage(name: str) -> None:
    case = load_case("reclip", name)
    visual = tiny_backbone(case.info["weights"]["tiny_clip_seed"]).network.visual
    image = torch.from_numpy(case.arrays["image"])
    padded = F.pad(image, (0, -image.shape[3] % 16, 0, -image.shape[2] % 16))
    for variant, suffix in ((RECLIP, "quick"), (RECLIP_2024, "exact")):
        tower = VisionTower(visual, variant)
        embedded, grid = tower.embed(padded)
        assert list(grid) == case.info["settings"]["grid"]
        stream = tower.stream(padded, hidden=(1,))
        if suffix == "quick":
            case.check("pos", tower.positions(grid)[None, 1:])
            case.check("tokens_in", embedded)
            case.check("after_ln_pre", norm(visual.ln_pre, embedded))
            case.check("after_block1_quick", stream.hidden[1])
        tokens = tower.last_block(stream, identity)
        case.check(f"value_path_{suffix}", tokens)
        before = norm(visual.ln_post, tokens[:, 1:]).transpose(1, 2).unflatten(2, grid)
        case.check(f"dense_pre_projection_{suffix}", before)
        dense = tower.project(load_strategy("maskclip-full").read(tower, stream))
        case.check(f"dense_feature_{suffix}", F.normalize(dense, dim=-1).permute(0, 3, 1, 2))
        case.check(f"global_embedding_{suffix}", tower.pooled(stream))
