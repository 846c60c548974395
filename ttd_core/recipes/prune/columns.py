"""Score files to arrays: four columns of every row, without a Python object per row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ttd_core.data.files import show
from ttd_core.data.scores import NOT_FINITE, OK, ScoreFile
from ttd_core.errors import DataError
from ttd_core.recipes.prune.ranking import Merged
from ttd_core.text.clean import printable

if TYPE_CHECKING:
    import pyarrow

    from ttd_core.protocols import Reporter

_DIGITS = 16  # hexadecimal ones of 64 bits
_VALUES = np.full(256, 255, dtype=np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16, dtype=np.uint8)


@dataclass(frozen=True)
class Collected:
    """The rows of all shards: shards by name and within each the rows by key (code points).

    Args:
        merged: their scores and captions.
        starts: where each shard's rows begin, with the number of all rows at the end.
        reasons: how many samples have no score, by reason.
    """

    merged: Merged
    starts: np.ndarray
    reasons: Mapping[str, int]


def collect(files: Sequence[ScoreFile], report: Reporter) -> Collected:
    """Read scores and captions of all shards: 12 bytes a row, and the keys of one shard at a time.

    Raises:
        DataError: a file is damaged, or two samples with a score share a key.
    """
    starts = np.cumsum([0, *(file.rows for file in files)])
    scores = np.empty(starts[-1], dtype=np.float32)
    captions = np.empty(starts[-1], dtype=np.uint64)
    reasons: Counter[str] = Counter()
    for number, file in enumerate(report.track(files, len(files), "reading scores")):
        place = slice(starts[number], starts[number + 1])
        keys = _read(file, scores[place], captions[place], reasons)
        order = key_order(keys)
        _refuse_twice(keys, order[np.isfinite(scores[place][order])], file)
        scores[place] = scores[place][order]
        captions[place] = captions[place][order]
    return Collected(
        Merged(scores, captions), starts, dict(sorted(reasons.items(), key=lambda each: (-each[1], each[0])))
    )


def _read(file: ScoreFile, scores: np.ndarray, captions: np.ndarray, reasons: Counter[str]) -> pyarrow.ChunkedArray:
    """Fill the arrays in reading order and count what has no score; returns the keys."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys, row = [], 0
    for batch in file.batches(("key", "caption_sha256", "score", "status")):
        place = slice(row, row + len(batch))
        status = batch.column("status").fill_null("no status")
        usable = pc.equal(status, OK).to_numpy(zero_copy_only=False)
        values = batch.column("score").fill_null(float("nan")).to_numpy(zero_copy_only=False)
        finite = np.isfinite(values)
        scores[place] = np.where(usable & finite, values, np.float32(np.nan))
        captions[place] = caption_numbers(batch.column("caption_sha256"), file)
        for each in status.filter(pa.array(~usable)).value_counts().to_pylist():
            reasons[each["values"]] += each["counts"]
        if lost := int((usable & ~finite).sum()):
            reasons[NOT_FINITE] += lost
        keys.append(batch.column("key"))
        row += len(batch)
    return pa.chunked_array(keys, type=pa.string())


def caption_numbers(column: pyarrow.Array, file: ScoreFile) -> np.ndarray:
    """Digests as hexadecimal text to N uint64, their first 64 bits.

    Raises:
        DataError: one of them is no digest.
    """
    import pyarrow.compute as pc

    lengths = pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    if (lengths != 64).any():
        raise _no_digest(file)
    _, places, letters = column.buffers()
    if letters is None:
        return np.empty(0, dtype=np.uint64)
    begin = int(np.frombuffer(places, dtype=np.int32)[column.offset])
    text = np.frombuffer(letters, dtype=np.uint8)[begin : begin + 64 * len(column)].reshape(-1, 64)
    # N×16 values of 0..15
    values = _VALUES[text[:, :_DIGITS]]
    if (values > 15).any():
        raise _no_digest(file)
    # N×8 bytes, the most significant first
    pairs = np.ascontiguousarray(values[:, 0::2] << 4 | values[:, 1::2])
    return pairs.view(">u8")[:, 0].astype(np.uint64)


def _no_digest(file: ScoreFile) -> DataError:
    return DataError(
        f"{show(file.path)}: a caption_sha256 is not 64 hexadecimal digits in lower case",
        "make the score files anew with ttd preprocess --overwrite",
    )


def read_keys(file: ScoreFile) -> pyarrow.ChunkedArray:
    """The keys of one shard in reading order."""
    import pyarrow as pa

    return pa.chunked_array([batch.column("key") for batch in file.batches(("key",))], type=pa.string())


def key_order(keys: pyarrow.ChunkedArray) -> np.ndarray:
    """Places in reading order, by key: N int64."""
    import pyarrow.compute as pc

    return np.asarray(pc.sort_indices(keys).to_numpy()).astype(np.int64)


def _refuse_twice(keys: pyarrow.ChunkedArray, order: np.ndarray, file: ScoreFile) -> None:
    """Refuse two samples of one key, since a list of keys could not tell which of them is meant.

    Args:
        keys: of the shard, in reading order.
        order: places of those with a score, by key; what has no score is never kept, whatever its key.
        file: for the message.

    Raises:
        DataError: a key occurs twice.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(order) < 2:
        return
    ordered = keys.take(pa.array(order)).combine_chunks()
    place = pc.index(pc.equal(ordered[1:], ordered[:-1]), True).as_py()
    if place >= 0:
        raise DataError(
            f"{show(file.path)}: the key {printable(ordered[place].as_py())[:80]} occurs twice",
            "keys are unique within a shard: mend the data, then score it anew",
        )
