from __future__ import annotations

import pytest
import torch

from ttd_core.errors import UsageError
from ttd_core.ops.calibrate import CALIBRATIONS, calibrate, stretch_maps

LEARNED = {"sigmoid_scale": 10.0, "sigmoid_bias": -2.5, "logit_scale": 50.0}


def cosines(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(3)) * 0.6 - 0.2


def test_sigmoid_reads_each_candidate_on_its_own() -> None:
    maps = cosines(2, 4, 3, 3)
    scores = calibrate(maps, "sigmoid", **LEARNED)
    torch.testing.assert_close(scores, 1 / (1 + torch.exp(-(10 * maps - 2.5))))
    assert torch.equal(calibrate(maps[:, 1:2], "sigmoid", **LEARNED), scores[:, 1:2])


def test_softmax_lets_candidates_compete_at_each_place() -> None:
    maps = cosines(2, 4, 3, 3)
    scores = calibrate(maps, "softmax", logit_scale=50)
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(2, 3, 3))
    expected = torch.softmax(50 * maps[0, :, 1, 2], dim=0)
    torch.testing.assert_close(scores[0, :, 1, 2], expected)


def test_minmax_takes_one_range_per_image_over_candidates_and_places() -> None:
    maps = cosines(2, 4, 3, 3)
    scores = calibrate(maps, "minmax")
    for image in range(2):
        low, high = maps[image].min(), maps[image].max()
        torch.testing.assert_close(scores[image], (maps[image] - low) / (high - low))
    row = torch.tensor([[0.1, 0.3, 0.2]])
    torch.testing.assert_close(calibrate(row, "minmax"), torch.tensor([[0.0, 1.0, 0.5]]))


def test_none_leaves_the_cosines() -> None:
    assert torch.equal(calibrate(cosines(2, 4), "none"), cosines(2, 4))


@pytest.mark.parametrize("how", CALIBRATIONS)
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5, 2)], ids=["scores", "maps"])
def test_padding_takes_no_part_and_comes_out_as_zero(how: str, shape: tuple[int, ...]) -> None:
    values = cosines(*shape)
    values[:, 2:] = 9.0  # would win everything if it counted
    valid = torch.tensor([[True, True, False, False]]).expand(3, 4)
    padded = calibrate(values, how, valid=valid, **LEARNED)
    torch.testing.assert_close(padded[:, :2], calibrate(values[:, :2], how, **LEARNED))
    assert not padded[:, 2:].any()


@pytest.mark.parametrize("how", CALIBRATIONS)
def test_an_image_without_candidates_has_zeros_not_nan(how: str) -> None:
    valid = torch.tensor([[True, True], [False, False]])
    scores = calibrate(cosines(2, 2, 3, 3), how, valid=valid, **LEARNED)
    assert scores.isfinite().all() and not scores[1].any()
    assert calibrate(cosines(2, 0, 3, 3), how, **LEARNED).shape == (2, 0, 3, 3)


@pytest.mark.parametrize("how", CALIBRATIONS)
def test_permuting_tags_permutes_scores_and_a_batch_equals_its_images(how: str) -> None:
    maps = cosines(3, 4, 5, 2)
    scores = calibrate(maps, how, **LEARNED)
    torch.testing.assert_close(calibrate(maps[:, [3, 1, 0, 2]], how, **LEARNED), scores[:, [3, 1, 0, 2]])
    torch.testing.assert_close(torch.cat([calibrate(m[None], how, **LEARNED) for m in maps]), scores)


def test_a_range_below_the_floor_is_zero_not_noise() -> None:
    flat = torch.full((1, 2, 3, 3), 0.25)
    flat[0, 0, 0, 0] += 5e-7
    assert not calibrate(flat, "minmax").any()
    assert not stretch_maps(flat).any()
    assert not calibrate(torch.tensor([[0.7]]), "minmax").any()


def test_stretching_gives_every_map_its_own_range_and_rejected_ones_zero() -> None:
    maps = cosines(2, 3, 4, 4)
    stretched = stretch_maps(maps, torch.tensor([[True, True, False], [True, True, True]]))
    torch.testing.assert_close(stretched[0, 0].max(), torch.tensor(1.0))
    torch.testing.assert_close(stretched[1, 2].min(), torch.tensor(0.0))
    assert not stretched[0, 2].any()


def test_the_readings_are_differentiable_for_training() -> None:
    maps = cosines(1, 3, 4, 4).requires_grad_()
    valid = torch.tensor([[True, True, False]])
    for how in ("sigmoid", "softmax", "minmax"):
        (gradient,) = torch.autograd.grad(calibrate(maps, how, valid=valid, **LEARNED).square().sum(), maps)
        assert gradient.isfinite().all() and gradient[:, :2].any() and not gradient[:, 2].any(), how


def test_sigmoid_without_learned_numbers_and_unknown_readings_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        calibrate(cosines(1, 2), "sigmoid")
    assert caught.value.hint == "use --calibration softmax"
    with pytest.raises(UsageError, match="'tanh', expected one of sigmoid, softmax"):
        calibrate(cosines(1, 2), "tanh")
