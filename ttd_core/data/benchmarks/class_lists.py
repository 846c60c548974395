"""Class lists as data: names in label order, colours, values in the original annotations, and what systems prompt.

One JSON file per list lies in `classes/`, with everything exactly as its authors wrote it. ADE20K's eighth name ends
in a blank there, `bed `: `class_list` leaves blanks at the ends out, `verbatim_names` and the lists of other systems
keep them. CLIP's tokenizers drop them but in templates such as `a photo of {}s.`, where `bed s` is not `beds`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from ttd_core.data.benchmarks.types import ClassList
from ttd_core.errors import UsageError
from ttd_core.registry import unknown_name

_FOLDER = "classes"
_SYSTEM = "names_"


def class_list_names() -> list[str]:
    """The names of all class lists, sorted."""
    return sorted(stem for stem in _stems() if not stem.startswith(_SYSTEM))


def system_names() -> list[str]:
    """The systems with name lists of their own, sorted."""
    return sorted(stem.removeprefix(_SYSTEM) for stem in _stems() if stem.startswith(_SYSTEM))


@cache
def class_list(name: str) -> ClassList:
    """The classes of a data set.

    Args:
        name: `voc21`, `voc20`, `context60`, `context59`, `ade150`, `cityscapes19`, `coco80`, `coco_object81`,
            `cocostuff171` or `cocostuff27`.

    Raises:
        UsageError: there is no such list.
    """
    data = _list_data(name)
    colours = data.get("colours")
    return ClassList(
        name,
        tuple(each.strip() for each in data["names"]),
        data["background"],
        None if colours is None else tuple((int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)) for c in colours),
    )


@cache
def verbatim_names(name: str) -> tuple[str, ...]:
    """The names of a class list with every blank that stands in it, the background included where there is one.

    Raises:
        UsageError: there is no such list.
    """
    return tuple(_list_data(name)["names"])


@cache
def raw_values(name: str) -> tuple[int, ...]:
    """What stands for each class in the original annotation, in label order.

    That is the mask's value for VOC, Context, ADE20K, Cityscapes (labelIds) and COCO-Stuff (stuffthingmaps), and the
    category id for `coco80`; `coco_object81` has 0 for the background before those.

    Raises:
        UsageError: there is no such list, or it has no values of its own (`cocostuff27`, see `coarse_groups`).
    """
    data = _list_data(name)
    if "raw" not in data:
        raise UsageError(f"class list {name} has no values in original annotations")
    return tuple(data["raw"])


@cache
def coarse_groups() -> tuple[int, ...]:
    """Group 0..26 of each value 0..181 of COCO-Stuff's maps, by the table of the 27-way evaluation.

    Values that the annotation never holds have a group too, as in the published table; every value from 182 on is
    ignored.
    """
    return tuple(_list_data("cocostuff27")["groups"])


@cache
def names_for(system: str, classes: str) -> tuple[str, ...]:
    """What a published system prompts for each class, exactly as it does.

    Args:
        system: `reclip` (both of its kinds), `tagclip` (tagging), `tagclip-segmentation` or `trusty`.
        classes: a class list.

    Returns:
        one text per class in label order; the background included where the list has one.

    Raises:
        UsageError: no such system, or it has no names for that list.
    """
    lists: dict[str, list[str]] = _system_data(system)["lists"]
    if classes not in lists:
        raise UsageError(f"{system} has no names for class list {classes!r}", f"it has {', '.join(lists)}")
    return tuple(lists[classes])


def _list_data(name: str) -> dict[str, Any]:
    if name not in class_list_names():
        raise unknown_name("class list", name, class_list_names())
    return _read(name)


def _system_data(system: str) -> dict[str, Any]:
    if system not in system_names():
        raise unknown_name("system with class names", system, system_names())
    return _read(_SYSTEM + system)


@cache
def _read(stem: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(_folder().joinpath(f"{stem}.json").read_text(encoding="utf-8"))
    return data


@cache
def _stems() -> tuple[str, ...]:
    return tuple(_json_stems())


def _json_stems() -> Iterator[str]:
    for file in _folder().iterdir():
        if file.name.endswith(".json"):
            yield file.name.removesuffix(".json")


def _folder() -> Any:
    return resources.files("ttd_core.data.benchmarks").joinpath(_FOLDER)
