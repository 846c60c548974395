"""Metrics of a caption's mask against the union of its words' true masks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MaskShares:
    """IoU, false positives and false negatives as shares of the union of prediction and truth; they sum to 1."""

    iou: float
    fpr: float
    fnr: float


@dataclass(frozen=True)
class MaskCounts:
    """Pixels of one or many captions: in both masks, in the prediction only, in the truth only."""

    tp: int
    fp: int
    fn: int

    def __add__(self, other: MaskCounts) -> MaskCounts:
        """Counts of both captions together."""
        return MaskCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def shares(self) -> MaskShares:
        """Shares of the union. Two empty masks agree: IoU 1."""
        union = self.tp + self.fp + self.fn
        return MaskShares(self.tp / union, self.fp / union, self.fn / union) if union else MaskShares(1.0, 0.0, 0.0)


def count_mask(predicted: np.ndarray, truth: np.ndarray) -> MaskCounts:
    """Count two boolean masks of any equal shape.

    Raises:
        ValueError: masks of different size.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"a mask of {predicted.shape} against a truth of {truth.shape}")
    tp = int(np.count_nonzero(predicted & truth))
    return MaskCounts(tp, int(np.count_nonzero(predicted)) - tp, int(np.count_nonzero(truth)) - tp)


def mask_shares(predicted: np.ndarray, truth: np.ndarray) -> MaskShares:
    """Compare two boolean masks of any equal shape. Two empty masks agree: IoU 1."""
    return count_mask(predicted, truth).shares


def mean_shares(captions: Iterable[MaskCounts]) -> MaskShares:
    """Mean over captions of their shares, the published Caption IoU (`ttd.md` 8); NaN without captions."""
    shares = [counts.shares for counts in captions]
    if not shares:
        return MaskShares(math.nan, math.nan, math.nan)
    iou, fpr, fnr = (
        math.fsum(values) / len(shares) for values in zip(*((s.iou, s.fpr, s.fnr) for s in shares), strict=True)
    )
    return MaskShares(iou, fpr, fnr)


def pooled_shares(captions: Iterable[MaskCounts]) -> MaskShares:
    """Shares of the pixels of all captions together, so that large masks weigh more; NaN without captions."""
    counts = list(captions)
    if not counts:
        return MaskShares(math.nan, math.nan, math.nan)
    return sum(counts, MaskCounts(0, 0, 0)).shares
