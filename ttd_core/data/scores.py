"""Score files: how well the captions of a shard fit their pictures. `ttd preprocess` writes them, `ttd prune` reads.

One parquet file per shard, rows in reading order:

    key             string   the pair's key, unique within the shard
    caption         string   as it stands
    caption_sha256  string   SHA-256 of the caption's UTF-8 with runs of blanks collapsed, case kept: 64 hex digits
    score           float32  null unless the status is `ok`
    width, height   int32    of the picture in pixels, null where it could not be opened
    status          string   `ok`, or the reason why there is no score; reasons recur, so that they can be counted

The file's metadata holds one entry `ttd`, JSON: schema name and version, and what all files of a run share. Files are
written and read by record batches, so a shard may be larger than memory.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.atomic import atomic_path
from ttd_core.config import canonical_json
from ttd_core.data.files import open_regular, show
from ttd_core.errors import DataError, MissingPackageError
from ttd_core.text.clean import printable

if TYPE_CHECKING:
    import pyarrow

SCHEMA = "ttd-scores"
VERSION = 1
OK = "ok"
NOT_FINITE = "score is not finite"
SUFFIX = ".parquet"
_ENTRY = b"ttd"
_BATCH = 8192
_COLUMNS = (
    ("key", "string"), ("caption", "string"), ("caption_sha256", "string"), ("score", "float"),
    ("width", "int32"), ("height", "int32"), ("status", "string"),
)  # fmt: skip
"""Names and types as pyarrow spells them; `float` is its float32."""


@dataclass(frozen=True)
class ScoreRow:
    """What became of one pair.

    Args:
        key: of the pair, unique within its shard.
        caption: as it stands.
        score: similarity of picture and caption; None where there is none.
        width, height: of the picture in pixels; None where it could not be opened.
        status: `ok`, or a reason without names or numbers in it.
    """

    key: str
    caption: str
    score: float | None
    width: int | None = None
    height: int | None = None
    status: str = OK


@dataclass(frozen=True)
class ScoreMetadata:
    """What all score files of one run share; files that differ in it are not merged.

    Args:
        model: name of the model.
        model_sha256: digest of its weights, adapters included; None where it has none (made-up scores).
        data: the data as `--data` names it.
        root: the folder that `data` is looked up in, None where it needs none.
        settings: what else changes scores (size, scales, flip), in one spelling.
    """

    model: str
    model_sha256: str | None
    data: str
    root: str | None = None
    settings: str = ""


def caption_digest(caption: str) -> str:
    """The name under which equal captions meet: SHA-256 in 64 hex digits; runs of blanks collapsed, case kept."""
    return hashlib.sha256(" ".join(caption.split()).encode("utf-8", "backslashreplace")).hexdigest()


def write_scores(path: Path, rows: Iterable[ScoreRow], metadata: ScoreMetadata) -> dict[str, int]:
    """Write one score file, whole or not at all; equal rows and metadata give equal bytes.

    Rows are taken one batch at a time. An `ok` row whose score is NaN or infinite is stored without a score, with the
    status `score is not finite`. Half character pairs, which UTF-8 cannot hold, are escaped.

    Args:
        path: `<folder>/<shard name>.parquet`.
        rows: in reading order.
        metadata: of the run.

    Returns:
        How many rows have each status.

    Raises:
        RunError: the file cannot be written.
        MissingPackageError: without pyarrow.
    """
    pa, pq = arrow()
    entry = canonical_json({"schema": SCHEMA, "version": VERSION, **asdict(metadata)}).encode("ascii")
    kinds = {"string": pa.string(), "float": pa.float32(), "int32": pa.int32()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in _COLUMNS], metadata={_ENTRY: entry})
    counts: dict[str, int] = {}
    source = iter(rows)
    # one batch of rows is one row group, so the bytes depend on the rows alone
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while batch := list(islice(source, _BATCH)):
            columns = _columns(batch)
            for status in columns[-1]:
                counts[status] = counts.get(status, 0) + 1
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return counts


def _columns(rows: Sequence[ScoreRow]) -> list[list[Any]]:
    """The columns of some rows, in the order of the schema."""
    finite = [row.score is not None and math.isfinite(row.score) for row in rows]
    statuses = [
        NOT_FINITE if row.status == OK and not has else row.status for row, has in zip(rows, finite, strict=True)
    ]
    scores = [row.score if status == OK else None for row, status in zip(rows, statuses, strict=True)]
    return [
        [_storable(row.key) for row in rows],
        [_storable(row.caption) for row in rows],
        [caption_digest(row.caption) for row in rows],
        scores,
        [row.width for row in rows],
        [row.height for row in rows],
        [_storable(status) for status in statuses],
    ]


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class ScoreFile:
    """A score file whose schema has been checked; nothing of its rows is in memory.

    Args:
        path: where it lies.
        shard: the shard's name, the file's stem.
        metadata: of the run that wrote it.
        rows: how many it has.
    """

    path: Path
    shard: str
    metadata: ScoreMetadata
    rows: int

    def batches(self, columns: Sequence[str], size: int = 65536) -> Iterator[pyarrow.RecordBatch]:
        """Some columns, in reading order, one record batch of at most `size` rows at a time.

        Raises:
            DataError: the file is damaged.
        """
        pa, pq = arrow()
        with open_regular(self.path) as stream:
            try:
                yield from pq.ParquetFile(stream).iter_batches(size, columns=list(columns), use_threads=False)
            except (pa.ArrowException, OSError, EOFError) as error:
                raise _damaged(self.path, error) from error


def open_scores(path: Path) -> ScoreFile:
    """Open a score file and check that it is one.

    Raises:
        DataError: it is damaged, no score file, or of a version that this release does not know.
        MissingPackageError: without pyarrow.
    """
    pa, pq = arrow()
    with open_regular(path) as stream:
        try:
            footer = pq.read_metadata(stream)
            schema = footer.schema.to_arrow_schema()
        except (pa.ArrowException, OSError, EOFError) as error:
            raise _damaged(path, error) from error
    entry = _entry(path, schema)
    for name, kind in _COLUMNS:
        position = schema.get_field_index(name)
        found = "none" if position < 0 else str(schema.field(position).type)
        if found != kind:
            raise DataError(f"{show(path)}: column {name} holds {found}, expected {kind}", _ANEW)
    return ScoreFile(path, path.stem, _metadata(path, entry), int(footer.num_rows))


_ANEW = "make the score files anew with ttd preprocess --overwrite"


def _entry(path: Path, schema: pyarrow.Schema) -> dict[str, Any]:
    try:
        entry = json.loads((schema.metadata or {})[_ENTRY])
    except (KeyError, ValueError):
        entry = None
    if not isinstance(entry, dict) or entry.get("schema") != SCHEMA:
        raise DataError(f"{show(path)}: no score file of ttd preprocess", "--scores takes the folder of such a run")
    if entry.get("version") != VERSION:
        raise DataError(
            f"{show(path)}: {SCHEMA} version {printable(str(entry.get('version')))[:20]}, expected {VERSION}",
            "it was made by another release of ttd; make the score files anew with this one",
        )
    return entry


def _metadata(path: Path, entry: dict[str, Any]) -> ScoreMetadata:
    optional = ("model_sha256", "root")
    for name in ("model", "model_sha256", "data", "root", "settings"):
        value = entry.get(name)
        if not isinstance(value, str) and not (value is None and name in optional):
            raise DataError(f"{show(path)}: its metadata holds no {name}", _ANEW)
    return ScoreMetadata(entry["model"], entry["model_sha256"], entry["data"], entry["root"], entry["settings"])


def _damaged(path: Path, error: Exception) -> DataError:
    reason = printable(str(error).split("\n", 1)[0])[:160]
    return DataError(f"{show(path)}: damaged or no parquet file ({reason})", _ANEW)


def arrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`, loaded where files are read or written and not before.

    Raises:
        MissingPackageError: they are not there.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingPackageError("score files need the package pyarrow", "pip install pyarrow") from error
    return pa, pq
