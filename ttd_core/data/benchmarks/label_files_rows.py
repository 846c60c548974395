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
    """Predictions by key, also found by the plain name of the picture (`val/a.jpg` by `a`) where that is unambiguous.

    People's files have folders and suffixes that the data set's keys do not have, and the other way round; where both
    have folders they must agree (`x/a` does not find `y/a`). Where several files share a name, folders decide.

    Args:
        found: predictions by the keys of their file.
    """

    def __init__(self, found: Mapping[str, T]) -> None:
        self._found = found
        self._plain: dict[str, list[str]] = {}
        for key in found:
            self._plain.setdefault(plain_key(key), []).append(key)

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
        same = self._plain.get(plain_key(key), [])
        if len(same) > 1:
            same = [each for each in same if _shared_folders(key, each)]
        return same[0] if len(same) == 1 and _shared_folders(key, same[0]) is not None else None

    def shared(self, keys: Iterable[str]) -> tuple[str, str] | None:
        """Two samples that one prediction would answer, as `x/a` and `y/a` do where the file has only `a`."""
        used: dict[str, str] = {}
        for key in keys:
            match = self.match(key)
            if match is not None and used.setdefault(match, key) != key:
                return used[match], key
        return None


def _shared_folders(ours: str, theirs: str) -> int | None:
    """How many folders two keys have in common, None where they contradict each other."""
    one, other = PurePosixPath(ours).parent.parts, PurePosixPath(theirs).parent.parts
    common = min(len(one), len(other))
    return common if not common or one[-common:] == other[-common:] else None


def plain_key(key: str) -> str:
    """The name of a picture without folders and suffix."""
    path = PurePosixPath(key)
    return path.stem if path.suffix.lower() in PICTURE_SUFFIXES else path.name


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
