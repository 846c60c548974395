import math

import numpy as np
import pytest

from ttd_core.metrics.curves import MAX_POINTS, average_precision, precision_recall_curve, score_histogram


def decisions(count: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = rng.random(count) < 0.3
    return np.round(rng.random(count) * 0.7 + 0.3 * true, 2), true


def test_average_precision_is_the_mean_precision_at_the_positives() -> None:
    assert average_precision([0.9, 0.8, 0.7, 0.6], [True, False, True, False]) == (1 + 2 / 3) / 2
    assert average_precision([0.1, 0.2], [False, False]) == 0.0


def test_equal_scores_keep_their_order_and_unscored_ones_come_last() -> None:
    assert average_precision([0.5, 0.5], [True, False]) == 1.0
    assert average_precision([0.5, 0.5], [False, True]) == 0.5
    assert average_precision([math.nan, -3.0], [True, False]) == 0.5
    assert average_precision([None, -3.0], [True, False]) == 0.5  # type: ignore[list-item]


def test_any_increasing_function_of_the_scores_has_the_same_average_precision() -> None:
    scores, true = decisions()
    assert average_precision(scores, true) == average_precision(np.exp(3 * scores) - 7, true)


def test_every_point_of_the_curve_is_what_keeping_by_its_threshold_gives() -> None:
    scores, true = decisions()
    curve = precision_recall_curve(scores, true)
    assert len(curve.threshold) == len(np.unique(scores))
    for threshold, precision, recall in zip(curve.threshold, curve.precision, curve.recall, strict=True):
        kept = scores >= threshold
        assert math.isclose(precision, true[kept].mean())
        assert math.isclose(recall, (true & kept).sum() / true.sum())
    assert curve.recall[-1] == 1.0
    assert curve.precision[-1] == curve.base == true.mean()


def test_long_curves_are_thinned_and_keep_both_ends() -> None:
    rng = np.random.default_rng(1)
    scores, true = rng.random(5000), rng.random(5000) < 0.5
    curve = precision_recall_curve(scores, true)
    assert len(curve.threshold) == MAX_POINTS
    assert (curve.threshold[0], curve.threshold[-1]) == (scores.max(), scores.min())
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.recall) >= 0).all()


def test_unscored_positives_are_never_found() -> None:
    curve = precision_recall_curve([0.9, math.nan], [True, True])
    assert (curve.recall.tolist(), curve.precision.tolist()) == ([0.5], [1.0])
    empty = precision_recall_curve([], [])
    assert empty.threshold.size == 0
    assert math.isnan(empty.base)
    assert np.isnan(precision_recall_curve([0.5], [False]).recall).all()


def test_the_histogram_counts_every_score_once() -> None:
    scores, true = decisions()
    histogram = score_histogram(scores, true, bins=20)
    assert histogram.true.sum() == true.sum()
    assert histogram.false.sum() == (~true).sum()
    assert (histogram.edges[0], histogram.edges[-1], len(histogram.edges)) == (0.0, 1.0, 21)
    wide = score_histogram([-0.5, 2.0, math.nan], [True, False, True], bins=5)
    assert (wide.edges[0], wide.edges[-1]) == (-0.5, 2.0)
    assert (wide.true.sum(), wide.false.sum()) == (1, 1)
    assert score_histogram([], []).true.sum() == 0


def test_lists_of_different_length_are_refused() -> None:
    for call in (average_precision, precision_recall_curve, score_histogram):
        with pytest.raises(ValueError, match="2 scores but 1 truths"):
            call([0.1, 0.2], [True])
