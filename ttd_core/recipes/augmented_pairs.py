"""Training pairs with views of their pictures made in worker processes, for trainings on shards of anybody's pairs.

A share of a step follows from seed, step and data: however many processes, workers and accumulated parts there are,
they see the same pictures and captions, as does a training that was taken up again. `Ahead` reads the next share while
the present one is computed.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from ttd_core.data.augmentation.views import NONE, Augmentation, View
from ttd_core.data.kept import Kept
from ttd_core.data.pair_views import Listing, PairViews, Problem, Wanted, compressed, without_missing
from ttd_core.data.pairs import PairSource
from ttd_core.data.shuffled_shards import TOGETHER, Found, Reference, ShuffledShards
from ttd_core.errors import DataError
from ttd_core.protocols import Reporter
from ttd_core.recipes.train_ttd_data import PairBatch, places_of
from ttd_core.recipes.worker_pool import Answer, WorkerPool
from ttd_core.training.share import Share

HELD_OUT = 200
"""Pairs kept apart for validation, at most a tenth of the shards they are taken from."""
NAMED_PICTURES = 20
"""Pictures that are named one by one where they cannot be used."""
_CHUNK = 8
"""Views that a worker makes at a time: few, so that all are busy to the end of a share."""


@dataclass(frozen=True)
class ViewBatch:
    """Views that are looked at together, and their captions."""

    views: Sequence[View]
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)


class AugmentedPairs:
    """Pairs of shards in the order of `ShuffledShards`, their pictures augmented.

    What cannot be read costs what it is: archives of a pattern that are not there, damaged shards, samples without a
    caption, pictures that cannot be decoded. The reporter is told once of each; the place of such a picture is taken
    by another pair of the same shards.

    Args:
        source: the shards.
        kept: what pruning left of them; None takes all.
        augmentation: makes the views.
        batch: pairs per step.
        seed: of orders and views.
        report: told of what is left out.
        workers: processes that make views; 0 makes them here.

    Raises:
        DataError: not one of the archives is there, or the only one cannot be read.
    """

    def __init__(
        self, source: PairSource, kept: Kept | None, augmentation: Augmentation, batch: int, seed: int,
        report: Reporter, workers: int = 0,
    ) -> None:  # fmt: skip
        self._source, missing = without_missing(source)
        self._batch, self._report = batch, report
        self._names = [shard.name for shard in self._source.shards]
        if missing:
            report.warning(f"{missing:,} of {missing + len(self._names):,} archives are missing and left out")
        packed = compressed(source)
        views = PairViews(self._source, kept, augmentation, seed)
        self._pool = WorkerPool(views, workers, "--workers 1")
        # the pairs of a compressed archive are as large as it: they are not sent from process to process
        self._lists = WorkerPool(views, 0, "") if packed else self._pool
        self._ahead = workers > 0 and not packed
        self._listings: dict[int, Answer] = {}
        self._unusable: set[str] = set()
        self._told: set[str] = set()
        self._few_told = False
        self._apart: dict[int, frozenset[str]] = {}
        self.held_out = self._keep_apart(replace(views, augmentation=replace(augmentation, kind=NONE)))
        together = 1 if packed else TOGETHER
        self._row = ShuffledShards(self._pairs, self._names, seed, together, self._ask_for if self._ahead else None)

    def __enter__(self) -> AugmentedPairs:
        """The pairs, whose processes end with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        self.close()

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    @property
    def total(self) -> int | None:
        """Pairs to train on; None until all shards have been counted, which the first pass does."""
        return self._row.total

    def digest(self) -> str:
        """What tells other data apart: the names of the shards that are there."""
        return hashlib.sha256("\n".join(self._names).encode()).hexdigest()

    def share(self, step: int, share: Share) -> ViewBatch:
        """A share of the batch of a step.

        Raises:
            DataError: there is not a single pair, or a shard changed since it was first read.
            RunError: a worker died.
        """
        places = places_of(step, self._batch, share)
        self._tell_few(places[-1])
        wanted = [Wanted(self._row.find(place)) for place in places]
        answers = [self._pool.ask("views", wanted[row : row + _CHUNK]) for row in range(0, len(wanted), _CHUNK)]
        if self._ahead:
            self._look_ahead(places[-1])
        found: list[View | Problem] = [view for answer in answers for view in answer.get()]
        views: list[View] = []
        captions: list[str] = []
        for place, one, view in zip(places, wanted, found, strict=True):
            while isinstance(view, Problem):
                self._tell_unusable(one, view)
                one = Wanted(self._row.find(place, one.attempt + 1), one.attempt + 1)
                view = self._pool.ask("views", [one]).get()[0]
            views.append(view)
            captions.append(one.found.pair.caption)
        return ViewBatch(views, tuple(captions))

    def _keep_apart(self, squares: PairViews) -> PairBatch:
        """Draw pairs by their names alone; with many shards from a few of them, since all others are counted later."""
        chosen = heapq.nsmallest(TOGETHER, range(len(self._names)), key=lambda number: _digest(self._names[number]))
        if self._ahead:
            self._ask_for(chosen)
        pairs = [(number, pair) for number in chosen for pair in self._pairs(number)]
        pairs = heapq.nsmallest(
            min(HELD_OUT, len(pairs) // 10), pairs, key=lambda one: _digest(f"{self._names[one[0]]}/{one[1].key}")
        )
        for number in chosen:
            self._apart[number] = frozenset(pair.key for shard, pair in pairs if shard == number)
        pictures, captions = [], []
        for number, pair in pairs:
            (view,) = squares.views([Wanted(Found(0, number, pair))])
            if isinstance(view, View):
                pictures.append(view.pixels)
                captions.append(pair.caption)
        side = squares.augmentation.side
        empty = np.empty((0, 3, side, side), dtype=np.uint8)
        return PairBatch(np.stack(pictures) if pictures else empty, tuple(captions))

    def _pairs(self, number: int) -> Sequence[Reference]:
        listing: Listing = (self._listings.pop(number, None) or self._lists.ask("pairs_of", number)).get()
        for problem in listing.problems:
            if problem.message.startswith("left out shard") and len(self._names) == 1:
                raise DataError(problem.message.removeprefix(f"left out shard {self._names[0]}: "), problem.hint)
            if problem.message not in self._told:
                self._told.add(problem.message)
                self._report.warning(problem.message, problem.hint)
        apart = self._apart.get(number)
        return [pair for pair in listing.pairs if pair.key not in apart] if apart else listing.pairs

    def _ask_for(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number not in self._listings:
                self._listings[number] = self._lists.ask("pairs_of", number)

    def _look_ahead(self, place: int) -> None:
        """Have one of the shards read that come next: all at once would keep all workers from making views."""
        if all(answer.here for answer in self._listings.values()):
            self._ask_for([number for number in self._row.upcoming(place) if number not in self._listings][:1])

    def _tell_few(self, place: int) -> None:
        """Say once that a batch shows pairs several times, which then count as each other's wrong counterparts."""
        self._row.find(place)
        total = self.total
        if total is not None and total < self._batch and not self._few_told:
            self._few_told = True
            self._report.warning(
                f"{total:,} pairs to train on are fewer than the batch of {self._batch:,}: it shows some twice",
                hint=f"--batch-size {total} or less" if total > 1 else "a training needs many pairs",
            )

    def _tell_unusable(self, wanted: Wanted, problem: Problem) -> None:
        """Name a picture once, and not more of them than anybody reads."""
        which = f"{wanted.found.shard}/{wanted.found.pair.key}"
        if which in self._unusable or len(self._unusable) > NAMED_PICTURES:
            return
        self._unusable.add(which)
        if len(self._unusable) <= NAMED_PICTURES:
            self._report.warning(problem.message, problem.hint)
        else:
            self._report.warning(
                "left out further pictures, which are not named any more",
                hint="ttd preprocess counts them all, and ttd prune drops them",
            )


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
