"""Metrics of tag selection over all (caption, candidate) decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ttd_core.metrics.curves import average_precision


@dataclass(frozen=True)
class TagCounts:
    """Decisions summed over captions: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: TagCounts) -> TagCounts:
        """Counts of both sets of captions together."""
        return TagCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)


@dataclass(frozen=True)
class TagMetrics:
    """Precision, recall, F1 and accuracy in 0..1, micro-averaged; NaN where nothing was decided."""

    precision: float
    recall: float
    f1: float
    accuracy: float


def count_decisions(selected: Iterable[bool], truth: Iterable[bool]) -> TagCounts:
    """Count the decisions on one or many captions' candidates; both sides in the same order."""
    chosen = np.fromiter(selected, dtype=bool)
    true = np.fromiter(truth, dtype=bool)
    if chosen.shape != true.shape:
        raise ValueError(f"{len(chosen)} decisions but {len(true)} truths")
    return TagCounts(
        int((chosen & true).sum()),
        int((chosen & ~true).sum()),
        int((~chosen & true).sum()),
        int((~chosen & ~true).sum()),
    )


def tag_metrics(counts: TagCounts) -> TagMetrics:
    """Micro-averaged metrics of summed counts."""
    precision = _share(counts.tp, counts.tp + counts.fp)
    recall = _share(counts.tp, counts.tp + counts.fn)
    f1 = _share(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)
    accuracy = _share(counts.tp + counts.tn, counts.tp + counts.fp + counts.fn + counts.tn)
    return TagMetrics(precision, recall, f1, accuracy)


def caption_average_precisions(captions: Iterable[tuple[ArrayLike, ArrayLike]]) -> list[float]:
    """Average precision of every caption that has a true candidate.

    A caption's candidates are ranked by score against each other only: scores of different captions need not be
    comparable (a softmax over the caption's candidates is not). Captions without a true candidate are left out, since
    no order of theirs is better than another. The mean of these is the mAP of tag selection; our definition, since the
    published tables have precision, recall, F1 and accuracy only.

    Args:
        captions: per caption K scores (NaN or None for candidates that could not be scored, which come last) and K
            bools, whether the candidate is true. Candidates of equal score keep their order.

    Raises:
        ValueError: lists of different length.
    """
    pairs = ((scores, np.asarray(true, dtype=bool)) for scores, true in captions)
    return [average_precision(scores, true) for scores, true in pairs if true.any()]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
