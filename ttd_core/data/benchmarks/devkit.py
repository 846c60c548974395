"""What the sets in a VOCdevkit have in common: JPEGImages, a folder of annotations, lists of splits in ImageSets."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.benchmarks.annotated import AnnotatedSet, Found, pair_up
from ttd_core.data.benchmarks.places import (
    MASK_SUFFIXES,
    XML_SUFFIXES,
    below,
    find_base,
    find_bases,
    folder_names,
    list_files,
    list_pictures,
    not_found,
)
from ttd_core.data.benchmarks.raw_labels import RawLabels
from ttd_core.data.benchmarks.split_lists import SplitList, read_split
from ttd_core.data.benchmarks.ttd_layout import open_ttd_layout
from ttd_core.data.benchmarks.types import Benchmark, ClassList
from ttd_core.data.files import show
from ttd_core.errors import DataError
from ttd_core.registry import near_matches

_PICTURES = "JPEGImages"
_XMLS = "Annotations"


@dataclass(frozen=True)
class Devkit:
    """Where one set keeps its files.

    Args:
        title: the set, in words.
        year: its folder in VOCdevkit.
        annotations: folder of the masks, or of the XML files where there are none.
        lists: folder of the split lists.
        ttd: names of its folder in the ttd layout.
        archive: where the files come from.
    """

    title: str
    year: str
    annotations: str
    lists: str
    ttd: tuple[str, ...]
    archive: str

    @property
    def with_masks(self) -> bool:
        """Whether its annotations are label files."""
        return self.annotations != _XMLS

    def avoid(self, folder: str) -> bool:
        """Whether a folder's name says that it is another year's set, which has the same layout."""
        return re.fullmatch(r"voc20\d\d", folder.casefold()) is not None and folder.casefold() != self.year.casefold()

    @property
    def nests(self) -> tuple[str, ...]:
        """Where archives put its folder."""
        return f"VOCdevkit/{self.year}", self.year

    def base(self, root: Path, marks: tuple[str, ...], *, deeper: bool = False) -> Path | None:
        """The folder that holds `marks`."""
        return find_base(root, marks, self.nests, self.avoid, deeper=deeper)

    def half(self, root: Path, mark: str) -> Path | None:
        """The one folder that holds `mark` where not all is there; several of them say nothing.

        `Annotations` alone says nothing either, since COCO and ADE20K have a folder of that name: it counts in a folder
        of the year's name, or beside `ImageSets`.
        """
        if mark == _XMLS:
            named = find_bases(root, (mark,), self.nests, lambda name: name.casefold() != self.year.casefold())
            found = named or find_bases(root, (mark, "ImageSets"), self.nests, self.avoid, deeper=True)
        else:
            found = find_bases(root, (mark,), self.nests, self.avoid, deeper=True)
        return found[0] if len(found) == 1 else None

    def pictures(self, root: Path) -> Path | None:
        """The folder of the pictures, where there is one."""
        base = self.base(root, (_PICTURES,), deeper=True)
        return None if base is None else below(base, _PICTURES)


_USUAL_SPLITS = ("train", "val", "trainval", "test")


def open_devkit(
    kit: Devkit, name: str, split: str, root: Path, classes: ClassList, tasks: tuple[str, ...], raw: RawLabels | None
) -> Benchmark:
    """Open a set in a VOCdevkit, or in the ttd layout where there is no such devkit.

    Args:
        kit: where its files lie.
        name: in the catalogue.
        split: name of a list.
        root: as the user gave it: any folder from the one above VOCdevkit down to the year's.
        classes: its class list.
        tasks: its tasks.
        raw: what the values of its masks mean.

    Raises:
        DataError: it is not there, has no such split, or the split's list is empty or cannot be read.
    """
    base = kit.base(root, (_PICTURES, kit.annotations))
    if base is None:
        other = open_ttd_layout(name, kit.ttd, split, root, classes, tasks)
        if other is not None:
            return other
        base = kit.base(root, (_PICTURES, kit.annotations), deeper=True)
    if base is None:
        raise _explain(kit, root, split)
    inside = root if _is_below(base, root) else base
    pictures = list_pictures(_folder(base, _PICTURES), inside)
    folder = _folder(base, _augmented(base, split) or kit.annotations)
    masks = list_files(folder, MASK_SUFFIXES, inside) if kit.with_masks else None
    boxes = below(base, _XMLS)
    xmls = list_files(boxes, XML_SUFFIXES, inside) if boxes is not None and boxes.is_dir() else None
    ids = _read_ids(kit, base, split)
    notices: tuple[str, ...] = ()
    if ids is None and split not in _USUAL_SPLITS:  # a typing error must not evaluate everything
        raise DataError(
            f"{show(base)}: no {kit.lists}/{split}.txt for the split that --data names",
            hint=f"leave :{split} away to take every picture with its truth",
        )
    if ids is None:
        truths = masks if masks is not None else xmls
        assert truths is not None
        ids = SplitList(tuple(truths.names))
        notices = (
            f"{show(base)}: no {kit.lists}/{split}.txt, so all {len(ids.ids):,} pictures with "
            f"{'a mask' if kit.with_masks else 'an annotation'} are taken, whatever their split",
        )
        if not ids.ids:
            raise DataError(f"{show(folder)}: is empty", hint=f"unpack it from {kit.archive}")
    found = pair_up(ids.ids, pictures, masks, xmls)
    found = Found(found.samples, (*found.absent, *ids.refused))
    title = f"{name}:{split}"
    return AnnotatedSet(title, tasks, classes, found.samples, found.absent, (*notices, *ids.notices), raw)


def _read_ids(kit: Devkit, base: Path, split: str) -> SplitList | None:
    """The split's ids; None where the set has no lists at all."""
    lists = below(base, kit.lists)
    if lists is None or not lists.is_dir():
        return None
    known = [name.removesuffix(".txt") for name in folder_names(lists, files=True) if name.endswith(".txt")]
    if not known:
        return None
    if split not in known:
        close = near_matches(split, known)
        hint = f"give a list that is there, e.g. :{(close or known)[0]}; or unpack it from {kit.archive}"
        shown = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
        raise DataError(f"{show(lists)}: no {split}.txt; found {shown}", hint)
    return read_split(lists / f"{split}.txt")


def _explain(kit: Devkit, root: Path, split: str) -> DataError:
    for mark in (_PICTURES, kit.annotations):
        half = kit.half(root, mark)
        if half is not None:
            missing = kit.annotations if mark == _PICTURES else _PICTURES
            hint = f"{missing} and {mark} belong side by side; they come from {kit.archive}"
            return not_found(half, f"{missing} of {kit.title}", (missing,), hint)
    above = root.resolve().parent
    if root.name.casefold() in (_PICTURES.casefold(), kit.annotations.casefold()) and kit.base(above, (_PICTURES,)):
        return not_found(root, kit.title, (_PICTURES, kit.annotations), f"give the folder above: --root {show(above)}")
    place = f"VOCdevkit/{kit.year}"
    looked = (f"{place}/{_PICTURES}", f"{place}/{kit.annotations}", f"{kit.ttd[0]}/validation/image")
    return not_found(root, kit.title, looked, f"give --root the folder that holds VOCdevkit; it is in {kit.archive}")


def _folder(base: Path, name: str) -> Path:
    path = below(base, name)
    if path is None or not path.is_dir():
        raise DataError(f"{show(base / name)}: is no folder")
    return path


def _augmented(base: Path, split: str) -> str | None:
    """The lists with `aug` in their name belong to the masks of the augmented set (SBD), where those are there."""
    name = "SegmentationClassAug"
    return name if "aug" in split and below(base, name) is not None else None


def _is_below(base: Path, root: Path) -> bool:
    return os.path.commonpath([os.path.realpath(base), os.path.realpath(root)]) == os.path.realpath(root)
