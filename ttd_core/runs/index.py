"""The list of what became of the inputs: JSON Lines, appended to line by line and read back when asked.

    {"tags": [...], ..., "key": "a.png", "position": 0}     a finished input; its products are on disk
    {"key": "list.jsonl:2", "error": "...", "position": 1}  one that could not be answered, to be tried again

`position` is the place in the input. The last line of an interrupted run may be torn; it is ignored and cut off, and
its row done again. Rows are not held in memory, only where they begin.
"""

from __future__ import annotations

import heapq
import json
import os
import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ttd_core.atomic import write_error
from ttd_core.errors import RunError
from ttd_core.runs.offsets import Offsets

SYNC_SECONDS = 0.5
"""How much of the newest work a power cut may take; a killed process loses none of it."""


def read_lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The whole lines of an index, in order; none if the file does not exist.

    Yields:
        The bytes where a line begins and ends, and its row.

    Raises:
        RunError: a line that is not the last one is no row, or the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            begin = 0
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    return
                yield begin, begin + len(line), _row(line, path, number)
                begin += len(line)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"cannot read {path}: {(error.strerror or 'unreadable').lower()}") from error


class Index:
    """An index opened for appending; its folder is locked by the caller.

    Args:
        path: the file; created if missing.

    Attributes:
        done: how many inputs are finished.

    Raises:
        RunError: the file cannot be opened, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = Offsets()
        self._begins, self._positions = array("Q"), array("Q")  # of finished inputs, in the order of the file
        self._skipped: dict[int, int] = {}  # position -> where the line begins
        self._ordered = True
        self._next = 0
        self._end = 0
        self._synced = 0.0
        for begin, end, row in read_lines(path):
            self._remember(row, begin)
            self._end = end
        try:
            self._stream: IO[bytes] = path.open("ab")
            if path.stat().st_size > self._end:
                os.truncate(path, self._end)
        except OSError as error:
            raise write_error(path, error) from error

    @property
    def done(self) -> int:
        """How many inputs are finished."""
        return len(self._begins)

    def find(self, key: str) -> dict[str, Any] | None:
        """The row of a finished input, or None."""
        begin = self._keys.get(key)
        if begin is None:
            return None
        with self._open() as stream:
            row = self._at(stream, begin)
        return row if row["key"] == key else None

    def rows(self, skipped: bool = False) -> Iterator[dict[str, Any]]:
        """Rows by position, read as they are asked for: the finished ones, and on demand those skipped so far."""
        count = range(self.done)
        order = count if self._ordered else sorted(count, key=self._positions.__getitem__)
        places = ((self._positions[i], self._begins[i]) for i in order)
        merged = heapq.merge(places, sorted(self._skipped.items())) if skipped else places
        with self._open() as stream:
            for _, begin in merged:
                yield self._at(stream, begin)

    def append(self, row: Mapping[str, Any], position: int | None = None) -> None:
        """Hand one row to the operating system, and at most every `SYNC_SECONDS` wait until all are on disk.

        Args:
            row: with its `key`; one with an `error` is an input that was skipped.
            position: place in the input, by default after all others.

        Raises:
            RunError: the disk is full or gone; the rows before this one are kept.
        """
        row = {**row, "position": self._next if position is None else position}
        line = json.dumps(row, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        if "error" in row and self._known_as_skipped(row):
            return
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            raise write_error(self._path, error) from error
        self._remember(row, self._end)
        self._end += len(line)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Wait until every row is on disk.

        Raises:
            RunError: the disk is full or gone.
        """
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise write_error(self._path, error) from error
        self._synced = time.monotonic()

    def close(self) -> None:
        """Release the file. What could not be written was reported by `append`."""
        if not self._stream.closed:
            with suppress(OSError, RunError):
                self.sync()
            with suppress(OSError):
                self._stream.close()

    def _remember(self, row: Mapping[str, Any], begin: int) -> None:
        position = row.get("position", self._next)
        self._next = max(self._next, position + 1)
        if "error" in row:
            self._skipped[position] = begin
            return
        self._skipped.pop(position, None)
        self._ordered &= not self._positions or self._positions[-1] < position
        self._keys.add(row["key"], begin)
        self._begins.append(begin)
        self._positions.append(position)

    def _known_as_skipped(self, row: Mapping[str, Any]) -> bool:
        """Whether a row fails in the same words as in the run before: no reason to write that down again."""
        begin = self._skipped.get(row["position"])
        if begin is None:
            return False
        with self._open() as stream:
            return {**self._at(stream, begin), "position": row["position"]} == row

    def _open(self) -> IO[bytes]:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise RunError(f"cannot read {self._path}: {(error.strerror or 'unreadable').lower()}") from error

    def _at(self, stream: IO[bytes], begin: int) -> dict[str, Any]:
        """The row that begins at a byte, without what only the index needs."""
        stream.seek(begin)
        row = _row(stream.readline(), self._path, None)
        row.pop("position", None)
        return row


def _row(line: bytes, path: Path, number: int | None) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    position = row.get("position", 0) if isinstance(row, dict) else None
    whole = isinstance(position, int) and not isinstance(position, bool) and 0 <= position < 1 << 63
    if not isinstance(row, dict) or not isinstance(row.get("key"), str) or not whole:
        where = str(path) if number is None else f"{path}, line {number}"
        raise RunError(f"{where}: damaged", hint="start the run anew with --overwrite")
    return row
