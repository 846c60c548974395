"""A backbone under distillation: texts once, mirrored and larger views in the targets, a and b, evaluation mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ttd_core.clip.lora import adapt
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.errors import UsageError
from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.model import TextBatch, TtdTraining, map_reading, text_batch
from ttd_core.methods.ttd.select import MapReading

CAPTIONS = ["a dog on the grass", "sun over the sea"]
WORDS = [("dog", "grass"), ("sun", "over", "sea")]


def training(**config: Any) -> TtdTraining:
    backbone = load_scenes_backbone()
    torch.manual_seed(0)
    adapt(backbone, 2)
    return TtdTraining(backbone, TtdConfig(**config), map_reading(backbone.info))


def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_every_distinct_text_is_encoded_once() -> None:
    batch = text_batch(["a", "b", "a"], [("x", "y"), (), ("y",)])
    assert (list(batch.words), list(batch.captions)) == (["x", "y"], ["a", "b"])
    assert batch.word_rows.tolist() == [[0, 1], [0, 0], [1, 0]] and batch.caption_rows.tolist() == [0, 1, 0]
    assert batch.valid.tolist() == [[True, True], [False, False], [True, False]]


def test_both_losses_reach_both_encoders_and_the_affine_reading() -> None:
    model = training(distill_weight=1.0)
    result = model(pictures(), text_batch(CAPTIONS, WORDS))
    assert set(result.losses) == {"tag", "distill"} and result.monitors["affine_scale"] > 0
    sum(result.losses.values()).backward()  # type: ignore[union-attr]
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {"affine_scale", "affine_bias"} <= reached
    assert any("visual" in name for name in reached) and any("backbone.text" in name for name in reached)
    assert all("lora_B" in name or "affine" in name for name in reached)  # A has no say while B is zero


@pytest.mark.parametrize(("weights", "left"), [((1.0, 0.0), {"tag"}), ((0.0, 0.5), {"distill"})])
def test_a_loss_without_weight_is_left_out(weights: tuple[float, float], left: set[str]) -> None:
    model = training(tag_weight=weights[0], distill_weight=weights[1])
    assert set(model(pictures(), text_batch(CAPTIONS, WORDS)).losses) == left


def test_weights_are_factors() -> None:
    texts = text_batch(CAPTIONS, WORDS)
    one, other = (training(distill_weight=w)(pictures(), texts).losses["distill"] for w in (1.0, 0.25))
    assert float(other.detach()) == pytest.approx(0.25 * float(one.detach()), rel=1e-5)


def test_captions_without_any_candidate_cost_nothing() -> None:
    result = training()(pictures(), text_batch(CAPTIONS, [(), ()]))
    assert [float(value.detach()) for value in result.losses.values()] == [0, 0]


def test_the_backbone_stays_in_evaluation_mode() -> None:
    model = training()
    model.train()
    norms = [module for module in model.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and model.training and not any(module.training for module in norms)


def test_targets_of_the_picture_and_its_mirror_image_do_not_change_when_it_is_mirrored() -> None:
    model = training(scales=(1.0, 1.5), hflip=True)
    texts = text_batch(CAPTIONS, WORDS)
    plain, mirrored = pictures(), pictures().flip(3)
    found = model.averaged(plain, model.look(plain, texts))
    other = model.averaged(mirrored, model.look(mirrored, texts))
    torch.testing.assert_close(found, other.flip(3), rtol=1e-4, atol=1e-4)
    assert found.shape == (2, 3, 16, 16) and not found.requires_grad


def test_one_view_is_the_picture_as_it_is() -> None:
    model = training()
    seen = model.look(pictures(), text_batch(CAPTIONS, WORDS))
    assert torch.equal(model.averaged(pictures(), seen), seen.words)


def test_sigmoids_are_taken_where_the_model_has_a_scale_and_a_bias_for_them() -> None:
    info = load_scenes_backbone().info
    assert map_reading(info).sigmoid == (info.sigmoid_scale, info.sigmoid_bias)
    assert map_reading(info, maps="cosine").sigmoid is None
    assert MapReading("softmax", 100.0).sigmoid is None
    assert training().affine == pytest.approx((info.sigmoid_scale, info.sigmoid_bias))
    assert training(distance="mse").affine is None


def test_sigmoids_of_a_model_without_them_are_refused() -> None:
    from dataclasses import replace

    info = replace(load_scenes_backbone().info, sigmoid_scale=None, sigmoid_bias=None)
    with pytest.raises(UsageError, match="scenes has none"):
        map_reading(info, maps="sigmoid")
    assert map_reading(info).sigmoid is None


def test_a_batch_of_texts_holds_what_it_was_given() -> None:
    batch = text_batch(CAPTIONS, WORDS)
    assert isinstance(batch, TextBatch)
    spelled = [[batch.words[row] for row in rows] for rows in batch.word_rows.tolist()]
    assert [tuple(w[: len(own)]) for w, own in zip(spelled, WORDS, strict=True)] == WORDS


def test_maps_and_losses_are_in_full_precision_where_products_are_not() -> None:
    model, texts = training(distance="bce"), text_batch(CAPTIONS, WORDS)
    model.reading = MapReading()
    with torch.autocast("cpu", torch.bfloat16):
        result, seen = model(pictures(), texts), model.look(pictures(), texts)
        dense = model._dense(pictures())
    exact = torch.einsum("bdhw,bd->bhw", dense, seen.sentences)
    assert seen.words.dtype == torch.float32 and result.losses["tag"].dtype == torch.float32
    assert torch.equal(seen.captions, exact)
    assert not torch.equal(exact, exact.bfloat16().float())
