"""A folder of pictures -> samples, in an order that does not depend on the file system."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from ttd_core.data.files import PICTURE_SUFFIXES, open_regular, show
from ttd_core.data.lines import undecodable
from ttd_core.data.rows import BadRow
from ttd_core.errors import DataError
from ttd_core.types import Sample

MAX_CAPTION = 1 << 20
"""Longest caption file beside a picture, in bytes."""


RUN_FILES = frozenset(("run.yaml", "manifest.json"))
"""A folder that holds both is a run of ttd's own: its pictures are answers, not questions."""


def read_folder(root: Path, *, sidecars: bool = True, exclude: Collection[Path] = ()) -> Iterator[Sample | BadRow]:
    """Every picture below a folder, sorted by name within each folder, sub-folders in their place.

    Taken are files with a picture's extension in any case. Left out are other files, hidden folders (`.git`), the
    `._` files that macOS leaves, and folders that hold a run's products. Links to files are followed, links to folders
    are named and passed over, since they may lead in circles. Whether a file really is a picture shows when it is
    loaded.

    Args:
        root: the folder.
        sidecars: take `a.txt` beside `a.jpg` as its caption.
        exclude: folders to pass over where they lie below `root`, e.g. where products are written.

    Yields:
        Samples whose key is the path below `root` with `/` between folders; a `BadRow` for a folder that cannot be
        read, one that is named like a picture but holds none, and a caption that is no UTF-8.
    """
    # One entry per folder that is being read: its path below root, the names still to come, whether a picture was seen.
    names = _sorted_names(root)
    if isinstance(names, BadRow):
        raise DataError(f"{names.origin}: {names.message}", names.hint)
    top, passed_over = os.path.realpath(root), {os.path.realpath(folder) for folder in exclude}
    stack = [_Level("", names)]
    while stack:
        level = stack[-1]
        name = next(level.pending, None)
        if name is None:
            stack.pop()
            if stack:
                stack[-1].has_pictures |= level.has_pictures
            if not level.has_pictures and _is_picture_name(level.path):
                yield BadRow(show(root / level.path), "is a folder, expected a picture")
            continue
        below = f"{level.path}/{name}" if level.path else name
        path = root / below
        kind = _kind(path)
        if kind == "folder" and passed_over and os.path.normpath(os.path.join(top, below)) in passed_over:
            continue
        if kind == "folder":
            inner = _sorted_names(path) if not name.startswith(".") else []
            if isinstance(inner, BadRow):
                yield inner
            elif not RUN_FILES.issubset(inner):
                stack.append(_Level(below, inner))
        elif kind == "folder link":
            yield BadRow(show(path), "is a link to a folder, which is not followed", "give that folder by itself")
        elif _is_picture_name(name) and not name.startswith("._"):
            level.has_pictures = True
            yield _sample(path, below, level.names, sidecars)


class _Level:
    def __init__(self, path: str, names: list[str]) -> None:
        self.path = path
        self.names = frozenset(names)
        self.pending = iter(names)
        self.has_pictures = False


def _sample(path: Path, key: str, siblings: frozenset[str], sidecars: bool) -> Sample | BadRow:
    beside = f"{path.stem}.txt"
    if not sidecars or beside not in siblings:
        return Sample(key, path, origin=show(path))
    try:
        return Sample(key, path, read_caption(path.with_name(beside)), origin=show(path))
    except DataError as error:
        return BadRow(show(path), f"its caption cannot be read: {error.message}", error.hint)


def read_caption(path: Path) -> str:
    """A file that holds one caption, line breaks included; blanks at its ends are taken off.

    Args:
        path: a UTF-8 text file, with or without a byte order mark.

    Raises:
        DataError: when it is missing, no UTF-8, or longer than `MAX_CAPTION`.
    """
    with open_regular(path) as file:
        data = file.read(MAX_CAPTION + 1)
    if len(data) > MAX_CAPTION:
        raise DataError(f"{show(path)}: is longer than {MAX_CAPTION >> 20} MiB, expected one caption")
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        hint = "convert it to UTF-8: iconv -f latin1 -t utf-8 FILE, or -f utf-16"
        raise DataError(f"{show(path)}: {undecodable(error)}", hint) from error


def _sorted_names(folder: Path) -> list[str] | BadRow:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        return BadRow(show(folder), f"folder cannot be read, {(error.strerror or str(error)).lower()}")


def _kind(path: Path) -> str:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            return "folder"
        return "folder link" if os.path.isdir(path) else "other"
    except OSError:
        return "other"


def _is_picture_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES
