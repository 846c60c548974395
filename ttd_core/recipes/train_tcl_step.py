"""A step of TCL's training, cut into parts: what each part of a batch computes, and what the parts tell each other.

TCL contrasts every picture of a step with every text of it. Parts (processes, and slices that a process computes one
after the other) exchange embeddings of texts and three numbers per picture and text, so a step is the same however it
is cut. With `--accumulate` a process looks at its slices twice: first without gradient for those numbers, then again
for the gradient, which costs a third more time and holds the activations of one slice only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ttd_core.methods.tcl.schedule import TclSchedule
from ttd_core.methods.tcl.training import PartScores, TclTraining
from ttd_core.training.exchange import with_own_rows
from ttd_core.training.loop import LoopSettings, Share, StepLosses

Inputs = tuple[torch.Tensor, list[str]]
"""Normalised pictures b×3×H×W on the device, and their captions."""
_NOISE = 3


def mask_noise(seed: int, step: int, rows: range, grid: tuple[int, int]) -> torch.Tensor:
    """Uniform noise in (0, 1) of the sampled masks, b×u×v; a row depends on seed, step and its own number alone."""
    drawn = [np.random.default_rng((_NOISE, seed, step, row)).random(grid, dtype=np.float32) for row in rows]
    return torch.from_numpy(np.stack(drawn)).clamp_(2**-25, 1 - 2**-24)


class TclStep:
    """The loss function of the training loop.

    Args:
        training: the model under its losses.
        load: pictures and captions of a share.
        batch: pairs of a step in all processes.
        schedule: when the masker's block trains.
        settings: of the loop.
    """

    def __init__(
        self,
        training: TclTraining,
        load: Callable[[int, Share], Inputs],
        batch: int,
        schedule: TclSchedule,
        settings: LoopSettings,
    ) -> None:
        self._training, self._load, self._batch = training, load, batch
        self._schedule, self._settings = schedule, settings
        self._step: int | None = None
        self._inputs: dict[int, Inputs] = {}
        self._texts = torch.empty(0)
        self._everyone: torch.Tensor | None = None

    def __call__(self, step: int, share: Share) -> StepLosses:
        """Losses of a share of a step."""
        if step != self._step:
            self._begin(step)
        scores = self._scores(step, share)
        everyone = self._everyone
        if everyone is None:
            everyone = self._settings.processes.gather_rows(scores.shared)
        rows = share.slice(self._batch)
        everyone = with_own_rows(everyone, scores.shared, rows.start, share.parts)
        losses = self._training.losses(scores, everyone)
        return StepLosses(losses, self._monitors(everyone), rows.stop - rows.start)

    def _begin(self, step: int) -> None:
        """What all parts of a step need before the first."""
        self._step, self._everyone = step, None
        self._training.train_block(self._schedule.block_trains(step))
        shares = list(self._settings.shares())
        self._inputs = {share.part: self._load(step, share) for share in shares}
        captions = [caption for share in shares for caption in self._inputs[share.part][1]]
        gather = self._settings.processes.gather_rows
        self._texts = gather(self._training.embed_texts(captions))
        if len(shares) > 1:
            with torch.no_grad():
                self._everyone = gather(torch.cat([self._scores(step, share).shared for share in shares]))
            # older releases of torch keep what autocast rounded without gradient, for the parts to come
            torch.clear_autocast_cache()

    def _scores(self, step: int, share: Share) -> PartScores:
        images, _ = self._inputs[share.part]
        rows = share.slice(self._batch)
        cell = self._training.network.info.cell_side
        grid = (images.shape[2] // cell, images.shape[3] // cell)
        noise = mask_noise(self._settings.seed, step, range(rows.start, rows.stop), grid).to(images.device)
        return self._training.scores(images, self._texts, rows.start, noise)

    def _monitors(self, everyone: torch.Tensor) -> dict[str, float]:
        masker: Any = self._training.network.masker
        return {
            "own_area": float(everyone[:, 1].detach().diagonal().mean()),
            "match": found_first(everyone[:, 0].detach()),
            "scale": float(masker.scale.detach()),
            "bias": float(masker.bias.detach()),
        }


def found_first(cosines: torch.Tensor) -> float:
    """Share of N pictures and N texts whose counterpart ranks first among all (R@1, mean of both directions), N×N."""
    own = cosines.diagonal()
    forth, back = (own >= cosines.amax(dim=dim) for dim in (1, 0))
    return float(torch.cat([forth, back]).float().mean())
