from __future__ import annotations

import pytest

from ttd_core.data.benchmarks.class_lists import (
    class_list,
    class_list_names,
    coarse_groups,
    names_for,
    raw_values,
    system_names,
)
from ttd_core.data.palette import voc_palette
from ttd_core.errors import UsageError

SIZES = {
    "ade150": 150,
    "cityscapes19": 19,
    "coco80": 80,
    "coco_object81": 81,
    "cocostuff171": 171,
    "cocostuff27": 27,
    "context59": 59,
    "context60": 60,
    "voc20": 20,
    "voc21": 21,
}
NAMES_OF = {
    "reclip": ("voc20", "context59", "ade150", "cityscapes19", "cocostuff27", "cocostuff171"),
    "tagclip": ("voc20", "coco80", "cocostuff171"),
    "tagclip-segmentation": ("voc20", "coco80", "cocostuff171"),
    "trusty": ("voc20", "cocostuff171", "context60"),
}


def test_all_lists_are_there() -> None:
    assert class_list_names() == sorted(SIZES)
    assert system_names() == sorted(NAMES_OF)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_names_are_as_many_as_the_list_says_and_fit_to_be_printed(name: str) -> None:
    classes = class_list(name)
    assert (classes.name, len(classes.names)) == (name, SIZES[name])
    assert all(each == each.strip() != "" for each in classes.names)
    assert classes.background == (classes.names[0] == "background") == (name in ("voc21", "context60", "coco_object81"))
    assert len(classes.things) == SIZES[name] - classes.background
    if classes.colours is not None:
        assert len(classes.colours) == SIZES[name]
        assert all(0 <= value <= 255 for colour in classes.colours for value in colour)


def test_lists_without_background_are_the_others_without_their_first_name() -> None:
    assert class_list("voc20").names == class_list("voc21").things
    assert class_list("context59").names == class_list("context60").things
    assert class_list("coco80").names == class_list("coco_object81").things
    assert class_list("cocostuff171").names[:80] == class_list("coco80").names


def test_vocs_colours_are_its_palette() -> None:
    assert class_list("voc21").colours == tuple(tuple(colour) for colour in voc_palette()[:21].tolist())


@pytest.mark.parametrize("name", sorted(set(SIZES) - {"cocostuff27"}))
def test_every_class_has_one_value_in_the_original_annotation(name: str) -> None:
    values = raw_values(name)
    assert len(values) == SIZES[name] == len(set(values))
    assert list(values) == sorted(values)


def test_values_in_annotations_are_the_published_ones() -> None:
    assert (raw_values("voc20")[0], raw_values("ade150")[-1], raw_values("context59")[0]) == (1, 150, 1)
    assert (raw_values("coco80")[11], raw_values("coco80")[-1]) == (13, 90)
    assert raw_values("coco_object81")[0] == 0
    absent = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
    assert raw_values("cocostuff171") == tuple(value for value in range(182) if value not in absent)


def test_coarse_groups_cover_the_27_classes() -> None:
    groups = coarse_groups()
    assert (len(groups), set(groups)) == (182, set(range(27)))
    stuff, names = class_list("cocostuff171"), class_list("cocostuff27").names
    group = {name: names[groups[value]] for name, value in zip(stuff.names, raw_values("cocostuff171"), strict=True)}
    assert [group[name] for name in ("person", "car", "dog", "grass", "sky-other")] == [
        "person",
        "vehicle",
        "animal",
        "plant",
        "sky",
    ]


@pytest.mark.parametrize(("system", "lists"), NAMES_OF.items())
def test_systems_prompt_one_text_per_class(system: str, lists: tuple[str, ...]) -> None:
    for name in lists:
        assert len(names_for(system, name)) == SIZES[name]


def test_what_systems_prompt_is_kept_to_the_letter() -> None:
    assert names_for("reclip", "ade150")[7] == "bed "
    assert class_list("ade150").names[7] == "bed"
    assert names_for("tagclip", "voc20")[2] == "bird"
    assert names_for("tagclip-segmentation", "voc20")[2] == "bird avian"
    assert "sknowboard" in names_for("tagclip-segmentation", "coco80")


def test_unknown_names_get_near_matches() -> None:
    with pytest.raises(UsageError) as caught:
        class_list("coco-stuff171")
    assert caught.value.hint is not None and "cocostuff171" in caught.value.hint
    with pytest.raises(UsageError, match="reclip has no names for class list 'voc21'"):
        names_for("reclip", "voc21")
    with pytest.raises(UsageError, match="unknown system"):
        names_for("reclop", "voc20")
