"""Parts that know each other's rows give the gradient of the whole."""

from __future__ import annotations

import pytest
import torch

from ttd_core.training.exchange import with_own_rows


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_gradients_of_the_parts_sum_to_that_of_the_whole(parts: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 5)
    weight = torch.randn(5, 3, requires_grad=True)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return (rows @ rows.T).softmax(dim=0).diagonal().log().sum()

    whole = loss(x @ weight)
    (wanted,) = torch.autograd.grad(whole, weight)
    everyone, total = (x @ weight).detach(), torch.zeros_like(weight)
    for part in range(parts):
        rows = slice(part * 8 // parts, (part + 1) * 8 // parts)
        found = loss(with_own_rows(everyone, x[rows] @ weight, rows.start, parts))
        assert found.item() == pytest.approx(whole.item(), rel=1e-6)
        total += torch.autograd.grad(found / parts, weight)[0]
    torch.testing.assert_close(total, wanted, rtol=1e-5, atol=1e-5)
