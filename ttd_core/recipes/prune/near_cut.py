"""The samples just above and just below the cut, with their captions and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttd_core.data.images import load_picture
from ttd_core.data.pair_sources import open_pairs
from ttd_core.data.pairs import Pair, PairShard, PairSource
from ttd_core.data.rows import Columns
from ttd_core.errors import ImageError, TtdError
from ttd_core.protocols import Reporter
from ttd_core.recipes.prune.columns import Collected, key_order, read_keys
from ttd_core.recipes.prune.ranking import Choice, best_rows, shown
from ttd_core.recipes.prune.scores_run import ScoresRun
from ttd_core.scenes.dataset import SPLITS, make_scene

COUNT = 12
"""How many are shown on either side."""


@dataclass(frozen=True)
class NearSample:
    """A sample close to the cut.

    Args:
        shard, key: where it is.
        caption: as it stands.
        score: its own.
        kept: on which side of the cut.
    """

    shard: str
    key: str
    caption: str
    score: float
    kept: bool


def near_cut(run: ScoresRun, collected: Collected, choice: Choice, count: int = COUNT) -> list[NearSample]:
    """The `count` last samples that are kept and the `count` first that are not, best first.

    Raises:
        DataError: a score file is damaged.
    """
    scores = collected.merged.scores
    above = best_rows(scores, choice.kept, count, worst=True)
    below = best_rows(scores, choice.ranked & ~choice.kept, count)
    rows = [*map(int, above), *map(int, below)]
    texts = _texts(run, collected, rows)
    kept = set(map(int, above))
    return [NearSample(*texts[row], score=shown(scores[row]), kept=row in kept) for row in rows]


def _texts(run: ScoresRun, collected: Collected, rows: Sequence[int]) -> dict[int, tuple[str, str, str]]:
    """Shard, key and caption of some rows; only the shards they are in are read."""
    found = {}
    shards = np.searchsorted(collected.starts, rows, side="right") - 1
    for shard in sorted(set(map(int, shards))):
        file = run.files[shard]
        order = key_order(read_keys(file))
        here = [row for row, other in zip(rows, shards, strict=True) if other == shard]
        places = {int(order[row - int(collected.starts[shard])]): row for row in here}
        begin = 0
        for batch in file.batches(("key", "caption")):
            for place in [place for place in places if begin <= place < begin + len(batch)]:
                key, caption = (batch.column(name)[place - begin].as_py() for name in ("key", "caption"))
                found[places[place]] = (file.shard, str(key), str(caption))
            begin += len(batch)
    return found


def pictures_of(
    samples: Sequence[NearSample], data: str, root: str | None, columns: Columns, report: Reporter
) -> dict[tuple[str, str], np.ndarray]:
    """The pictures of samples by shard and key, as far as they are there; shards are read up to the last one wanted.

    Args:
        samples: whose pictures.
        data: as it was scored.
        root: where it lies.
        columns: a list's columns.
        report: told where there are no pictures.

    Returns:
        H×W×3 uint8 each.
    """
    if data.startswith("scenes:"):
        return _drawn(samples)
    try:
        source = open_pairs(data, None if root is None else Path(root), columns)
        known = {shard.name: shard for shard in source.shards}
    except TtdError as error:
        report.info(f"the samples around the cut are shown without pictures: {error.message}")
        return {}
    pictures: dict[tuple[str, str], np.ndarray] = {}
    names = sorted({sample.shard for sample in samples})
    for name in report.track(names, len(names), "reading pictures around the cut"):
        if name in known:
            wanted = {sample.key for sample in samples if sample.shard == name}
            pictures |= {(name, key): pixels for key, pixels in _pictures(source, known[name], wanted).items()}
    if len(pictures) < len(samples):
        report.info(f"{len(samples) - len(pictures)} of the {len(samples)} pictures around the cut are not there")
    return pictures


def _drawn(samples: Sequence[NearSample]) -> dict[tuple[str, str], np.ndarray]:
    """Scenes are drawn by the number in their key (`train-000012`) rather than looked for among thousands."""
    pictures = {}
    for sample in samples:
        split, _, number = sample.key.rpartition("-")
        if split in SPLITS and number.isdigit() and int(number) < SPLITS[split].length:
            pictures[sample.shard, sample.key] = make_scene(split, int(number)).image
    return pictures


def _pictures(source: PairSource, shard: PairShard, wanted: set[str]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    left = set(wanted)
    with suppress(TtdError):  # a shard that has gone since it was scored: what was found before stays
        for pair in source.read(shard):
            if isinstance(pair, Pair) and pair.key in left:
                left.remove(pair.key)
                with suppress(ImageError):
                    found[pair.key] = load_picture(pair.image, name=pair.origin).pixels
            if not left:
                break
    return found


def to_json(samples: Sequence[NearSample]) -> list[dict[str, Any]]:
    """For `prune.json`."""
    return [
        {"shard": each.shard, "key": each.key, "score": each.score, "kept": each.kept, "caption": each.caption}
        for each in samples
    ]
