"""Predicted label maps and caption masks: folders of PNG or npy files by any tool, and runs of `ttd masks`.

- A plain folder: `<key>.png` or `<key>.npy`, the values are class indices in the order of our class list. 255 (65535 in
  16 bit) is no class. A `classes.txt` beside them, one name a line, must agree with our list. Files in sub-folders have
  these in their keys (`x/a`).
- A run of `ttd masks` (`run.yaml`, `masks.jsonl`): labels are mapped by the names of their tags; a tag that is no class
  is an error. Label 0 is the background; in a class list without one it is no class.

"No class" is the value C, `len(classes.names)`: count it in an extra row and column, and it is a miss of the true class
and nobody's false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ttd_core.data.benchmarks.label_files_rows import Answers, add_once, json_rows, key_of, text_rows
from ttd_core.data.benchmarks.places import MASK_SUFFIXES, list_tree
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.data.files import show
from ttd_core.data.keys import unsafe_key
from ttd_core.data.label_maps import LabelMap, read_label_map
from ttd_core.data.palette import IGNORED
from ttd_core.errors import DataError
from ttd_core.text.clean import printable
from ttd_core.text.tokens import fold

_RUN_ROWS = "masks.jsonl"
_RUN_HINT = "expected the masks.jsonl of a run of `ttd masks`"


@dataclass(frozen=True)
class MaskFile:
    """One prediction.

    Args:
        path: the file.
        labels: value → class index, where the values are a run's own labels; None where they are class indices.
    """

    path: Path
    labels: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class PredictedMasks:
    """Finished predictions by key; picklable, nothing is decoded before it is asked for.

    Args:
        root: the folder.
        files: by key; also found by the plain name of the picture, see `Answers`.
        classes: C; the value C stands for "no class". None where the files are binary masks.
        notices: what was assumed.
        background: whether class 0 is the background: then a file of 0 and 255 only is somebody's binary mask, and no
            label map that leaves pixels without a class.
    """

    root: Path
    files: Answers[MaskFile] = field(repr=False)
    classes: int | None
    notices: tuple[str, ...] = ()
    background: bool = True

    @property
    def keys(self) -> frozenset[str]:
        """The keys as the files or rows spell them."""
        return frozenset(self.files)

    def __contains__(self, key: str) -> bool:
        return key in self.files

    def read(self, key: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """The labels of one prediction, see `look`."""
        return self.look(key, size).labels

    def look(self, key: str, size: tuple[int, int] | None = None) -> LabelMap:
        """Read one prediction.

        Args:
            key: a sample's key that is contained.
            size: H and W of its picture; another size is an error, never a silent resize.

        Returns:
            H×W uint16 with classes 0..C-1 and C for no class, bool for binary masks; and what was odd about the file.

        Raises:
            DataError: there is none, it cannot be read, has another size, or holds values that are no class.
        """
        if key not in self.files:
            raise DataError(f"{show(self.root)}: no prediction for {printable(key)[:80]}")
        file = self.files[key]
        if not file.path.resolve().is_relative_to(self.root.resolve()):
            raise DataError(f"{show(file.path)}: is a link that leaves {show(self.root)}")
        if self.classes is None:
            mask = read_label_map(file.path, None, size, binary=True)
            return LabelMap(mask.labels > 0, mask.notices)
        if file.labels is not None:
            return LabelMap(_mapped(file, self.classes, size))
        found = read_label_map(file.path, self.classes, size)
        of_two = tuple(notice for notice in found.notices if "0 and 255" in notice)
        if self.classes > 2 and (self.background and of_two or any("1-bit" in notice for notice in found.notices)):
            raise DataError(
                f"{show(file.path)}: is a binary mask, expected class indices 0..{self.classes - 1}",
                "save label maps as PNG holding one class index per pixel",
            )
        labels = found.labels.astype(np.uint16)
        labels[labels == (IGNORED if self.classes <= IGNORED else 65535)] = self.classes
        odd = ("holds only 0 and 255: the first class and no class, or is it a binary mask?",) if of_two else ()
        return LabelMap(labels, tuple(notice for notice in found.notices if notice not in of_two) + odd)


def open_predicted_masks(path: Path, classes: ClassList, aliases: Mapping[str, int] | None = None) -> PredictedMasks:
    """Open predicted label maps; decode nothing.

    Args:
        path: a folder of one of the kinds above.
        classes: the data set's classes.
        aliases: further tags that stand for a class, by its index; only runs name their labels.

    Raises:
        DataError: no such folder, no label maps in it, classes in another order, or tags that are no class.
    """
    _require_folder(path)
    if not (path / _RUN_ROWS).is_file():
        notices = _check_order(path, classes)
        return PredictedMasks(path, _folder_files(path), len(classes.names), notices, classes.background)
    known = {fold(name): index for index, name in enumerate(classes.names)}
    known |= {fold(name): index for name, index in (aliases or {}).items()}
    zero = 0 if classes.background else len(classes.names)
    found: dict[str, MaskFile] = {}
    for origin, row in _run_rows(path):
        labels = ((0, zero), *_labels_of(row, origin, known, classes))
        add_once(found, key_of(row, origin), MaskFile(_product(path, row, "labels", origin), labels), origin)
    if not found:
        raise DataError(f"{show(path / _RUN_ROWS)}: holds no label maps", "was the run finished? repeat the command")
    return PredictedMasks(path, Answers(found), len(classes.names))


def open_predicted_captions(path: Path) -> PredictedMasks:
    """Open predicted caption masks: a folder of binary `<key>.png`, or a run of `ttd masks` with captions.

    Args:
        path: the folder.

    Raises:
        DataError: no such folder, or no masks of captions in it.
    """
    _require_folder(path)
    if not (path / _RUN_ROWS).is_file():
        return PredictedMasks(path, _folder_files(path), None)
    found: dict[str, MaskFile] = {}
    for origin, row in _run_rows(path):
        if isinstance(row.get("files"), dict) and "caption" in row["files"]:
            add_once(found, key_of(row, origin), MaskFile(_product(path, row, "caption", origin)), origin)
    if not found:
        raise DataError(f"{show(path)}: a run without masks of captions", "run `ttd masks` on rows that have a caption")
    return PredictedMasks(path, Answers(found), None)


def _require_folder(path: Path) -> None:
    if not path.is_dir():
        what = "is no folder" if path.exists() else "no such folder"
        raise DataError(f"{show(path)}: {what}", "--pred takes a folder of label maps, or a run of `ttd masks`")


def _folder_files(path: Path) -> Answers[MaskFile]:
    listing = list_tree(path, MASK_SUFFIXES, path)
    if listing.doubled:
        raise DataError(
            f"{show(path)}: {printable(listing.doubled[0])[:80]} comes twice", "keep one .png or .npy per picture"
        )
    if not listing.names:
        inside = ", ".join(map(printable, sorted(each.name for each in path.iterdir())[:5]))
        raise DataError(
            f"{show(path)}: holds no .png or .npy files" + (f", only {inside}" if inside else ""),
            "save label maps without loss, named by the picture: a.png for a.jpg",
        )
    return Answers({key: MaskFile(path / name) for key, name in listing.names.items()})


def _check_order(path: Path, classes: ClassList) -> tuple[str, ...]:
    file = path / "classes.txt"
    if not file.is_file():
        first = f"0 is {classes.names[0]}, {len(classes.names) - 1} is {classes.names[-1]}"
        return (f"{show(path)}: no classes.txt, values are taken as indices into {classes.name}: {first}",)
    names = [text.strip() for _, text in text_rows(file)]
    ours = [fold(name) for name in classes.names]
    for index, (name, our) in enumerate(zip(names, ours, strict=False)):
        if fold(name) != our and (fold(name) in ours or len(names) != len(ours)):
            raise DataError(
                f"{show(file)}: class {index} is {printable(name)[:60]}, expected {classes.names[index]}",
                "label maps in another order of classes would be scored wrongly; convert them",
            )
    if len(names) != len(ours):
        raise DataError(f"{show(file)}: has {len(names)} classes, {classes.name} has {len(ours)}")
    return ()


def _run_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for origin, row in json_rows(path / _RUN_ROWS):
        if "error" not in row:
            yield origin, row


def _product(path: Path, row: Mapping[str, Any], kind: str, origin: str) -> Path:
    files = row.get("files")
    name = files.get(kind) if isinstance(files, dict) else None
    if not isinstance(name, str):
        raise DataError(f"{origin}: names no file of {kind}", _RUN_HINT)
    if reason := unsafe_key(name):
        raise DataError(f"{origin}: the path {printable(name)[:80]} {reason}")
    return path / name


def _labels_of(
    row: Mapping[str, Any], origin: str, known: Mapping[str, int], classes: ClassList
) -> Iterator[tuple[int, int]]:
    masks = row.get("masks")
    for mask in masks if isinstance(masks, list) else ():
        tag, label = (mask.get("tag"), mask.get("label")) if isinstance(mask, dict) else (None, None)
        if not isinstance(tag, str) or type(label) is not int or not 0 < label < 65535:
            raise DataError(
                f"{origin}: a mask without tag and label", "expected the masks.jsonl of a run of `ttd masks`"
            )
        if fold(tag) not in known:
            raise DataError(
                f"{origin}: {printable(tag)[:60]} is no class of {classes.name}",
                "make the run with the classes as tags: ttd masks --tags-file classes.txt",
            )
        yield label, known[fold(tag)]


def _mapped(file: MaskFile, classes: int, size: tuple[int, int] | None) -> np.ndarray:
    labels = read_label_map(file.path, None, size).labels
    unknown = classes + 1
    table = np.full(65536, unknown, dtype=np.uint16)
    for value, index in file.labels or ():
        table[value] = index
    found: np.ndarray = table[labels]
    if (found == unknown).any():
        values = ", ".join(str(value) for value in np.unique(labels[found == unknown])[:5])
        raise DataError(f"{show(file.path)}: holds {values}, a label that its row in {_RUN_ROWS} does not have")
    return found
