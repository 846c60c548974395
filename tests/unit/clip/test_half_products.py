"""`--precision bf16`: the image encoder multiplies in bfloat16, everything around it stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.support.models import ListReporter, tiny_backbone, tiny_tcl
from ttd_core.clip.load import load_backbone
from ttd_core.clip.lora import adapt, save_lora
from ttd_core.clip.precision import HalfLinear
from ttd_core.clip.vit import BLOCK_LAYERS
from ttd_core.registry import DENSE
from ttd_core.types import ModelSpec

MODELS = {
    "clip": tiny_backbone,
    "tcl": tiny_tcl,
    "scenes": lambda **spec: load_backbone(ModelSpec("scenes", **spec), torch.device("cpu"), ListReporter()),
}


@pytest.fixture(params=MODELS)
def both(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """One model without and with."""
    make = MODELS[request.param]
    return make(), make(precision="bf16")


def images(model: Any, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def replaced(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, HalfLinear)]


@torch.inference_mode()
def test_embeddings_keep_their_direction_and_type(both: tuple[Any, Any]) -> None:
    plain, rounded = both
    want, found = (model.encode_images(images(model)) for model in both)
    for name in ("dense", "pooled"):
        a, b = getattr(want, name), getattr(found, name)
        assert b.dtype == torch.float32 and not torch.equal(a, b)
        # eight bits of mantissa are kept: 2^-9 at each of some ten products
        assert F.cosine_similarity(a, b, dim=1).min() > 0.999
    assert (plain.info.precision, rounded.info.precision) == ("fp32", "bf16")
    assert rounded.info.weights_sha256 == plain.info.weights_sha256  # texts stay the same, and so do their files


def test_only_blocks_of_the_image_encoder_are_rounded(both: tuple[Any, Any]) -> None:
    plain, rounded = both
    names = replaced(rounded)
    assert names and not replaced(plain)
    assert {name.rpartition(".")[2] for name in names} == set(BLOCK_LAYERS)
    assert all("visual." in name or name.startswith("masker.") for name in names)
    assert torch.equal(plain.encode_texts(["a dog"]), rounded.encode_texts(["a dog"]))


def test_a_layer_is_the_product_of_rounded_numbers_summed_in_full() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(300, 40)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(40, 300, generator=generator))
        layer.bias.copy_(torch.randn(40, generator=generator))
    x = torch.randn(7, 300, generator=generator)
    exact = F.linear(*(each.bfloat16().double() for each in (x, layer.weight, layer.bias)))
    found = HalfLinear(layer)(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=2**-8 * float(exact.detach().abs().max()))


def test_an_adapter_is_merged_before_weights_are_rounded(tmp_path: Path) -> None:
    make = MODELS["scenes"]
    model = adapt(make(), rank=2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.full_like(parameter, 0.05))
    save_lora(model, tmp_path)
    plain, rounded = make(lora=str(tmp_path)), make(lora=str(tmp_path), precision="bf16")
    for name in replaced(rounded):
        weight = plain.get_submodule(name).weight
        assert torch.equal(rounded.get_submodule(name).weight, weight.bfloat16())
        assert not torch.equal(weight, make().get_submodule(name).weight)


@pytest.mark.parametrize("name", DENSE.names())
@torch.inference_mode()
def test_every_dense_strategy_reads_a_rounded_tower(name: str) -> None:
    plain, rounded = (tiny_backbone(dense=name, precision=each) for each in ("fp32", "bf16"))
    a, b = (model.encode_images(images(model)).dense for model in (plain, rounded))
    assert b.dtype == torch.float32 and F.cosine_similarity(a, b, dim=1).median() > 0.99


def test_gradients_reach_the_pictures_through_rounded_layers() -> None:
    shown = images(None).requires_grad_()
    tiny_backbone(precision="bf16").encode_images(shown).pooled.sum().backward()
    assert shown.grad is not None and bool(shown.grad.isfinite().all()) and float(shown.grad.abs().max()) > 0
