"""Lists of samples in parquet, read batch by batch. The only module that imports pyarrow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ttd_core.data.files import open_regular, show
from ttd_core.data.rows import NAMES, BadRow, RowError, RowReader, normal_name
from ttd_core.errors import DataError, MissingPackageError
from ttd_core.text.clean import printable
from ttd_core.types import Sample

if TYPE_CHECKING:
    import pyarrow

_BATCH = 256


def read_parquet(
    path: str | os.PathLike[str], rows: RowReader, part: tuple[int, int] | None = None
) -> Iterator[Sample | BadRow]:
    """Rows of a parquet file; their numbers in messages count from 0, as data frames do.

    Captions and paths are text columns, ids text or integers, tags text or lists of text.

    Args:
        path: the file.
        rows: what the rows must hold.
        part: numbers of the first row wanted and of the one after the last; None reads all. Row groups without any of
            them are never decoded.

    Raises:
        DataError: when it is no complete parquet file or its columns are others or of other types.
        MissingPackageError: without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingPackageError("parquet lists need the package pyarrow", "pip install pyarrow") from error
    name = show(path)
    with open_regular(path) as stream:
        try:
            file = pq.ParquetFile(stream)
            names = [column for column in file.schema_arrow.names]
            rows.check_header(names, name)
            used = _used_columns(file.schema_arrow, rows, name)
            first, last = part or (0, file.metadata.num_rows)
            groups, number = _groups(file.metadata, first, last)
            for batch in file.iter_batches(_BATCH, columns=used, row_groups=groups) if groups else ():
                start, number = number, number + len(batch)
                wanted = batch.slice(max(first - start, 0), max(min(last, number) - max(first, start), 0))
                for offset, row in enumerate(wanted.to_pylist(), max(first, start)):
                    yield _sample(row, rows, f"{name}:{offset}", offset)
        except (pa.ArrowException, OSError, EOFError) as error:
            reason = printable(str(error).split("\n", 1)[0])[:160]
            raise DataError(f"{name}: damaged or no parquet file ({reason})", "export the table again") from error


def _groups(metadata: pyarrow.parquet.FileMetaData, first: int, last: int) -> tuple[list[int], int]:
    """The row groups that hold rows first..last-1, and the number of the first row in them."""
    begin = start = 0
    groups: list[int] = []
    for group in range(metadata.num_row_groups):
        end = begin + metadata.row_group(group).num_rows
        if begin < last and end > first:
            start = start if groups else begin
            groups.append(group)
        begin = end
    return groups, start


def _sample(row: dict[str, Any], rows: RowReader, origin: str, number: int) -> Sample | BadRow:
    try:
        return rows.sample({normal_name(key): value for key, value in row.items()}, origin, number)
    except RowError as error:
        return BadRow(origin, f"row {number} (from 0) {error.message}", error.hint)


def _used_columns(schema: pyarrow.Schema, rows: RowReader, source: str) -> list[str]:
    """The columns that are read, with their types checked; all others are never decoded."""
    roles = {name: role for role in NAMES for name in rows.columns.names(role)}
    used = []
    for field in schema:
        role = roles.get(normal_name(field.name))
        if role is None:
            continue
        if not _fits(field.type, role):
            expected = {"id": "text or integers", "tags": "text or lists of text"}.get(role, "text")
            raise DataError(f"{source}: column {printable(field.name)} holds {field.type}, expected {expected}")
        used.append(field.name)
    return used


def _fits(kind: pyarrow.DataType, role: str) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)
    if role == "id":
        return bool(is_text or types.is_integer(kind))
    if role == "tags":
        return bool(is_text or ((types.is_list(kind) or types.is_large_list(kind)) and _fits(kind.value_type, "text")))
    return bool(is_text)
