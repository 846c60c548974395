"""Metrics of a similarity map against a true mask, without any threshold."""

from __future__ import annotations

import numpy as np


def pixel_auc(values: np.ndarray, mask: np.ndarray) -> float:
    """How well a map ranks the pixels of a mask above the rest.

    The probability that a random pixel inside has a higher value than a random one outside, ties counting half
    (area under the ROC curve, by the Mann-Whitney statistic).

    Args:
        values: H×W float map.
        mask: H×W bool.

    Returns:
        0..1, 0.5 is chance; NaN when the mask is empty or full.
    """
    inside = mask.ravel()
    count = int(inside.sum())
    rest = inside.size - count
    if not count or not rest:
        return float("nan")
    _, group, sizes = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    # the mean rank (from 1) of each group of equal values
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    return float((ranks[group[inside]].sum() - count * (count + 1) / 2) / (count * rest))


def points_inside(values: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the first highest pixel of the H×W map lies in the H×W mask (the pointing game)."""
    return bool(mask.ravel()[int(values.argmax())])
