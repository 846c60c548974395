"""Answers by key, and the lines of the files they are read from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from ttd_core.data.files import PICTURE_SUFFIXES, open_regular, show
from ttd_core.data.lines import read_lines, undecodable
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

T = TypeVar("T")
ROW_HINT = 'expected lines like {"key": "000001", "labels": [11, 14]} or 000001 11 14'


class Answers(Mapping[str, T], Generic[T]):
    """Predictions by key, also found by the picture's path without suffix, and by the last parts of it.

    People's files have folders and suffixes that the data set's keys do not have, and the other way round. The same
    path comes first; then one of the two has to be the end of the other (`val/a` finds `a`, and `a` the only `val/a`),
    the longest first. `x/a` does not find `y/a`.

    Args:
        found: predictions by the keys of their file.
    """

    def __init__(self, found: Mapping[str, T]) -> None:
        self._found = found
        # None where several keys answer
        self._whole: dict[tuple[str, ...], str | None] = {}
        self._ends: dict[tuple[str, ...], str | None] = {}
        for key in found:
            parts = _parts(key)
            self._whole[parts] = None if parts in self._whole else key
            for first in range(len(parts)):
                end = parts[first:]
                self._ends[end] = None if end in self._ends else key

    def __getitem__(self, key: str) -> T:
        match = self.match(key)
        if match is None:
            raise KeyError(key)
        return self._found[match]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def match(self, key: str) -> str | None:
        """The key of the file that answers a sample's key, None where there is none."""
        if key in self._found:
            return key
        parts = _parts(key)
        for first in range(len(parts)):
            if parts[first:] in self._whole:
                return self._whole[parts[first:]]
            if first == 0 and parts in self._ends:
                return self._ends[parts]
        return None

    def same(self, key: str) -> str | None:
        """The key of the file that is a sample's very path, suffix aside; None where there is none, or several are."""
        return key if key in self._found else self._whole.get(_parts(key))

    def shared(self, keys: Iterable[str]) -> tuple[str, str] | None:
        """Two samples that one prediction would answer, as `x/a` and `y/a` do where the file has only `a`."""
        used: dict[str, str] = {}
        for key in keys:
            match = self.match(key)
            if match is not None and used.setdefault(match, key) != key:
                return used[match], key
        return None


def _parts(key: str) -> tuple[str, ...]:
    """Folders and name of a picture, without its suffix."""
    path = PurePosixPath(key)
    return (*path.parent.parts, path.stem if path.suffix.lower() in PICTURE_SUFFIXES else path.name)


def is_json_lines(path: Path) -> bool:
    """Whether a file is named as JSON Lines."""
    return path.suffix.lower() in (".jsonl", ".ndjson", ".json")


def json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON Lines file with `file:line` for messages; blank lines are passed over.

    Raises:
        DataError: a line is no JSON object.
    """
    for origin, text in text_rows(path):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{origin}: is not JSON", ROW_HINT) from error
        if not isinstance(row, dict):
            raise DataError(f"{origin}: is no JSON object", ROW_HINT)
        yield origin, row


def text_rows(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file that are not blank, with `file:line`.

    Raises:
        DataError: it cannot be read, or a line is no text or too long.
    """
    name = show(path)
    with open_regular(path) as stream:
        for line in read_lines(stream, name):
            if line.data is None:
                raise DataError(f"{name}:{line.number}: is too long for a line")
            try:
                text = line.data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{name}:{line.number}: {undecodable(error)}", "save the file as UTF-8") from error
            if text.strip():
                yield f"{name}:{line.number}", text


def key_of(row: Mapping[str, Any], origin: str) -> str:
    """The key of a row.

    Raises:
        DataError: it has none.
    """
    for name in ("key", "id", "image"):
        value = row.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    raise DataError(f"{origin}: has no key, id or image", ROW_HINT)


def add_once(found: dict[str, T], key: str, value: T, origin: str) -> None:
    """Put a prediction under its key.

    Raises:
        DataError: there is one already, so that nobody knows which counts.
    """
    if key in found:
        raise DataError(f"{origin}: {printable(key)[:80]} comes twice", "keep one line per picture")
    found[key] = value
