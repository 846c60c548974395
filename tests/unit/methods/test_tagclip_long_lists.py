"""Lists of thousands of classes: gone through in parts that change nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.support.models import TAGCLIP_TINY, tiny_backbone
from ttd_core.methods.clip_es import cam
from ttd_core.methods.clip_es.maps import ClipEs
from ttd_core.methods.clip_es.tower import ClipCamTower
from ttd_core.methods.tagclip import refine as module
from ttd_core.methods.tagclip.config import TagClipConfig
from ttd_core.methods.tagclip.refine import refine
from ttd_core.methods.tagclip.tagger import Tagger
from ttd_core.methods.tagclip.tower import ClipLocalTower


def test_refining_in_parts_is_refining_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    attention, coarse = torch.rand(42, 42, generator=random), torch.rand(42, 100, generator=random)
    whole = refine(attention, coarse, (6, 7))
    monkeypatch.setattr(module, "AT_ONCE", 7)
    for part, want in zip(refine(attention, coarse, (6, 7)), whole, strict=True):
        torch.testing.assert_close(part, want, rtol=1e-6, atol=1e-6)


def test_maps_of_many_tags_are_those_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    maker = ClipEs(ClipCamTower(tiny_backbone(0, TAGCLIP_TINY).network.visual), 100.0)
    image = torch.randn(1, 3, 48, 64, generator=random)
    texts = F.normalize(torch.randn(9, 64, generator=random), dim=-1)
    (single,) = maker(image, [texts], texts[:2])
    for together in (4, 9):
        monkeypatch.setattr(cam, "tags_at_once", lambda *_, count=together: count)
        torch.testing.assert_close(maker(image, [texts], texts[:2])[0], single, rtol=1e-3, atol=1e-4)
    assert single.shape == (9, 3, 4)


def test_gradients_held_together_are_bounded_whatever_the_picture() -> None:
    assert cam.tags_at_once(1201, 768, "cpu") == 1
    assert cam.tags_at_once(197, 768, "cuda") == cam.AT_ONCE
    few = cam.tags_at_once(1201, 768, "cuda")
    assert 1 < few < cam.AT_ONCE and 3 * 12 * 1201**2 * few <= cam.MAX_VALUES
    assert cam.tags_at_once(20_000, 1024, "cuda") == 1


def test_five_thousand_classes_are_tagged() -> None:
    random = torch.Generator().manual_seed(0)
    tagger = Tagger(ClipLocalTower(tiny_backbone(0, TAGCLIP_TINY).network.visual), 100.0)
    texts = F.normalize(torch.randn(5025, 64, generator=random), dim=-1)
    (tagged,) = tagger(torch.randn(1, 3, 64, 96, generator=random), [texts], [torch.arange(5000)])
    assert tagged.scores.shape == (5000,) and bool(((tagged.scores >= 0) & (tagged.scores <= 1)).all())
    assert tagged.refined.shape == (24, 5025)


def test_many_crops_are_cut_and_encoded_in_parts_of_the_size_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    tower = ClipLocalTower(tiny_backbone(0, TAGCLIP_TINY).network.visual)
    images = torch.randn(2, 3, 64, 96, generator=random)
    # one text per place, so that many classes are found somewhere
    texts = [patches + 0.1 for patches in tower.local(images, (9,)).patches]
    owners = [torch.arange(24)] * 2
    sizes: list[int] = []
    encode = tower.crops

    def watched(pictures: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pictures))
        return encode(pictures, keep)

    monkeypatch.setattr(tower, "crops", watched)
    whole = Tagger(tower, 100.0, TagClipConfig(threshold=0.0, crops=1000))(images, texts, owners)
    total = sizes.pop()
    parts = Tagger(tower, 100.0, TagClipConfig(threshold=0.0, crops=3))(images, texts, owners)
    assert total > 6 and sum(sizes) == total and max(sizes) == 3
    for one, want in zip(parts, whole, strict=True):
        # a crop's cosine differs in its last bit, 6e-8, with the crops beside it; the factor of the softmax is 100
        torch.testing.assert_close(one.scores, want.scores, rtol=0, atol=6e-6)
        assert not torch.equal(one.scores, one.local)
