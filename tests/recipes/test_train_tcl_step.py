"""A step of TCL is the same however it is cut into parts, and trains what its stage says."""

from __future__ import annotations

import pytest
import torch

from tests.support.golden import load_case
from tests.support.tcl_training import stored_batch, tiny_training
from ttd_core.errors import UsageError
from ttd_core.methods.tcl.schedule import TclSchedule
from ttd_core.methods.tcl.training import TclTraining
from ttd_core.recipes.train_tcl_step import Inputs, TclStep, found_first, mask_noise
from ttd_core.training.loop import LoopSettings, Share
from ttd_core.training.optim import build_adamw
from ttd_core.training.step import StepFigures, take_step

IMAGES, CAPTIONS, _ = stored_batch(load_case("tcl", "train_seed0"))
SCHEDULE = TclSchedule(steps=4, frozen=2, warmup=1)


def load(step: int, share: Share) -> Inputs:
    """The stored pairs, in another order in every step."""
    rows = [(row + step) % 4 for row in range(4)][share.slice(4)]
    return IMAGES[rows], [CAPTIONS[row] for row in rows]


def step_of(
    number: int, settings: LoopSettings, at_once: int = 2**26
) -> tuple[TclTraining, dict[str, torch.Tensor], StepFigures]:
    """The gradients of one step."""
    training = tiny_training(at_once=at_once).train()
    losses = TclStep(training, load, 4, SCHEDULE, settings)
    # a rate of zero: the gradients stay to be looked at, the weights stay as they are
    figures = take_step(training, build_adamw(training, 0.0, 0.0), losses, number, 1e9, settings)
    gradients = {name: p.grad for name, p in training.named_parameters() if p.grad is not None}
    return training, gradients, figures


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_one_after_the_other_make_the_losses_and_gradients_of_the_whole_step(number: int, parts: int) -> None:
    _, whole, figures = step_of(number, LoopSettings(seed=5))
    _, cut, others = step_of(number, LoopSettings(seed=5, accumulate=parts))
    assert dict(others.losses) == pytest.approx(dict(figures.losses), rel=1e-4, abs=1e-6)
    assert others.monitors == pytest.approx(figures.monitors, rel=1e-4)
    assert (others.samples, figures.samples) == (4, 4)
    assert set(cut) == set(whole)
    for name, gradient in whole.items():
        torch.testing.assert_close(cut[name], gradient, rtol=2e-3, atol=2e-6)


def test_parts_agree_with_the_whole_step_in_bfloat16_too() -> None:
    whole, cut = (step_of(3, LoopSettings(precision="bf16", accumulate=parts)) for parts in (1, 4))
    assert dict(cut[2].losses) == pytest.approx(dict(whole[2].losses), rel=0.05, abs=2e-3)
    assert set(cut[1]) == set(whole[1])
    for name, gradient in whole[1].items():
        assert cut[1][name].norm().item() == pytest.approx(gradient.norm().item(), rel=0.2, abs=2e-3), name


def test_the_block_is_frozen_in_the_first_stage_and_trains_in_the_second() -> None:
    first, second = (set(step_of(number, LoopSettings())[1]) for number in (1, 2))
    block = {name for name in second if name.startswith("network.masker.block.")}
    assert len(block) == 12 and first == second - block
    assert not any("network.network" in name for name in second), "the CLIP underneath trains"


def test_the_frozen_parts_stay_in_evaluation_mode() -> None:
    training = tiny_training()
    assert training.train().training
    assert training.network.masker.training and not training.network.training
    assert not training.network.network.training
    assert not training.eval().network.masker.training


def test_noise_belongs_to_seed_step_and_row() -> None:
    whole = mask_noise(3, 7, range(4), (5, 6))
    assert whole.shape == (4, 5, 6) and whole.min() > 0 and whole.max() < 1
    assert torch.equal(torch.cat([mask_noise(3, 7, range(2), (5, 6)), mask_noise(3, 7, range(2, 4), (5, 6))]), whole)
    others = [mask_noise(4, 7, range(4), (5, 6)), mask_noise(3, 8, range(4), (5, 6)), whole.roll(1, 0)]
    assert not any(torch.equal(other, whole) for other in others)


def test_a_step_with_one_pair_is_refused() -> None:
    training = tiny_training()
    texts = training.embed_texts(CAPTIONS[:1])
    scores = training.scores(IMAGES[:1], texts, 0, mask_noise(0, 0, range(1), (16, 16)))
    with pytest.raises(UsageError, match="area loss of negatives is undefined"):
        training.losses(scores, scores.shared)


def test_a_counterpart_counts_as_found_where_it_ranks_first() -> None:
    assert found_first(torch.eye(3)) == 1.0
    assert found_first(torch.eye(4).roll(1, 0)) == 0.0
    assert found_first(torch.tensor([[0.5, 0.9], [0.1, 0.2]])) == pytest.approx(0.5)
