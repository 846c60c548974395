"""Pairs of folders: pictures with `NAME.txt` beside them, or `image/` with one JSON of the same name in `json/`.

The names are listed once, sorted, and cut into shards of a fixed number of pictures; captions are read with the shard.
A shard carries its names compressed (a few bytes each), so a folder of millions stays small in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ttd_core.data.files import open_regular, show
from ttd_core.data.folders import read_caption, read_folder
from ttd_core.data.pair_lists import ROWS
from ttd_core.data.pairs import BAD_CAPTION, BAD_NAME, BAD_ROW, NO_CAPTION, BadPair, Pair, PairShard, is_text
from ttd_core.data.rows import BadRow
from ttd_core.data.webdataset import json_caption
from ttd_core.errors import DataError

MAX_RECORD = 16 << 20
"""Longest JSON record of a picture in bytes."""


@dataclass(frozen=True)
class FolderPairs:
    """A `PairSource` over the pictures below a folder; a key is the picture's path below it.

    Args:
        name: what stands for the data in names.
        images: the folder of the pictures.
        records: the folder of their JSON records; None takes `NAME.txt` beside each picture.
        shards: see `PairSource`.
        rows: how many pictures there are.
    """

    name: str
    images: Path
    records: Path | None
    shards: tuple[PairShard, ...]
    rows: int | None = None

    def digest(self) -> str:
        """What tells other data apart: the names of the pictures, and where they lie."""
        digest = hashlib.sha256(os.path.realpath(self.images).encode("utf-8", "surrogateescape"))
        for shard in self.shards:
            digest.update(zlib.decompress(shard.source))
        return digest.hexdigest()

    def read(self, shard: PairShard) -> Iterator[Pair | BadPair]:
        """The pictures of a shard in their order; see `PairSource.read`."""
        for entry in json.loads(zlib.decompress(shard.source)):
            if isinstance(entry, str):
                yield self._pair(entry)
            else:
                origin, message, hint = entry
                yield BadPair(origin, message, hint, os.path.basename(origin), BAD_ROW)

    def _pair(self, key: str) -> Pair | BadPair:
        image = self.images / key
        origin = show(image)
        if not is_text(key):
            return BadPair(origin, "its name is no text in UTF-8, expected a plain name", None, key, BAD_NAME)
        beside = (self.records or self.images) / f"{os.path.splitext(key)[0]}{'.json' if self.records else '.txt'}"
        if not beside.exists():
            return BadPair(origin, f"has no caption: no {show(beside)}", None, key, NO_CAPTION)
        try:
            caption = _record_caption(beside) if self.records else read_caption(beside).replace("\0", "")
        except DataError as error:
            return BadPair(origin, f"its caption cannot be read: {error.message}", error.hint, key, BAD_CAPTION)
        if not caption:
            expected = 'expected {"caption": …}' if self.records else "expected one"
            return BadPair(origin, f"has no caption in {show(beside)}, {expected}", None, key, NO_CAPTION)
        return Pair(key, caption, image, origin)


def _record_caption(path: Path) -> str:
    with open_regular(path) as stream:
        data = stream.read(MAX_RECORD + 1)
    if len(data) > MAX_RECORD:
        raise DataError(f"{show(path)}: is longer than {MAX_RECORD >> 20} MiB, expected one JSON record")
    try:
        return json_caption(data)
    except ValueError as error:
        raise DataError(f"{show(path)}: no JSON in UTF-8, expected one object with the caption") from error


def open_folder(images: Path, name: str, records: Path | None = None) -> FolderPairs:
    """List a folder of pictures.

    Args:
        images: the folder.
        name: what stands for the data in names, also in those of the shards.
        records: the folder of JSON records, None for captions beside the pictures.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    entries = (_entry(item) for item in read_folder(images, sidecars=False))
    shards: list[PairShard] = []
    rows = 0
    while part := list(islice(entries, ROWS)):
        rows += len(part)
        shards.append(PairShard(f"{name}-{len(shards):05d}", zlib.compress(json.dumps(part).encode("ascii"))))
    if not rows:
        raise DataError(f"no pictures in {show(images)}")
    return FolderPairs(name, images, records, tuple(shards), rows)


def _entry(item: object) -> str | tuple[str, str, str | None]:
    if isinstance(item, BadRow):
        return item.origin, item.message, item.hint
    return str(getattr(item, "key"))  # noqa: B009
