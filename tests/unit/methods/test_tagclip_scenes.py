"""The tagger and class activation maps on the built-in model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ttd_core.clip.neighbours import neighbour_mix
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.methods.clip_es.cam import activation_maps
from ttd_core.methods.clip_es.config import ClipEsConfig
from ttd_core.methods.clip_es.maps import ClipEs
from ttd_core.methods.tagclip.config import TagClipConfig
from ttd_core.methods.tagclip.scenes import ScenesCamTower, ScenesLocalTower, Watcher
from ttd_core.methods.tagclip.tagger import Tagger

TEXTS = ["dog", "tree", "car", "sky", "grass"]


def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 96, 80, generator=torch.Generator().manual_seed(0))


def test_watched_attention_mixes_as_the_model_does() -> None:
    q, k, v = torch.randn(3, 1, 2, 30, 8, generator=torch.Generator().manual_seed(1))
    watcher = Watcher((5, 6), torch.device("cpu"))
    torch.testing.assert_close(watcher(q, k, v), neighbour_mix(5, 6, torch.device("cpu"))(q, k, v))
    torch.testing.assert_close(watcher.attention.sum(dim=-1), torch.ones(1, 30))


@torch.inference_mode()
def test_patches_are_means_of_the_models_own_cells() -> None:
    backbone = load_scenes_backbone()
    found = ScenesLocalTower(backbone.visual, backbone.info.patch).local(pictures(), {0, 1})
    cells = backbone.visual(pictures(), value_only=True)
    # 24×20 cells to 12×10 patches
    means = F.normalize(cells.unflatten(1, (12, 2)).unflatten(3, (10, 2)).mean(dim=(2, 4)), dim=-1)
    torch.testing.assert_close(found.patches, means.flatten(1, 2), rtol=1e-4, atol=1e-5)
    assert found.votes.max() <= 2 and found.grid == (12, 10)


@torch.inference_mode()
def test_a_crop_seen_whole_is_the_pooled_picture_and_a_hidden_part_changes_it() -> None:
    backbone = load_scenes_backbone()
    tower = ScenesLocalTower(backbone.visual, backbone.info.patch)
    crops = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    keep = torch.ones(1, 12, 12, dtype=torch.bool)
    torch.testing.assert_close(tower.crops(crops, keep), backbone.encode_images(crops).pooled, rtol=1e-4, atol=1e-5)
    keep[:, :6] = False
    assert not torch.allclose(tower.crops(crops, keep), backbone.encode_images(crops).pooled, atol=1e-3)


def test_tags_and_maps_of_a_scene_come_out_whole() -> None:
    backbone = load_scenes_backbone()
    with torch.no_grad():
        texts = F.normalize(backbone.encode_texts(TEXTS), dim=-1)
    tagger = Tagger(ScenesLocalTower(backbone.visual, 8), 35.0, TagClipConfig(blocks=(0, 1)))
    for tagged in tagger(pictures(), [texts] * 2, [torch.arange(3)] * 2):
        assert tagged.scores.shape == (3,) and bool(((tagged.scores >= 0) & (tagged.scores <= 1)).all())
    maker = ClipEs(ScenesCamTower(backbone.visual, 8), 35.0, ClipEsConfig(blocks=(0, 1)))
    maps = maker(pictures(), [texts[:2], texts[:0]], texts[3:])
    assert [tuple(each.shape) for each in maps] == [(2, 12, 10), (0, 12, 10)]


@pytest.mark.parametrize("tag", [0, 1])
def test_channel_weights_are_the_gradient_of_the_tags_share(tag: int) -> None:
    backbone = load_scenes_backbone()
    tower = ScenesCamTower(backbone.visual, 8)
    with torch.no_grad():
        texts = F.normalize(backbone.encode_texts(TEXTS), dim=-1)
    approach = tower.approach(pictures(), {0})
    found = activation_maps(tower, approach, 1, texts, 2, 35.0)
    x = approach.x[1:]
    moved = []
    for step in (-1e-2, 1e-2):
        y = tower.normed(x).detach()
        picture, _ = tower.finish(x, y + step, type(approach)(x, None, approach.grid, approach.beside[1:]))  # type: ignore[index]
        moved.append(torch.softmax(35 * picture @ texts.T, dim=-1)[0, tag])
    slope = (moved[1] - moved[0]).item() / 2e-2
    # every patch and channel moved by the same step: the sum of all gradients, N times the mean over patches
    assert found.weights[tag].sum().item() * 120 == pytest.approx(slope, rel=0.05, abs=1e-4)
