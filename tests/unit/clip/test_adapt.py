"""Adapters on whole backbones: trained ones give the same maps once saved and merged, with the readings beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.models import ListReporter, tiny_backbone, tiny_tcl
from ttd_core import packaged
from ttd_core.clip.adapter_card import AdapterCard, read_card, write_card
from ttd_core.clip.load import load_backbone
from ttd_core.clip.lora import adapt, save_lora
from ttd_core.errors import UsageError, WeightsError
from ttd_core.types import ModelSpec

TEXTS = ["dog", "cat and tree"]


def scenes(reporter: Any = None, **spec: Any) -> Any:
    return load_backbone(ModelSpec("scenes", **spec), torch.device("cpu"), reporter or ListReporter())


MODELS = {"scenes": scenes, "clip": tiny_backbone, "tcl": tiny_tcl}


def outputs(backbone: Any) -> tuple[torch.Tensor, ...]:
    pictures = torch.randn(2, 3, 64, 80, generator=torch.Generator().manual_seed(0))
    encoded = backbone.encode_images(pictures)
    return encoded.dense, encoded.pooled, backbone.encode_texts(TEXTS)


def shake(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_saved_adapter_gives_the_maps_of_the_model_in_training(name: str, tmp_path: Path) -> None:
    backbone = MODELS[name]()
    before = [part.detach() for part in outputs(backbone)]
    model = adapt(backbone, rank=4)
    for got, want in zip(outputs(backbone), before, strict=True):
        torch.testing.assert_close(got, want)
    shake(model)
    trained = outputs(backbone)
    save_lora(model, tmp_path)
    merged = outputs(MODELS[name](lora=str(tmp_path)))
    for got, want, old in zip(merged, trained, before, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=2e-5)
        assert not torch.allclose(want, old, atol=1e-3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_dense_map_reaches_adapters_of_both_towers_and_nothing_else_trains(name: str) -> None:
    backbone = MODELS[name]()
    model = adapt(backbone, rank=2)
    shake(model)
    dense, _, texts = outputs(backbone)
    (dense.square().sum() + dense.sum() + texts.sum()).backward()
    moving = {n for n, p in backbone.named_parameters() if p.requires_grad}
    assert moving and all("lora_" in n for n in moving)
    reached = {n for n, p in backbone.named_parameters() if p.grad is not None and p.grad.any()}
    image = {n for n in reached if "visual" in n or "masker" in n}
    assert image and reached - image
    if name == "tcl":
        assert any(n.startswith("masker.block") for n in reached)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("towers", ["image", "text"])
def test_one_encoder_alone_can_be_adapted(name: str, towers: str, tmp_path: Path) -> None:
    backbone = MODELS[name]()
    before = [part.detach() for part in outputs(backbone)]
    model = adapt(backbone, rank=2, towers=towers)
    shake(model)
    trained = outputs(backbone)
    changed = [not torch.allclose(a, b, atol=1e-4) for a, b in zip(trained, before, strict=True)]
    assert changed == ([True, True, False] if towers == "image" else [False, False, True])
    save_lora(model, tmp_path)
    torch.testing.assert_close(outputs(MODELS[name](lora=str(tmp_path)))[0], trained[0], rtol=1e-4, atol=2e-5)


def test_the_files_of_an_adapter_do_not_depend_on_the_order_of_sets(tmp_path: Path) -> None:
    model = adapt(scenes(), rank=2)
    save_lora(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(config["target_modules"]) and list(config) == sorted(config)
    assert config["inference_mode"] is True and config["lora_alpha"] == 2


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="named q_proj") as caught:
        adapt(scenes(), rank=2, targets=["q_proj"])
    assert "in_proj" in str(caught.value.hint)
    with pytest.raises(UsageError, match="unknown encoder 'picture'"):
        adapt(scenes(), rank=2, towers="picture")


def test_the_readings_beside_an_adapter_replace_those_of_the_model(tmp_path: Path) -> None:
    plain = scenes()
    save_lora(adapt(scenes(), rank=2), tmp_path)
    write_card(tmp_path, AdapterCard("scenes", plain.info.weights_sha256, {"sigmoid_scale": 11.0, "logit_scale": 40.0}))
    reporter = ListReporter()
    adapted = scenes(reporter, lora=str(tmp_path))
    assert (adapted.info.sigmoid_scale, adapted.info.logit_scale) == (11.0, 40.0)
    assert adapted.info.sigmoid_bias == plain.info.sigmoid_bias and reporter.warnings == []
    first = adapted.info.weights_sha256
    write_card(tmp_path, AdapterCard("scenes", plain.info.weights_sha256, {"sigmoid_scale": 12.0}))
    assert scenes(lora=str(tmp_path)).info.weights_sha256 != first


def test_an_adapter_of_other_weights_is_noticed(tmp_path: Path) -> None:
    save_lora(adapt(scenes(), rank=2), tmp_path)
    write_card(tmp_path, AdapterCard("scenes", "0" * 64))
    reporter = ListReporter()
    scenes(reporter, lora=str(tmp_path))
    assert len(reporter.warnings) == 1 and "other weights of scenes" in reporter.warnings[0]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[]", "not the card"),
        ("{", "cannot be read as JSON"),
        ('{"schema": "ttd-adapter", "version": 2}', "version 2"),
        ('{"schema": "ttd-adapter", "version": 1, "reading": {"sigmoid_bias": NaN}}', "finite"),
        ('{"schema": "ttd-adapter", "version": 1, "reading": {"scale": 1}}', "unknown reading 'scale'"),
        ('{"schema": "ttd-adapter", "version": 1}', "'reading' must"),
    ],
)
def test_a_card_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "ttd.json").write_text(text)
    with pytest.raises(WeightsError, match=part):
        read_card(tmp_path)


@pytest.mark.parametrize("name", ["clip", "scenes"])
def test_dense_features_alone_are_those_of_the_whole_encoding(name: str) -> None:
    backbone = MODELS[name]()
    pictures = torch.randn(2, 3, 64, 80, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(backbone.encode_dense(pictures), backbone.encode_images(pictures).dense)


@pytest.mark.parametrize("name", ["clip", "tcl"])
def test_activations_computed_anew_give_the_same_gradients(name: str) -> None:
    found = []
    for switched in (False, True):
        backbone = MODELS[name]()
        shake(adapt(backbone, rank=2))
        backbone.network.set_grad_checkpointing(switched)
        dense, _, texts = outputs(backbone)
        (dense.square().sum() + dense.sum() + texts.sum()).backward()
        found.append({n: p.grad for n, p in backbone.named_parameters() if p.grad is not None})
    assert set(found[0]) == set(found[1]) and found[0]
    for key, gradient in found[0].items():
        torch.testing.assert_close(found[1][key], gradient)


def test_a_shipped_adapter_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "ADAPTERS", tmp_path)
    model = adapt(scenes(), rank=2)
    shake(model)
    save_lora(model, tmp_path / "tried-out")
    assert scenes(lora="tried-out").info.weights_sha256 == scenes(lora=str(tmp_path / "tried-out")).info.weights_sha256
    with pytest.raises(WeightsError, match="no such adapter") as caught:
        scenes(lora="tried")
    assert "tried-out" in str(caught.value.hint)


def test_the_adapter_that_ships_fits_the_model_that_ships() -> None:
    reporter = ListReporter()
    adapted = scenes(reporter, lora="scenes-ttd")
    assert reporter.warnings == []
    changed, plain = outputs(adapted), outputs(scenes())
    assert torch.equal(changed[0], plain[0])  # it lies on the text tower alone
    assert not torch.allclose(changed[2], plain[2], atol=1e-3)
