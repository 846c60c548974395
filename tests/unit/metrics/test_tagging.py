import math

import pytest

from ttd_core.metrics.tagging import TagCounts, caption_average_precisions, count_decisions, tag_metrics


def test_decisions_are_counted_and_added() -> None:
    counts = count_decisions([True, True, False, False, True], [True, False, True, False, True])
    assert counts == TagCounts(tp=2, fp=1, fn=1, tn=1)
    assert counts + counts == TagCounts(4, 2, 2, 2)


def test_micro_metrics_of_known_counts() -> None:
    metrics = tag_metrics(TagCounts(tp=6, fp=2, fn=4, tn=8))
    assert (metrics.precision, metrics.recall, metrics.accuracy) == (0.75, 0.6, 0.7)
    assert math.isclose(metrics.f1, 2 * 0.75 * 0.6 / 1.35)


def test_metrics_of_nothing_are_nan_and_not_zero() -> None:
    metrics = tag_metrics(TagCounts(0, 0, 0, 0))
    assert all(math.isnan(value) for value in (metrics.precision, metrics.recall, metrics.f1, metrics.accuracy))


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 decisions but 1 truths"):
        count_decisions([True, False], [True])


def test_captions_without_a_true_candidate_have_no_average_precision() -> None:
    captions = [([0.9, 0.1], [True, False]), ([0.2, 0.7], [True, False]), ([0.5], [False])]
    assert caption_average_precisions(captions) == [1.0, 0.5]
    assert caption_average_precisions([([0.5], [False]), ([], [])]) == []


def test_scores_of_different_captions_are_not_compared() -> None:
    near, far = ([0.9, 0.8], [True, False]), ([0.02, 0.01], [True, False])
    assert caption_average_precisions([near, far]) == [1.0, 1.0]


def test_candidates_that_were_not_scored_rank_last() -> None:
    assert caption_average_precisions([([None, 0.01], [True, False])]) == [0.5]
