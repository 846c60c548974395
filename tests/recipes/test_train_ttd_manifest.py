"""A pruning of the drawn scenes is what training sees."""

from pathlib import Path

import numpy as np
import pytest

from ttd_core.errors import DataError
from ttd_core.recipes.scenes_pairs import CaptionedPictures, kept_scenes


class Choice:
    """What `ttd_core.data.kept.Kept` says of a pruning."""

    folder = Path("pruned")
    shards = ("scenes-train-00000", "scenes-train-00001")

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def keys(self, shard: str) -> frozenset[str] | None:
        return frozenset(self._keys) if shard == self.shards[0] else None


def test_the_kept_scenes_are_chosen_in_order_and_others_are_not() -> None:
    kept = Choice("train-00007", "train-00002", "train-00400")
    assert kept_scenes(kept, 100) == [2, 7]  # type: ignore[arg-type]
    assert kept_scenes(None, 100) is None
    data = CaptionedPictures(np.arange(10)[:, None, None, None] * np.ones((1, 3, 2, 2)), [(str(i),) for i in range(10)])
    chosen = data.chosen([2, 7])
    assert chosen.captions == [("2",), ("7",)] and chosen.pictures[:, 0, 0, 0].tolist() == [2, 7]


def test_a_pruning_that_keeps_nothing_within_reach_is_said() -> None:
    with pytest.raises(DataError, match="keeps none of the first 100 scenes") as caught:
        kept_scenes(Choice("train-00400"), 100)  # type: ignore[arg-type]
    assert "--scenes" in str(caught.value.hint)
