"""Archives of pairs as img2dataset writes them: `KEY.jpg` with `KEY.txt` and `KEY.json`, one sample after the other.

The rules:

- the key is the member's name up to its last dot, without a leading `./`; folders stay in it, `.` and `_` too;
- the picture is the member that ends in jpg, jpeg, png or webp in any case; of several the first in this order;
- the caption is the member that ends in txt or text, else `caption` or `text` of the json;
- members of one sample follow each other. A key that comes again later is refused: it is another picture of that
  name, or the archive is not grouped;
- members with other endings, hidden files and the `._` files that macOS leaves are passed over;
- absolute names and names with `..`, links, devices and oversized members are refused one by one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ttd_core.data.files import show
from ttd_core.data.keys import UniqueKeys, unsafe_key
from ttd_core.data.lines import undecodable
from ttd_core.data.pairs import (
    BAD_CAPTION,
    BAD_NAME,
    DAMAGED,
    NO_CAPTION,
    NO_ORDINARY_FILE,
    NO_PICTURE,
    REPEATED,
    TOO_LARGE,
    BadPair,
    Pair,
    PairShard,
    is_text,
)
from ttd_core.data.placed_pairs import PlacedPair, Stored, changed_at
from ttd_core.data.webdataset_tar import CutShort, Member, read_members
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

PICTURES = ("jpg", "jpeg", "png", "webp")
TEXTS = ("txt", "text")
_MOST = {**dict.fromkeys(PICTURES, 256 << 20), **dict.fromkeys(TEXTS, 1 << 20), "json": 16 << 20}
"""Longest member in bytes by its ending."""


@dataclass(frozen=True)
class TarPairs:
    """A `PairSource` over archives, one shard each; a shard's `source` is the path.

    Args:
        name: what stands for the data in names.
        shards: the archives, missing ones included: those are an error when they are read.
    """

    name: str
    shards: tuple[PairShard, ...]
    rows: int | None = None

    def digest(self) -> str:
        """What tells other data apart: the folders of the archives. Archives may come and go, see `state`."""
        folders = sorted({os.path.realpath(os.path.dirname(shard.source)) for shard in self.shards})
        return hashlib.sha256("\n".join(folders).encode("utf-8", "surrogateescape")).hexdigest()

    def read(self, shard: PairShard) -> Iterator[Pair | BadPair]:
        """The samples of an archive in their order; see `PairSource.read`.

        Raises:
            DataError: there is no such archive, it is none, or it holds no sample.
        """
        for pair in _of_archive(Path(shard.source), placed=False):
            assert not isinstance(pair, PlacedPair)
            yield pair

    def places(self, shard: PairShard) -> Iterator[Pair | PlacedPair | BadPair]:
        """What `read` gives, in the same order, but with pictures left in the archive unless it is compressed.

        Raises:
            DataError: as `read`.
        """
        return _of_archive(Path(shard.source), placed=True)

    def state(self, shard: PairShard) -> str | None:
        """What tells a changed archive from the one that was read: size and time of change."""
        with suppress(OSError):
            found = os.stat(shard.source)
            return f"{found.st_size}-{found.st_mtime_ns}"
        return None


def counted_rows(paths: Iterable[Path]) -> int | None:
    """How many samples archives hold by the `00000_stats.json` that img2dataset leaves beside each; None without it."""
    rows = 0
    for path in paths:
        if not path.exists():
            continue
        beside = path.with_name(f"{path.name.partition('.')[0]}_stats.json")
        try:
            rows += int(json.loads(beside.read_bytes()[:65536])["successes"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return rows


@dataclass
class _Group:
    """Members of one key, as they come."""

    key: str
    repeated: bool
    parts: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    problem: tuple[str, str] | None = None

    def add(self, ending: str, member: Member) -> None:
        self.seen.add(ending)
        if not member.ordinary:
            self.problem = (NO_ORDINARY_FILE, f"{printable(member.name)} is no ordinary file, expected one")
        elif member.too_large:
            most = _MOST[ending] >> 20
            self.problem = (
                TOO_LARGE,
                f"{printable(member.name)} has {member.size:,} bytes, expected at most {most} MiB",
            )
        elif member.data is not None:
            self.parts[ending] = member.data
        elif member.offset is not None:
            self.places[ending] = (member.offset, member.size)

    @property
    def picture(self) -> str | None:
        """The ending of the picture that counts."""
        return next((ending for ending in PICTURES if ending in self.parts or ending in self.places), None)

    @property
    def whole(self) -> bool:
        """Whether picture and caption are there."""
        return self.picture is not None and any(name in self.parts for name in TEXTS)


def _of_archive(path: Path, placed: bool) -> Iterator[Pair | PlacedPair | BadPair]:
    empty = True
    for pair in _samples(path, placed):
        empty = False
        yield pair
    if empty:
        raise DataError(f"{show(path)}: no samples in it, expected members such as 000000000.jpg and 000000000.txt")


def _samples(path: Path, placed: bool) -> Iterator[Pair | PlacedPair | BadPair]:
    shown = show(path.name)
    stored = Stored(path, changed_at(path)) if placed else None
    keys = UniqueKeys()
    group: _Group | None = None
    try:
        for member in read_members(path, lambda name: _MOST.get(_ending(name), 0), _is_picture if placed else None):
            name = _plain(member.name)
            ending = _ending(name)
            if ending not in _MOST or _hidden(name):
                continue
            key = name.rpartition(".")[0]
            if group is None or key != group.key or ending in group.seen:
                if group is not None:
                    yield _sample(group, shown, stored)
                group = _Group(key, repeated=keys.claim(key, 0) != key)
            group.add(ending, member)
    except CutShort as error:
        if group is not None and group.whole:
            yield _sample(group, shown, stored)
        yield BadPair(shown, error.message.partition(": ")[2], error.hint, status=DAMAGED)
        return
    if group is not None:
        yield _sample(group, shown, stored)


def _plain(name: str) -> str:
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _ending(name: str) -> str:
    ending = name.rpartition("/")[2].rpartition(".")[2]
    return ending if ending in _MOST else ending.lower()


def _hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".") or name.startswith("__MACOSX/")


def _is_picture(name: str) -> bool:
    return _ending(name) in PICTURES and not _hidden(_plain(name))


def _sample(group: _Group, archive: str, stored: Stored | None) -> Pair | PlacedPair | BadPair:
    key = group.key
    origin = f"{archive}:{printable(key)}"

    def bad(status: str, message: str, hint: str | None = None) -> BadPair:
        return BadPair(origin, message, hint, key, status)

    if reason := unsafe_key(key):
        return bad(BAD_NAME, f"{reason}, expected a plain name")
    if not is_text(key):
        return bad(BAD_NAME, "is no text in UTF-8, expected a plain name")
    if group.repeated:
        return bad(
            REPEATED, "its key came before: the first sample of a key counts",
            "members of one sample follow each other: tar --sort=name -cf ARCHIVE.tar FOLDER",
        )  # fmt: skip
    if group.problem is not None:
        return bad(*group.problem)
    if group.picture is None:
        return bad(NO_PICTURE, f"has no picture, expected a member that ends in {', '.join(PICTURES)}")
    try:
        caption = _caption(group)
    except UnicodeDecodeError as error:
        return bad(BAD_CAPTION, f"its caption cannot be read: {undecodable(error)}", "captions are UTF-8")
    except ValueError:
        return bad(BAD_CAPTION, "its caption cannot be read: the json is damaged or nested too deeply")
    if not caption:
        return bad(
            NO_CAPTION, f"has no caption, expected a member that ends in {' or '.join(TEXTS)}, or one in the json"
        )
    if group.picture in group.parts:
        return Pair(key, caption, group.parts[group.picture], origin)
    assert stored is not None
    offset, size = group.places[group.picture]
    return PlacedPair(key, caption, replace(stored, offset=offset, size=size), origin)


def _caption(group: _Group) -> str:
    for ending in TEXTS:
        if text := group.parts.get(ending, b"").decode("utf-8-sig").replace("\0", "").strip():
            return text
    return json_caption(group.parts["json"]) if "json" in group.parts else ""


def json_caption(data: bytes) -> str:
    """The caption in a JSON record: `caption`, else `text`, or the record itself where it is a text; "" without one.

    Raises:
        ValueError: no JSON, no UTF-8, or nested too deeply.
    """
    try:
        record = json.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if isinstance(record, dict):
        record = next((record[name] for name in ("caption", "text") if isinstance(record.get(name), str)), None)
    return record.encode("utf-8", "replace").decode().replace("\0", "").strip() if isinstance(record, str) else ""
