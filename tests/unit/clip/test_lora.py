"""Adapters: merged ones equal trained ones, on every path that dense features take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.models import tiny_backbone, tiny_tcl
from ttd_core.clip.lora import apply_lora, trainable_lora
from ttd_core.clip.vit import LinearAttention, linearise_attention
from ttd_core.protocols import SilentReporter

TEXTS = ["a dog", "two cats on a mat"]


def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 64, 80, generator=torch.Generator().manual_seed(0))


def outputs(backbone: Any) -> tuple[torch.Tensor, ...]:
    encoded = backbone.encode_images(pictures())
    return encoded.dense, encoded.pooled, backbone.encode_texts(TEXTS)


def shake(model: nn.Module) -> None:
    """Give every adapter matrix, the zero ones too, random values."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("dense", ["clip", "maskclip"])
def test_a_trained_adapter_gives_the_same_once_merged(dense: str, tmp_path: Path) -> None:
    backbone = tiny_backbone(dense=dense)
    before = outputs(backbone)
    model = trainable_lora(backbone.network, rank=4, alpha=8)
    for got, want in zip(outputs(backbone), before, strict=True):
        torch.testing.assert_close(got, want)  # a fresh adapter changes nothing
    shake(model)
    trained = outputs(backbone)
    model.save_pretrained(str(tmp_path))
    merged = outputs(tiny_backbone(dense=dense, lora=str(tmp_path)))
    for got, want, old in zip(merged, trained, before, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(want, old, atol=1e-3)


def test_every_adapter_of_the_whole_network_takes_a_gradient() -> None:
    backbone = tiny_backbone(dense="clip")
    model = trainable_lora(backbone.network, rank=2, alpha=2)
    shake(model)
    sum(part.square().sum() + part.sum() for part in outputs(backbone)).backward()  # type: ignore[union-attr]
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_pefts_own_adapters_on_multihead_attention_reach_the_dense_features(tmp_path: Path) -> None:
    import peft

    backbone = tiny_backbone(dense="clip")
    model = peft.get_peft_model(backbone.network, peft.LoraConfig(r=4, target_modules=["attn", "c_fc"]))
    shake(model)
    model.save_pretrained(str(tmp_path))
    picture = pictures()[..., :64]
    with torch.no_grad():
        want = model.base_model.model.encode_image(picture, normalize=True)
    adapted = tiny_backbone(dense="clip", lora=str(tmp_path))
    torch.testing.assert_close(adapted.encode_images(picture).pooled, want, rtol=1e-4, atol=1e-5)
    plain = tiny_backbone(dense="clip").encode_images(picture)
    assert not torch.allclose(adapted.encode_images(picture).dense, plain.dense, atol=1e-3)


def test_an_adapter_on_the_clip_base_reaches_tcl(tmp_path: Path) -> None:
    trained = tiny_tcl()
    model = trainable_lora(trained.network, rank=2, alpha=2)
    shake(model)
    model.save_pretrained(str(tmp_path))
    merged = tiny_tcl(lora=str(tmp_path))
    for got, want in zip(outputs(merged), outputs(trained), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


class Towers(nn.Module):
    """A backbone without a `network`, whose own modules are adapted: the shape of the built-in model."""

    def __init__(self) -> None:
        super().__init__()
        self.info = tiny_backbone().info
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.c_fc = nn.Linear(8, 8)


def test_a_backbone_without_an_inner_network_is_adapted_as_a_whole(tmp_path: Path) -> None:
    import peft

    model = peft.get_peft_model(Towers(), peft.LoraConfig(r=2, target_modules=["c_fc"]))
    shake(model)
    model.save_pretrained(str(tmp_path))
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    want = model.base_model.model.c_fc(x)
    adapted: Any = apply_lora(Towers(), tmp_path / "adapter_model.safetensors", SilentReporter())  # type: ignore[arg-type]
    torch.testing.assert_close(adapted.c_fc(x), want)
    assert not any(p.requires_grad for p in adapted.parameters())


def test_linear_attention_is_the_same_attention() -> None:
    backbone = tiny_backbone(dense="clip")
    before = outputs(backbone)
    linearise_attention(backbone.network)
    kinds = {type(block.attn) for block in backbone.network.visual.transformer.resblocks}
    assert kinds == {LinearAttention}
    for got, want in zip(outputs(backbone), before, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
