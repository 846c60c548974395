"""Tags that somebody else chose for each caption: a language model, another tool, or a person."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.inputs import read_samples
from ttd_core.data.rows import BadRow
from ttd_core.errors import DataError
from ttd_core.text.tokens import fold


def read_tag_lists(path: Path) -> dict[str, frozenset[str]]:
    """Read a list of captions with their tags, for `--scorer list:FILE`.

    Any list with a caption and a tags column will do (JSON Lines, TSV, CSV, parquet); pictures are not looked at. The
    file must be whole: a wrong row would silently count as "no tags".

    Args:
        path: e.g. JSON Lines of `{"text": "a small dog runs", "tags": ["dog"]}`.

    Returns:
        Folded caption -> folded tags; a caption that comes twice keeps the tags of both.

    Raises:
        DataError: the list is missing or malformed, or a row has no caption or no tags.
    """
    found: dict[str, frozenset[str]] = {}
    for row in read_samples(path, need_image=False):
        if isinstance(row, BadRow):
            raise DataError(f"{row.origin}: {row.message}", row.hint)
        if row.caption is None or row.tags is None:
            missing = "caption" if row.caption is None else "tags"
            raise DataError(
                f"{row.origin}: no {missing}", hint='expected rows such as {"text": "a small dog runs", "tags": ["dog"]}'
            )
        key = caption_key(row.caption)
        found[key] = found.get(key, frozenset()) | frozenset(map(fold, row.tags))
    return found


def caption_key(caption: str) -> str:
    """How captions are compared: case and white space do not matter."""
    return " ".join(caption.casefold().split())
