"""Convolutions in fewer products equal torch's own, and are used only where nothing can change under them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.methods.tcl.model import GatedConv
from ttd_core.ops.conv3x3 import (
    FrozenWeights,
    applies,
    upsampled,
    upsampled_weights,
    winograd,
    winograd_weights,
)

SIZES = pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 4), (5, 8), (11, 6), (1, 9)])


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def exact(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, double: bool) -> torch.Tensor:
    """B×h×w×C through torch's convolution in double precision."""
    picture = x.double().permute(0, 3, 1, 2)
    if double:
        picture = F.interpolate(picture, scale_factor=2, mode="nearest")
    return F.conv2d(picture, weight.double(), bias.double(), padding=1).permute(0, 2, 3, 1)


@SIZES
@pytest.mark.parametrize("double", [False, True])
@torch.no_grad()
def test_both_forms_equal_the_plain_convolution(size: tuple[int, int], double: bool) -> None:
    x, weight, bias = drawn(2, *size, 24), drawn(10, 24, 3, 3) / 15, drawn(10)
    got = upsampled(x, upsampled_weights(weight, bias)) if double else winograd(x, winograd_weights(weight, bias))
    want = exact(x, weight, bias, double)
    assert got.shape == want.shape
    torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-5)


@torch.no_grad()
def test_a_single_tap_is_found_at_its_place() -> None:
    x = drawn(1, 6, 5, 1)
    for place in range(9):
        weight = F.one_hot(torch.tensor(place), 9).float().view(1, 1, 3, 3)
        bias = torch.zeros(1)
        for double, got in (
            (False, winograd(x, winograd_weights(weight, bias))),
            (True, upsampled(x, upsampled_weights(weight, bias))),
        ):
            torch.testing.assert_close(got.double(), exact(x, weight, bias, double), rtol=0, atol=1e-5)


def test_they_apply_to_frozen_float32_weights_without_gradient_alone() -> None:
    weight, x = drawn(4, 4, 3, 3), drawn(1, 5, 5, 4)
    assert not applies(weight, x)  # gradients are on
    with torch.no_grad():
        assert applies(weight, x)
        assert not applies(nn.Parameter(weight), x)
        assert not applies(weight.double(), x)
        assert not applies(weight, x.bfloat16())
        assert not applies(weight.to("meta"), x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not applies(weight, x)
    with torch.inference_mode():
        assert applies(weight, x)
        assert not applies(weight.clone(), x)  # its changes would not be counted


@pytest.mark.parametrize("transform", [winograd_weights, upsampled_weights])
@torch.no_grad()
def test_changed_or_replaced_weights_are_noticed(
    transform: Callable[[torch.Tensor, torch.Tensor], FrozenWeights],
) -> None:
    weight, bias = drawn(3, 3, 3, 3), drawn(3)
    made = transform(weight, bias)
    assert made.made_from(weight, bias)
    assert not made.made_from(weight.clone(), bias)
    bias.add_(1)
    assert not made.made_from(weight, bias)
    made = transform(weight, bias)
    weight.mul_(2)
    assert not made.made_from(weight, bias)


@pytest.mark.parametrize("double", [False, True])
def test_a_gated_convolution_is_the_same_frozen_or_not_and_follows_its_weights(double: bool) -> None:
    module, x = GatedConv(8), drawn(1, 8, 6, 7)
    with torch.no_grad():
        module.gate.fill_(0.7)
    for _ in range(2):
        trained = module.requires_grad_(True)(x, double)
        with torch.no_grad():
            frozen = module.requires_grad_(False)(x, double)
        torch.testing.assert_close(frozen, trained.detach(), rtol=0, atol=1e-5)
        assert trained.requires_grad
        with torch.no_grad():
            module.conv.weight.mul_(-1.5)
    assert frozen.abs().max() > 0.1
