"""The lists that say which pictures belong to a split (`ImageSets/.../val.txt`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.files import PICTURE_SUFFIXES, open_regular, show
from ttd_core.data.keys import unsafe_key
from ttd_core.data.lines import read_lines, undecodable
from ttd_core.errors import DataError
from ttd_core.text.clean import printable


@dataclass(frozen=True)
class SplitList:
    """The ids of a split.

    Args:
        ids: in the order of the file, each once.
        refused: ids that lead out of the data set, and why.
        notices: what looked odd but was accepted, one sentence each.
    """

    ids: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()


def read_split(path: Path) -> SplitList:
    """Read a list of ids, one per line.

    Blank lines, blanks at the ends and lines that begin with `#` are passed over; of several columns the first counts
    (`id label` as in `ImageSets/Main`), the ending of a picture's name is taken off, an id given again counts once.

    Args:
        path: a UTF-8 text file.

    Raises:
        DataError: it cannot be read, or names no id.
    """
    name = show(path)
    ids: dict[str, None] = {}
    refused: dict[str, str] = {}
    repeated: dict[str, None] = {}
    with open_regular(path) as file:
        for line in read_lines(file, name):
            key = _first_column(name, line.number, line.data)
            if not key:
                continue
            reason = unsafe_key(key)
            if reason is not None:
                refused[printable(key)] = f"{reason}, in {name} line {line.number}"
            elif key in ids:
                repeated[key] = None
            else:
                ids[key] = None
    if not ids:
        raise DataError(f"no ids in {name}", hint="expected one id per line, e.g. 2007_000033; download the list again")
    notices = (f"{name}: names {', '.join(list(repeated)[:3])} more than once, counted once",) if repeated else ()
    return SplitList(tuple(ids), tuple(refused.items()), notices)


def _first_column(name: str, number: int, data: bytes | None) -> str:
    if data is None:
        raise DataError(f"{name} line {number}: too long for an id", hint="expected one id per line")
    try:
        words = data.decode("utf-8").split(maxsplit=1)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} line {number}: {undecodable(error)}", hint="expected one id per line") from error
    if not words or words[0].startswith("#"):
        return ""
    stem, suffix = os.path.splitext(words[0])
    return stem if suffix.lower() in PICTURE_SUFFIXES else words[0]
