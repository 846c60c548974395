"""What the report draws from the scores of an evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ttd_core.drawing.report.contents import Curve, ScoreHistogram
from ttd_core.metrics.curves import precision_recall_curve, score_histogram
from ttd_core.recipes.evaluation.summary import Summary
from ttd_core.recipes.methods import selection_of

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.options import EvaluateOptions


def histogram(options: EvaluateOptions, summary: Summary) -> ScoreHistogram | None:
    """Scores of true and of false candidates; None where they have none that differ."""
    scores = _known(summary)
    if scores is None:
        return None
    found = score_histogram(scores[:, 0], scores[:, 1])
    rule, value = selection_of(options)
    threshold = value if rule == "fixed" and options.pred is None else None
    return ScoreHistogram(found.edges, found.true, found.false, threshold)


def curve(summary: Summary) -> Curve | None:
    """Precision and recall over all thresholds, and what was kept; candidates without a score count as dropped."""
    if _known(summary) is None:
        return None
    found = precision_recall_curve(summary.scores[:, 0], summary.scores[:, 1])
    metrics = summary.metrics
    point = (metrics["recall"] / 100, metrics["precision"] / 100)
    return Curve(
        found.recall,
        found.precision,
        operating_point=None if any(map(math.isnan, point)) else point,
        keep_all=None if math.isnan(found.base) else found.base,
    )


def _known(summary: Summary) -> np.ndarray | None:
    """Decisions that have a score of their own: for a list of tags there is nothing to draw."""
    scores = summary.scores
    if scores is None or not len(scores):
        return None
    known: np.ndarray = scores[~_isnan(scores[:, 0])]
    return known if np.unique(known[:, 0]).size > 2 else None


def _isnan(values: np.ndarray) -> np.ndarray:
    different: np.ndarray = values != values
    return different
