"""A data set of one's own: `images/`, `masks/` and `classes.txt` in one folder, captions where one has them.

- `images/` (or `image/`): the pictures, in sub-folders if need be. A folder without it is taken for the pictures.
- `masks/` (or `mask/`): one label file per picture, of the same name and size: value k is line k of `classes.txt`,
  counted from 0; 255 counts nowhere.
- `classes.txt`: one class per line. If the first is `background`, value 0 is the background, which no text stands
  for; without it, every value from 0 on is a class.
- captions: `captions.txt` with `picture<TAB>sentence` a line, or `a.txt` beside `a.jpg`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ttd_core.data.benchmarks.annotated import AnnotatedSet, pair_up
from ttd_core.data.benchmarks.label_files import open_label_list
from ttd_core.data.benchmarks.places import MASK_SUFFIXES, Listing, below, list_pictures, list_tree, not_found
from ttd_core.data.benchmarks.raw_labels import plain_labels
from ttd_core.data.benchmarks.types import Benchmark, ClassList
from ttd_core.data.files import PICTURE_SUFFIXES, open_regular, show
from ttd_core.data.folders import read_caption
from ttd_core.data.lines import read_lines, undecodable
from ttd_core.errors import DataError

_MOST_CLASSES = 255
_HINT = "see the layout in the documentation: images/, masks/ and classes.txt, or images with captions beside them"


def open_folder(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open a folder.

    Args:
        name: as the user typed it: `folder`, or its path.
        split: none.
        root: the folder.
        truth: a list of image-level labels instead of masks; needs `classes.txt`.

    Raises:
        DataError: it holds no pictures, masks without `classes.txt`, or neither masks nor captions.
    """
    if not root.is_dir():
        raise DataError(f"{show(root)}: no such folder", hint=_HINT)
    images, folder = _part(root, "image"), _part(root, "mask")
    classes_file = below(root, "classes.txt")
    classes = read_classes(classes_file) if classes_file is not None else None
    if truth is not None and classes is not None:
        return open_label_list(name, classes, truth, images or root)
    # Without `images/`, the masks' folder lies among the pictures; its PNGs are none.
    flat = images is None and folder is not None
    pictures = list_pictures(root, root) if flat else list_tree(images or root, PICTURE_SUFFIXES, root)
    _check(root, pictures, folder, classes)
    captions = _read_captions(root, pictures)
    tasks: tuple[str, ...] = ("bias",) if captions else ()
    if folder is None:
        if not captions:
            raise not_found(root, "masks or captions", ("masks", "captions.txt", "NAME.txt beside a picture"), _HINT)
        ids = [key for key in pictures.names if key in captions]
        found = pair_up(ids, pictures, captions=captions)
        return AnnotatedSet(name, tasks, classes, found.samples, found.absent, _left_out(pictures, ids))
    masks = list_tree(folder, MASK_SUFFIXES, root)
    assert classes is not None
    found = pair_up(sorted({*pictures.names, *masks.names}), pictures, masks, captions=captions)
    raw = plain_labels(len(classes.names))
    return AnnotatedSet(name, ("masks", "classification", *tasks), classes, found.samples, found.absent, raw=raw)


def read_classes(path: Path) -> ClassList:
    """Read `classes.txt`.

    Args:
        path: one name per line, in label order; a first line `background` decides that there is one.

    Raises:
        DataError: no names, more than 255, an empty line between names, or a name twice: labels would be shifted.
    """
    names = _text_lines(path)
    while names and not names[-1]:
        names.pop()
    if not names or len(names) > _MOST_CLASSES:
        raise DataError(f"{show(path)}: holds {len(names)} names, expected 1..{_MOST_CLASSES}, one per line")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{show(path)} line {number}: is empty", hint="each line is the name of one label value")
        if name.casefold() in seen:
            raise DataError(f"{show(path)} line {number}: {name!r} stands in line {seen[name.casefold()]} already")
        seen[name.casefold()] = number
    background = names[0].casefold() == "background"
    if background and len(names) == 1:
        raise DataError(f"{show(path)}: holds only the background, expected classes after it")
    return ClassList(path.parent.name or "folder", tuple(names), background)


def _check(root: Path, pictures: Listing, folder: Path | None, classes: ClassList | None) -> None:
    if not pictures.names:
        raise not_found(root, "pictures", ("images/*.jpg",), _HINT)
    if pictures.doubled:
        key = pictures.doubled[0]
        raise DataError(f"{show(pictures.folder)}: several pictures are called {key}", "keep one of them")
    if folder is not None and classes is None:
        raise DataError(
            f"{show(root)}: has {folder.name} but no classes.txt",
            hint="write one class per line, in the order of the label values; the first may be background",
        )


def _part(root: Path, what: str) -> Path | None:
    for name in (f"{what}s", what):
        path = below(root, name)
        if path is not None and path.is_dir():
            return path
    return None


def _read_captions(root: Path, pictures: Listing) -> dict[str, str]:
    listed = below(root, "captions.txt")
    if listed is not None:
        return _listed_captions(listed, pictures.names)
    beside = list_tree(pictures.folder, frozenset((".txt",)), root)
    return {key: read_caption(pictures.folder / beside.names[key]) for key in pictures.names if key in beside.names}


def _listed_captions(path: Path, pictures: Mapping[str, str]) -> dict[str, str]:
    keys = {name: key for key, name in pictures.items()} | {key: key for key in pictures}
    captions: dict[str, str] = {}
    for number, line in enumerate(_text_lines(path), start=1):
        if not line:
            continue
        name, tab, caption = line.partition("\t")
        if not tab or not caption.strip():
            raise DataError(f"{show(path)} line {number}: expected picture<TAB>caption")
        if name.strip() not in keys:
            raise DataError(f"{show(path)} line {number}: there is no picture {name.strip()!r}")
        if keys[name.strip()] in captions:
            raise DataError(f"{show(path)} line {number}: {name.strip()!r} has a caption already")
        captions[keys[name.strip()]] = caption.strip()
    return captions


def _text_lines(path: Path) -> list[str]:
    name, lines = show(path), []
    with open_regular(path) as file:
        for line in read_lines(file, name):
            if line.data is None:
                raise DataError(f"{name} line {line.number}: is too long")
            try:
                lines.append(line.data.decode("utf-8").strip())
            except UnicodeDecodeError as error:
                raise DataError(f"{name} line {line.number}: {undecodable(error)}") from error
    return lines


def _left_out(pictures: Listing, ids: list[str]) -> tuple[str, ...]:
    left = len(pictures.names) - len(ids)
    return (f"{show(pictures.folder)}: {left:,} pictures without a caption are left out",) if left else ()
