"""Finding the folders of a data set: one look per folder, whatever the case of letters, never outside the root."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.files import PICTURE_SUFFIXES, show
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

MASK_SUFFIXES = frozenset((".png", ".npy"))
XML_SUFFIXES = frozenset((".xml",))
_MOST_FOLDERS = 200
_DEEPEST = 4


@dataclass(frozen=True)
class Listing:
    """The files of one folder by stem; hidden files, folders and unfinished downloads (`.part`) are not in it.

    Args:
        folder: where they lie.
        names: stem → file name, sorted by stem.
        refused: stem → why the file is not used (a link that leaves the data set).
        doubled: stems with several files; the first in order of names counts.
    """

    folder: Path
    names: dict[str, str]
    refused: dict[str, str]
    doubled: tuple[str, ...] = ()

    def path(self, stem: str) -> Path | None:
        """The file of a stem, None where there is none."""
        name = self.names.get(stem)
        return None if name is None else self.folder / name


def list_files(
    folder: Path, suffixes: frozenset[str], inside: Path, stem: Callable[[str], str] | None = None
) -> Listing:
    """List a folder without touching its files.

    Args:
        folder: an existing folder.
        suffixes: lower-case endings to take, dot included.
        inside: links must stay below this folder.
        stem: file name → stem; None takes the name without its ending.

    Raises:
        DataError: the folder cannot be read, or is itself a link that leaves `inside`.
    """
    top = os.path.realpath(inside)
    if not _within(os.path.realpath(folder), top):
        raise DataError(
            f"{show(folder)}: is a link that leaves {show(inside)}", "give --root the folder that holds the real one"
        )
    names: dict[str, str] = {}
    refused: dict[str, str] = {}
    doubled: list[str] = []
    for entry in _entries(folder):
        if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() not in suffixes:
            continue
        key = stem(entry.name) if stem is not None else os.path.splitext(entry.name)[0]
        if entry.is_symlink() and not _within(os.path.realpath(entry.path), top):
            refused[key] = f"{printable(entry.name)} is a link that leaves the data set"
        elif key in names:
            doubled.append(key)
        else:
            names[key] = entry.name
    return Listing(folder, dict(sorted(names.items())), refused, tuple(doubled))


def list_tree(folder: Path, suffixes: frozenset[str], inside: Path) -> Listing:
    """`list_files` with folders in it, down to three levels; stems and names hold `/` between folders.

    Links to folders are followed where they stay below `inside`; those that leave it are not read.

    Raises:
        DataError: a folder cannot be read.
    """
    names: dict[str, str] = {}
    refused: dict[str, str] = {}
    doubled: list[str] = []
    level = [""]
    for _ in range(_DEEPEST):
        for prefix in level:
            listing = list_files(folder / prefix, suffixes, inside)
            names |= {prefix + stem: prefix + name for stem, name in listing.names.items()}
            refused |= {prefix + stem: reason for stem, reason in listing.refused.items()}
            doubled += [prefix + stem for stem in listing.doubled]
        top = os.path.realpath(inside)
        deeper = [f"{prefix}{name}/" for prefix in level for name in folder_names(folder / prefix)]
        level = [path for path in deeper if _within(os.path.realpath(folder / path), top)]
    return Listing(folder, dict(sorted(names.items())), refused, tuple(doubled))


def list_pictures(folder: Path, inside: Path) -> Listing:
    """`list_files` for pictures."""
    return list_files(folder, PICTURE_SUFFIXES, inside)


def below(folder: Path, path: str) -> Path | None:
    """A file or folder below another, `/` between its parts; letters may differ in case, an exact match wins."""
    place = folder
    for part in path.split("/"):
        exact = place / part
        if not exact.exists():
            match = next((each for each in folder_names(place, files=True) if each.casefold() == part.casefold()), None)
            if match is None:
                return None
            exact = place / match
        place = exact
    return place


def find_base(
    root: Path, marks: Sequence[str], nests: Sequence[str], avoid: Callable[[str], bool], *, deeper: bool = False
) -> Path | None:
    """The folder that holds all `marks`, see `find_bases`; None when there is no such folder.

    Raises:
        DataError: several folders fit equally well, or there is no such root.
    """
    found = find_bases(root, marks, nests, avoid, deeper=deeper)
    if len(found) > 1:
        places = ", ".join(show(place) for place in found[:3])
        raise DataError(f"{show(root)}: {len(found)} folders look like the data set: {places}", "give one with --root")
    return found[0] if found else None


def find_bases(
    root: Path, marks: Sequence[str], nests: Sequence[str], avoid: Callable[[str], bool], *, deeper: bool = False
) -> list[Path]:
    """Folders that hold all `marks`: the root, else one of `nests` below it, else all at most two levels below it.

    Args:
        root: as the user gave it.
        marks: paths that must exist in it (`JPEGImages`).
        nests: where archives put it below the root (`VOCdevkit/VOC2012`), in the order to try.
        avoid: names of folders that hold another data set of the same layout.
        deeper: look three levels below the root where nothing lies nearer: a folder of data sets, each unpacked into
            one of its own (`data/voc/VOCdevkit/VOC2012`).

    Raises:
        DataError: there is no such root, or a folder cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"{show(root)}: no such folder", hint="give --root the folder that holds the data set")
    if not avoid(Path(os.path.realpath(root)).name) and _holds(root, marks):
        return [root]
    for nest in nests:
        place = below(root, nest)
        if place is not None and _holds(place, marks):
            return [place]
    levels = _levels(root, avoid)
    near = [*next(levels), *next(levels)]
    found = [place for place in near if _holds(place, marks)]
    if not found and deeper:
        found = [place for place in next(levels) if _holds(place, marks)]
    return found


def not_found(root: Path, what: str, looked_for: Iterable[str], hint: str) -> DataError:
    """The one message for a root that does not hold what was asked for.

    Args:
        root: as the user gave it.
        what: the data set, in words.
        looked_for: paths below the root, the most telling first; three are shown.
        hint: which folder to give, and where the archive comes from.
    """
    wanted = ", ".join(list(looked_for)[:3])
    names = folder_names(root, files=True)
    shown = ", ".join(printable(name) for name in names[:5])
    found = f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "nothing"
    return DataError(f"{show(root)}: no {what} found: looked for {wanted}; found {found}", hint)


def folder_names(folder: Path, *, files: bool = False) -> list[str]:
    """Names in a folder, sorted, without hidden ones; empty where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in _entries(folder) if entry.name[0] != "." and (files or entry.is_dir()))


def _holds(folder: Path, marks: Sequence[str]) -> bool:
    return all(below(folder, mark) is not None for mark in marks)


def _levels(root: Path, avoid: Callable[[str], bool]) -> Iterator[list[Path]]:
    """Folders one level down, then two, and so on; places with very many folders are collections of something else."""
    top = os.path.realpath(root)
    level = [root]
    while True:
        level = [
            place / name
            for place in level
            for name in folder_names(place)[:_MOST_FOLDERS]
            if not avoid(name) and _within(os.path.realpath(place / name), top)
        ][:_MOST_FOLDERS]
        yield level


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{show(folder)}: folder cannot be read, {reason}") from error


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip(os.sep) + os.sep)
