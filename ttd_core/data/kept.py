"""What `ttd prune` leaves for training: the keys worth keeping, shard by shard, while the data stays where it is.

    prune.json               schema `ttd-manifest`, version 1: data, root, rule, counts, shards with their counts
    kept/<shard>.parquet     key and score of every kept sample, in reading order

`prune.json` is written last: where it is there, the rest is there too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.atomic import atomic_path
from ttd_core.config import canonical_json
from ttd_core.data.files import open_regular, show
from ttd_core.data.rows import Columns
from ttd_core.data.scores import SUFFIX, arrow
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

if TYPE_CHECKING:
    import pyarrow

MANIFEST = "prune.json"
SCHEMA = "ttd-manifest"
VERSION = 1
FOLDER = "kept"
_ENTRY = b"ttd"
_SHARD_NAME = re.compile(r"[A-Za-z0-9._-]+")
_ANEW = "prune again with ttd prune --overwrite"


@dataclass(frozen=True)
class Kept:
    """The samples that a run of `ttd prune` kept; holds no keys, only how many each shard has. Picklable.

    Args:
        folder: of the run.
        data: the data as `--data` of `ttd preprocess` named it.
        root: the folder that `data` is looked up in, None where it needs none.
        columns: those of the list at `data`, where they have names of their own: `image`, `text`, `id`.
        count: kept samples of all shards.
        shards: how many samples each shard keeps, shards with none included.
        sha256: digest of `prune.json`, which names the digests of the scores and the rule: equal for equal choices.
    """

    folder: Path
    data: str
    root: str | None
    columns: Columns
    count: int
    shards: Mapping[str, int] = field(repr=False)
    sha256: str

    def keys(self, shard_name: str) -> frozenset[str] | None:
        """The keys to keep of one shard, read anew at every call; None for a shard that was never scored.

        Raises:
            DataError: the shard's file is gone or damaged, or holds another number of keys than were kept.
        """
        if shard_name not in self.shards:
            return None
        path = self.folder / FOLDER / f"{shard_name}{SUFFIX}"
        keys = _read_keys(path)
        if len(keys) != self.shards[shard_name]:
            raise DataError(
                f"{show(path)}: holds {len(keys)} keys, expected the {self.shards[shard_name]} that {MANIFEST} counts",
                _ANEW,
            )
        return keys


def open_kept(folder: Path) -> Kept:
    """Open what `ttd prune` kept, by the folder of its run.

    Raises:
        DataError: there is no such run, it has not ended, or it is of a version that this release does not know.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise _no_manifest(folder)
    with open_regular(path) as stream:
        text = stream.read()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    values = _checked(found, path)
    shards = {each["shard"]: each["kept"] for each in values["shards"]}
    digest = hashlib.sha256(text).hexdigest()
    return Kept(
        folder,
        values["data"],
        values["root"],
        Columns(**values.get("columns", {})),
        sum(shards.values()),
        shards,
        digest,
    )


def _no_manifest(folder: Path) -> DataError:
    shown = show(folder)
    if not folder.is_dir():
        return DataError(f"{shown}: no such folder", "--manifest takes a folder like runs/prune/RUN")
    if (folder / "preprocess.jsonl").exists():
        return DataError(
            f"{shown}: is a run of ttd preprocess", f"prune it first: ttd prune --scores {shown} --keep 0.7"
        )
    if (folder / "run.yaml").exists():
        hint = f"ttd prune --config {show(folder / 'run.yaml')}"
        return DataError(f"{shown}: the run has not ended: there is no {MANIFEST}", hint)
    return DataError(f"{shown}: holds no run of ttd prune", "--manifest takes a folder like runs/prune/RUN")


def _checked(found: object, path: Path) -> dict[str, Any]:
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise DataError(f"{show(path)}: not written by ttd prune", _ANEW)
    if found.get("version") != VERSION:
        version = printable(str(found.get("version")))[:20]
        raise DataError(f"{show(path)}: {SCHEMA} version {version}, expected {VERSION}", _ANEW)
    shards = found.get("shards")
    columns = found.get("columns", {})
    named = isinstance(found.get("data"), str) and isinstance(found.get("root"), str | None)
    named = named and isinstance(columns, dict) and all(map(_is_column, columns.items()))
    # a name becomes part of a path: nothing but what shards are called
    if not named or not isinstance(shards, list) or not all(map(_is_shard, shards)):
        raise DataError(f"{show(path)}: damaged", _ANEW)
    return found


def _is_column(entry: tuple[str, object]) -> bool:
    return entry[0] in ("image", "text", "id") and isinstance(entry[1], str)


def _is_shard(each: object) -> bool:
    if not isinstance(each, dict):
        return False
    name, kept = each.get("shard"), each.get("kept")
    return isinstance(name, str) and bool(_SHARD_NAME.fullmatch(name)) and type(kept) is int and kept >= 0


def _read_keys(path: Path) -> frozenset[str]:
    pa, pq = arrow()
    keys: set[str] = set()
    with open_regular(path) as stream:
        try:
            for batch in pq.ParquetFile(stream).iter_batches(columns=["key"], use_threads=False):
                keys.update(batch.column(0).to_pylist())
        except (pa.ArrowException, OSError, EOFError) as error:
            reason = printable(str(error).split("\n", 1)[0])[:160]
            raise DataError(f"{show(path)}: damaged or no parquet file ({reason})", _ANEW) from error
    return frozenset(keys)


def write_kept(path: Path, tables: Iterable[pyarrow.RecordBatch]) -> None:
    """Write the kept samples of one shard, whole or not at all.

    Args:
        path: `<run>/kept/<shard name>.parquet`.
        tables: record batches with the columns `key` (string) and `score` (float32), in reading order.

    Raises:
        RunError: the file cannot be written.
    """
    pa, pq = arrow()
    entry = canonical_json({"schema": SCHEMA, "version": VERSION}).encode("ascii")
    schema = pa.schema([("key", pa.string()), ("score", pa.float32())], metadata={_ENTRY: entry})
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_batch(table.cast(schema))
