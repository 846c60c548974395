"""Semantic segmentation: pixels counted into one confusion over the whole set, figures from its integers.

A confusion is C×C int64, truth in rows, prediction in columns; pixels whose truth is ignored are in no cell. All
figures are fractions in 0..1, NaN where nothing was counted. Means are exactly rounded sums divided once, so that they
do not depend on the order of anything.

Published figures differ in what the mean over classes does with a class that never occurs:

    present   classes in the truth or in the prediction; others are left out (mmsegmentation: TCL, TTD, trusty)
    truth     classes in the truth; false positives of a class without true pixels cost nothing (TagCLIP)
    zero      every class; one that never occurs counts as 0 (ReCLIP, ReCLIP++)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

AVERAGING = ("present", "truth", "zero")
IGNORE = 65535
"""Value of uncounted pixels in truth maps, the one of `ttd_core.data.benchmarks.types`."""


def count_pixels(predicted: np.ndarray, truth: np.ndarray, classes: int, ignore: int = IGNORE) -> np.ndarray:
    """Count one label map against its truth.

    Args:
        predicted: H×W of any integer type; values at ignored pixels are not looked at.
        truth: H×W of any integer type.
        classes: C; labels are 0..C-1.
        ignore: value of the truth's pixels that count nowhere (255 in most files).

    Returns:
        C×C int64.

    Raises:
        ValueError: maps of different size or not of integers, or labels outside 0..C-1 (the message names them).
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"a label map of {_size(predicted)} against a truth of {_size(truth)}")
    for name, labels in (("label map", predicted), ("truth", truth)):
        if labels.dtype.kind not in "iu":
            raise ValueError(f"a {name} of {labels.dtype}, expected integers")
    counted = truth != ignore
    if not counted.all():
        predicted, truth = predicted[counted], truth[counted]
    _check_labels(truth, classes, "truth")
    _check_labels(predicted, classes, "label map")
    # 64 bits before the product: 8 or 16 would overflow
    cells = truth.astype(np.int64).ravel()
    cells *= classes
    cells += predicted.ravel().astype(np.int64, copy=False)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def cells_of(confusion: np.ndarray) -> list[list[int]]:
    """The cells that are not 0 as [truth, prediction, count], sorted: a confusion for JSON."""
    rows, columns = np.nonzero(confusion)
    return np.stack([rows, columns, confusion[rows, columns]], axis=1).tolist()


def add_cells(confusion: np.ndarray, cells: Iterable[Sequence[int]]) -> None:
    """Add cells of `cells_of` to a C×C int64 confusion in place.

    Raises:
        ValueError: a cell outside of the confusion.
    """
    table = np.array(list(cells), dtype=np.int64).reshape(-1, 3)
    if table.size and not 0 <= int(table[:, :2].min()) <= int(table[:, :2].max()) < len(confusion):
        raise ValueError(f"counts of a class outside 0..{len(confusion) - 1}")
    np.add.at(confusion, (table[:, 0], table[:, 1]), table[:, 2])


@dataclass(frozen=True)
class PixelCounts:
    """Pixels per class, C int64 each: right, wrongly given to the class, and missed. `tp + fn` is the truth's area."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray


def class_counts(confusion: np.ndarray) -> PixelCounts:
    """True positives, false positives and false negatives of every class."""
    tp = np.diagonal(confusion).copy()
    return PixelCounts(tp, confusion.sum(axis=0) - tp, confusion.sum(axis=1) - tp)


@dataclass(frozen=True)
class SegmentationMetrics:
    """Figures of a confusion, fractions in 0..1.

    Args:
        iou, fpr, fnr: C float64, shares of TP + FP + FN; they sum to 1, and are NaN for a class that never occurs.
        recall: C float64, share of the class's pixels that are right; NaN where it has none.
        miou, mfpr, mfnr: means over classes by the averaging asked for.
        pixel_accuracy: share of all counted pixels that are right.
        mean_accuracy: mean of `recall` over the classes that have pixels (over all classes with `zero`).
        fwiou: IoU weighted by the classes' share of the true pixels.
    """

    iou: np.ndarray
    fpr: np.ndarray
    fnr: np.ndarray
    recall: np.ndarray
    miou: float
    mfpr: float
    mfnr: float
    pixel_accuracy: float
    mean_accuracy: float
    fwiou: float


def segmentation_metrics(
    confusion: np.ndarray, averaging: str = "present", classes: int | None = None
) -> SegmentationMetrics:
    """Figures of a whole set, as `ttd.md` 8 defines them.

    Args:
        confusion: C×C integers, see `count_pixels`.
        averaging: one of `AVERAGING`, see the head of this module.
        classes: how many rows and columns are classes; those after them hold pixels that were given to no class, which
            are misses of their true classes and nothing else. None for all.

    Raises:
        ValueError: an unknown averaging, or a confusion that is not square.
    """
    _check_request(confusion, averaging)
    kept = slice(classes)
    counts = class_counts(confusion)
    counts = PixelCounts(counts.tp[kept], counts.fp[kept], counts.fn[kept])
    area = counts.tp + counts.fn
    union = area + counts.fp
    iou, fpr, fnr = (_ratios(part, union) for part in (counts.tp, counts.fp, counts.fn))
    recall = _ratios(counts.tp, area)
    means = [_mean(values, area, averaging) for values in (iou, fpr, fnr, recall)]
    total = int(confusion.sum())
    weighted = math.fsum((iou * area)[area > 0].tolist())
    miou, mfpr, mfnr, mean_accuracy = means
    pixel_accuracy = int(counts.tp.sum()) / total if total else math.nan
    fwiou = weighted / total if total else math.nan
    return SegmentationMetrics(iou, fpr, fnr, recall, miou, mfpr, mfnr, pixel_accuracy, mean_accuracy, fwiou)


@dataclass(frozen=True)
class ZeroShot:
    """Mean IoU over the classes seen in training, over the others, and the harmonic mean of the two; 0..1 or NaN."""

    seen: float
    unseen: float
    harmonic: float


def zero_shot(iou: np.ndarray, seen: Sequence[int], unseen: Sequence[int]) -> ZeroShot:
    """Generalised zero-shot figures, from unrounded values (specification of trusty, 6).

    Args:
        iou: C float, NaN for classes that never occur; those are left out.
        seen: indices of the classes seen in training.
        unseen: indices of the others.
    """
    means = [nan_mean(iou[np.asarray(indices, dtype=np.int64)]) for indices in (seen, unseen)]
    total = means[0] + means[1]
    return ZeroShot(means[0], means[1], 0.0 if total == 0 else 2 * means[0] * means[1] / total)


def nan_mean(values: np.ndarray) -> float:
    """Mean of what is not NaN, exactly summed; NaN where nothing is left."""
    kept = values[~np.isnan(values)].tolist()
    return math.fsum(kept) / len(kept) if kept else math.nan


def _mean(values: np.ndarray, area: np.ndarray, averaging: str) -> float:
    if averaging == "zero":
        return math.fsum(np.nan_to_num(values).tolist()) / len(values) if len(values) else math.nan
    return nan_mean(values[area > 0] if averaging == "truth" else values)


def _ratios(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _check_request(confusion: np.ndarray, averaging: str) -> None:
    if averaging not in AVERAGING:
        raise ValueError(f"averaging {averaging!r}, expected one of {', '.join(AVERAGING)}")
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"a confusion of {_size(confusion)}, expected as many rows as columns")


def _check_labels(labels: np.ndarray, classes: int, name: str) -> None:
    if not labels.size or (int(labels.min()) >= 0 and int(labels.max()) < classes):
        return
    values = np.unique(labels)
    stray = values[(values < 0) | (values >= classes)].tolist()
    listed = ", ".join(map(str, stray[:5])) + (f" and {len(stray) - 5} more" if len(stray) > 5 else "")
    raise ValueError(f"the {name} holds {listed}, expected labels 0..{classes - 1}")


def _size(array: np.ndarray) -> str:
    return "×".join(map(str, array.shape))
