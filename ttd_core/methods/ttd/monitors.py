"""Numbers that tell a healthy run from one that collapses, read off the maps of a batch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ttd_core.ops.calibrate import RANGE_FLOOR


@torch.no_grad()
def map_monitors(cosines: torch.Tensor, valid: torch.Tensor, selected: torch.Tensor) -> dict[str, float]:
    """Spread, selection and likeness of the word maps.

    Args:
        cosines: B×K×h×w in -1..1.
        valid: B×K bool, False for padding.
        selected: B×K bool.

    Returns:
        `spread`: standard deviation over places, mean over words; near 0 the maps show no place any more.
        `selected`: share of the candidates that are selected, 0..1.
        `likeness`: correlation over places of the maps of one caption's selected words, mean over pairs, -1..1; near 1
        they share one map. Rejected words are left out: they are all pulled to the same nothing. 0 where no caption has
        two selected words.
    """
    words = int(valid.sum())
    if not words:
        return {"spread": 0.0, "selected": 0.0, "likeness": 0.0}
    flat = cosines.float().flatten(2)
    centred = flat - flat.mean(dim=2, keepdim=True)
    deviation = centred.square().mean(dim=2).sqrt()
    spread = (deviation * valid).sum() / words
    chosen = selected & valid
    # B×K×P of length 1, flat maps and those of words left out of length 0
    unit = F.normalize(centred, dim=2) * (chosen & (deviation > RANGE_FLOOR))[..., None]
    count = chosen.sum(dim=1).float()
    # |Σ u|² holds every ordered pair of words and every word with itself
    both = unit.sum(dim=1).square().sum(dim=1) - unit.square().sum(dim=(1, 2))
    pairs = float((count * (count - 1)).sum())
    return {
        "spread": float(spread),
        "selected": float(chosen.sum()) / words,
        "likeness": float(both.sum()) / pairs if pairs else 0.0,
    }


@torch.no_grad()
def pair_monitors(pictures: torch.Tensor, captions: torch.Tensor) -> dict[str, float]:
    """Whether the pairs of a batch are pairs: none of it concerns the places.

    Args:
        pictures: B×D, e.g. the mean of a picture's cells.
        captions: B×D.

    Returns:
        `match`: how many of the batch's other captions a picture likes less than its own (one liked equally counts
        half), mean over pictures: 1 at best, 0.5 where captions do not belong to their pictures or pictures are all
        alike. `variety`: 1 less the mean cosine between two pictures; 0 for one picture repeated. NaN for a lone pair.
    """
    count = len(pictures)
    if count < 2:
        return {"match": math.nan, "variety": math.nan}
    seen, said = F.normalize(pictures.float(), dim=-1), F.normalize(captions.float(), dim=-1)
    liking = seen @ said.T
    own = liking.diagonal()[:, None]
    # the same caption twice, or the same picture, differs by rounding only
    above, equal = liking < own - RANGE_FLOOR, (liking - own).abs() <= RANGE_FLOOR
    wins = float(above.sum()) + (float(equal.sum()) - count) / 2
    pairs = count * (count - 1)
    return {"match": wins / pairs, "variety": 1 - (float((seen @ seen.T).sum()) - count) / pairs}
