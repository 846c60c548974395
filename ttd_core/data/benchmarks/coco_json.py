"""COCO's instance annotations, read once and kept small: compressed per picture until its truth is asked for."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttd_core.data.benchmarks.coco_ids import CATEGORY_IDS
from ttd_core.data.files import open_regular, show
from ttd_core.data.images import MAX_PIXELS
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

_AGAIN = "download and unpack the annotations again"
_NAMED = 5
_LABELS = {number: rank for rank, number in enumerate(CATEGORY_IDS)}


@dataclass(frozen=True)
class CocoAnnotation:
    """One object.

    Args:
        id: for messages.
        label: 0..79 in the order of the category ids.
        crowd: it is a region with several objects that were not told apart.
        segmentation: as in the file, not checked.
    """

    id: Any
    label: int
    crowd: bool
    segmentation: Any


@dataclass(frozen=True)
class CocoPicture:
    """One entry of `images` with its annotations.

    Args:
        id: COCO's number of the picture.
        file_name: as in the file, not checked.
        height, width: in pixels.
        labels: which of the 80 classes it shows, ascending.
        packed: its annotations; a few kilobytes, so that the list travels to worker processes cheaply.
    """

    id: int
    file_name: str
    height: int
    width: int
    labels: tuple[int, ...]
    packed: bytes = field(repr=False)

    def annotations(self) -> Iterator[CocoAnnotation]:
        """Unpack the annotations, in the order of the file."""
        for each in json.loads(zlib.decompress(self.packed)):
            yield CocoAnnotation(*each)


@dataclass(frozen=True)
class Instances:
    """A file of instance annotations.

    Args:
        pictures: ascending by id.
        notices: what was passed over.
    """

    pictures: tuple[CocoPicture, ...] = ()
    notices: tuple[str, ...] = ()


def read_instances(path: Path, names: Sequence[str]) -> Instances:
    """Read `instances_*.json`.

    Args:
        path: the file.
        names: the 80 class names in order; a category of another name is an error, since its labels would be wrong.

    Raises:
        DataError: it is cut, lacks a key, lists a picture twice or a category under another number.
    """
    tables = _load(path)
    known = _categories(tables["categories"], path, names)
    pictures, unusable = _pictures(tables["images"], path)
    wrong: dict[str, list[str]] = {"is for a picture that is not listed": []}
    grouped: dict[int, list[list[Any]]] = {number: [] for number in pictures}
    for place, each in enumerate(tables["annotations"]):
        if not isinstance(each, dict):
            wrong.setdefault("is no JSON object", []).append(f"number {place + 1}")
            continue
        label = _hashable(known, each.get("category_id"))
        group = _hashable(grouped, each.get("image_id"))
        if label is None:
            reason = f"has the unknown category {_short(each.get('category_id'))}"
            wrong.setdefault(reason, []).append(_short(each.get("id")))
        elif group is None:
            if each.get("image_id") not in unusable:
                wrong["is for a picture that is not listed"].append(_short(each.get("id")))
        else:
            crowd = bool(each.get("iscrowd", 0))
            group.append([each.get("id"), label, crowd, each.get("segmentation")])
    notices = [f"{show(path)}: {_listed(ids)} {reason} and was passed over" for reason, ids in wrong.items() if ids]
    notices += [f"{show(path)}: picture {_short(number)} {reason}" for number, reason in unusable.items()]
    return Instances(
        tuple(_packed(number, *pictures[number], grouped.pop(number)) for number in sorted(pictures)), tuple(notices)
    )


def _load(path: Path) -> dict[str, list[Any]]:
    with open_regular(path) as stream:
        try:
            document = json.load(stream)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{show(path)}: is not JSON or was cut ({error.msg}, line {error.lineno} character {error.colno})",
                _AGAIN,
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{show(path)}: is not JSON that can be read ({type(error).__name__})", _AGAIN) from error
    if not isinstance(document, dict):
        raise DataError(f"{show(path)}: is no JSON object, expected images, annotations and categories", _AGAIN)
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            found = ", ".join(printable(str(key))[:40] for key in list(document)[:8]) or "none"
            raise DataError(
                f"{show(path)}: has no list {key!r} (keys: {found})",
                "expected a file instances_*.json as COCO gives it",
            )
    return document


def _categories(entries: list[Any], path: Path, names: Sequence[str]) -> dict[int, int]:
    """Category id -> label, for those that are among the 80."""
    known: dict[int, int] = {}
    for entry in entries:
        number = entry.get("id") if isinstance(entry, dict) else None
        label = _hashable(_LABELS, number)
        if label is None:
            continue
        if str(entry.get("name")).casefold() != names[label].casefold():
            raise DataError(
                f"{show(path)}: category {number} is {_short(entry.get('name'))}, expected {names[label]}",
                "this data set has COCO's 80 classes under COCO's numbers; other sets are read from folders of masks",
            )
        known[CATEGORY_IDS[label]] = label
    return known


def _pictures(entries: list[Any], path: Path) -> tuple[dict[int, tuple[str, int, int]], dict[Any, str]]:
    pictures: dict[int, tuple[str, int, int]] = {}
    unusable: dict[Any, str] = {}
    for place, entry in enumerate(entries):
        number = entry.get("id") if isinstance(entry, dict) else None
        if type(number) is not int:
            unusable[f"number {place + 1}"] = "has no id that is a whole number and was passed over"
            continue
        if number in pictures:
            raise DataError(f"{show(path)}: lists picture {number} twice", _AGAIN)
        name, height, width = (entry.get(key) for key in ("file_name", "height", "width"))
        if not isinstance(name, str) or not name:
            unusable[number] = "has no file_name and was passed over"
        elif type(height) is not int or type(width) is not int or min(height, width) < 1 or height * width > MAX_PIXELS:
            unusable[number] = f"has the size {_short(width)}×{_short(height)} and was passed over"
        else:
            pictures[number] = (name, height, width)
    return pictures, unusable


def _packed(number: int, name: str, height: int, width: int, group: list[list[Any]]) -> CocoPicture:
    labels = tuple(sorted({each[1] for each in group}))
    text = json.dumps(group, separators=(",", ":"))
    return CocoPicture(number, name, height, width, labels, zlib.compress(text.encode("ascii"), 1))


def _hashable(table: dict[int, Any], key: object) -> Any:
    """Look up a number; True is no number, and lists cannot be looked up."""
    return table.get(key) if type(key) is int else None


def _listed(ids: list[str]) -> str:
    shown = ", ".join(ids[:_NAMED])
    if len(ids) == 1:
        return f"annotation {shown}"
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return f"each of the annotations {shown}{more}"


def _short(value: object) -> str:
    return printable(str(value))[:60]
