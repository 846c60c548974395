"""Pairs of anybody's shards to train on, in the order and the batches that `train_ttd_data` describes."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate

import numpy as np
from PIL import Image

from ttd_core.data.files import show
from ttd_core.data.images import load_picture
from ttd_core.data.kept import Kept
from ttd_core.data.pairs import BAD_ROW, BadPair, Pair, PairShard, PairSource
from ttd_core.data.placed_pairs import PlacedPair
from ttd_core.data.rows import BadRow
from ttd_core.data.shuffled_shards import Reference
from ttd_core.data.webdataset import TarPairs
from ttd_core.errors import DataError, ImageError
from ttd_core.protocols import Reporter
from ttd_core.recipes.train_ttd_data import PairBatch, order_of, places_of
from ttd_core.training.share import Share

HELD_OUT = 200
"""Pairs kept apart for validation, at most a tenth of all."""
NAMED = 3
"""Pairs of a shard that are named one by one where they cannot be used; the others are counted."""
NAMED_PICTURES = 20
"""Pictures of the whole training that are."""
_SHARDS_IN_MEMORY = 2


_Place = tuple[int, list[Reference], np.ndarray, int]
"""Shard, its pairs, their order, and a place in it."""


class ShardPairs:
    """Pairs of shards, through which passes go in a new order each.

    Two shards at a time are in memory: of plain archives their captions, of compressed ones the encoded pictures, too.

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
        self._cache: OrderedDict[int, list[Reference]] = OrderedDict()
        self._unusable: set[tuple[int, str]] = set()
        self._apart: dict[int, frozenset[str]] = {}
        if kept is not None:
            _check_shards(source, kept)
        counts = self._count(held := _Smallest(HELD_OUT))
        total = sum(counts)
        if not total:
            raise DataError(f"{source.name} has no pair to train on", "see the counts of ttd preprocess and ttd prune")
        apart = held.keys(min(HELD_OUT, total // 10))
        self._apart = {shard: frozenset(key for place, key in apart if place == shard) for shard, _ in apart}
        self._counts = [count - len(self._apart.get(shard, ())) for shard, count in enumerate(counts)]
        self._ends = lru_cache(maxsize=4)(self._shard_ends)
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
        shards = self._source.shards
        for number, shard in enumerate(self._report.track(shards, len(shards), "counting pairs")):
            keys = self._keys(shard)
            names = self._names(shard) if keys is None else sorted(keys)
            counts.append(len(names))
            held.add(number, shard.name, names)
        return counts

    def _names(self, shard: PairShard) -> list[str]:
        """The keys of a shard that nothing was pruned from; what cannot be used is named, or counted."""
        names: list[str] = []
        bad: Counter[str] = Counter()
        try:
            for pair in self._read(shard):
                if isinstance(pair, Reference):
                    names.append(pair.key)
                    continue
                bad[pair.status if isinstance(pair, BadPair) else BAD_ROW] += 1
                if bad.total() <= NAMED:
                    self._report.warning(f"left out {pair.origin}: {pair.message}", pair.hint)
        except DataError as error:
            if len(self._source.shards) == 1:
                raise
            self._report.warning(f"left out shard {shard.name}: {error.message}", error.hint)
            return []
        if bad.total() > NAMED:
            reasons = ", ".join(f"{status}: {count:,}" for status, count in sorted(bad.items()))
            self._report.warning(f"left out {bad.total() - NAMED:,} more pairs of {shard.name} ({reasons})")
        return names

    def _keys(self, shard: PairShard) -> frozenset[str] | None:
        if self._kept is None:
            return None
        return self._kept.keys(shard.name) or frozenset()

    def _read(self, shard: PairShard) -> Iterator[Reference | BadRow]:
        """The pairs of a shard, with pictures left in their archive where that can be."""
        return self._source.places(shard) if isinstance(self._source, TarPairs) else self._source.read(shard)

    def _pairs(self, number: int) -> Iterator[Reference]:
        shard = self._source.shards[number]
        keys, apart = self._keys(shard), self._apart.get(number, frozenset())
        for pair in self._read(shard):
            if isinstance(pair, Reference) and pair.key not in apart and (keys is None or pair.key in keys):
                yield pair

    def _shard(self, number: int) -> list[Reference]:
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

    def _shard_ends(self, turn: int) -> list[int]:
        """Where the shards of a pass end, in its order."""
        return list(accumulate(self._counts[number] for number in order_of(len(self._counts), self._seed, turn)))

    def _locate(self, place: int) -> _Place:
        """Where the pair of a place in the endless row lies."""
        turn, rest = divmod(place, self.total)
        ends = self._ends(turn)
        position = bisect_right(ends, rest)
        number = int(order_of(len(self._counts), self._seed, turn)[position])
        order = order_of(self._counts[number], self._seed, turn, number)
        return number, self._shard(number), order, rest - ends[position] + self._counts[number]

    def _picture(self, found: _Place) -> tuple[np.ndarray, str]:
        """The pair of a place; where its picture cannot be used, the next one of the order takes its place."""
        number, pairs, order, first = found
        for step in range(len(order)):
            pair = pairs[int(order[(first + step) % len(order)])]
            try:
                return square_picture(_loaded(pair), self._side), pair.caption
            except ImageError as error:
                self._tell_unusable((number, pair.key), error)
        raise DataError(f"{self._source.shards[number].name}: none of its pictures can be used")

    def _tell_unusable(self, which: tuple[int, str], error: ImageError) -> None:
        """Name a picture once, and not more of them than anybody reads."""
        if which in self._unusable:
            return
        self._unusable.add(which)
        if len(self._unusable) <= NAMED_PICTURES:
            self._report.warning(f"left out {error.message}", error.hint)
        elif len(self._unusable) == NAMED_PICTURES + 1:
            self._report.warning(
                "left out further pictures, which are not named any more",
                hint="ttd preprocess counts them all, and ttd prune drops them",
            )

    def _read_apart(self) -> PairBatch:
        pictures, captions = [], []
        for number, names in sorted(self._apart.items()):
            for pair in self._read(self._source.shards[number]):
                if isinstance(pair, Reference) and pair.key in names:
                    try:
                        pictures.append(square_picture(_loaded(pair), self._side))
                    except ImageError as error:
                        self._tell_unusable((number, pair.key), error)
                        continue
                    captions.append(pair.caption)
        empty = np.empty((0, 3, self._side, self._side), dtype=np.uint8)
        return PairBatch(np.stack(pictures) if pictures else empty, tuple(captions))


def _loaded(pair: Reference) -> Pair:
    return pair.load() if isinstance(pair, PlacedPair) else pair


def _check_shards(source: PairSource, kept: Kept) -> None:
    there = {shard.name for shard in source.shards}
    missing = [name for name, count in kept.shards.items() if count and name not in there]
    if missing:
        first = missing[0]
        raise DataError(
            f"{source.name} has no shard {first}, of which {show(kept.folder)} keeps {kept.shards[first]:,} pairs",
            f"the data are not those that were scored: {show(kept.data)}",
        )


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
