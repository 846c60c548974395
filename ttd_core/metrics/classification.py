"""Multi-label classification: which of C classes a picture shows (specification of TagCLIP, section 6).

Figures are fractions in 0..1. Matrices are n×C, pictures in rows. Three ways to average precision and recall:

    overall    totals over all pictures and classes
    category   mean over the C classes of TP / (TP + FP + 1e-9) and TP / (TP + FN + 1e-9)
    sample     the same means over the n pictures

F1 is the harmonic mean of the (mean) precision and recall in each. The published program adds 1e-9 to the overall
denominators too; that changes the tenth digit, and here the totals are divided as they are.

TagCLIP counts VOC's *difficult* objects as ordinary positives. VOC's own protocol ignores them: pass the entries as
`ignored`, and they take part nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ttd_core.metrics.curves import average_precision
from ttd_core.metrics.tagging import TagCounts, tag_metrics

RULES = ("relative", "absolute", "top")
_EPSILON = 1e-9


def class_average_precisions(scores: np.ndarray, truth: np.ndarray, ignored: np.ndarray | None = None) -> np.ndarray:
    """Average precision of every class over all pictures.

    Args:
        scores: n×C float.
        truth: n×C, not 0 where the picture shows the class.
        ignored: n×C bool, entries that are not ranked; None for none.

    Returns:
        C float64; 0 for a class without a positive. mAP is their mean over **all** classes.

    Raises:
        ValueError: matrices of different size.
    """
    _same_size(scores, truth, *([] if ignored is None else [ignored]))
    values = np.zeros(scores.shape[1])
    for index in range(len(values)):  # one class at a time: the matrices of a large set are never copied
        counted = slice(None) if ignored is None else ~ignored[:, index].astype(bool)
        values[index] = average_precision(scores[counted, index], truth[counted, index])
    return values


def binarise(scores: np.ndarray, rule: str, value: float) -> np.ndarray:
    """Decide which classes a picture shows.

    Args:
        scores: n×C float.
        rule: `relative` keeps score > min + value·(max - min) of the same picture, `absolute` keeps score > value,
            `top` the `value` highest of the picture, the earlier class first among equals.
        value: a share of 0..1, a score, or a whole number of at least 1.

    Returns:
        n×C bool.

    Raises:
        ValueError: an unknown rule, or a `top` that is no whole number of at least 1.
    """
    if rule == "absolute":
        return scores > value
    if rule == "relative":
        low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
        return scores > low + value * (high - low)
    if rule != "top":
        raise ValueError(f"rule {rule!r}, expected one of {', '.join(RULES)}")
    if value < 1 or value != int(value):
        raise ValueError(f"top {value}, expected a whole number of at least 1")
    kept = np.zeros(scores.shape, dtype=bool)
    best = np.argsort(-scores, axis=1, kind="stable")[:, : int(value)]
    np.put_along_axis(kept, best, True, axis=1)
    return kept


def label_matrix(labels: Iterable[Iterable[int]], classes: int) -> np.ndarray:
    """Sets of class indices, one per picture, as an n×C bool matrix.

    Raises:
        ValueError: an index outside 0..C-1, or one named twice for a picture.
    """
    rows = [tuple(row) for row in labels]
    matrix = np.zeros((len(rows), classes), dtype=bool)
    for number, row in enumerate(rows):
        stray = [label for label in row if not 0 <= label < classes]
        if stray or len(set(row)) < len(row):
            problem = f"label {stray[0]}, expected 0..{classes - 1}" if stray else f"a label twice in {list(row)}"
            raise ValueError(f"picture {number}: {problem}")
        matrix[number, list(row)] = True
    return matrix


@dataclass(frozen=True)
class LabelCounts:
    """Decisions counted per class and per picture; both add up to the same totals.

    Args:
        class_tp, class_fp, class_fn: C int64.
        image_tp, image_fp, image_fn: n int64.
        decisions: entries that were counted.
    """

    class_tp: np.ndarray
    class_fp: np.ndarray
    class_fn: np.ndarray
    image_tp: np.ndarray
    image_fp: np.ndarray
    image_fn: np.ndarray
    decisions: int

    @property
    def total(self) -> TagCounts:
        """Counts over all pictures and classes."""
        tp, fp, fn = (int(part.sum()) for part in (self.class_tp, self.class_fp, self.class_fn))
        return TagCounts(tp, fp, fn, self.decisions - tp - fp - fn)

    @property
    def exact(self) -> int:
        """Pictures whose set of labels is exactly right."""
        return int(((self.image_fp == 0) & (self.image_fn == 0)).sum())


def count_labels(selected: np.ndarray, truth: np.ndarray, ignored: np.ndarray | None = None) -> LabelCounts:
    """Count decisions.

    Args:
        selected: n×C, not 0 where a class was found.
        truth: n×C, not 0 where the picture shows it.
        ignored: n×C bool, entries that count nowhere; None for none.

    Raises:
        ValueError: matrices of different size.
    """
    _same_size(selected, truth, *([] if ignored is None else [ignored]))
    found, true = selected.astype(bool, copy=False), truth.astype(bool, copy=False)
    decisions = true.size
    if ignored is not None:
        counted = ~ignored.astype(bool, copy=False)
        found, true, decisions = found & counted, true & counted, int(counted.sum())
    both = found & true
    parts: list[np.ndarray] = []
    for axis in (0, 1):
        tp, positive, relevant = (part.sum(axis=axis, dtype=np.int64) for part in (both, found, true))
        parts += [tp, positive - tp, relevant - tp]
    return LabelCounts(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], decisions)


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision, recall and their harmonic mean in 0..1; NaN where nothing was counted."""

    precision: float
    recall: float
    f1: float


def overall(counts: LabelCounts) -> PrecisionRecall:
    """From the totals over all pictures and classes; the figure TagCLIP prints."""
    metrics = tag_metrics(counts.total)
    return PrecisionRecall(metrics.precision, metrics.recall, metrics.f1)


def category(counts: LabelCounts) -> PrecisionRecall:
    """From the means over the classes."""
    return _of_means(counts.class_tp, counts.class_fp, counts.class_fn)


def sample(counts: LabelCounts) -> PrecisionRecall:
    """From the means over the pictures."""
    return _of_means(counts.image_tp, counts.image_fp, counts.image_fn)


def _of_means(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> PrecisionRecall:
    if not len(tp):
        return PrecisionRecall(math.nan, math.nan, math.nan)
    precision, recall = (math.fsum((tp / (tp + wrong + _EPSILON)).tolist()) / len(tp) for wrong in (fp, fn))
    both = precision + recall
    return PrecisionRecall(precision, recall, 2 * precision * recall / both if both else 0.0)


def _same_size(first: np.ndarray, *others: np.ndarray) -> None:
    for other in others:
        if first.shape != other.shape or first.ndim != 2:
            raise ValueError(f"a matrix of {first.shape} against one of {other.shape}, expected pictures × classes")
