"""Whatever the user names as input -> a stream of samples and bad rows."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from ttd_core.data.files import kind_of, open_regular, show
from ttd_core.data.folders import read_folder
from ttd_core.data.lines import as_bytes
from ttd_core.data.lists import read_captions, read_csv, read_jsonl, read_tsv
from ttd_core.data.parquet import read_parquet
from ttd_core.data.rows import BadRow, Columns, RowReader
from ttd_core.errors import DataError, UsageError
from ttd_core.types import Sample

__all__ = ["KINDS", "BadRow", "Columns", "read_samples"]

Stream = Iterator[Sample | BadRow]
_LISTS: dict[str, Callable[[BinaryIO, str, RowReader], Stream]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "tsv": read_tsv,
    "txt": read_captions,
}
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "txt",
    ".parquet": "parquet",
    ".pq": "parquet",
}
KINDS = (*_LISTS, "parquet", "folder", "picture")
"""What `kind` may say."""


def read_samples(
    source: str | os.PathLike[str],
    *,
    stdin: BinaryIO | TextIO | None = None,
    kind: str | None = None,
    root: str | os.PathLike[str] | None = None,
    columns: Columns | None = None,
    need_image: bool | None = None,
    need_text: bool | None = None,
    exclude: Collection[Path] = (),
) -> Stream:
    """Open an input and read it row by row; memory does not grow with its length beyond a few bytes a row.

    A list has one sample a row: `image` (relative to the list's folder, on standard input to the working folder),
    `text` or `caption`, `tags`, `id`; all are optional, but what the first row or the header has every row must have.
    Rows that cannot be used come out as `BadRow` in their place. Keys are unique: the `id`, else the picture's path,
    else the line number, with `#2` and so on for repetitions.

    Args:
        source: a folder of pictures, one picture, a list, or `-` for standard input.
        stdin: the stream behind `-`; read line by line as it arrives.
        kind: one of `KINDS`; by default from the file's extension, JSON Lines on standard input. A file with another
            extension, or none, is taken for a picture.
        root: folder that relative picture paths start from, instead of the default above.
        columns: column names of this list.
        need_image: True where every sample needs a picture, False where the column is not looked at.
        need_text: True where every sample needs a caption or tags.
        exclude: folders below a folder that are passed over.

    Returns:
        A stream of samples and bad rows; it raises `DataError` when the list as a whole is no good, and when it ends
        without a single row.

    Raises:
        UsageError: for an unknown kind, or parquet on standard input.
        DataError: when the source does not exist or is no file or folder.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"unknown kind of input {kind!r}, expected one of {', '.join(KINDS)}")
    name, kind = _recognise(source, kind)
    path = Path(source)
    if kind == "folder":
        return _not_empty(read_folder(path, exclude=exclude), f"no pictures in {name}")
    if kind == "picture":
        return iter([Sample(path.name, path, origin=name)])
    start = Path(root) if root is not None else (Path() if os.fspath(source) == "-" else path.parent)
    rows = RowReader(start, columns or Columns(), need_image, need_text)
    if kind == "parquet":
        return _not_empty(read_parquet(path, rows), f"no rows in {name}")
    return _not_empty(_read_list(source, stdin, name, _LISTS[kind], rows), f"no rows in {name}")


def _recognise(source: str | os.PathLike[str], kind: str | None) -> tuple[str, str]:
    """How messages call the source, and its kind."""
    if os.fspath(source) == "-":
        if kind in ("parquet", "folder", "picture"):
            raise UsageError(f"standard input cannot be a {kind}, expected one of {', '.join(_LISTS)}")
        return "standard input", kind or "jsonl"
    name = show(source)
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{name}: {reason.lower()}", "expected a folder, a picture, a list, or - for standard input"
        ) from error
    if stat.S_ISDIR(mode):
        if kind not in (None, "folder"):
            raise DataError(f"{name}: is a folder, expected a {kind} file")
        return name, "folder"
    if not stat.S_ISREG(mode):
        raise DataError(f"{name}: is {kind_of(mode)}, expected a file or folder", "pipe a list in with --input -")
    if kind == "folder":
        raise DataError(f"{name}: is a file, expected a folder")
    return name, kind or _SUFFIXES.get(os.path.splitext(name)[1].lower(), "picture")


def _read_list(
    source: str | os.PathLike[str],
    stdin: BinaryIO | TextIO | None,
    name: str,
    reader: Callable[[BinaryIO, str, RowReader], Stream],
    rows: RowReader,
) -> Stream:
    if os.fspath(source) == "-":
        if stdin is None:
            raise UsageError("no standard input to read from")
        yield from reader(as_bytes(stdin), name, rows)
        return
    with open_regular(source) as stream:
        yield from reader(stream, name, rows)


def _not_empty(rows: Stream, complaint: str) -> Stream:
    """Pass rows on; an input without any is an error, so that nothing finishes well by doing nothing."""
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise DataError(complaint)
