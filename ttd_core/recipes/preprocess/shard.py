"""One shard, from its pairs to its score file: the function that every engine runs. Loads no torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ttd_core.data.images import load_picture
from ttd_core.data.pairs import BAD_PICTURE, BAD_ROW, NO_FILE, BadPair, Pair
from ttd_core.data.rows import BadRow
from ttd_core.data.scores import OK, ScoreMetadata, ScoreRow, write_scores
from ttd_core.errors import DataError, ImageError
from ttd_core.recipes.preprocess.job import Finished, Job, Scorer, Task, Unread

AHEAD = 4
"""Pictures under way per decoding thread."""

NAMED = 3
"""Bad pairs of a shard that are named one by one, and the first of every further kind; the others are counted."""

Named = list[tuple[str, str, str | None]]


@dataclass(frozen=True)
class _Ready:
    """A pair on its way: with what the model needs, or with the reason why not."""

    key: str
    caption: str
    prepared: Any = None
    size: tuple[int | None, int | None] = (None, None)
    status: str = OK
    reason: tuple[str, str, str | None] = ("", "", None)


def score_shard(job: Job, scorer: Scorer, task: Task, progress: Callable[[int], None]) -> Finished | Unread:
    """Score one shard and write its file, whole or not at all.

    The scores of a shard depend on the shard, the model and its settings alone. Memory holds a window of pairs,
    whatever the shard's length.

    Args:
        job: the run.
        scorer: the model.
        task: the shard.
        progress: told how many pairs were scored since the last call.

    Raises:
        RunError: the file cannot be written.
        UsageError: memory does not suffice for the pictures.
    """
    named: Named = []
    metadata = ScoreMetadata(scorer.model, scorer.model_sha256, job.data, job.root, scorer.settings)
    path = Path(job.folder) / f"{task.shard.name}.parquet"
    try:
        counts = write_scores(path, _filled(_rows(job, scorer, task, progress, named), task), metadata)
    except DataError as error:
        return Unread(task, error.message, error.hint)
    return Finished(task, counts, tuple(named))


def _filled(rows: Iterator[ScoreRow], task: Task) -> Iterator[ScoreRow]:
    first = next(rows, None)
    if first is None:
        raise DataError(f"shard {task.shard.name} holds no pairs")
    yield first
    yield from rows


def _rows(job: Job, scorer: Scorer, task: Task, progress: Callable[[int], None], named: Named) -> Iterator[ScoreRow]:
    pairs = islice(job.source.read(task.shard), task.limit)
    ready = _ready(pairs, scorer, job.decoders)
    shown: set[str] = set()
    while window := list(islice(ready, max(1, scorer.window))):
        for each in window:
            if each.status != OK and (len(named) < NAMED or each.status not in shown):
                named.append(each.reason)
                shown.add(each.status)
        yield from _scored(scorer, window)
        progress(len(window))


def _scored(scorer: Scorer, window: Sequence[_Ready]) -> Iterator[ScoreRow]:
    good = [each for each in window if each.status == OK]
    scores = iter(scorer.score([each.prepared for each in good], [each.caption for each in good]) if good else ())
    for each in window:
        score = next(scores) if each.status == OK else each.status
        width, height = each.size
        if isinstance(score, str):
            yield ScoreRow(each.key, each.caption, None, width, height, score)
        else:
            yield ScoreRow(each.key, each.caption, score, width, height)


def _ready(pairs: Iterable[Pair | BadRow], scorer: Scorer, threads: int) -> Iterator[_Ready]:
    """The pairs in their order, decoded a few ahead."""
    if not threads:
        yield from (_decode(pair, scorer) for pair in pairs)
        return
    with ThreadPoolExecutor(threads, "decoding") as pool:
        waiting: deque[Any] = deque()
        try:
            for pair in pairs:
                waiting.append(pool.submit(_decode, pair, scorer))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _decode(pair: Pair | BadRow, scorer: Scorer) -> _Ready:
    if isinstance(pair, BadRow):
        key, status = (pair.key, pair.status) if isinstance(pair, BadPair) else (pair.origin, BAD_ROW)
        return _Ready(key, "", status=status, reason=(pair.origin, pair.message, pair.hint))
    try:
        picture = load_picture(pair.image, name=pair.origin if isinstance(pair.image, bytes) else None)
    except ImageError as error:
        missing = isinstance(pair.image, Path) and not pair.image.exists()
        reason = (pair.origin, error.message.removeprefix(f"{pair.origin}: "), error.hint)
        return _Ready(pair.key, pair.caption, status=NO_FILE if missing else BAD_PICTURE, reason=reason)
    height, width = picture.size
    return _Ready(pair.key, pair.caption, scorer.prepare(picture), (width, height))
