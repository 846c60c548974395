"""The pseudo maps that words and captions are pulled to. None of them carries a gradient."""

from __future__ import annotations

import torch

from ttd_core.ops.calibrate import stretch_maps


@torch.no_grad()
def word_targets(maps: torch.Tensor, selected: torch.Tensor) -> torch.Tensor:
    """M_i of every word: its own map stretched to 0..1 over its places if it is selected, else zero.

    A map whose values span less than 1e-6 says nothing about places and becomes zero, never stretched noise.

    Args:
        maps: B×K×h×w, sigmoid maps or cosines.
        selected: B×K bool.

    Returns:
        B×K×h×w in 0..1. Paper figure 4; `ttd.md` 5, step 3.
    """
    return stretch_maps(maps.detach(), selected)


@torch.no_grad()
def caption_target(targets: torch.Tensor) -> torch.Tensor:
    """M* of every caption: place by place the maximum over its words' targets.

    Args:
        targets: B×K×h×w from `word_targets`; rejected words and padding are zero and so take no part.

    Returns:
        B×h×w in 0..1, zero for a caption without words. `ttd.md` 5, step 5.
    """
    if not targets.shape[1]:
        return targets.new_zeros(targets.shape[0], *targets.shape[2:])
    return targets.amax(dim=1)
