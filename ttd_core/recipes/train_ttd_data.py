"""Where distillation takes its pairs from: generated scenes in memory, or shards of anybody's pairs.

The batch of a step is a function of seed and step alone, so that a training taken up again, or cut into other shares,
sees what an unbroken one does. Training pairs stand in an endless row of passes, each in a new order; a batch is the
next stretch of it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Protocol, TypeVar

import numpy as np
import torch
from PIL import Image

from ttd_core.data.images import load_picture
from ttd_core.data.kept import Kept
from ttd_core.data.pairs import Pair, PairShard, PairSource
from ttd_core.errors import DataError, ImageError
from ttd_core.protocols import Reporter
from ttd_core.recipes.scenes_pairs import CaptionedPictures
from ttd_core.training.share import Share
from ttd_core.types import ModelInfo

HELD_OUT = 200
"""Pairs kept apart for validation, at most a tenth of all."""
_SHARDS_IN_MEMORY = 2

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
        rows = [int(_order(self.total, self._seed, place // self.total)[place % self.total]) for place in places]
        captions = []
        for place, row in zip(places, rows, strict=True):
            several = self._data.captions[row]
            captions.append(several[int(np.random.default_rng((self._seed, 2, place)).integers(len(several)))])
        return PairBatch(self._data.pictures[rows], tuple(captions))


class ShardPairs:
    """Pairs of shards, of which two at a time are in memory: passes go through the shards in a new order each.

    Args:
        source: the shards.
        kept: what pruning left of them; None takes all.
        side: of the square pictures in pixels; pictures are cropped around their middle.
        batch: pairs per step.
        seed: of the orders.
        report: told of pictures that cannot be used.
        workers: threads that decode pictures.

    Raises:
        DataError: there is not a single pair, or a shard cannot be read.
    """

    def __init__(
        self, source: PairSource, kept: Kept | None, side: int, batch: int, seed: int, report: Reporter,
        workers: int = 1,
    ) -> None:  # fmt: skip
        self._source, self._kept, self._side, self._batch, self._seed = source, kept, side, batch, seed
        self._report, self._pool = report, ThreadPoolExecutor(workers)
        self._cache: OrderedDict[int, list[Pair]] = OrderedDict()
        self._unusable: set[tuple[int, str]] = set()
        self._apart: dict[int, frozenset[str]] = {}
        counts = self._count(held := _Smallest(HELD_OUT))
        total = sum(counts)
        if not total:
            raise DataError(f"{source.name} has no pair to train on", "see the counts of ttd preprocess and ttd prune")
        apart = held.keys(min(HELD_OUT, total // 10))
        self._apart = {shard: frozenset(key for place, key in apart if place == shard) for shard, _ in apart}
        self._counts = [count - len(self._apart.get(shard, ())) for shard, count in enumerate(counts)]
        self._cache.clear()
        self.held_out = self._read_apart()

    @property
    def total(self) -> int:
        """Pairs to train on."""
        return sum(self._counts)

    def share(self, step: int, share: Share) -> PairBatch:
        """A share of the batch of a step."""
        places = places_of(step, self._batch, share)
        found = list(self._pool.map(self._picture, [self._locate(place) for place in places]))
        return PairBatch(np.stack([picture for picture, _ in found]), tuple(caption for _, caption in found))

    def _count(self, held: _Smallest) -> list[int]:
        """Pairs of each shard; of a pruned source the keys alone are read."""
        counts = []
        for number, shard in enumerate(self._source.shards):
            keys = self._keys(shard)
            names = [pair.key for pair in self._pairs(number)] if keys is None else sorted(keys)
            counts.append(len(names))
            held.add(number, shard.name, names)
        return counts

    def _keys(self, shard: PairShard) -> frozenset[str] | None:
        if self._kept is None:
            return None
        return self._kept.keys(shard.name) or frozenset()

    def _pairs(self, number: int) -> Iterator[Pair]:
        shard = self._source.shards[number]
        keys, apart = self._keys(shard), self._apart.get(number, frozenset())
        for pair in self._source.read(shard):
            if isinstance(pair, Pair) and pair.key not in apart and (keys is None or pair.key in keys):
                yield pair

    def _shard(self, number: int) -> list[Pair]:
        if number not in self._cache:
            pairs = list(self._pairs(number))
            if len(pairs) != self._counts[number]:
                raise DataError(
                    f"{self._source.shards[number].name}: {len(pairs)} pairs can be read, expected "
                    f"{self._counts[number]}", "the data changed since it was counted; preprocess and prune it again",
                )  # fmt: skip
            self._cache[number] = pairs
            while len(self._cache) > _SHARDS_IN_MEMORY:
                self._cache.popitem(last=False)
        self._cache.move_to_end(number)
        return self._cache[number]

    def _locate(self, place: int) -> tuple[int, list[Pair], np.ndarray, int]:
        """Shard, its pairs, their order, and where in it the place lies."""
        turn, rest = divmod(place, self.total)
        for number in _order(len(self._counts), self._seed, turn):
            if rest < self._counts[number]:
                order = _order(self._counts[number], self._seed, turn, int(number))
                return int(number), self._shard(int(number)), order, rest
            rest -= self._counts[number]
        raise AssertionError("a place lies in some shard")

    def _picture(self, found: tuple[int, list[Pair], np.ndarray, int]) -> tuple[np.ndarray, str]:
        """The pair of a place; where its picture cannot be used, the next one of the order takes its place."""
        number, pairs, order, first = found
        for step in range(len(order)):
            pair = pairs[int(order[(first + step) % len(order)])]
            try:
                return square_picture(pair, self._side), pair.caption
            except ImageError as error:
                if (number, pair.key) not in self._unusable:
                    self._unusable.add((number, pair.key))
                    self._report.warning(f"left out: {error.message}", error.hint)
        raise DataError(f"{self._source.shards[number].name}: none of its pictures can be used")

    def _read_apart(self) -> PairBatch:
        pictures, captions = [], []
        for number, names in sorted(self._apart.items()):
            for pair in self._source.read(self._source.shards[number]):
                if isinstance(pair, Pair) and pair.key in names:
                    try:
                        pictures.append(square_picture(pair, self._side))
                    except ImageError as error:
                        self._report.warning(f"left out: {error.message}", error.hint)
                        continue
                    captions.append(pair.caption)
        empty = np.empty((0, 3, self._side, self._side), dtype=np.uint8)
        return PairBatch(np.stack(pictures) if pictures else empty, tuple(captions))


class _Smallest:
    """The pairs whose digests are smallest: a draw that depends on their names alone."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._best: list[tuple[str, int, str]] = []

    def add(self, shard: int, name: str, keys: Sequence[str]) -> None:
        marked = ((sha256(f"{name}/{key}".encode()).hexdigest(), shard, key) for key in keys)
        self._best = heapq.nsmallest(self._count, (*self._best, *marked))

    def keys(self, count: int) -> list[tuple[int, str]]:
        return [(shard, key) for _, shard, key in self._best[:count]]


@lru_cache(maxsize=8)
def _order(total: int, *seeds: int) -> np.ndarray:
    return np.random.default_rng((*seeds, total)).permutation(total)


def square_picture(pair: Pair, side: int) -> np.ndarray:
    """The picture of a pair, its middle square at 3×side×side uint8, bicubic as CLIP's own preprocessing.

    Raises:
        ImageError: it cannot be decoded.
    """
    image = Image.fromarray(load_picture(pair.image, name=pair.origin).pixels)
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    square = image.crop((left, top, left + short, top + short))
    small = square.resize((side, side), Image.Resampling.BICUBIC)
    # S×S×3 -> 3×S×S
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


class Ahead:
    """Loads the share that comes next while the present one is computed.

    Args:
        load: reads a share of a step.
        shares: those of this process, in their order within a step.
        steps: number after the last step.
    """

    def __init__(self, load: Callable[[int, Share], PairBatch], shares: Sequence[Share], steps: int) -> None:
        self._load, self._shares, self._steps = load, list(shares), steps
        self._thread = ThreadPoolExecutor(1)
        self._waiting: dict[tuple[int, int], Future[PairBatch]] = {}

    def __call__(self, step: int, share: Share) -> PairBatch:
        """A share of a step; the one after it is asked for."""
        found = self._waiting.pop((step, share.part), None)
        pairs = self._load(step, share) if found is None else found.result()
        place = self._shares.index(share) + 1
        after = step if place < len(self._shares) else step + 1
        if after < self._steps:
            coming = self._shares[place % len(self._shares)]
            self._waiting = {(after, coming.part): self._thread.submit(self._load, after, coming)}
        return pairs
