"""From cosines to scores in 0..1: the readings of "how much does this place look like this tag"."""

from __future__ import annotations

import torch

from ttd_core.errors import UsageError

CALIBRATIONS = ("sigmoid", "softmax", "minmax", "none")
# A map or list whose values span less than this holds no information: it becomes all zero instead of amplified noise.
RANGE_FLOOR = 1e-6


def calibrate(
    cosines: torch.Tensor,
    how: str,
    *,
    logit_scale: float = 100.0,
    sigmoid_scale: float | None = None,
    sigmoid_bias: float | None = None,
    valid: torch.Tensor | None = None,
) -> torch.Tensor:
    """Read cosines as scores.

    `sigmoid` judges each candidate on its own with the model's learned scale and bias, so 0.5 is its threshold (TCL).
    `softmax` lets the candidates of one image compete, at each place separately, as in figure 2 of the TTD paper; with
    one candidate it is 1 everywhere. `minmax` stretches the image's candidates together to 0..1: over candidates for
    scores, over candidates and places for maps (for one range per map see `stretch_maps`); measured worse than softmax.
    `none` leaves the cosines.

    Args:
        cosines: B×K scores or B×K×h×w maps in -1..1, float.
        how: one of `CALIBRATIONS`.
        logit_scale: factor of the softmax reading, stored with the model (100 for CLIP weights).
        sigmoid_scale: w of `sigmoid(w·cos + b)`; needed for that reading only.
        sigmoid_bias: its b.
        valid: B×K bool, False for the padding of shorter candidate lists, which takes no part and comes out as 0.

    Returns:
        The same shape; in 0..1 except for `none`.

    Raises:
        UsageError: an unknown reading, or `sigmoid` for a model without learned scale and bias.
    """
    if how == "sigmoid":
        if sigmoid_scale is None or sigmoid_bias is None:
            raise UsageError(
                "calibration sigmoid needs a model with a learned scale and bias, and this one has none",
                hint="use --calibration softmax",
            )
        scores = torch.sigmoid(sigmoid_scale * cosines + sigmoid_bias)
    elif how == "softmax":
        logits = logit_scale * cosines
        if valid is not None:
            logits = logits.masked_fill(~_over_places(valid, cosines), -torch.inf)
        # without any valid candidate the softmax is NaN; `_blank` zeroes it below
        scores = torch.softmax(logits, dim=1)
    elif how == "minmax":
        scores = _stretch(cosines, tuple(range(1, cosines.ndim)), valid)
    elif how == "none":
        scores = cosines
    else:
        raise UsageError(f"unknown calibration {how!r}, expected one of {', '.join(CALIBRATIONS)}")
    return _blank(scores, valid)


def stretch_maps(maps: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Stretch every map to 0..1 over its own places; a map spanning less than 1e-6 becomes zero.

    This is the map normalisation of TTD's pseudo maps and of masks made from plain cosines.

    Args:
        maps: B×K×h×w float.
        valid: B×K bool; maps of padding or of rejected tags come out as zero, never as stretched noise.

    Returns:
        B×K×h×w in 0..1.
    """
    return _blank(_stretch(maps, (2, 3), None), valid)


def _stretch(values: torch.Tensor, over: tuple[int, ...], valid: torch.Tensor | None) -> torch.Tensor:
    if not values.numel():
        return values
    if valid is None:
        low, high = values.amin(over, keepdim=True), values.amax(over, keepdim=True)
    else:
        counts = _over_places(valid, values)
        low = values.masked_fill(~counts, torch.inf).amin(over, keepdim=True)
        high = values.masked_fill(~counts, -torch.inf).amax(over, keepdim=True)
    span = high - low
    informative = span >= RANGE_FLOOR
    return torch.where(informative, (values - low) / torch.where(informative, span, torch.ones_like(span)), 0)


def _over_places(valid: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """B×K → B×K×1×1 for maps."""
    return valid.reshape(*valid.shape, *(1,) * (like.ndim - 2))


def _blank(scores: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    return scores if valid is None else scores.masked_fill(~_over_places(valid, scores), 0)
