"""The list of finished work: JSON Lines, appended to and synchronised line by line.

A line is the promise that its row's products are on disk. The last line of an interrupted run may be torn; it is
ignored and cut off, and its row done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ttd_core.atomic import write_error
from ttd_core.errors import RunError


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The whole lines of an index, in order; none if the file does not exist.

    Raises:
        RunError: a line that is not the last one is not JSON, or the file cannot be read.
    """
    rows, _ = _parse(path)
    return rows


class Index:
    """An index opened for appending; one process at a time.

    Args:
        path: the file; created if missing.

    Raises:
        RunError: the file cannot be opened, is damaged, or another process is writing to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._stream: IO[bytes] = path.open("ab")
        except OSError as error:
            raise write_error(path, error) from error
        try:
            _lock(self._stream, path)
            self.rows, whole = _parse(path)
            if path.stat().st_size > whole:
                os.truncate(path, whole)
        except BaseException:
            self._stream.close()
            raise

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row and wait until it is on disk.

        Raises:
            RunError: the disk is full or gone; the rows before this one are kept.
        """
        line = json.dumps(row, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        try:
            self._stream.write(line)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise write_error(self._path, error) from error
        self.rows.append(dict(row))

    def close(self) -> None:
        """Release the file."""
        try:
            self._stream.close()
        except OSError as error:  # what could not be flushed was reported by `append`
            if error.errno is None:
                raise


def _parse(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Rows, and the number of bytes they take."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise RunError(f"cannot read {path}: {(error.strerror or 'unreadable').lower()}") from error
    rows: list[dict[str, Any]] = []
    whole = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("key"), str):
            raise RunError(f"{path}, line {number}: damaged", hint="start the run anew with --overwrite")
        rows.append(row)
    return rows, whole


def _lock(stream: IO[bytes], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on this system: two runs at once are then the user's care
        return
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(
            f"another process is writing to {path.parent}",
            hint="wait for it, or choose another place with --run-root",
        ) from None
    except OSError:
        return  # network file systems without locks
