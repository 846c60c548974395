"""Pairs of pictures and captions in shards: what `ttd preprocess` scores, `ttd prune` drops and `ttd train` reads.

A shard is the unit of work: it is finished or not. Folders and lists are cut into shards of a fixed number of rows;
webdataset archives are shards already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ttd_core.data.rows import BadRow

NO_CAPTION = "no caption"
NO_PICTURE = "no picture"
NO_FILE = "picture missing"
BAD_ROW = "row unusable"
BAD_CAPTION = "caption unreadable"
BAD_PICTURE = "picture unreadable"
BAD_NAME = "unsafe name"
NO_ORDINARY_FILE = "link or device"
TOO_LARGE = "member too large"
REPEATED = "key repeated"
DAMAGED = "archive damaged"
NO_KNOWN_WORD = "no known word"
"""Statuses of pairs without a score: words that recur, so that they can be counted."""


@dataclass(frozen=True)
class PairShard:
    """One shard; picklable.

    Args:
        name: unique among the shards, letters, digits, `.`, `_` and `-` only: the stem of the files made from it.
        source: what the source needs to read it; nobody else looks into it.
    """

    name: str
    source: Any = None


@dataclass(frozen=True)
class Pair:
    """One picture with its caption, not decoded.

    Args:
        key: unique within its shard and stable between readings.
        caption: as it stands, not empty.
        image: a file, or the encoded bytes of a member of an archive.
        origin: `archive.tar:000000012` or `list.tsv:12`, for messages.
    """

    key: str
    caption: str
    image: Path | bytes
    origin: str


@dataclass(frozen=True)
class BadPair(BadRow):
    """A pair that cannot be used: a `BadRow` that can be told apart and counted.

    Args:
        key: what stands for it among the keys of its shard; empty for a remark about the shard as a whole.
        status: one of the statuses above.
    """

    key: str = ""
    status: str = BAD_ROW


class PairSource(Protocol):
    """Where pairs come from; picklable, opened without reading the pairs.

    Attributes:
        name: what stands for it in run names (`cc3m`, `scenes-train`, a list's stem).
        shards: all of them, in a stable order.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def shards(self) -> tuple[PairShard, ...]: ...  # noqa: D102

    def read(self, shard: PairShard) -> Iterator[Pair | BadRow]:
        """The pairs of a shard, in a stable order; what cannot be used comes out as `BadRow` with its reason.

        Raises:
            DataError: the shard as a whole cannot be read.
        """
        ...


def is_text(key: str) -> bool:
    """Whether a key can be written as UTF-8: names of files and members may hold bytes that are no text."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
