"""What `--data` may name for training: archives, a list, a folder, or the published layout of CC3M and CC12M."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ttd_core.data.files import show
from ttd_core.data.pair_folders import FolderPairs, open_folder
from ttd_core.data.pair_lists import LISTS, open_list
from ttd_core.data.pair_patterns import archive_paths, is_archive, shard_names
from ttd_core.data.pairs import Pair, PairShard, PairSource
from ttd_core.data.rows import BadRow, Columns
from ttd_core.data.webdataset import TarPairs, counted_rows
from ttd_core.errors import DataError, UsageError

LAYOUTS = {"cc3m": ("train", "validation"), "cc12m": ("train",)}
"""Data sets of the published layout `<root>/<name>/<split>/{image,json}/`, and their splits."""

_EXPECTED = (
    "cc3m, cc12m or cc3m+cc12m with --root; archives such as '/data/{00000..01242}.tar'; "
    "a list (.jsonl .csv .tsv .parquet); a folder of pictures or archives"
)


@dataclass(frozen=True)
class JoinedPairs:
    """Several sources one after the other; the names of their shards differ.

    Args:
        name: all their names.
        parts: the sources.
    """

    name: str
    parts: tuple[PairSource, ...]
    _owner: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Remember whose each shard is."""
        for number, part in enumerate(self.parts):
            for shard in part.shards:
                if self._owner.setdefault(shard.name, number) != number:
                    raise UsageError(f"--data {self.name}: two parts have a shard {shard.name}")

    @property
    def shards(self) -> tuple[PairShard, ...]:
        """The shards of all parts, in their order."""
        return tuple(shard for part in self.parts for shard in part.shards)

    @property
    def rows(self) -> int | None:
        """How many rows all parts have; None where one does not say."""
        counts = [getattr(part, "rows", None) for part in self.parts]
        return None if None in counts else sum(count for count in counts if count is not None)

    def digest(self) -> str:
        """What tells other data apart: the digests of the parts."""
        return hashlib.sha256(" ".join(source_digest(part) for part in self.parts).encode()).hexdigest()

    def read(self, shard: PairShard) -> Iterator[Pair | BadRow]:
        """See `PairSource.read`."""
        return self.parts[self._owner[shard.name]].read(shard)


def source_digest(source: PairSource) -> str:
    """What tells the data of two sources apart; of one that does not say, the names of its shards."""
    say = getattr(source, "digest", None)
    names = "\n".join(shard.name for shard in source.shards) if say is None else ""
    return str(say()) if say is not None else hashlib.sha256(names.encode()).hexdigest()


def open_pairs(data: str, root: Path | None = None, columns: Columns | None = None) -> PairSource:
    """Open the pairs that `--data` names; pictures and captions are read shard by shard later.

    Args:
        data: `cc3m`, `cc12m`, `cc3m:validation`; a path or pattern of tar archives with braces and wildcards; several
            of one of these joined by `+`; a list; a folder of archives, of pictures with sidecar captions, or with the
            subfolders `image` and `json`.
        root: folder of the named data sets; for a list the folder that relative picture paths start from, by default
            the list's own.
        columns: a list's columns, where they have names of their own.

    Raises:
        UsageError: a name without `root`, or an unknown one.
        DataError: the data is not there, or not what it should be.
    """
    names = data.split("+")
    if all(name.partition(":")[0] in LAYOUTS for name in names) and not Path(data).exists():
        parts = [_layout(name, root) for name in names]
        return parts[0] if len(parts) == 1 else JoinedPairs(data.replace(":", "-"), tuple(parts))
    if is_archive(data) and not Path(data).is_dir():
        patterns = names if all(map(is_archive, names)) and not Path(data).exists() else [data]
        several = [(pattern, archive_paths(pattern)) for pattern in patterns]
        label = "+".join(_pattern_name(pattern, paths) for pattern, paths in several)
        return _archives(label, list(dict.fromkeys(path for _, paths in several for path in paths)))
    path = Path(data)
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() in LISTS and path.exists():
        return open_list(path, root, columns)
    if path.exists():
        raise DataError(f"{show(path)}: is no list, folder or archive that holds pairs", f"expected {_EXPECTED}")
    if "/" not in data and "." not in data:
        raise UsageError(f"--data {show(data)} is unknown", f"expected {_EXPECTED}")
    raise DataError(f"{show(path)}: no such file or folder", f"expected {_EXPECTED}")


def _archives(name: str, paths: Sequence[Path]) -> TarPairs:
    shards = zip(shard_names(paths), paths, strict=True)
    return TarPairs(name, tuple(PairShard(stem, str(path)) for stem, path in shards), counted_rows(paths))


def _pattern_name(data: str, paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return shard_names(paths)[0]
    folder = Path(re.split(r"[{*?\[]", data)[0] or ".")
    return (folder if data.startswith(f"{folder}/") else folder.parent).absolute().name or "archives"


def _folder(path: Path) -> PairSource:
    name = path.absolute().name or "root"
    try:
        archives = sorted(file for file in path.iterdir() if is_archive(file.name) and not file.name.startswith("."))
    except OSError as error:
        raise DataError(f"{show(path)}: folder cannot be read, {(error.strerror or str(error)).lower()}") from error
    if archives:
        return _archives(name, archives)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "folder"
    if (path / "image").is_dir() and (path / "json").is_dir():
        return open_folder(path / "image", safe, path / "json")
    return open_folder(path, safe)


def _layout(data: str, root: Path | None) -> FolderPairs:
    name, _, split = data.partition(":")
    splits = LAYOUTS[name]
    split = split or splits[0]
    if split not in splits:
        raise UsageError(f"--data {data}: {name} has no split {split!r}", f"one of {', '.join(splits)}")
    if root is None:
        raise UsageError(f"--data {data} needs --root", f"the folder that holds {name}/{split}/image and …/json")
    base = root / name / split
    for folder in (base / "image", base / "json"):
        if not folder.is_dir():
            raise DataError(f"{show(folder)}: no such folder", f"expected {name}/{split}/image and …/json under --root")
    return open_folder(base / "image", f"{name}-{split}", base / "json")
