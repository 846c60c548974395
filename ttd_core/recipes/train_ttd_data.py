"""Where distillation takes its pairs from: generated scenes in memory here, others in `train_ttd_shards`.

The batch of a step is a function of seed and step alone, so that a training taken up again, or cut into other shares,
sees what an unbroken one does. Training pairs stand in an endless row of passes, each in a new order; a batch is the
next stretch of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch

from ttd_core.recipes.scenes_pairs import CaptionedPictures
from ttd_core.training.share import Share
from ttd_core.types import ModelInfo

T = TypeVar("T")


@dataclass(frozen=True)
class PairBatch:
    """Pairs that are looked at together.

    Args:
        pictures: b×3×S×S uint8.
        captions: b sentences.
    """

    pictures: np.ndarray
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)

    def chunk(self, rows: slice) -> PairBatch:
        """Some of the pairs."""
        return PairBatch(self.pictures[rows], self.captions[rows])


class TrainingPairs(Protocol):
    """Pairs to train on, and some kept apart."""

    @property
    def total(self) -> int:
        """Pairs to train on, without those kept apart."""
        ...

    @property
    def held_out(self) -> PairBatch:
        """Pairs that training never sees."""
        ...

    def share(self, step: int, share: Share) -> PairBatch:
        """A share of the batch of a step."""
        ...


def to_input(pictures: np.ndarray, info: ModelInfo, device: torch.device) -> torch.Tensor:
    """B×3×S×S uint8 to the normalised float input of a model, on its device."""
    values = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).float() / 255
    mean, std = (torch.tensor(numbers, device=device).view(3, 1, 1) for numbers in (info.mean, info.std))
    return (values - mean) / std


def places_of(step: int, size: int, share: Share) -> range:
    """Places of a share of a step's batch in the endless row of passes."""
    rows = share.slice(size)
    return range(step * size + rows.start, step * size + rows.stop)


class ScenePairs:
    """Generated scenes: one of their captions is drawn for each view.

    Args:
        data: the scenes.
        held_out: pairs of another split.
        batch: pairs per step.
        seed: of orders and of drawn captions.
    """

    def __init__(self, data: CaptionedPictures, held_out: PairBatch, batch: int, seed: int) -> None:
        self._data, self._batch, self._seed = data, batch, seed
        self.held_out = held_out

    @property
    def total(self) -> int:
        """Number of scenes."""
        return len(self._data.captions)

    def share(self, step: int, share: Share) -> PairBatch:
        """A share of the batch of a step."""
        places = places_of(step, self._batch, share)
        rows = [int(order_of(self.total, self._seed, place // self.total)[place % self.total]) for place in places]
        captions = []
        for place, row in zip(places, rows, strict=True):
            several = self._data.captions[row]
            captions.append(several[int(np.random.default_rng((self._seed, 2, place)).integers(len(several)))])
        return PairBatch(self._data.pictures[rows], tuple(captions))


@lru_cache(maxsize=8)
def order_of(total: int, *seeds: int) -> np.ndarray:
    """An order of 0..total-1 that belongs to these numbers; not to be written to."""
    return np.random.default_rng((*seeds, total)).permutation(total)


class Ahead(Generic[T]):
    """Loads the share that comes next while the present one is computed.

    Args:
        load: reads a share of a step.
        shares: those of this process, in their order within a step.
        steps: number after the last step.
    """

    def __init__(self, load: Callable[[int, Share], T], shares: Sequence[Share], steps: int) -> None:
        self._load, self._shares, self._steps = load, list(shares), steps
        self._thread = ThreadPoolExecutor(1)
        self._waiting: dict[tuple[int, int], Future[T]] = {}

    def __call__(self, step: int, share: Share) -> T:
        """A share of a step; the one after it is asked for."""
        found = self._waiting.pop((step, share.part), None)
        pairs = self._load(step, share) if found is None else found.result()
        place = self._shares.index(share) + 1
        after = step if place < len(self._shares) else step + 1
        if after < self._steps:
            coming = self._shares[place % len(self._shares)]
            self._waiting = {(after, coming.part): self._thread.submit(self._load, after, coming)}
        return pairs
