"""What a reader of the figures should know before believing them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.plan import Plan
    from ttd_core.recipes.evaluation.summary import Summary

_CLEARLY = 0.3
"""A shift counts as likely where it makes this share of the pixels right beyond those that are right already."""


def doubts(options: EvaluateOptions, plan: Plan, summary: Summary) -> Iterator[str]:
    """Sentences about figures that are probably not what was meant."""
    if options.pred is not None and summary.confusion is not None:
        yield from _shifted(options, summary.confusion)
    if plan.task == "bias" and not summary.counts.get("measured"):
        yield "no caption has two tags that count, and the meter needs two: see docs/evaluate.md"


def _shifted(options: EvaluateOptions, confusion: np.ndarray) -> Iterator[str]:
    """Labels that are all one too high or too low: the commonest mistake of label maps made elsewhere."""
    total = int(confusion.sum())
    if not total:
        return
    right = int(np.trace(confusion)) / total
    for offset, what in ((1, "high"), (-1, "low")):
        shifted = int(np.trace(confusion, offset=offset)) / total
        if shifted > right + _CLEARLY:
            yield (
                f"the labels of {options.pred} look one too {what}: {100 * right:.0f} % of the pixels are right, "
                f"{100 * shifted:.0f} % would be with labels one {'lower' if offset > 0 else 'higher'}"
            )
