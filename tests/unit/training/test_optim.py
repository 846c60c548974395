import torch
from torch import nn

from ttd_core.training.optim import build_adamw, warmup_cosine


def test_the_rate_rises_over_the_warm_up_and_falls_to_the_floor() -> None:
    rates = [warmup_cosine(step, 100, 10, 0.04) for step in range(101)]
    assert rates[0] == 0.1 and rates[9] == 1.0
    assert all(later <= earlier for earlier, later in zip(rates[10:], rates[11:], strict=False))
    assert abs(rates[100] - 0.04) < 1e-9


def test_matrices_decay_and_vectors_do_not() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    matrices, vectors = build_adamw(model, 1e-3, 0.05).param_groups
    assert [tuple(p.shape) for p in matrices["params"]] == [(2, 3)] and matrices["weight_decay"] == 0.05
    assert all(p.ndim == 1 for p in vectors["params"]) and vectors["weight_decay"] == 0.0


def test_a_parameter_freed_later_is_trained_from_then_on_and_stays_put_before() -> None:
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    optimiser = build_adamw(model, 1e-2, 0.5)
    first = model.weight.detach().clone()
    for freed in (False, True):
        model.weight.requires_grad_(freed)
        optimiser.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimiser.step()
        assert torch.equal(model.weight, first) != freed


def test_scalars_decay_on_request_and_vectors_never() -> None:
    class Some(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Parameter(torch.zeros(()))
            self.vector = nn.Parameter(torch.zeros(3))
            self.matrix = nn.Parameter(torch.zeros(3, 3))

    model = Some()
    plain = build_adamw(model, 1.0, 0.05).param_groups
    published = build_adamw(model, 1.0, 0.05, eps=1e-6, decay_scalars=True).param_groups
    assert [[p.ndim for p in group["params"]] for group in plain] == [[2], [0, 1]]
    assert [[p.ndim for p in group["params"]] for group in published] == [[0, 2], [1]]
    assert [group["weight_decay"] for group in published] == [0.05, 0.0]
    assert {group["eps"] for group in published} == {1e-6}
