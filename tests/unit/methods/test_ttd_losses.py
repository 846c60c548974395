"""The two losses of text-tag self-distillation, formula by formula, and what guards them."""

from __future__ import annotations

import math

import pytest
import torch

from ttd_core.errors import UsageError
from ttd_core.methods.ttd.losses import distill_loss, map_distance, tag_loss
from ttd_core.methods.ttd.monitors import map_monitors, pair_monitors
from ttd_core.methods.ttd.select import MapReading, select_words
from ttd_core.methods.ttd.targets import caption_target, word_targets

COSINE = MapReading("softmax", 35.0)
SIGMOID = MapReading("sigmoid", 100.0, 20.0, -5.0)


def random_maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.6


def test_a_word_scores_as_its_best_place_does_among_the_words_there() -> None:
    # one row of three places: word 0 wins the first, word 1 the second, word 2 none
    maps = torch.tensor([[0.5, 0.0, 0.1], [0.0, 0.5, 0.1], [0.1, 0.1, 0.1]]).view(1, 3, 1, 3)
    selected = select_words(maps, torch.ones(1, 3, dtype=torch.bool), COSINE, 0.5)
    assert selected.tolist() == [[True, True, False]]
    score = math.exp(35 * 0.5) / (math.exp(35 * 0.5) + 1 + math.exp(3.5))
    just_above = select_words(maps, torch.ones(1, 3, dtype=torch.bool), COSINE, score + 1e-3, keep_best=False)
    assert not just_above.any()
    assert select_words(maps, torch.ones(1, 3, dtype=torch.bool), COSINE, score - 1e-3)[0, 0]


def test_a_sigmoid_model_judges_every_word_alone() -> None:
    maps = torch.tensor([[0.3, 0.0], [0.3, 0.2], [0.2, 0.2]]).view(1, 3, 1, 2)  # 0.25 is where the sigmoid is 0.5
    assert select_words(maps, torch.ones(1, 3, dtype=torch.bool), SIGMOID, 0.5).tolist() == [[True, True, False]]


def test_padding_is_never_selected_and_takes_no_part_in_the_softmax() -> None:
    maps = random_maps(2, 4, 3, 3)
    valid = torch.tensor([[True, True, False, False], [True, True, True, True]])
    padded = maps.clone()
    padded[0, 2:] = 5.0
    chosen = select_words(padded, valid, COSINE, 0.5)
    assert not chosen[0, 2:].any()
    assert chosen[0, :2].tolist() == select_words(maps[:1, :2], valid[:1, :2], COSINE, 0.5)[0].tolist()


def test_where_no_word_passes_the_best_is_kept_only_on_request() -> None:
    maps = torch.tensor([0.1, 0.12, 0.11]).view(1, 3, 1, 1)
    valid = torch.ones(1, 3, dtype=torch.bool)
    assert select_words(maps, valid, COSINE, 0.9).tolist() == [[False, True, False]]
    assert not select_words(maps, valid, COSINE, 0.9, keep_best=False).any()
    assert not select_words(maps, torch.zeros_like(valid), COSINE, 0.9).any()


def test_the_target_of_a_selected_word_is_its_map_stretched_and_of_a_rejected_one_zero() -> None:
    maps = torch.tensor([[0.1, 0.2, 0.5], [-0.4, 0.0, 0.4]]).view(1, 2, 1, 3)
    targets = word_targets(maps, torch.tensor([[True, False]]))
    torch.testing.assert_close(targets[0, 0, 0], torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(targets[0, 1], torch.zeros(1, 3))


def test_a_flat_map_becomes_zero_and_not_noise_or_one() -> None:
    flat = torch.full((1, 1, 4, 4), 0.3) + torch.linspace(0, 5e-7, 16).view(1, 1, 4, 4)
    assert torch.equal(word_targets(flat, torch.ones(1, 1, dtype=torch.bool)), torch.zeros(1, 1, 4, 4))
    uneven = torch.linspace(0.3, 0.3 + 1e-4, 16).view(1, 1, 4, 4)
    assert word_targets(uneven, torch.ones(1, 1, dtype=torch.bool)).max() == 1


def test_the_caption_target_is_the_largest_target_of_its_selected_words() -> None:
    maps = random_maps(2, 3, 4, 4)
    selected = torch.tensor([[True, False, True], [False, False, False]])
    targets = word_targets(maps, selected)
    union = caption_target(targets)
    assert torch.equal(union[0], torch.maximum(targets[0, 0], targets[0, 2]))
    assert torch.equal(union[1], torch.zeros(4, 4))
    assert caption_target(targets[:, :0]).tolist() == torch.zeros(2, 4, 4).tolist()


@pytest.mark.parametrize(
    ("kind", "reading", "expected"),
    [
        ("mse", COSINE, (0.3 - 0.8) ** 2),
        ("l1", COSINE, 0.5),
        ("bce", COSINE, -(0.8 * math.log(0.3) + 0.2 * math.log(0.7))),
        ("mse", SIGMOID, (1 / (1 + math.exp(-1.0)) - 0.8) ** 2),
        ("bce", SIGMOID, -(0.8 * math.log(1 / (1 + math.exp(-1.0))) + 0.2 * math.log(1 / (1 + math.exp(1.0))))),
        ("bce-affine", COSINE, -(0.8 * math.log(0.5) + 0.2 * math.log(0.5))),
    ],
)
def test_distances_are_what_they_say(kind: str, reading: MapReading, expected: float) -> None:
    affine = (torch.tensor(10.0), torch.tensor(-3.0))
    found = map_distance(torch.tensor([0.3]), torch.tensor([0.8]), kind, reading, affine)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_cosines_outside_a_probability_are_held_inside_it() -> None:
    found = map_distance(torch.tensor([-0.5, 1.0]), torch.tensor([0.0, 0.0]), "bce", COSINE)
    assert found.tolist() == pytest.approx([-math.log(0.999), -math.log(0.001)], rel=1e-3)


def test_an_unknown_distance_is_refused() -> None:
    with pytest.raises(UsageError, match="cosine"):
        map_distance(torch.zeros(1), torch.zeros(1), "cosine", COSINE)


def test_every_caption_counts_the_same_whatever_the_number_of_its_words() -> None:
    distances = torch.tensor([[1.0, 3.0, 9.0], [4.0, 9.0, 9.0]]).view(2, 3, 1, 1).expand(2, 3, 2, 2)
    valid = torch.tensor([[True, True, False], [True, False, False]])
    assert float(tag_loss(distances, valid)) == pytest.approx((2.0 + 4.0) / 2)
    halves = [float(tag_loss(distances[i : i + 1], valid[i : i + 1])) for i in range(2)]
    assert sum(halves) / 2 == pytest.approx(float(tag_loss(distances, valid)))


def test_a_caption_without_a_selected_word_has_no_distillation() -> None:
    distances = torch.tensor([2.0, 5.0]).view(2, 1, 1)
    selected = torch.tensor([[True, False], [False, False]])
    assert float(distill_loss(distances, selected)) == pytest.approx(1.0)
    assert float(distill_loss(distances, torch.zeros(2, 0, dtype=torch.bool))) == 0


def test_batches_without_any_word_cost_nothing() -> None:
    empty = torch.zeros(2, 0, 3, 3)
    assert float(tag_loss(empty, torch.zeros(2, 0, dtype=torch.bool))) == 0
    assert map_monitors(empty, torch.zeros(2, 0, dtype=torch.bool), torch.zeros(2, 0, dtype=torch.bool)) == {
        "spread": 0.0, "selected": 0.0, "likeness": 0.0,
    }  # fmt: skip


def test_the_gradient_flows_to_the_maps_and_not_through_the_targets() -> None:
    maps = random_maps(1, 2, 3, 3).requires_grad_()
    selected = select_words(maps, torch.ones(1, 2, dtype=torch.bool), COSINE, 0.0)
    targets = word_targets(maps, selected)
    assert not targets.requires_grad and not caption_target(targets).requires_grad
    map_distance(maps, targets, "mse", COSINE).sum().backward()
    # of a loss (S - M)² with constant M; through M the lowest and the highest place would get other values
    torch.testing.assert_close(maps.grad, 2 * (maps.detach() - targets))


def test_rejected_words_are_pulled_down_everywhere() -> None:
    maps = random_maps(1, 1, 3, 3).requires_grad_()
    targets = word_targets(maps, torch.zeros(1, 1, dtype=torch.bool))
    affine = (torch.tensor(10.0), torch.tensor(-3.0))
    map_distance(maps, targets, "bce-affine", COSINE, affine).sum().backward()
    assert maps.grad is not None and (maps.grad > 0).all()


def test_monitors_see_flat_maps_shared_maps_and_selection() -> None:
    valid = torch.tensor([[True, True, True, False]])
    selected = torch.tensor([[True, False, False, False]])
    ramp = torch.linspace(0, 1, 9).view(3, 3)
    shared = torch.stack([ramp, 2 * ramp + 1, ramp, -ramp])[None]
    found = map_monitors(shared, valid, valid)
    assert found["likeness"] == pytest.approx(1, abs=1e-5) and found["selected"] == 1
    lone = map_monitors(shared, valid, selected)
    assert lone["likeness"] == 0 and lone["selected"] == pytest.approx(1 / 3)
    assert found["spread"] == pytest.approx(4 / 3 * float(ramp.std(correction=0)))
    opposed = torch.stack([ramp, -ramp])[None]
    both = torch.ones(1, 2, dtype=torch.bool)
    assert map_monitors(opposed, both, both)["likeness"] == pytest.approx(-1, abs=1e-5)
    flat = map_monitors(torch.full((1, 2, 3, 3), 0.2), both, both)
    assert flat["spread"] == pytest.approx(0, abs=1e-6) and flat["likeness"] == 0


def test_monitors_see_pairs_that_are_none() -> None:
    own = torch.eye(4)
    assert pair_monitors(own, own)["match"] == 1
    assert pair_monitors(own, own)["variety"] == pytest.approx(1)
    shifted = pair_monitors(own + 0.01 * torch.arange(4), torch.roll(own, 1, 0))
    assert shifted["match"] < 0.5
    same = pair_monitors(own[:1].expand(4, 4), random_maps(4, 4))
    assert same["match"] == pytest.approx(0.5) and same["variety"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(pair_monitors(own[:1], own[:1])["match"])
