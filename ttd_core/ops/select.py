"""Which candidates are kept, given their scores."""

from __future__ import annotations

import torch

from ttd_core.errors import UsageError

RULES = ("fixed", "relative", "range", "top")


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
    itself is kept. `range` keeps scores strictly above min + `value`·(max - min) of the image's own, and the first best
    where none is (TagCLIP), so that an only candidate is always kept. `top` keeps the `value` best, the earlier
    candidate first where scores are equal. NaN scores are never kept.

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
        kept = ranked >= _share_of_best(best, value)
    elif rule == "range":
        low = scores.masked_fill(~eligible, torch.inf).amin(dim=1, keepdim=True)
        kept = ranked > _share_of_range(low, best, value)
        kept |= ~kept.any(dim=1, keepdim=True) & (_ranks(ranked) == 0)
    else:
        kept = _ranks(ranked) < value
    kept &= eligible
    if keep_best:
        kept |= ~kept.any(dim=1, keepdim=True) & (_ranks(ranked) == 0) & eligible
    return kept


def chosen(scores: torch.Tensor, rivals: torch.Tensor | None, rule: str, value: float) -> list[bool]:
    """Decide on the candidates of one image.

    Args:
        scores: K float.
        rivals: R scores of words of background, None or empty where there are none.
        rule: one of `RULES`, or `auto`: `range` over candidates and rivals together. With rivals none need be kept; in
            a picture of something else they are the best there is.
        value: see `select`.

    Returns:
        K decisions.

    Raises:
        UsageError: see `select`.
    """
    together = scores if rule != "auto" or rivals is None else torch.cat([scores, rivals.to(scores)])
    kept: list[bool] = select(together[None], "range" if rule == "auto" else rule, value)[0, : len(scores)].tolist()
    return kept


def cut(scores: torch.Tensor, rivals: torch.Tensor | None, rule: str, value: float) -> float | None:
    """The score at which `chosen` decides: an image's tags reach it (`range` and `auto`: exceed it), the others do not.

    Args:
        scores: K float.
        rivals: see `chosen`.
        rule: see `chosen`.
        value: see `select`.

    Returns:
        For `fixed` the value itself; for `top` the last kept candidate's score; where `range` keeps the best though it
        exceeds nothing, that one's. None where the rule is not `fixed` and no candidate has a score.

    Raises:
        UsageError: see `select`.
    """
    _check("range" if rule == "auto" else rule, value)
    if rule == "fixed":
        return value
    together = scores if rule != "auto" or rivals is None else torch.cat([scores, rivals.to(scores)])
    known = together[~together.isnan()]
    if not len(known):
        return None
    low, best = known.amin(), known.amax()
    if rule == "top":
        return float(known.topk(min(int(value), len(known))).values[-1])
    return float(_share_of_best(best, value) if rule == "relative" else _share_of_range(low, best, value))


def _share_of_best(best: torch.Tensor, value: float) -> torch.Tensor:
    # the two are equal for a positive best up to rounding; a share of a negative one lies above it
    return torch.where(best >= 0, value * best, best - (1 - value) * best.abs())


def _share_of_range(low: torch.Tensor, best: torch.Tensor, value: float) -> torch.Tensor:
    return low + value * (best - low)


def _ranks(scores: torch.Tensor) -> torch.Tensor:
    """B×K → 0 for the highest score of the row, 1 for the next; the earlier one first among equals."""
    return scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)


def _check(rule: str, value: float) -> None:
    if rule not in RULES:
        raise UsageError(f"unknown selection rule {rule!r}, expected one of {', '.join(RULES)}")
    if value != value:
        raise UsageError("the selection threshold is not a number")
    if rule in ("relative", "range") and not 0 <= value <= 1:
        raise UsageError(f"the relative threshold is {value}, expected a share in 0..1")
    if rule == "top" and (value < 1 or value != int(value)):
        raise UsageError(f"the number of tags to keep is {value}, expected a whole number of at least 1")
