"""The text form in which TagCLIP's authors publish tags: a picture's name and its class numbers (section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ttd_core.atomic import atomic_path
from ttd_core.errors import DataError

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def tag_line(row: Mapping[str, Any]) -> str:
    """One line: the picture's name without its suffix, and the numbers of its tags, ascending.

    Args:
        row: of `ttd tags`, its candidates in the order of the class list.

    Raises:
        DataError: the name has a blank, which the form cannot express.
    """
    path = PurePosixPath(str(row["key"]))
    name = str(path.with_suffix("")) if path.suffix.lower() in _PICTURES else str(path)
    if name.split() != [name]:
        raise DataError(
            f"{row['key']}: a name with blanks does not go into a tag file", "--out FOLDER keeps tags.jsonl"
        )
    return " ".join([name, *(str(i) for i, each in enumerate(row["candidates"]) if each["selected"])])


def write_tag_file(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows of a run of `ttd tags` in their order; whole or not at all.

    Returns:
        How many lines.

    Raises:
        DataError: see `tag_line`.
        RunError: the file cannot be written.
    """
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            if "error" not in row:
                stream.write(tag_line(row) + "\n")
                count += 1
    return count
