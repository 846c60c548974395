"""The endless row of passes: every pair once a pass, entered anywhere, counted as it comes."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Sequence

import pytest

from ttd_core.data.pairs import Pair
from ttd_core.data.shuffled_shards import ShuffledShards
from ttd_core.errors import DataError

SIZES = (5, 1, 0, 7, 3, 4)


class Shards:
    """Shards of given sizes that remember when they were read."""

    def __init__(self, sizes: Sequence[int] = SIZES) -> None:
        self.sizes = list(sizes)
        self.asked: list[int] = []

    def __call__(self, number: int) -> list[Pair]:
        self.asked.append(number)
        return [Pair(f"{number}-{row}", "caption", b"", "origin") for row in range(self.sizes[number])]

    def row(self, together: int = 2, seed: int = 0) -> ShuffledShards:
        return ShuffledShards(self, [f"shard-{number}" for number in range(len(self.sizes))], seed, together)


def keys(row: ShuffledShards, places: Sequence[int]) -> list[str]:
    return [row.find(place).pair.key for place in places]


@pytest.mark.parametrize("together", [1, 2, 4, 99])
def test_every_pass_shows_every_pair_once_in_an_order_of_its_own(together: int) -> None:
    row, total = Shards().row(together), sum(SIZES)
    first, second, third = (keys(row, range(turn * total, (turn + 1) * total)) for turn in range(3))
    assert len(set(first)) == total and sorted(first) == sorted(second) == sorted(third)
    assert first != second != third != first
    assert [row.find(place).turn for place in (0, total - 1, total, 3 * total)] == [0, 0, 1, 3]
    assert row.total == total


@pytest.mark.parametrize("place", [0, 3, 19, 20, 21, 55, 1000])
def test_what_stands_at_a_place_does_not_depend_on_the_way_there(place: int) -> None:
    walked = Shards().row()
    keys(walked, range(60))
    assert Shards().row().find(place) == walked.find(place) == Shards().row().find(place)
    assert keys(Shards().row(seed=1), range(20)) != keys(Shards().row(), range(20))


def test_pairs_of_shards_that_are_put_together_are_mixed() -> None:
    found = keys(Shards((50, 50, 50, 50)).row(together=4), range(50))
    assert min(Counter(key.partition("-")[0] for key in found).values()) >= 5
    found = keys(Shards((50, 50, 50, 50)).row(together=1), range(50))
    assert len({key.partition("-")[0] for key in found}) == 1


def test_shards_are_read_as_they_come_and_not_before() -> None:
    shards = Shards()
    row = shards.row()
    assert shards.asked == [] and row.total is None
    row.find(0)
    assert 2 <= len(set(shards.asked)) < len(SIZES) and row.total is None


def test_a_walk_reads_each_shard_once_a_pass() -> None:
    shards = Shards((6,) * 8)
    keys(row := shards.row(), range(48))
    assert Counter(shards.asked) == dict.fromkeys(range(8), 1)
    keys(row, range(48, 96))
    assert Counter(shards.asked) == dict.fromkeys(range(8), 2)


def test_only_the_pairs_of_a_few_shards_are_kept() -> None:
    shards = Shards((6,) * 20)
    row = shards.row()
    alive: list[weakref.ref[Pair]] = []
    for place in range(240):
        alive.append(weakref.ref(row.find(place).pair))
        if place % 12 == 11:
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 2 * 2 * 6  # two groups of two shards


def test_what_comes_next_is_told_beforehand() -> None:
    shards = Shards((6,) * 8)
    row = shards.row()
    for place in range(0, 120, 12):
        expected = list(row.upcoming(place))
        shards.asked.clear()
        row.find(place + 12)
        assert [shard for shard in shards.asked if shard in expected] == expected


def test_another_pair_of_the_same_shards_stands_in_and_in_the_end_none() -> None:
    row = Shards((8, 8)).row()
    first = row.find(3)
    others = [row.find(3, attempt).pair.key for attempt in range(1, 17)]
    assert sorted({*others, first.pair.key}) == sorted(keys(row, range(16)))
    assert others[0] not in keys(row, range(2, 5))
    with pytest.raises(DataError, match="none of 16 pairs"):
        row.find(3, 17)


def test_data_that_change_are_an_error_that_names_the_shard() -> None:
    shards = Shards((4, 4, 4, 4, 4, 4))
    row = shards.row()
    keys(row, range(24))
    shards.sizes = [3] * 6
    with pytest.raises(DataError, match=r"shard-\d: 3 pairs can be read, expected 4"):
        keys(row, range(24, 48))


def test_nothing_to_train_on_is_an_error_and_no_endless_search() -> None:
    for sizes in ((), (0, 0, 0)):
        with pytest.raises(DataError, match="there is no pair to train on"):
            Shards(sizes).row().find(0)
