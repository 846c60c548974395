"""Cells of pictures, computed once: an encoder without adapters sees the same in every step and every row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.model import Seen, TtdTraining, map_reading
from ttd_core.protocols import Backbone
from ttd_core.recipes.train_ttd_data import PairBatch, to_input

CHUNK = 25


@torch.no_grad()
def averaged_cells(backbone: Backbone, pictures: np.ndarray, scales: tuple[float, ...], hflip: bool) -> torch.Tensor:
    """N×D×h×w cells of N pictures, averaged over views as the targets of distillation are.

    Args:
        backbone: without adapters, or with its image encoder untouched.
        pictures: N×3×S×S uint8.
        scales, hflip: the views.
    """
    training = TtdTraining(backbone, TtdConfig(scales=scales, hflip=hflip), map_reading(backbone.info))
    found = []
    for start in range(0, len(pictures), CHUNK):
        shown = to_input(pictures[start : start + CHUNK], backbone.info, torch.device("cpu"))
        cells = training._dense(shown)
        # maps are linear in the text: those of the unit vectors are the cells themselves
        units = torch.eye(cells.shape[1]).expand(len(cells), -1, -1)
        found.append(training.averaged(shown, Seen(cells, cells[:, 0], units[:, 0], units[:, 0], units)))
    return torch.cat(found)


class Numbered:
    """Training pictures as their numbers, so that a batch tells which they were.

    Args:
        pictures: N×3×S×S uint8.
    """

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures

    def __getitem__(self, rows: Sequence[int]) -> Sequence[int]:
        return rows

    def batch(self, numbers: PairBatch) -> PairBatch:
        """The batch with its pictures."""
        return PairBatch(self.pictures[list(numbers.pictures)], numbers.captions)
