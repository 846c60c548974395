"""Training scenes in memory, kept in a cache folder between runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttd_core.data.kept import Kept
from ttd_core.errors import DataError
from ttd_core.protocols import Reporter
from ttd_core.scenes.cache import open_split
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.dataset import CHUNK, SceneBatch, generate_split

MOST_SCENES = 30_000
"""Scenes of a pruned set that are drawn unless more are asked for."""


@dataclass(frozen=True)
class CaptionedPictures:
    """Generated pictures and their captions; no tags, no masks.

    Args:
        pictures: N×3×S×S uint8.
        captions: the captions of each picture.
    """

    pictures: np.ndarray
    captions: list[tuple[str, ...]]

    def chosen(self, rows: Sequence[int]) -> CaptionedPictures:
        """Some of them, by number."""
        return CaptionedPictures(self.pictures[list(rows)], [self.captions[row] for row in rows])


def kept_scenes(kept: Kept | None, most: int) -> list[int] | None:
    """Numbers of the scenes that a pruning kept, ascending, below `most`; None where nothing was pruned.

    Args:
        kept: of `scenes:train`.
        most: scenes that may be drawn.

    Raises:
        DataError: none of them is left.
    """
    if kept is None:
        return None
    keys = (key for shard in kept.shards for key in kept.keys(shard) or ())
    rows = sorted(row for key in keys if (row := int(key.rpartition("-")[2])) < most)
    if not rows:
        raise DataError(f"{kept.folder} keeps none of the first {most} scenes", "raise --scenes, or prune less")
    return rows


def training_scenes(
    count: int, size: int, style: CaptionStyle, workers: int, cache: Path | None, report: Reporter
) -> CaptionedPictures:
    """Make the first `count` scenes of `scenes:train`, or read them from a cache.

    Args:
        count: number of scenes.
        size: picture side in pixels.
        style: how much the captions lie.
        workers: generating processes.
        cache: folder that keeps scenes for later runs; None keeps nothing.
        report: told about progress.
    """
    if cache is not None:
        batch = open_split(cache, "train", size, count, workers, style, report)
        return _collect([batch], count, size)
    batches = generate_split("train", size, 0, count, workers, style)
    return _collect(report.track(batches, -(-count // CHUNK), "drawing scenes:train"), count, size)


def _collect(batches: Iterable[SceneBatch], count: int, size: int) -> CaptionedPictures:
    pictures = np.empty((count, 3, size, size), dtype=np.uint8)
    captions: list[tuple[str, ...]] = []
    for batch in batches:
        # N×S×S×3 -> N×3×S×S
        pictures[batch.start : batch.start + len(batch)] = batch.images.transpose(0, 3, 1, 2)
        captions += batch.captions
    return CaptionedPictures(pictures, captions)
