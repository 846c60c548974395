"""Numbers that tell a healthy run from one that collapses, read off the maps of a batch."""

from __future__ import annotations

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
        `likeness`: correlation over places of the word maps of one caption, mean over pairs of words, -1..1; near 1 all
        words share one map. 0 where no caption has two words.
    """
    words = int(valid.sum())
    if not words:
        return {"spread": 0.0, "selected": 0.0, "likeness": 0.0}
    flat = cosines.float().flatten(2)
    centred = flat - flat.mean(dim=2, keepdim=True)
    deviation = centred.square().mean(dim=2).sqrt()
    spread = (deviation * valid).sum() / words
    # B×K×P of length 1, padding and flat maps of length 0
    unit = F.normalize(centred, dim=2) * (valid & (deviation > RANGE_FLOOR))[..., None]
    count = valid.sum(dim=1).float()
    # |Σ u|² holds every ordered pair of words and every word with itself
    both = unit.sum(dim=1).square().sum(dim=1) - unit.square().sum(dim=(1, 2))
    pairs = float((count * (count - 1)).sum())
    return {
        "spread": float(spread),
        "selected": float((selected & valid).sum()) / words,
        "likeness": float(both.sum()) / pairs if pairs else 0.0,
    }
