"""Which candidates are kept, given their scores."""

from __future__ import annotations

import torch

from ttd_core.errors import UsageError

RULES = ("fixed", "relative", "top")


def select(
    scores: torch.Tensor,
    rule: str = "fixed",
    value: float = 0.5,
    *,
    valid: torch.Tensor | None = None,
    keep_best: bool = False,
) -> torch.Tensor:
    """Decide on every candidate.

    `fixed` keeps scores of at least `value`. `relative` keeps scores of at least `value` times the image's best score;
    below a negative best, as of cosines, it allows the same distance: best - (1 - value)·|best|, so that the best
    itself is kept. `top` keeps the `value` best, the earlier candidate first where scores are equal. NaN scores are
    never kept.

    Args:
        scores: B×K float.
        rule: one of `RULES`.
        value: a score, a share in 0..1, or a whole number of at least 1, by the rule.
        valid: B×K bool, False for the padding of shorter candidate lists.
        keep_best: keep the best candidate of an image where the rule keeps none.

    Returns:
        B×K bool.

    Raises:
        UsageError: an unknown rule or a value that does not suit it.
    """
    _check(rule, value)
    if not scores.numel():
        return torch.zeros_like(scores, dtype=torch.bool)
    eligible = ~scores.isnan() if valid is None else valid & ~scores.isnan()
    ranked = scores.masked_fill(~eligible, -torch.inf)
    best = ranked.amax(dim=1, keepdim=True)
    if rule == "fixed":
        kept = ranked >= value
    elif rule == "relative":
        # the two are equal for a positive best up to rounding; a share of a negative one lies above it
        kept = ranked >= torch.where(best >= 0, value * best, best - (1 - value) * best.abs())
    else:
        kept = _ranks(ranked) < value
    kept &= eligible
    if keep_best:
        kept |= ~kept.any(dim=1, keepdim=True) & (_ranks(ranked) == 0) & eligible
    return kept


def _ranks(scores: torch.Tensor) -> torch.Tensor:
    """B×K → 0 for the highest score of the row, 1 for the next; the earlier one first among equals."""
    return scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)


def _check(rule: str, value: float) -> None:
    if rule not in RULES:
        raise UsageError(f"unknown selection rule {rule!r}, expected one of {', '.join(RULES)}")
    if value != value:
        raise UsageError("the selection threshold is not a number")
    if rule == "relative" and not 0 <= value <= 1:
        raise UsageError(f"the relative threshold is {value}, expected a share in 0..1")
    if rule == "top" and (value < 1 or value != int(value)):
        raise UsageError(f"the number of tags to keep is {value}, expected a whole number of at least 1")
