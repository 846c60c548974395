"""What a ranking by score is worth at every threshold: average precision, precision-recall curve, histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MAX_POINTS = 200


def average_precision(scores: ArrayLike, true: ArrayLike) -> float:
    """Mean over the positives of the precision at their rank, not interpolated (specification of TagCLIP, 6).

    Highest score first; equal scores keep their order, and scores that are NaN come last.

    Args:
        scores: n floats.
        true: n bools.

    Returns:
        0..1; 0 without a positive.

    Raises:
        ValueError: lists of different length.
    """
    ranked, hits = _ranked(scores, true)
    if not hits.any():
        return 0.0
    ranks = np.flatnonzero(hits) + 1
    return math.fsum((np.arange(1, len(ranks) + 1) / ranks).tolist()) / len(ranks)


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Precision and recall when everything of at least `threshold` is kept; highest threshold first.

    Args:
        threshold, precision, recall: n float64 each, n at most the number of points asked for.
        base: share of positives, the precision of keeping everything; NaN without any score.
    """

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    base: float


def precision_recall_curve(scores: ArrayLike, true: ArrayLike, points: int = MAX_POINTS) -> PrecisionRecallCurve:
    """The curve over all distinct scores, thinned to `points` of them; both ends stay.

    Args:
        scores: n floats; NaN is never kept but its positives count as missed.
        true: n bools.
        points: at least 2.

    Raises:
        ValueError: lists of different length.
    """
    ranked, hits = _ranked(scores, true)
    positives, total = int(hits.sum()), len(hits)
    base = positives / total if total else math.nan
    scored = ranked[~np.isnan(ranked)]
    # last place of every run of equal scores: thresholds cut between different scores only
    ends = np.flatnonzero(np.append(scored[1:] != scored[:-1], True)) if len(scored) else np.zeros(0, dtype=np.int64)
    if len(ends) > points:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))]
    found = np.cumsum(hits)[ends]
    recall = found / positives if positives else np.full(len(ends), math.nan)
    return PrecisionRecallCurve(scored[ends], found / (ends + 1), recall, base)


@dataclass(frozen=True)
class ScoreHistogram:
    """How scores are distributed over true and false candidates: n + 1 float edges, n int64 counts each."""

    edges: np.ndarray
    true: np.ndarray
    false: np.ndarray


def score_histogram(scores: ArrayLike, true: ArrayLike, bins: int = 50) -> ScoreHistogram:
    """Equal bins over 0..1, or over what the scores span where one lies outside; NaN is in no bin.

    Raises:
        ValueError: lists of different length.
    """
    values, hits = _pair(scores, true)
    known = np.isfinite(values)
    values, hits = values[known], hits[known]
    low, high = min(0.0, float(values.min(initial=0.0))), max(1.0, float(values.max(initial=1.0)))
    edges = np.linspace(low, high, bins + 1)
    counts = [np.histogram(values[chosen], bins=edges)[0].astype(np.int64) for chosen in (hits, ~hits)]
    return ScoreHistogram(edges, counts[0], counts[1])


def _pair(scores: ArrayLike, true: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values, hits = np.asarray(scores, dtype=np.float64).ravel(), np.asarray(true, dtype=bool).ravel()
    if values.shape != hits.shape:
        raise ValueError(f"{len(values)} scores but {len(hits)} truths")
    return values, hits


def _ranked(scores: ArrayLike, true: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values, hits = _pair(scores, true)
    order = np.argsort(-values, kind="stable")
    return values[order], hits[order]
