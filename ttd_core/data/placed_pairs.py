"""Pairs whose pictures are still in their archive: a shard of them takes kilobytes, and any of them can be had."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.files import open_regular, show
from ttd_core.data.pairs import Pair
from ttd_core.errors import DataError


@dataclass(frozen=True)
class Stored:
    """Bytes of a file.

    Args:
        path: the file.
        changed: when it was last written to, in nanoseconds: a place holds for the file that it was found in.
        offset: of the first byte.
        size: in bytes.
    """

    path: Path
    changed: int
    offset: int = 0
    size: int = 0

    def read(self) -> bytes:
        """Read them.

        Raises:
            DataError: the file is gone, shorter, or has been written to.
        """
        with open_regular(self.path) as file:
            if os.fstat(file.fileno()).st_mtime_ns != self.changed:
                raise DataError(
                    f"{show(self.path)}: changed while it was read", "leave archives alone while a training reads them"
                )
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise DataError(f"{show(self.path)}: is shorter than it was", "fetch the archive again")
        return data


@dataclass(frozen=True)
class PlacedPair:
    """A `Pair` whose picture was left where it is.

    Args:
        key, caption, origin: as of the pair.
        place: of the encoded picture.
    """

    key: str
    caption: str
    place: Stored
    origin: str

    def load(self) -> Pair:
        """The pair, with the bytes of its picture.

        Raises:
            DataError: see `Stored.read`.
        """
        return Pair(self.key, self.caption, self.place.read(), self.origin)


def changed_at(path: Path) -> int:
    """When a file was last written to, in nanoseconds; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
