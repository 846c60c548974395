"""Training pairs, from shards to views: what a process of its own does, without torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ttd_core.data.augmentation.draws import draw_of
from ttd_core.data.augmentation.views import Augmentation, View
from ttd_core.data.images import load_picture
from ttd_core.data.kept import Kept
from ttd_core.data.pairs import BAD_ROW, BadPair, Pair, PairSource
from ttd_core.data.placed_pairs import PlacedPair
from ttd_core.data.shuffled_shards import Found, Reference
from ttd_core.data.webdataset import TarPairs
from ttd_core.errors import DataError

NAMED = 3
"""Pairs of a shard that are named one by one where they cannot be used; the others are counted."""


@dataclass(frozen=True)
class Problem:
    """Why something is left out.

    Args:
        message: which one, and why.
        hint: how to mend it.
    """

    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Listing:
    """The pairs of a shard.

    Args:
        pairs: those to train on.
        problems: what is left out of it, a few lines at most.
    """

    pairs: Sequence[Reference]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A view that is to be made.

    Args:
        found: the pair, and the pass that it is shown in.
        attempt: how many other pairs could not be used in its place.
    """

    found: Found
    attempt: int = 0


@dataclass(frozen=True)
class PairViews:
    """Reads shards and makes views; picklable.

    Args:
        source: the shards.
        kept: what pruning left of them; None takes all.
        augmentation: makes the views.
        seed: of the draws.
    """

    source: PairSource
    kept: Kept | None
    augmentation: Augmentation
    seed: int

    def pairs_of(self, number: int) -> Listing:
        """The pairs of the n-th shard; of one that cannot be read, none: it costs its pairs, not the training."""
        shard = self.source.shards[number]
        pairs, problems, bad = list[Reference](), list[Problem](), Counter[str]()
        try:
            keys = None if self.kept is None else self.kept.keys(shard.name) or frozenset()
            for row in self.source.places(shard) if isinstance(self.source, TarPairs) else self.source.read(shard):
                if isinstance(row, Pair | PlacedPair):
                    if keys is None or row.key in keys:
                        pairs.append(row)
                    continue
                bad[row.status if isinstance(row, BadPair) else BAD_ROW] += 1
                if bad.total() <= NAMED:
                    problems.append(Problem(f"left out {row.origin}: {row.message}", row.hint))
        except DataError as error:
            return Listing((), (Problem(f"left out shard {shard.name}: {error.message}", error.hint),))
        if bad.total() > NAMED:
            reasons = ", ".join(f"{status}: {count:,}" for status, count in sorted(bad.items()))
            problems.append(Problem(f"left out {bad.total() - NAMED:,} more pairs of {shard.name} ({reasons})"))
        return Listing(tuple(pairs), tuple(problems))

    def views(self, wanted: Sequence[Wanted]) -> list[View | Problem]:
        """The views of pairs; each follows from seed, pass, shard and key, whoever makes it and with what others."""
        return [self._view(one) for one in wanted]

    def _view(self, wanted: Wanted) -> View | Problem:
        pair = wanted.found.pair
        try:
            encoded = pair.load() if isinstance(pair, PlacedPair) else pair
            pixels = load_picture(encoded.image, name=encoded.origin).pixels
        except DataError as error:
            return Problem(f"left out {error.message}", error.hint)
        return self.augmentation(pixels, self._draw(wanted))

    def _draw(self, wanted: Wanted) -> int:
        found = wanted.found
        return draw_of(self.seed, found.turn, self.source.shards[found.shard].name, found.pair.key, wanted.attempt)


def without_missing(source: PairSource) -> tuple[PairSource, int]:
    """A source without those of its archives that are not there, and how many they are: patterns name all of a set."""
    if not isinstance(source, TarPairs):
        return source, 0
    there = tuple(shard for shard in source.shards if Path(shard.source).exists())
    return replace(source, shards=there), len(source.shards) - len(there)


def compressed(source: PairSource) -> bool:
    """Whether pictures cannot be left where they are, so that the pairs of a shard are as large as the shard."""
    return isinstance(source, TarPairs) and any(not shard.source.endswith(".tar") for shard in source.shards)
