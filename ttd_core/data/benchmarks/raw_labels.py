"""From the values in a data set's label files to class indices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.data.label_maps import read_label_map

_HIGHEST = 255


@dataclass(frozen=True)
class RawLabels:
    """What the values of a label file mean. 255 always counts nowhere.

    Args:
        table: class index of each value from 0 on, `IGNORE` for those that count nowhere; larger values are an error.
        ignored: a further value that counts nowhere wherever it would mean something else, None for none.
    """

    table: tuple[int, ...]
    ignored: int | None = None

    def __post_init__(self) -> None:
        """Refuse tables that no 8-bit file could need."""
        if not 0 < len(self.table) <= _HIGHEST:
            raise ValueError(f"{len(self.table)} values, expected 1..{_HIGHEST}")

    def read(self, path: Path, size: tuple[int, int] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
        """Read a label file.

        Args:
            path: see `read_label_map`.
            size: H and W of its picture where known; another size is an error.

        Returns:
            H×W uint16 class indices with `IGNORE`, and what was odd about the file.

        Raises:
            DataError: it cannot be read as labels, has another size, or holds values that are no class.
        """
        read = read_label_map(path, classes=len(self.table), size=size)
        lookup = np.full(_HIGHEST + 1, IGNORE, dtype=np.uint16)
        lookup[: len(self.table)] = self.table
        if self.ignored is not None:
            lookup[self.ignored] = IGNORE
        # The values have been checked: all lie in 0..255.
        return lookup[read.labels], tuple(f"{path.name} {notice}" for notice in read.notices)


def plain_labels(classes: int) -> RawLabels:
    """Value k is class k."""
    return RawLabels(tuple(range(classes)))


def zero_ignored(classes: int) -> RawLabels:
    """0 counts nowhere, value k is class k-1 (`reduce_zero_label`)."""
    return RawLabels((IGNORE, *range(classes)))


def classes_in(label_map: np.ndarray, background: bool) -> tuple[int, ...]:
    """Which classes a label map shows, as indices into `ClassList.things`, ascending.

    Args:
        label_map: H×W uint16 with `IGNORE`.
        background: whether label 0 is the background.
    """
    counts = np.bincount(label_map.ravel(), minlength=IGNORE + 1)
    shown = np.flatnonzero(counts[:IGNORE]) - int(background)
    return tuple(int(index) for index in shown if index >= 0)
