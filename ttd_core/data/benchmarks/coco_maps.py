"""Folders of COCO label PNGs: which kind they hold, which samples they cover, and reading one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ttd_core.data.benchmarks.coco_files import CocoPlaces, file_names
from ttd_core.data.benchmarks.coco_ids import INVALID
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.data.files import show
from ttd_core.data.label_maps import read_label_map
from ttd_core.data.palette import IGNORED
from ttd_core.errors import DataError

RAW = ".png"
"""Suffix of the label PNGs that COCO-Stuff's authors publish (`stuffthingmaps`)."""


@dataclass(frozen=True)
class MapFolder:
    """Label PNGs of one kind.

    Args:
        folder: where they lie.
        suffix: what follows the picture's stem in their names.
        names: all file names in the folder.
    """

    folder: Path
    suffix: str
    names: frozenset[str] = field(repr=False)

    @property
    def raw(self) -> bool:
        """Whether they hold COCO-Stuff ids less one."""
        return self.suffix == RAW

    def path(self, stem: str) -> Path | None:
        """The label PNG of a picture; the 2014 pictures' longer stems are also found by their number alone."""
        for name in (stem + self.suffix, stem[-12:] + self.suffix):
            if name in self.names:
                return self.folder / name
        return None

    def stems(self) -> list[str]:
        """Stems of all pictures that have a label PNG, sorted."""
        end = len(self.suffix)
        return sorted(name[:-end] for name in self.names if _is_kind(name, self.suffix))


def find_maps(places: CocoPlaces, suffixes: Sequence[str]) -> MapFolder | None:
    """The first kind of label PNGs that is there, None without any.

    Args:
        places: whose `masks` are looked through.
        suffixes: kinds, best first.
    """
    listed = [(folder, file_names(folder, places.root)) for folder in places.masks]
    for suffix in suffixes:
        for folder, names in listed:
            if any(_is_kind(name, suffix) for name in names):
                return MapFolder(folder, suffix, names)
    return None


def _is_kind(name: str, suffix: str) -> bool:
    # A raw one is called by the picture's number alone, everything converted from it has a longer name.
    return name.endswith(suffix) and name[: -len(suffix)][-12:].isdigit()


def read_coded_map(
    path: Path, classes: int, table: np.ndarray | None = None, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a label PNG into class indices.

    Args:
        path: the file.
        classes: C.
        table: 65536 labels by file value, with `INVALID` for values no such file holds; None where the file holds
            class indices, 255 ignored.
        size: H and W of the picture, where known.

    Returns:
        H×W uint16 with `IGNORE`, and what was odd.

    Raises:
        DataError: unreadable, of another size, or holding values that are no class.
    """
    if table is None:
        found = read_label_map(path, classes, size)
        labels = found.labels.astype(np.uint16)
        labels[labels == IGNORED] = IGNORE
        return labels, _named(path, found.notices)
    found = read_label_map(path, None, size)
    labels = table[found.labels]
    if (wrong := labels == INVALID).any():
        values = ", ".join(str(value) for value in np.unique(found.labels[wrong])[:5])
        raise DataError(
            f"{show(path)}: holds {values}, which no class of COCO-Stuff has as its number",
            "expected the PNGs of stuffthingmaps_trainval2017.zip as they are",
        )
    return labels, _named(path, found.notices)


def _named(path: Path, notices: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{show(path)}: {notice}" for notice in notices)
