"""The convolution in fewer products gives the gradients of torch's own."""

from __future__ import annotations

import pytest
import torch

from tests.unit.ops.test_conv3x3 import drawn, exact
from ttd_core.methods.tcl.model import GatedConv
from ttd_core.ops import conv3x3
from ttd_core.ops.conv3x3 import applies_in_training, upsampled_training


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 8)])
def test_values_and_gradients_of_all_inputs_equal_the_plain_convolution(size: tuple[int, int]) -> None:
    given = [x.requires_grad_() for x in (drawn(2, *size, 12), drawn(10, 12, 3, 3) / 10, drawn(10))]
    got, want = upsampled_training(*given), exact(*given, double=True)
    torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-5)
    weights = drawn(*got.shape)
    found = torch.autograd.grad((got * weights).sum(), given)
    for gradient, wanted in zip(found, torch.autograd.grad((want * weights).sum(), given), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=5e-5)


def test_a_decoder_that_trains_takes_it_on_the_cpu_in_float32_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    branch, x = GatedConv(6), drawn(1, 6, 4, 4)
    with torch.no_grad():
        branch.gate.fill_(1.0)
    quick = branch(x, double=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert not applies_in_training(branch.conv.weight, x)
    assert not applies_in_training(branch.conv.weight, x.double())
    monkeypatch.setattr("ttd_core.methods.tcl.model.applies_in_training", lambda *_: False)
    monkeypatch.setattr("ttd_core.methods.tcl.model.upsampled_training", None)
    torch.testing.assert_close(branch(x, double=True), quick, rtol=1e-4, atol=1e-5)
    assert conv3x3.applies_in_training(branch.conv.weight, x)
