"""What a training of TCL is measured by: its losses on held-out pairs, and for the built-in model `scenes:val`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ttd_core.methods.tcl.scenes import ScenesTcl, with_learned_reading
from ttd_core.methods.tcl.training import PartScores, TclTraining
from ttd_core.recipes.train_tcl_step import found_first, mask_noise
from ttd_core.recipes.train_ttd_data import PairBatch, to_input
from ttd_core.recipes.train_ttd_guard import HELD
from ttd_core.recipes.train_ttd_probe import ScenesTruth

Figures = dict[str, float]
_AT_ONCE = 16


@torch.no_grad()
def held_out_figures(training: TclTraining, held: PairBatch) -> Figures:
    """Losses on pairs that training never sees, contrasted among each other, `held_` before their names.

    Args:
        training: the model.
        held: the pairs; of fewer than two there are no figures.

    Returns:
        The losses and their sum `loss`; `own_area` and `other_area` of the masks; `match`, the share of pairs whose
        counterpart ranks first among all by the pooled embedding (R@1, both directions).
    """
    if len(held) < 2:
        return {}
    device = next(training.parameters()).device
    texts = training.embed_texts(list(held.captions))
    parts = []
    for start in range(0, len(held), _AT_ONCE):
        shown = to_input(held.pictures[start : start + _AT_ONCE], training.network.info, device)
        cell = training.network.info.cell_side
        rows = range(start, start + len(shown))
        noise = mask_noise(0, 0, rows, (shown.shape[2] // cell, shown.shape[3] // cell)).to(device)
        parts.append(training.scores(shown, texts, start, noise))
    everyone = torch.cat([part.shared for part in parts])
    weights = torch.tensor([len(part.shared) for part in parts], device=device) / len(held)
    variations = [
        (torch.stack([getattr(part, name) for part in parts]) * weights).sum()
        for name in ("mask_variation", "embedding_variation")
    ]
    losses = training.losses(PartScores(everyone, *variations), everyone)
    figures = {name: float(value) for name, value in losses.items()}
    figures["loss"] = sum(figures.values())
    areas = everyone[:, 1]
    own = float(areas.diagonal().mean())
    figures |= {
        "own_area": own,
        "other_area": (float(areas.mean()) * len(held) - own) / (len(held) - 1),
        "match": found_first(everyone[:, 0]),
    }
    return {HELD + name: round(value, 6) for name, value in figures.items()}


def probe_of(training: TclTraining, held: PairBatch, truth: ScenesTruth | None) -> Callable[[int], Mapping[str, float]]:
    """The probe of the training loop, with all figures above; those of `ScenesTruth` where there is one."""

    def probe(step: int) -> Figures:
        figures = held_out_figures(training, held)
        network: Any = training.network
        if truth is None or not isinstance(network, ScenesTcl):
            return figures
        network.info = with_learned_reading(network)
        return figures | truth.figures(network)

    return probe
