"""Pairs of shards in a random order, pass after pass, which can be entered at any place.

Training pairs stand in an endless row of passes, each of which shows every pair once in an order of its own: the shards
are shuffled, a few at a time are put together, and their pairs shuffled. What stands at a place follows from the seed
and the data alone. So processes, workers and shares of a batch take what is theirs, and a training goes on at any step.

TCL's published loader deals shards out to processes and workers and shuffles through a buffer of 40,000 samples. That
order changes with the number of both and cannot be entered in the middle; four shards of img2dataset, about 40,000
pairs in memory as places in their archives, mix as well.

Nothing is counted ahead. In the first pass shards are counted as they come; to start in the middle, those before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TypeVar

import numpy as np

from ttd_core.data.pairs import Pair
from ttd_core.data.placed_pairs import PlacedPair
from ttd_core.errors import DataError

TOGETHER = 4
"""Shards whose pairs are shuffled together, where their pictures need not be in memory."""

_GROUPS_IN_MEMORY = 2

T = TypeVar("T")
Reference = Pair | PlacedPair


@dataclass(frozen=True)
class Found:
    """What stands at a place.

    Args:
        turn: the pass, from 0.
        shard: number of its shard.
        pair: the pair.
    """

    turn: int
    shard: int
    pair: Reference


@dataclass(frozen=True)
class _Group:
    """Pairs of a few shards, in the order of their pass."""

    turn: int
    pairs: Sequence[tuple[int, Reference]]
    order: np.ndarray

    def at(self, position: int) -> Found:
        shard, pair = self.pairs[int(self.order[position % len(self.order)])]
        return Found(self.turn, shard, pair)


class ShuffledShards:
    """The endless row of passes over shards.

    Args:
        read: the pairs of the n-th shard, the same at every call; only those of a few shards are kept.
        names: of the shards.
        seed: of the orders.
        together: shards whose pairs are shuffled together.
        expect: told which shards are about to be counted, so that they can be made ready together.
    """

    def __init__(
        self, read: Callable[[int], Sequence[Reference]], names: Sequence[str], seed: int, together: int = TOGETHER,
        expect: Callable[[Sequence[int]], None] | None = None,
    ) -> None:  # fmt: skip
        self._read, self._names, self._seed, self._together, self._expect = read, names, seed, together, expect
        self._counts: dict[int, int] = {}
        self._groups: OrderedDict[tuple[int, ...], _Group] = OrderedDict()
        self._first: list[int] = [0]
        """Where the groups of the first pass begin, as far as they are counted, and where the last of them ends."""
        self._later: tuple[int, Sequence[int]] = (0, ())
        """The same of the later pass that was asked for last."""

    @property
    def total(self) -> int | None:
        """Pairs of a pass; None as long as not all shards have been counted."""
        return self._first[-1] if len(self._counts) == len(self._names) else None

    def find(self, place: int, attempt: int = 0) -> Found:
        """What stands at a place.

        Args:
            place: from 0, through all passes.
            attempt: from 1 on another pair of the same shards, for one that cannot be used; from half a group away, so
                that a batch hardly ever shows it twice.

        Raises:
            DataError: there is not a single pair, all pairs of these shards were asked for, or a shard is not what it
                was.
        """
        turn, rest = self._turn(place)
        starts = self._starts(turn)
        number = bisect_right(starts, rest) - 1
        group = self._group(turn, number)
        if not attempt:
            return group.at(rest - starts[number])
        if attempt > len(group.order):
            raise DataError(f"none of {len(group.order)} pairs of the same shards has a picture that can be used")
        return group.at(rest - starts[number] + len(group.order) // 2 + attempt - 1)

    def upcoming(self, place: int) -> Sequence[int]:
        """Shards that are read after those a place stands in."""
        turn, rest = self._turn(place)
        number = bisect_right(self._starts(turn), rest)
        groups = self._numbers(turn)
        return groups[number] if number < len(groups) else self._numbers(turn + 1)[0]

    def _turn(self, place: int) -> tuple[int, int]:
        while self.total is None and place >= self._first[-1]:
            self._count_next()
        total = self.total
        if total == 0:
            raise DataError("there is no pair to train on", "see the counts of ttd preprocess and ttd prune")
        return (0, place) if total is None else divmod(place, total)

    def _count_next(self) -> None:
        number = len(self._first) - 1
        if self._expect is not None:
            self._expect(self._numbers(0)[number])
        group = self._group(0, number)
        self._first.append(self._first[-1] + len(group.order))

    def _numbers(self, turn: int) -> list[list[int]]:
        order = ordered(len(self._names), self._seed, turn).tolist()
        return [order[first : first + self._together] for first in range(0, len(order), self._together)]

    def _starts(self, turn: int) -> Sequence[int]:
        if turn == 0:
            return self._first
        if self._later[0] != turn:
            counts = (sum(self._counts[shard] for shard in group) for group in self._numbers(turn))
            self._later = turn, [0, *accumulate(counts)]
        return self._later[1]

    def _group(self, turn: int, number: int) -> _Group:
        if (turn, number) not in self._groups:
            shards = self._numbers(turn)[number]
            pairs = [(shard, pair) for shard in shards for pair in self._checked(shard)]
            self._groups[turn, number] = _Group(turn, pairs, ordered(len(pairs), self._seed, turn, *shards))
            while len(self._groups) > _GROUPS_IN_MEMORY:
                self._groups.popitem(last=False)
        self._groups.move_to_end((turn, number))
        return self._groups[turn, number]

    def _checked(self, shard: int) -> Sequence[Reference]:
        pairs = self._read(shard)
        if len(pairs) != self._counts.setdefault(shard, len(pairs)):
            raise DataError(
                f"{self._names[shard]}: {len(pairs)} pairs can be read, expected {self._counts[shard]}",
                "the data changed while it was read; preprocess and prune it again",
            )
        return pairs


@lru_cache(maxsize=16)
def ordered(total: int, *seeds: int) -> np.ndarray:
    """The numbers from 0 to `total` - 1 in an order that follows from the seeds."""
    return np.random.default_rng((*seeds, total)).permutation(total)
