"""Pairs of a list (jsonl, csv, tsv, parquet), cut into shards of a fixed number of rows that can be read alone.

Opening a list runs through it once to find where its shards begin: at every `ROWS`-th line, of a CSV at every `ROWS`-th
row, since quoted values may hold line breaks. No row is kept in memory.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from ttd_core.data.files import open_regular, show
from ttd_core.data.inputs import read_samples
from ttd_core.data.lines import read_lines
from ttd_core.data.lists import _CsvLines, _separator, read_csv, read_jsonl, read_tsv
from ttd_core.data.pairs import BAD_NAME, BAD_ROW, NO_CAPTION, NO_PICTURE, BadPair, Pair, PairShard, is_text
from ttd_core.data.parquet import read_parquet
from ttd_core.data.rows import BadRow, Columns, RowError, RowReader
from ttd_core.errors import DataError
from ttd_core.runs import digest_files
from ttd_core.types import Sample

ROWS = 2000
"""Rows of a shard: what an interrupted run may have to do again."""

LISTS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_READERS: dict[str, Callable[[BinaryIO, str, RowReader], Iterator[Sample | BadRow]]] = {
    "jsonl": read_jsonl, "csv": read_csv, "tsv": read_tsv,
}  # fmt: skip
_BLOCK = 1 << 20
# Readers count rows from the start of what they are given; the line in the origin says it better.
_ROW = re.compile(r"^row \d+ (\(from 0\) )?")


@dataclass(frozen=True)
class ListPart:
    """Where a shard lies in its list.

    Args:
        begin, end: bytes, or rows of a parquet file.
        line: number of the line before its first one.
    """

    begin: int
    end: int
    line: int = 0


@dataclass(frozen=True)
class ListPairs:
    """A `PairSource` over the rows of one list; relative picture paths start from `root`.

    Args:
        name: what stands for the list in names.
        path: the list.
        kind: `jsonl`, `csv`, `tsv` or `parquet`.
        root: folder of the pictures; paths do not leave it by `..`.
        columns: names of the columns, where they are not the usual ones.
        header: the line every shard but the first is read behind.
        shards: see `PairSource`.
        rows: how many rows there are, blank lines included.
    """

    name: str
    path: Path
    kind: str
    root: Path
    columns: Columns
    header: bytes
    shards: tuple[PairShard, ...]
    rows: int | None = None

    def digest(self) -> str:
        """What tells other data apart: the content of the list, and where its pictures lie."""
        content = digest_files([self.path]) or ""
        return hashlib.sha256(f"{content} {os.path.realpath(self.root)}".encode("utf-8", "surrogateescape")).hexdigest()

    def read(self, shard: PairShard) -> Iterator[Pair | BadPair]:
        """The rows of a shard in their order; see `PairSource.read`.

        Raises:
            DataError: the list cannot be read.
        """
        part: ListPart = shard.source
        rows = RowReader(self.root, self.columns, need_image=True, need_text=True)
        for item in self._parquet(part, rows) if self.kind == "parquet" else self._lines(part, rows):
            yield _pair(item)

    def _parquet(self, part: ListPart, rows: RowReader) -> Iterator[Sample | BadRow]:
        return read_parquet(self.path, rows, (part.begin, part.end))

    def _lines(self, part: ListPart, rows: RowReader) -> Iterator[Sample | BadRow]:
        prefix = self.header if part.begin else b""
        with open_regular(self.path) as file:
            file.seek(part.begin)
            stream = cast("BinaryIO", _Part(prefix, file, part.end - part.begin))
            found = _READERS[self.kind](stream, show(self.path), rows)
            if prefix and self.kind == "jsonl":
                next(found)  # the prefix, an object without anything in it
            for item in found:
                yield _moved(item, part.line - bool(prefix)) if prefix else item


def open_list(path: Path, root: Path | None = None, columns: Columns | None = None) -> ListPairs:
    """Open a list and find its shards.

    Args:
        path: the list.
        root: folder that relative picture paths start from; None takes the list's own.
        columns: names of the columns, where they are not the usual ones.

    Raises:
        DataError: no list, no rows, or not the columns that are needed.
    """
    kind = LISTS[path.suffix.lower()]
    chosen = columns or Columns()
    # the first row answers for encoding, header and columns
    next(iter(read_samples(path, kind=kind, root=root, columns=chosen, need_image=True, need_text=True)))
    header, rows, parts = (b"", *_cut_parquet(path)) if kind == "parquet" else _cut_lines(path, kind)
    shards = tuple(PairShard(f"{_safe(path.stem)}-{number:05d}", part) for number, part in enumerate(parts))
    return ListPairs(path.stem, path, kind, root or path.parent, chosen, header, shards, rows)


def _safe(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:100] or "list"


def _cut_parquet(path: Path) -> tuple[int, list[ListPart]]:
    import pyarrow.parquet as pq

    with open_regular(path) as stream:
        rows = int(pq.read_metadata(stream).num_rows)
    return rows, [ListPart(begin, min(begin + ROWS, rows)) for begin in range(0, rows, ROWS)]


def _cut_lines(path: Path, kind: str) -> tuple[bytes, int, list[ListPart]]:
    """The header of the later parts, the number of lines with rows, and the parts."""
    header, before = (b"{}\n", 0) if kind == "jsonl" else _header(path)
    starts, rows = _csv_starts(path) if kind == "csv" else (None, None)
    offsets, lines, size = _offsets(path, before, starts)
    ends = [*(offset for offset, _ in offsets[1:]), size]
    return (
        header,
        lines - before if rows is None else rows,
        [ListPart(offset, end, line) for (offset, line), end in zip(offsets, ends, strict=True) if end > offset],
    )


def _header(path: Path) -> tuple[bytes, int]:
    """The first line that is not blank, and its number."""
    with open_regular(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                return line if line.endswith(b"\n") else line + b"\n", number
    raise DataError(f"no rows in {show(path)}")


def _csv_starts(path: Path) -> tuple[Sequence[int], int]:
    """Numbers of the lines behind which a CSV is cut: every `ROWS`-th row begins behind one; and the number of rows."""
    starts: list[int] = []
    with open_regular(path) as stream:
        source = _CsvLines(read_lines(stream, show(path)))
        separator, count = "", 0
        for text in source:
            if isinstance(text, RowError) or not text.strip():
                continue
            if not separator:
                separator = _separator(text)
                continue
            if count and count % ROWS == 0:
                starts.append(source.number - 1)
            count += 1
            if '"' in text:
                source.parse(text, separator)
    return starts, count


def _offsets(path: Path, before: int, starts: Sequence[int] | None) -> tuple[list[tuple[int, int]], int, int]:
    """Where parts begin, as byte and number of the line before; the number of lines, and the bytes of the list.

    Args:
        path: the list.
        before: lines of the header.
        starts: numbers of the lines behind which parts begin; None cuts behind every `ROWS` lines.
    """
    found = [(0, 0)]
    wanted = iter(starts) if starts is not None else iter(range(before + ROWS, 1 << 62, ROWS))
    cut = next(wanted, -1)
    line = offset = 0
    last = b"\n"
    with open_regular(path) as stream:
        while block := stream.read(_BLOCK):
            count, place = block.count(b"\n"), -1
            seen = line
            while 0 <= cut <= line + count and cut > line:
                for _ in range(cut - seen):
                    place = block.index(b"\n", place + 1)
                seen = cut
                found.append((offset + place + 1, cut))
                cut = next(wanted, -1)
            line, offset, last = line + count, offset + len(block), block[-1:]
    return found, line + (last != b"\n"), offset


class _Part:
    """Some bytes, then a stretch of a file, line by line."""

    def __init__(self, prefix: bytes, file: BinaryIO, size: int) -> None:
        self._prefix, self._file, self._left = prefix, file, size

    def readline(self, limit: int) -> bytes:
        if self._prefix:
            line, self._prefix = self._prefix, b""
            return line
        line = self._file.readline(min(limit, self._left))
        self._left -= len(line)
        return line


def _moved(item: Sample | BadRow, lines: int) -> Sample | BadRow:
    """The same row with the line number it has in the whole list."""
    name, _, number = item.origin.rpartition(":")
    return replace(item, origin=f"{name}:{int(number) + lines}")


def _pair(item: Sample | BadRow) -> Pair | BadPair:
    line = "line " + item.origin.rpartition(":")[2]
    if isinstance(item, BadRow):
        message = _ROW.sub("", item.message)
        status = next((status for start, status in _STATUSES if message.startswith(start)), BAD_ROW)
        return BadPair(item.origin, message, item.hint, line, status)
    caption = (item.caption or "").strip()
    if not caption or item.image is None:
        return BadPair(item.origin, "has no caption, expected one", None, item.key, NO_CAPTION)
    if not is_text(item.key):
        return BadPair(item.origin, "its key is no text in UTF-8, expected a plain name", None, line, BAD_NAME)
    return Pair(item.key, caption, item.image, item.origin)


_STATUSES: tuple[tuple[str, Any], ...] = (("has no text", NO_CAPTION), ("has no image", NO_PICTURE))
