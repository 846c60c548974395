"""The rule of TagCLIP: above a share of the range, and the same with words of background taking part."""

from __future__ import annotations

import pytest
import torch

from ttd_core.errors import UsageError
from ttd_core.ops.select import chosen, cut, select


def kept(scores: list[float], value: float = 0.5, valid: torch.Tensor | None = None) -> list[bool]:
    found: list[bool] = select(torch.tensor([scores]), "range", value, valid=valid)[0].tolist()
    return found


def test_scores_strictly_above_the_share_of_the_range_are_kept() -> None:
    assert kept([0.0, 0.5, 0.75, 1.0]) == [False, False, True, True]
    assert kept([0.25, 0.5, 0.75], 0.0) == [False, True, True]
    assert kept([-1.0, -0.25, 0.0]) == [False, True, True]


def test_the_first_best_is_kept_where_none_exceeds() -> None:
    assert kept([0.25]) == [True] and kept([0.5, 0.5, 0.5]) == [True, False, False]
    assert kept([0.0, 1.0], 1.0) == [False, True]


def test_padding_and_what_is_no_number_take_no_part() -> None:
    valid = torch.tensor([[True, True, True, False]])
    assert kept([0.5, 0.75, 1.0, -9.0], valid=valid) == [False, False, True, False]
    assert kept([float("nan"), 0.0, 1.0]) == [False, False, True]
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    assert kept([0.5, 0.75], valid=nothing) == [False, False]


def test_auto_keeps_nothing_where_the_background_is_the_best() -> None:
    scores, rivals = torch.tensor([0.1, 0.3]), torch.tensor([0.9, 0.0])
    assert chosen(scores, rivals, "auto", 0.5) == [False, False]
    assert chosen(scores, rivals, "range", 0.5) == [False, True]
    assert chosen(torch.tensor([0.1, 0.8]), rivals, "auto", 0.5) == [False, True]
    assert chosen(scores, None, "auto", 0.5) == chosen(scores, rivals[:0], "auto", 0.5) == [False, True]


def test_no_candidates_and_bad_shares() -> None:
    assert chosen(torch.zeros(0), torch.tensor([0.5]), "auto", 0.5) == []
    with pytest.raises(UsageError, match="relative threshold"):
        select(torch.zeros(1, 2), "range", 1.5)


@pytest.mark.parametrize("rule", ["fixed", "relative", "range", "auto", "top"])
def test_the_cut_parts_the_kept_from_the_others(rule: str) -> None:
    random = torch.Generator().manual_seed(0)
    for count in (1, 2, 9, 40):
        scores, rivals = torch.rand(count, generator=random), torch.rand(5, generator=random)
        value = 3 if rule == "top" else 0.5
        at = cut(scores, rivals, rule, value)
        assert at is not None
        kept = chosen(scores, rivals, rule, value)
        for score, keep in zip(scores.tolist(), kept, strict=True):
            assert score >= at if keep else score <= at


def test_the_cut_of_each_rule_by_hand() -> None:
    scores, rivals = torch.tensor([0.02, float("nan"), 0.06]), torch.tensor([0.1])
    assert cut(scores, rivals, "range", 0.5) == pytest.approx(0.04)
    assert cut(scores, rivals, "auto", 0.5) == pytest.approx(0.06)
    assert cut(scores, None, "relative", 0.5) == pytest.approx(0.03)
    assert cut(torch.tensor([-0.2, -0.4]), None, "relative", 0.5) == pytest.approx(-0.3)
    assert cut(scores, None, "top", 1) == pytest.approx(0.06) and cut(scores, None, "top", 5) == pytest.approx(0.02)
    assert cut(scores, None, "fixed", 0.3) == 0.3
    assert cut(torch.tensor([0.25]), None, "range", 0.5) == 0.25


def test_nothing_to_choose_from_has_no_cut() -> None:
    for rule in ("range", "auto", "relative", "top"):
        assert cut(torch.zeros(0), None, rule, 1) is None
    assert cut(torch.zeros(0), None, "fixed", 0.5) == 0.5
    with pytest.raises(UsageError, match="relative threshold"):
        cut(torch.zeros(2), None, "auto", 1.5)
