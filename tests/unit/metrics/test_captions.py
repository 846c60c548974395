import math

import numpy as np
import pytest

from ttd_core.metrics.captions import mask_shares


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
