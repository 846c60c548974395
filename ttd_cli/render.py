"""Result rows as text, TSV, JSON or JSON Lines.

    text    a small table of the kept tags for people, then the pictures that were made; where nothing was scored, one
            candidate per line
    tsv     a header, then one row per candidate (`tags`, `demo`) or mask (`masks`)
    jsonl   one object per input, skipped inputs as `{"key": ..., "error": ...}`
    json    the same objects, indented: one for a single input, else a list

Which of these is printed, and with which columns, depends on the options alone.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ttd_core.text.clean import printable

Row = Mapping[str, Any]

_TSV_COLUMNS = {
    "tags": ("key", "image", "tag", "score", "selected", "x", "y", "runner_up", "note"),
    "masks": ("key", "image", "tag", "score", "label", "area", "x0", "y0", "x1", "y1"),
}


class Renderer:
    """Turns the rows of one call into lines.

    Args:
        command: `tags`, `masks` or `demo`.
        style: one of `text`, `tsv`, `json`, `jsonl`.
        many: whether the call may have several inputs.
    """

    def __init__(self, command: str, style: str, many: bool) -> None:
        self._command = command
        self._style = style
        self._many = many
        self._printed = 0

    @property
    def answers_all(self) -> bool:
        """Whether skipped inputs have a place in this format."""
        return self._style in ("json", "jsonl")

    def lines(self, row: Row) -> Iterator[str]:
        """The lines of one result row, without line ends."""
        first, self._printed = self._printed == 0, self._printed + 1
        if self._style == "jsonl":
            yield _json(row)
        elif self._style == "json":
            body = _json(row, indent=2)
            yield (("[\n" if first else ",\n") + textwrap.indent(body, "  ")) if self._many else body
        elif self._style == "tsv":
            if first:
                yield self._header()
            yield from self._tsv(row)
        else:
            from ttd_cli.tables import text_lines

            yield from text_lines(row, self._command, self._many)

    def closing(self) -> Iterator[str]:
        """The lines after the last row."""
        if self._style == "json" and self._many:
            yield "]" if self._printed else "[]"
        elif self._style == "tsv" and not self._printed:
            yield self._header()

    def _columns(self) -> tuple[str, ...]:
        return _TSV_COLUMNS["masks" if self._command == "masks" else "tags"]

    def _header(self) -> str:
        return "\t".join(self._columns())

    def _tsv(self, row: Row) -> Iterator[str]:
        for item in row.get("masks" if self._command == "masks" else "candidates", ()):
            values = {"key": row["key"], "image": row.get("image"), **item}
            if isinstance(item.get("box"), (list, tuple)):
                values |= dict(zip(("x0", "y0", "x1", "y1"), item["box"], strict=True))
            yield "\t".join(_cell(values.get(column)) for column in self._columns())


def _json(row: Row, indent: int | None = None) -> str:
    """JSON that any reader accepts: no NaN, and lone surrogates of odd file names and captions as escapes."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(row, ensure_ascii=True, allow_nan=False, indent=indent)
    # U+0085, U+2028 and U+2029 end a line for some readers of JSON Lines
    return text.translate({0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"})


def _cell(value: Any) -> str:
    """One TSV field: empty for absent values, on one line whatever it holds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return printable(str(value))
