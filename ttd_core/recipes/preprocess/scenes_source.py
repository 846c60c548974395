"""`scenes:train` and its siblings as pairs: drawn on the fly, so that the whole way can be gone without any data."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from ttd_core.data.pair_lists import ROWS
from ttd_core.data.pairs import Pair, PairShard
from ttd_core.scenes.dataset import find_split, make_scene


@dataclass(frozen=True)
class ScenesPairs:
    """A `PairSource` over a split of the scenes: each picture with the first of its captions.

    Args:
        split: `train`, `val`, `test` or `hard`.
        shards: runs of scene numbers.
        rows: how many scenes.
    """

    split: str
    shards: tuple[PairShard, ...]
    rows: int

    @property
    def name(self) -> str:
        """What stands for it in names."""
        return f"scenes-{self.split}"

    def digest(self) -> str:
        """What tells other scenes apart."""
        return hashlib.sha256(f"{self.split} {self.rows}".encode()).hexdigest()

    def read(self, shard: PairShard) -> Iterator[Pair]:
        """Draw the scenes of a shard; the picture is a PNG of 96×96, the same bytes every time."""
        first, last = shard.source
        for index in range(first, last):
            scene = make_scene(self.split, index)
            stream = io.BytesIO()
            Image.fromarray(scene.image).save(stream, "PNG", compress_level=1)
            key = f"{self.split}-{index:06d}"
            yield Pair(key, scene.captions[0], stream.getvalue(), f"scenes:{key}")


def open_scenes_pairs(data: str, limit: int | None = None) -> ScenesPairs:
    """Open a split.

    Args:
        data: `scenes:train`, or another split.
        limit: only the first so many scenes.

    Raises:
        UsageError: there is no such split.
    """
    split = data.removeprefix("scenes:")
    length = find_split(split).length
    rows = length if limit is None else min(length, limit)
    cuts = [(first, min(first + ROWS, rows)) for first in range(0, rows, ROWS)]
    shards = tuple(PairShard(f"scenes-{split}-{number:05d}", cut) for number, cut in enumerate(cuts))
    return ScenesPairs(split, shards, rows)
