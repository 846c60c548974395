"""The layout that several papers share: `<root>/<DATA>/validation/{image,mask,xml}`, a `<DATA>.json` beside it.

The JSON file is optional. It may hold `names` (a list, or a mapping from value to name) and `ignore` (the value that
counts nowhere). Where it has a background that our class list lacks, value 0 is ignored and value k is class k-1.
Without names the values are those of the original label files: our class indices, and where the original has a 0 that
our list lacks (VOC, Context and ADE20K without background) again 0 ignored and k as class k-1. Names in another order
would give a wrong figure: they are an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttd_core.data.benchmarks.annotated import AnnotatedSet, pair_up
from ttd_core.data.benchmarks.places import (
    MASK_SUFFIXES,
    XML_SUFFIXES,
    Listing,
    below,
    folder_names,
    list_files,
    list_pictures,
)
from ttd_core.data.benchmarks.raw_labels import RawLabels, plain_labels, zero_ignored
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.data.files import open_regular, show
from ttd_core.errors import DataError

SPLITS = {"val": "validation", "test": "validation", "validation": "validation", "train": "train", "training": "train"}
"""Split of the catalogue → folder."""

_WITHOUT_ZERO = ("voc20", "context59", "ade150")
"""Class lists without the background, or the unlabelled rest, that is 0 in the original label files."""

_MAX_JSON = 1 << 20


@dataclass(frozen=True)
class TtdFolders:
    """The folders of one split.

    Args:
        image: the pictures.
        mask, xml: label files and annotations, None where there is no such folder.
        names_file: `<DATA>.json`, None where there is none.
    """

    image: Path
    mask: Path | None
    xml: Path | None
    names_file: Path | None


def find_ttd_layout(root: Path, data: Sequence[str], split: str) -> TtdFolders | None:
    """Look for the layout at `root`, at `<root>/<DATA>`, and where `root` is the split's folder itself.

    Args:
        root: as the user gave it.
        data: names the data set goes by there (`COCO-Stuff`, `COCOStuff`); letters may differ in case.
        split: of the catalogue.
    """
    folder = SPLITS.get(split, split)
    known = {_fold(each) for each in data}
    bases = [place for place in (below(root, name) for name in data) if place is not None]
    for base in (*bases, root):
        place = below(base, folder)
        if place is not None and _folder(place, "image") is not None:
            return _folders(place, base.resolve(), known)
        here = base.resolve()
        itself = _fold(here.name) in known or (here.name == folder and _fold(here.parent.name) in known)
        if itself and _folder(base, "image") is not None:
            return _folders(base, here if _fold(here.name) in known else here.parent, known)
    return None


def open_ttd_layout(
    name: str, data: Sequence[str], split: str, root: Path, classes: ClassList, tasks: tuple[str, ...]
) -> AnnotatedSet | None:
    """Open a data set in this layout.

    Args:
        name: in the catalogue.
        data: names of its folder.
        split: of the catalogue.
        root: as the user gave it.
        classes: its class list.
        tasks: its tasks; `masks` needs the folder `mask`, and is left out without it where `xml` is there.

    Returns:
        None where the layout is not there.

    Raises:
        DataError: the layout is there, but neither masks nor annotations, or other classes.
    """
    found = find_ttd_layout(root, data, split)
    if found is None:
        return None
    if found.mask is None and (found.xml is None or "classification" not in tasks):
        raise DataError(
            f"{show(found.image.parent)}: has image, but no mask", "put the label files there, one PNG each"
        )
    pictures = list_pictures(found.image, root)
    masks = list_files(found.mask, MASK_SUFFIXES, root) if found.mask is not None else None
    xmls = list_files(found.xml, XML_SUFFIXES, root) if found.xml is not None else None
    truths = masks if masks is not None else xmls
    pairs = pair_up(sorted({*pictures.names, *(truths.names if truths else ())}), pictures, masks, xmls)
    if not pairs.samples and not pairs.absent:
        raise DataError(f"{show(found.image)}: holds no pictures", "expected one .jpg or .png per sample")
    kept = tasks if masks is not None else tuple(task for task in tasks if task == "classification")
    raw = _raw_labels(found.names_file, classes) if masks is not None else None
    notices = _notices(found, pictures, classes)
    return AnnotatedSet(f"{name}:{split}", kept, classes, pairs.samples, pairs.absent, notices, raw)


def _folders(place: Path, home: Path, known: set[str]) -> TtdFolders:
    image = _folder(place, "image")
    assert image is not None
    return TtdFolders(image, _folder(place, "mask"), _folder(place, "xml"), _names_file(home, known))


def _folder(place: Path, name: str) -> Path | None:
    path = below(place, name)
    return path if path is not None and path.is_dir() else None


def _names_file(home: Path, known: set[str]) -> Path | None:
    """`<DATA>.json` in the data set's folder or beside it."""
    for place in (home, home.parent):
        for name in folder_names(place, files=True):
            if name.lower().endswith(".json") and _fold(name[:-5]) in known:
                return place / name
    return None


def _notices(found: TtdFolders, pictures: Listing, classes: ClassList) -> tuple[str, ...]:
    notices = []
    if found.names_file is None and found.mask is not None:
        place, first = show(found.image.parent.parent), classes.names[0]
        taken = f"label 0 is taken as ignored and 1 as {first}, as in the original files"
        if classes.name not in _WITHOUT_ZERO:
            taken = f"label values are taken as indices of our class list, 0 as {first}"
        notices.append(f"{place}: no JSON file with names, {taken}")
    if pictures.doubled:
        notices.append(f"{show(pictures.folder)}: several pictures are called {pictures.doubled[0]}, the first counts")
    return tuple(notices)


def _raw_labels(file: Path | None, classes: ClassList) -> RawLabels:
    count = len(classes.names)
    labels = zero_ignored(count) if classes.name in _WITHOUT_ZERO else plain_labels(count)
    if file is None:
        return labels
    data = _read_names_file(file)
    ignore = data.get("ignore", 255)
    if not isinstance(ignore, int) or not 0 <= ignore <= 255:
        raise DataError(f"{show(file)}: ignore is {ignore!r}, expected a value from 0 to 255")
    names = _names(file, data)
    if names is not None:
        shifted = len(names) == count + 1 and not classes.background and _is_background(names[0])
        _check_order(file, names[1:] if shifted else names, classes)
        labels = zero_ignored(count) if shifted else plain_labels(count)
    return RawLabels(labels.table, None if ignore == 255 else ignore)


def _read_names_file(file: Path) -> dict[str, Any]:
    with open_regular(file) as stream:
        text = stream.read(_MAX_JSON + 1)
    try:
        data = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{show(file)}: is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise DataError(f"{show(file)}: expected an object with names")
    return data


def _names(file: Path, data: dict[str, Any]) -> list[str] | None:
    names = data.get("names")
    if isinstance(names, dict) and all(str(key).isdigit() for key in names):
        names = [names[key] for key in sorted(names, key=int)]
    if names is None:
        return None
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        raise DataError(f"{show(file)}: names is no list of names", hint='expected {"names": ["background", ...]}')
    return names


def _check_order(file: Path, names: Sequence[str], classes: ClassList) -> None:
    if len(names) != len(classes.names):
        raise DataError(f"{show(file)}: has {len(names)} names, but {classes.name} has {len(classes.names)} classes")
    same = [_fold(ours) for ours in classes.names]
    theirs = [_fold(each) for each in names]
    for place, (ours, other) in enumerate(zip(same, theirs, strict=True)):
        # Other spellings of a class are no matter; one of our names at another place is another order.
        if ours != other and other in same:
            raise DataError(
                f"{show(file)}: class {place} is {names[place]!r}, in {classes.name} it is {classes.names[place]!r}",
                hint="label files in another order of classes would be scored wrongly; convert them",
            )


def _is_background(name: str) -> bool:
    return _fold(name) in ("background", "other", "unlabeled", "unlabelled", "void")


def _fold(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())
