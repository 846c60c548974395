"""Metrics of a caption's mask against the union of its words' true masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MaskShares:
    """IoU, false positives and false negatives as shares of the union of prediction and truth; they sum to 1."""

    iou: float
    fpr: float
    fnr: float


def mask_shares(predicted: np.ndarray, truth: np.ndarray) -> MaskShares:
    """Compare two boolean masks of any equal shape. Two empty masks agree: IoU 1."""
    if predicted.shape != truth.shape:
        raise ValueError(f"a mask of {predicted.shape} against a truth of {truth.shape}")
    union = int((predicted | truth).sum())
    if not union:
        return MaskShares(1.0, 0.0, 0.0)
    return MaskShares(
        int((predicted & truth).sum()) / union,
        int((predicted & ~truth).sum()) / union,
        int((~predicted & truth).sum()) / union,
    )
