"""The choice of samples against the same choice by sorting rows; ties, captions, and shares as they are typed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ttd_core.recipes.prune.ranking import (
    Merged,
    best_rows,
    choose,
    count_captions,
    merge_captions,
    order_statistics,
    shown,
)

NAN = float("nan")


def made_up(count: int = 4000, seed: int = 0) -> Merged:
    """Scores with many ties and gaps, captions of several rows, the digests spread over all bits."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.25, 0.05, count).round(2).astype(np.float32)
    scores[rng.random(count) < 0.1] = np.nan
    digests = rng.integers(0, 2**64, count // 3, dtype=np.uint64)
    return Merged(scores, digests[rng.integers(0, len(digests), count)])


def ranked_rows(scores: np.ndarray, rows: list[int]) -> list[int]:
    """The textbook order: score, then row."""
    return sorted(rows, key=lambda row: (-float(scores[row]), row))


def scored_rows(merged: Merged) -> list[int]:
    return [row for row, score in enumerate(merged.scores.tolist()) if not math.isnan(score)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wanted", [1, 2, 999, 3000])
def test_the_best_are_those_of_the_sorted_list(seed: int, wanted: int) -> None:
    merged = made_up(seed=seed)
    choice = choose(merged.scores, np.isfinite(merged.scores), "top_k", wanted)
    best = ranked_rows(merged.scores, scored_rows(merged))[:wanted]
    assert np.flatnonzero(choice.kept).tolist() == sorted(best)
    lowest = merged.scores[best[-1]]
    assert choice.threshold == lowest
    assert choice.tied == int((merged.scores == lowest).sum()) - sum(merged.scores[row] == lowest for row in best)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_picture_of_a_caption_is_that_of_the_sorted_list(seed: int) -> None:
    merged = made_up(seed=seed)
    groups: dict[int, list[int]] = {}
    for row in scored_rows(merged):
        groups.setdefault(int(merged.captions[row]), []).append(row)
    merge = merge_captions(merged)
    assert (merge.captions, merge.repeated) == (len(groups), sum(len(rows) > 1 for rows in groups.values()))
    best = sorted(ranked_rows(merged.scores, rows)[0] for rows in groups.values())
    assert np.flatnonzero(merge.best).tolist() == best
    assert count_captions(merged.captions, np.isfinite(merged.scores)) == len(groups)
    assert count_captions(merged.captions, merge.best) == len(groups)


def test_of_equal_scores_the_first_rows_stay() -> None:
    scores = np.array([0.5, 0.7, 0.5, NAN, 0.5], dtype=np.float32)
    choice = choose(scores, np.isfinite(scores), "top_k", 2)
    assert choice.kept.tolist() == [True, True, False, False, False] and choice.tied == 2


@pytest.mark.parametrize(
    ("share", "total", "kept"),
    [(0.07, 100, 7), (0.7, 10, 7), (0.7, 59, 42), (1.0, 5, 5), (1e-9, 5, 1), (0.29, 100, 29)],
)
def test_a_share_is_the_decimal_that_was_typed_rounded_up(share: float, total: int, kept: int) -> None:
    scores = np.arange(total, dtype=np.float32)
    assert choose(scores, np.ones(total, dtype=bool), "keep", share).kept.sum() == kept


def test_a_lowest_score_is_kept_although_float32_is_below_the_decimal() -> None:
    scores = np.array([0.7, 0.69, NAN, 0.71], dtype=np.float32)
    assert float(scores[0]) < 0.7  # as float64 the first would be dropped
    choice = choose(scores, np.isfinite(scores), "min_score", 0.7)
    assert choice.kept.tolist() == [True, False, False, True] and shown(choice.threshold) == 0.7
    assert not choose(scores, np.isfinite(scores), "min_score", 1e300).kept.any()


def test_more_than_there_are_means_all() -> None:
    scores = np.array([0.5, NAN, 0.25], dtype=np.float32)
    choice = choose(scores, np.isfinite(scores), "top_k", 10**12)
    assert choice.kept.tolist() == [True, False, True] and (choice.threshold, choice.tied) == (0.25, 0)


@pytest.mark.parametrize("count", [1, 5, 4000])
def test_rows_at_either_end_of_the_order(count: int) -> None:
    merged = made_up()
    order = ranked_rows(merged.scores, scored_rows(merged))
    chosen = np.isfinite(merged.scores)
    assert best_rows(merged.scores, chosen, count).tolist() == order[:count]
    assert best_rows(merged.scores, chosen, count, worst=True).tolist() == order[-count:]
    assert best_rows(merged.scores, np.zeros_like(chosen), count).tolist() == []


def test_order_statistics_are_members_of_the_data() -> None:
    scores = np.array([0.4, NAN, 0.1, 0.2, 0.3], dtype=np.float32)
    found = order_statistics(scores, (0.0, 0.25, 0.5, 0.75, 1.0))
    assert [shown(score) for score in found] == [0.1, 0.1, 0.2, 0.3, 0.4]
