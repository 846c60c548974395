"""Bytes -> numbered lines, one at a time and with a bound on their length."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, TextIO

from ttd_core.errors import DataError

MAX_LINE = 16 << 20
"""Longest line in bytes; a longer one is reported and passed over without being held in memory."""

_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_CONTAINERS = (
    (b"\x1f\x8b", "gzip-compressed", "unpack it first: gzip -d"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "export the sheet as CSV"),
    (b"PAR1", "a parquet file", "name it .parquet"),
    (b"\x89PNG", "a picture", "give it with --image"),
    (b"\xff\xd8\xff", "a picture", "give it with --image"),
)


class Line(NamedTuple):
    """One line of a list.

    Args:
        number: counted from 1, blank lines included.
        data: its bytes without the line end and without a byte order mark; None when it was too long.
    """

    number: int
    data: bytes | None


def read_lines(stream: BinaryIO, name: str, limit: int = MAX_LINE) -> Iterator[Line]:
    r"""Split at `\n` only (a JSON string may hold U+2028), as soon as each line arrives.

    Args:
        stream: anything with `readline`; a pipe is read no further than the line handed out.
        name: how messages call it.
        limit: longest line in bytes.

    Raises:
        DataError: when the first line shows another encoding than UTF-8, or no text at all.
    """
    number = 0
    while raw := stream.readline(limit + 1):
        number += 1
        if number == 1:
            _check_text(raw, name)
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) > limit and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(limit + 1)
            yield Line(number, None)
        else:
            yield Line(number, raw.removesuffix(b"\n").removesuffix(b"\r"))


def as_bytes(stream: BinaryIO | TextIO) -> BinaryIO:
    """The byte stream below a text stream such as `sys.stdin`; a stream held in memory is encoded line by line."""
    if not isinstance(stream, io.TextIOBase):
        return stream  # type: ignore[return-value]
    below = getattr(stream, "buffer", None)
    return below if below is not None else _Encoded(stream)  # type: ignore[return-value]


def undecodable(error: UnicodeDecodeError) -> str:
    """Say which byte is no UTF-8."""
    return f"byte 0x{error.object[error.start]:02x} at position {error.start + 1} is not UTF-8"


class _Encoded:
    """A text stream without bytes below it (`io.StringIO`), read as UTF-8 lines."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream

    def readline(self, limit: int = -1) -> bytes:
        return self._stream.readline(limit).encode("utf-8", "surrogatepass")


def _check_text(first: bytes, name: str) -> None:
    for mark, encoding in _ENCODINGS:
        if first.startswith(mark):
            raise _wrong_encoding(name, encoding)
    for magic, what, hint in _CONTAINERS:
        if first.startswith(magic):
            raise DataError(f"{name}: is {what}, expected lines of text in UTF-8", hint)
    head = first[:200]
    # Latin letters in UTF-16 without a byte order mark have every other byte zero.
    if len(head) >= 4 and (not any(head[0:-1:2]) or not any(head[1::2])):
        raise _wrong_encoding(name, "UTF-16 without a byte order mark")


def _wrong_encoding(name: str, encoding: str) -> DataError:
    code = encoding.split()[0].lower()
    return DataError(f"{name}: is encoded in {encoding}, expected UTF-8", f"convert it: iconv -f {code} -t utf-8 FILE")
