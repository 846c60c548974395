"""Which mask files belong to which picture and tag of CC3M-TagMask."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.benchmarks.label_files_tags import folded
from ttd_core.data.benchmarks.places import MASK_SUFFIXES, folder_names, list_files

_INSTANCE = re.compile(r"[_-]\d+$")


@dataclass(frozen=True)
class MaskFiles:
    """The mask files of one picture.

    Args:
        whole: one file for all tags or for the caption.
        by_tag: folded tag and its files, where there is no such file.
    """

    whole: Path | None = None
    by_tag: tuple[tuple[str, tuple[Path, ...]], ...] = ()


def list_mask_files(folder: Path, root: Path, ids: frozenset[str]) -> dict[str, MaskFiles]:
    """Sort the files of the mask folder by picture; what belongs to no picture is passed over.

    Args:
        folder: the mask folder.
        root: what links must stay in.
        ids: the pictures.
    """
    tags: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    whole: dict[str, Path] = {}
    listing = list_files(folder, MASK_SUFFIXES, root)
    for stem, name in listing.names.items():
        if stem in ids:
            whole[stem] = folder / name
        elif split := _split(stem, ids):
            tags[split[0]][_tag(split[1])].append(folder / name)
    for key in folder_names(folder):
        if key in ids and key not in whole:
            inner = list_files(folder / key, MASK_SUFFIXES, root)
            for stem, name in inner.names.items():
                tags[key][_tag(stem)].append(inner.folder / name)
    found = {key: MaskFiles(path) for key, path in whole.items() if key not in tags}
    for key, by_tag in tags.items():
        found[key] = MaskFiles(None, tuple((tag, tuple(paths)) for tag, paths in sorted(by_tag.items()) if tag))
    return found


def _split(stem: str, ids: frozenset[str]) -> tuple[str, str] | None:
    """`<id>_<tag>`; ids may hold `_` themselves, so the longest one that is an id counts."""
    for place in range(len(stem) - 1, 0, -1):
        if stem[place] in "_-" and stem[:place] in ids:
            return stem[:place], stem[place + 1 :]
    return None


def _tag(name: str) -> str:
    tags = folded([_INSTANCE.sub("", name).replace("_", " ")])
    return tags[0] if tags else ""
