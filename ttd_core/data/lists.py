"""Lists of samples as text: JSON Lines, CSV, TSV and plain captions. One row is in memory at a time."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ttd_core.data.lines import MAX_LINE, Line, read_lines, undecodable
from ttd_core.data.rows import BadRow, RowError, RowReader, normal_name
from ttd_core.errors import DataError
from ttd_core.text.clean import printable
from ttd_core.types import Sample

_TOO_LONG = f"is longer than {MAX_LINE >> 20} MiB, expected one sample"
_ARRAY_HINT = "turn it into lines: jq -c '.[]' FILE.json > FILE.jsonl"


def read_jsonl(stream: BinaryIO, name: str, rows: RowReader) -> Iterator[Sample | BadRow]:
    """One JSON object a line. Of a key that is given twice the last value counts; `NaN` is let pass.

    Args:
        stream: the bytes.
        name: how messages call the list.
        rows: what the rows must hold.

    Raises:
        DataError: when the file as a whole is one JSON document, or in another encoding.
    """
    first = True
    for line in read_lines(stream, name):
        text = _decode(line)
        if isinstance(text, str) and not text.strip():
            continue
        origin = f"{name}:{line.number}"
        try:
            if isinstance(text, RowError):
                raise text
            yield rows.sample(_json_object(text, name, first), origin, line.number)
        except RowError as error:
            yield BadRow(origin, error.message, error.hint)
        first = False


def read_captions(stream: BinaryIO, name: str, rows: RowReader) -> Iterator[Sample | BadRow]:
    """One caption a line; blank lines are passed over.

    Args:
        stream: the bytes.
        name: how messages call the list.
        rows: what the rows must hold.
    """
    for line in read_lines(stream, name):
        text = _decode(line)
        if isinstance(text, str) and not text.strip():
            continue
        origin = f"{name}:{line.number}"
        try:
            if isinstance(text, RowError):
                raise text
            yield rows.sample({rows.columns.names("text")[0]: text}, origin, line.number)
        except RowError as error:
            yield BadRow(origin, error.message, error.hint)


def read_tsv(stream: BinaryIO, name: str, rows: RowReader) -> Iterator[Sample | BadRow]:
    """A header, then values between tabs. Quotes are plain characters, so a value holds no tab or line break.

    Args:
        stream: the bytes.
        name: how messages call the list.
        rows: what the rows must hold.

    Raises:
        DataError: when the header does not name the columns.
    """
    header: list[str] | None = None
    count = 0
    for line in read_lines(stream, name):
        text = _decode(line)
        if isinstance(text, str) and not text.strip():
            continue
        if header is None:
            header = _header(text, "\t", name, rows)
            continue
        count += 1
        yield _table_row(
            text if isinstance(text, RowError) else text.split("\t"), header, rows, name, line.number, count
        )


def read_csv(stream: BinaryIO, name: str, rows: RowReader) -> Iterator[Sample | BadRow]:
    """A header, then values between commas, or semicolons where the header has them; quotes as in RFC 4180.

    A quote that is never closed spoils its own line only: the lines behind it are read again without it.

    Args:
        stream: the bytes.
        name: how messages call the list.
        rows: what the rows must hold.

    Raises:
        DataError: when the header does not name the columns.
    """
    source = _CsvLines(read_lines(stream, name))
    header: list[str] | None = None
    separator = ","
    count = 0
    for text in source:
        if not isinstance(text, RowError) and not text.strip():
            continue
        if header is None:
            separator = _separator(text)
            header = _header(text, separator, name, rows)
            continue
        count += 1
        values = text if isinstance(text, RowError) else source.parse(text, separator)
        yield _table_row(values, header, rows, name, source.number, count)


class _CsvLines:
    """Decoded lines with a memory of those that the present row swallowed, so that they can be given back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._row: list[Line] = []

    @property
    def number(self) -> int:
        """Line on which the present row begins."""
        return self._row[0].number

    def __iter__(self) -> Iterator[str | RowError]:
        while True:
            self._row = []
            if (text := self._next()) is None:
                return
            yield text

    def parse(self, text: str, separator: str) -> list[str] | RowError:
        """Read one row that begins with `text` and may go on over further lines."""
        reader = csv.reader(self._continued(text), delimiter=separator, strict=True)
        try:
            return next(reader)
        except csv.Error as error:
            several = len(self._row) > 1
            self._again.extendleft(reversed(self._row[1:]))
            del self._row[1:]
            return RowError(_csv_reason(error, several), 'a value that holds a quote is written "like ""this"" one"')

    def _continued(self, text: str) -> Iterator[str]:
        yield text + "\n"
        while (following := self._next()) is not None:
            if isinstance(following, RowError):
                raise csv.Error(following.message)
            yield following + "\n"

    def _next(self) -> str | RowError | None:
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            return None
        self._row.append(line)
        return _decode(line)


def _table_row(
    values: Sequence[str] | RowError, header: Sequence[str], rows: RowReader, name: str, line: int, count: int
) -> Sample | BadRow:
    origin = f"{name}:{line}"
    try:
        if isinstance(values, RowError):
            raise values
        if len(values) != len(header):
            raise RowError(f"has {len(values)} values, expected {len(header)}: {', '.join(map(printable, header))}")
        return rows.sample(dict(zip(header, values, strict=True)), origin, line)
    except RowError as error:
        return BadRow(origin, f"row {count} {error.message}", error.hint)


def _header(text: str | RowError, separator: str, name: str, rows: RowReader) -> list[str]:
    if isinstance(text, RowError):
        raise DataError(f"{name}: the header {text.message}", text.hint)
    names = next(csv.reader([text], delimiter=separator)) if separator != "\t" else text.split("\t")
    rows.check_header(names, name)
    return [normal_name(column) for column in names]


def _separator(header: str | RowError) -> str:
    text = header if isinstance(header, str) else ""
    return max(",;\t", key=text.count)


def _decode(line: Line) -> str | RowError:
    if line.data is None:
        return RowError(_TOO_LONG)
    try:
        return line.data.decode("utf-8")
    except UnicodeDecodeError as error:
        return RowError(f"is not text: {undecodable(error)}", "convert the list: iconv -f latin1 -t utf-8 FILE")


def _json_object(text: str, name: str, first: bool) -> dict[str, object]:
    if first and text.strip() in ("[", "{", "[{"):
        raise DataError(f"{name}: is one JSON document over several lines, expected one object a line", _ARRAY_HINT)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise RowError(
            f"is not JSON: {error.msg} (character {error.pos + 1})",
            'expected {"image": …, "text": …}'
            + (", or plain captions with --text -" if name == "standard input" else ""),
        ) from error
    except RecursionError as error:
        raise RowError("is nested too deeply, expected one flat JSON object") from error
    except ValueError as error:  # a number with more digits than Python converts
        raise RowError("holds a number that is too long, expected one flat JSON object") from error
    if isinstance(value, dict):
        return {normal_name(key): item for key, item in value.items()}
    if first and isinstance(value, list) and value and isinstance(value[0], dict):
        raise DataError(f"{name}: is one JSON array, expected one object a line", _ARRAY_HINT)
    kind = "an array" if isinstance(value, list) else "a single value"
    raise RowError(f"is {kind}, expected a JSON object", 'expected {"image": …, "text": …}')


def _csv_reason(error: csv.Error, several: bool) -> str:
    reason = str(error)
    if "field limit" in reason:
        return f"has a value of more than {csv.field_size_limit():,} characters, or a quote that is never closed"
    return "opens a quote that is never closed" if several or "unexpected end" in reason else f"is not CSV: {reason}"
