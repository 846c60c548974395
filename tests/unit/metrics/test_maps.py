import math

import numpy as np

from ttd_core.metrics.maps import pixel_auc, points_inside


def brute_force(values: np.ndarray, mask: np.ndarray) -> float:
    wins = [(a > b) + 0.5 * (a == b) for a in values[mask] for b in values[~mask]]
    return float(np.mean(wins))


def test_auc_equals_counting_all_pairs_with_ties() -> None:
    rng = np.random.default_rng(0)
    for levels in (3, 1000):
        values = rng.integers(0, levels, (9, 11)).astype(np.float32)
        mask = rng.random((9, 11)) < 0.3
        assert math.isclose(pixel_auc(values, mask), brute_force(values, mask), abs_tol=1e-12)


def test_auc_of_a_perfect_an_inverted_and_a_flat_map() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[1:3, 1:3] = True
    assert pixel_auc(mask.astype(float), mask) == 1.0
    assert pixel_auc(-mask.astype(float), mask) == 0.0
    assert pixel_auc(np.zeros((4, 4)), mask) == 0.5


def test_auc_of_an_empty_or_full_mask_is_nan() -> None:
    assert math.isnan(pixel_auc(np.zeros((2, 2)), np.zeros((2, 2), dtype=bool)))
    assert math.isnan(pixel_auc(np.zeros((2, 2)), np.ones((2, 2), dtype=bool)))


def test_pointing_looks_at_the_highest_pixel() -> None:
    values = np.array([[0.1, 0.9], [0.3, 0.2]])
    assert points_inside(values, np.array([[False, True], [False, False]]))
    assert not points_inside(values, np.array([[True, False], [True, True]]))
