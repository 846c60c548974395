import math

import numpy as np
import pytest

from ttd_core.metrics.captions import MaskCounts, count_mask, mask_shares, mean_shares, pooled_shares


def test_shares_of_the_union_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = rng.random((8, 8)) < 0.5, rng.random((8, 8)) < 0.3
    shares = mask_shares(predicted, truth)
    assert math.isclose(shares.iou + shares.fpr + shares.fnr, 1.0)
    assert math.isclose(shares.iou, (predicted & truth).sum() / (predicted | truth).sum())


def test_perfect_empty_and_disjoint_masks() -> None:
    full, empty = np.ones((2, 2), dtype=bool), np.zeros((2, 2), dtype=bool)
    assert mask_shares(full, full).iou == 1.0
    assert mask_shares(empty, empty).iou == 1.0
    assert mask_shares(full, empty).fpr == 1.0
    assert mask_shares(empty, full).fnr == 1.0


def test_masks_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match="mask of"):
        mask_shares(np.ones((2, 2), dtype=bool), np.ones((2, 3), dtype=bool))


def test_counts_are_the_pixels_behind_the_shares() -> None:
    predicted, truth = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
    counts = count_mask(predicted, truth)
    assert counts == MaskCounts(tp=1, fp=1, fn=1)
    assert counts.shares == mask_shares(predicted, truth)


def test_the_mean_weighs_captions_and_the_pool_weighs_pixels() -> None:
    small, large = MaskCounts(1, 0, 0), MaskCounts(30, 60, 9)
    mean, pooled = mean_shares([small, large]), pooled_shares([small, large])
    assert mean.iou == (1 + 30 / 99) / 2
    assert pooled.iou == 31 / 100
    for shares in (mean, pooled):
        assert math.isclose(shares.iou + shares.fpr + shares.fnr, 1.0)


def test_the_order_of_captions_does_not_matter_to_the_last_digit() -> None:
    rng = np.random.default_rng(1)
    captions = [MaskCounts(*rng.integers(1, 1000, 3).tolist()) for _ in range(50)]
    assert mean_shares(captions) == mean_shares(captions[::-1])


def test_no_captions_are_nan_and_empty_masks_agree() -> None:
    assert math.isnan(mean_shares([]).iou)
    assert math.isnan(pooled_shares([]).iou)
    assert mean_shares([MaskCounts(0, 0, 0)]).iou == 1.0
