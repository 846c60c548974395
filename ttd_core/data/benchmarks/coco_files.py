"""Where the folders of COCO and COCO-Stuff may lie, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.files import show
from ttd_core.data.keys import leaves_folder, unsafe_key
from ttd_core.errors import DataError, UsageError
from ttd_core.text.clean import printable

SPLITS = ("val", "train")


@dataclass(frozen=True)
class CocoPlaces:
    """What was found of one split.

    Args:
        root: the folder the user gave, which nothing may lead out of.
        pictures: folder of the pictures, None where there is none.
        instances: `instances_*.json`, None where there is none.
        masks: folders that may hold label PNGs, best first.
    """

    root: Path
    pictures: Path | None
    instances: Path | None
    masks: tuple[Path, ...]


def split_of(name: str, split: str | None) -> str:
    """The split to open.

    Raises:
        UsageError: COCO has no annotated split of that name.
    """
    if split is None:
        return SPLITS[0]
    if split not in SPLITS:
        raise UsageError(f"--data {name}:{split}: no such split", f"expected {' or '.join(SPLITS)}")
    return split


def find_places(root: Path, stem: str) -> CocoPlaces:
    """Look for the folders of one split.

    Args:
        root: a folder that holds them, or that holds a folder `coco` that does.
        stem: `val2017`, `train2014`, ...

    Raises:
        DataError: the root is no folder.
    """
    if not root.is_dir():
        what = "is no folder" if root.exists() else "no such folder"
        raise DataError(f"{show(root)}: {what}", "--root takes the folder that holds the data set")
    year = stem[-4:]
    names = ("", "coco", "COCO", f"coco{year}", f"COCO{year}", "coco_stuff164k", "data/coco", "data/coco_stuff164k")
    bases = [root / name for name in names]
    return CocoPlaces(
        root,
        _first(base / part for base in bases for part in (stem, f"images/{stem}")),
        _first((base / "annotations" / f"instances_{stem}.json" for base in bases), folder=False),
        tuple(
            folder
            for base in bases
            for part in (
                "annotations",
                f"stuffthingmaps_trainval{year}",
                "stuffthingmaps",
                "annotations/stuffthingmaps",
            )
            if (folder := base / part / stem).is_dir()
        ),
    )


def _first(paths: Iterable[Path], folder: bool = True) -> Path | None:
    return next((path for path in paths if (path.is_dir() if folder else path.is_file())), None)


def file_names(folder: Path, root: Path) -> frozenset[str]:
    """Names of the files in a folder, from one look at it; links that lead out of the root are left out.

    Args:
        folder: an existing folder.
        root: what links must stay in.

    Raises:
        DataError: it cannot be read, or is itself a link out of the root.
    """
    inside = root.resolve()
    if not folder.resolve().is_relative_to(inside):
        raise DataError(
            f"{show(folder)}: is a link that leaves {show(root)}", "give --root the folder that holds the real one"
        )
    names = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                linked_out = entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(inside)
                if not linked_out and entry.is_file():
                    names.add(entry.name)
    except OSError as error:
        raise DataError(f"{show(folder)}: folder cannot be read, {(error.strerror or str(error)).lower()}") from error
    return frozenset(names)


def why_missing(file_name: str, names: frozenset[str]) -> str | None:
    """Say why a picture cannot be opened, None when it is there.

    Args:
        file_name: as the annotations call it.
        names: what its folder holds.
    """
    if file_name in names:
        return None
    if leaves_folder(file_name) or unsafe_key(file_name) or "/" in file_name or "\\" in file_name:
        return f"its file name {printable(file_name)[:80]} leads out of the folder of pictures"
    return f"no picture {printable(file_name)[:80]}"
