"""Accumulation, precision, averages, guards and memory: the switches of the loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

# first: it lets open_clip import beside a CPU build of torch
import ttd_core.clip  # noqa: F401  # isort: skip
import open_clip  # isort: skip
import pytest
import torch
from torch import nn

from tests.unit.training import toy
from ttd_core.errors import UsageError
from ttd_core.training.ema import Ema
from ttd_core.training.gradient_checkpointing import set_gradient_checkpointing
from ttd_core.training.guard import StoppedByGuard
from ttd_core.training.loop import LoopSettings
from ttd_core.training.precision import autocast
from ttd_core.training.share import Share


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_accumulated_parts_make_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    whole, _ = toy.train(tmp_path / "1", dropout=0.0)
    parts, _ = toy.train(tmp_path / "4", replace(toy.PLAIN, accumulate=4), dropout=0.0)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert [line["losses"]["fit"] for line in log_of(tmp_path / "4")] == pytest.approx(
        [line["losses"]["fit"] for line in log_of(tmp_path / "1")], rel=1e-4
    )


def test_another_seed_of_the_loop_is_another_dropout(tmp_path: Path) -> None:
    first, again = (toy.train(tmp_path / name)[0] for name in "ab")
    other, _ = toy.train(tmp_path / "c", replace(toy.PLAIN, seed=1))
    assert torch.equal(first.head[1].weight, again.head[1].weight)
    assert not torch.equal(first.head[1].weight, other.head[1].weight)


def test_bfloat16_computes_products_in_it_and_keeps_weights_in_float32(tmp_path: Path) -> None:
    with autocast("bf16", torch.device("cpu")):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype is torch.bfloat16
    with autocast("fp32", torch.device("cpu")):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype is torch.float32
    fine, _ = toy.train(tmp_path / "fp32", dropout=0.0)
    coarse, _ = toy.train(tmp_path / "bf16", replace(toy.PLAIN, precision="bf16"), dropout=0.0)
    assert coarse.head[1].weight.dtype is torch.float32
    assert not torch.equal(fine.head[1].weight, coarse.head[1].weight)
    torch.testing.assert_close(fine.head[1].weight, coarse.head[1].weight, atol=0.05, rtol=0.1)


def test_the_average_is_what_is_measured_and_what_is_left(tmp_path: Path) -> None:
    last, _ = toy.train(tmp_path / "plain")
    averaged, result = toy.train(tmp_path / "ema", replace(toy.PLAIN, ema=0.9))
    assert not torch.equal(last.head[1].weight, averaged.head[1].weight)
    figures = toy.measure(averaged)(0)
    assert log_of(tmp_path / "ema")[-1]["validation"]["fit"] == pytest.approx(figures["fit"], rel=1e-5)
    raw = torch.load(result.last, weights_only=True)["model"]
    assert torch.equal(raw["head.1.weight"], last.head[1].weight)  # training itself goes on with its own weights


def test_an_average_of_constant_weights_is_constant_and_one_of_two_lies_between() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    ema = Ema(model, 0.5)
    ema.update(model, 100)
    assert float(ema.average["weight"]) == 1.0
    nn.init.constant_(model.weight, 3.0)
    ema.update(model, 100)
    with ema.lent_to(model):
        assert model.weight.item() == 2.0
    assert model.weight.item() == 3.0


class LosesPatience:
    """Stops where the figures were asked for so often; remembers how often that was."""

    def __init__(self, patience: int) -> None:
        self.patience, self.asked = patience, 0

    def __call__(self, step: int, figures: Mapping[str, float]) -> str | None:
        assert {"fit", "size", "mean", "grad_norm"} <= figures.keys() or step == 0
        self.asked += 1
        return f"asked {self.asked} times" if self.asked >= self.patience else None

    def state_dict(self) -> dict[str, Any]:
        return {"asked": self.asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.asked = state["asked"]


def test_a_guard_stops_the_training_says_why_and_leaves_the_best(tmp_path: Path) -> None:
    settings = replace(toy.PLAIN, guard=LosesPatience(13))
    with pytest.raises(StoppedByGuard, match="stopped after step 13: asked 13 times") as caught:
        toy.train(tmp_path, settings)
    assert caught.value.best == tmp_path / "toy.best.pt" and caught.value.best.exists()
    assert caught.value.reason == "asked 13 times" and str(caught.value.best) in str(caught.value.hint)
    last = log_of(tmp_path)[-1]
    assert (last["status"], last["reason"], last["step"]) == ("failed-by-guard", "asked 13 times", 13)


def test_what_a_guard_remembers_survives_an_interruption(tmp_path: Path) -> None:
    def stop(step: int, share: Share) -> None:
        if step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.train(tmp_path, replace(toy.PLAIN, guard=LosesPatience(13)), stop)
    with pytest.raises(StoppedByGuard, match="after step 13"):
        toy.train(tmp_path, replace(toy.PLAIN, guard=LosesPatience(13)))


def test_a_loss_that_is_no_number_stops_before_it_ruins_the_weights(tmp_path: Path) -> None:
    stage = replace(toy.STAGE, lr=1e30, clip=1e30)
    with pytest.raises(StoppedByGuard, match=r"(fit|size|gradient norm) is (nan|inf): the training has diverged"):
        toy.train(tmp_path, stage=stage)
    assert log_of(tmp_path)[-1]["status"] == "failed-by-guard"


def test_where_training_only_does_harm_the_best_is_where_it_began(tmp_path: Path) -> None:
    settings = replace(toy.PLAIN, validate_first=True)
    _, result = toy.train(tmp_path, settings, stage=replace(toy.STAGE, lr=100.0))
    assert result.best_step == 0 and log_of(tmp_path)[0]["step"] == 0
    assert "validation" in log_of(tmp_path)[0] and "losses" not in log_of(tmp_path)[0]


def test_activations_computed_anew_give_the_same_gradients() -> None:
    torch.manual_seed(0)
    model = open_clip.model.VisionTransformer(
        image_size=32, patch_size=16, width=16, layers=2, heads=2, mlp_ratio=2.0, output_dim=8
    ).train()
    pictures = torch.randn(2, 3, 32, 32)
    gradients = []
    for enabled in (False, True):
        set_gradient_checkpointing(model, enabled)
        assert model.transformer.grad_checkpointing is enabled
        model.zero_grad()
        model(pictures).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_model_that_cannot_compute_activations_anew_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--checkpointing"):
        toy.train(tmp_path, replace(toy.PLAIN, checkpointing=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accumulate": 0}, "--accumulate 0"),
        ({"precision": "fp16"}, "--precision 'fp16'"),
        ({"ema": 1.0}, "--ema 1"),
        ({"validate_every": 0}, "--validate-every 0"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LoopSettings(**change)
