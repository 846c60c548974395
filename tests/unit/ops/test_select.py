from __future__ import annotations

import pytest
import torch

from ttd_core.errors import UsageError
from ttd_core.ops.select import select

SCORES = torch.tensor([[0.9, 0.5, 0.49, 0.1], [0.2, 0.1, 0.05, 0.19]])


def test_fixed_keeps_scores_of_at_least_the_threshold() -> None:
    assert select(SCORES, "fixed", 0.5).tolist() == [[True, True, False, False], [False] * 4]


def test_relative_keeps_a_share_of_the_images_best() -> None:
    assert select(SCORES, "relative", 0.5).tolist() == [[True, True, True, False], [True, True, False, True]]


def test_relative_keeps_the_best_and_its_likes_where_all_scores_are_negative() -> None:
    scores = torch.tensor([[-0.1, -0.14, -0.16, -0.9], [0.0, -0.1, -0.2, -0.3]])
    assert select(scores, "relative", 0.5).tolist() == [[True, True, False, False], [True, False, False, False]]
    assert select(scores, "relative", 1.0).tolist() == [[True, False, False, False], [True, False, False, False]]


def test_relative_keeps_nothing_where_there_is_no_score() -> None:
    nothing = torch.full((1, 2), float("nan"))
    assert not select(nothing, "relative", 0.5).any()
    assert not select(-SCORES, "relative", 0.5, valid=torch.zeros(2, 4, dtype=torch.bool)).any()


def test_top_keeps_the_best_and_the_earlier_of_equals() -> None:
    assert select(SCORES, "top", 2).tolist() == [[True, True, False, False], [True, False, False, True]]
    assert select(torch.tensor([[0.5, 0.7, 0.5, 0.5]]), "top", 2).tolist() == [[True, True, False, False]]
    assert select(SCORES, "top", 99).all()


def test_the_best_is_kept_on_request_where_nothing_passes() -> None:
    kept = select(SCORES, "fixed", 0.5, keep_best=True)
    assert kept.tolist() == [[True, True, False, False], [True, False, False, False]]


@pytest.mark.parametrize(("rule", "value"), [("fixed", 0.0), ("relative", 0.0), ("top", 9)])
def test_padding_and_nan_are_never_kept(rule: str, value: float) -> None:
    scores = torch.tensor([[0.4, float("nan"), 0.9], [float("nan"), 0.0, 0.0]])
    valid = torch.tensor([[True, True, False], [True, False, False]])
    kept = select(scores, rule, value, valid=valid, keep_best=True)
    assert kept.tolist() == [[True, False, False], [False, False, False]]


@pytest.mark.parametrize(("rule", "value"), [("fixed", 0.3), ("relative", 0.5), ("top", 2)])
def test_permuting_tags_permutes_decisions(rule: str, value: float) -> None:
    order = [2, 0, 3, 1]
    assert torch.equal(select(SCORES[:, order], rule, value), select(SCORES, rule, value)[:, order])


def test_no_candidates_are_no_decisions() -> None:
    assert select(torch.zeros(2, 0), "relative", 0.5).shape == (2, 0)


@pytest.mark.parametrize(
    ("rule", "value"), [("best", 1), ("relative", 1.5), ("top", 0), ("top", 1.5), ("fixed", float("nan"))]
)
def test_values_that_do_not_suit_the_rule_are_refused(rule: str, value: float) -> None:
    with pytest.raises(UsageError):
        select(SCORES, rule, value)
