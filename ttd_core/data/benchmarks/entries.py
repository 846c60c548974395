"""What is known about each data set before it is opened: names, tasks, splits and the layouts that are looked for."""

from __future__ import annotations

from dataclasses import dataclass

_HERE = "ttd_core.data.benchmarks"
_TTD = "the ttd layout: {}/validation/image, mask, xml"


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue.

    Args:
        name: what stands after `--data`.
        summary: one line for people.
        tasks: what it can be used for, out of `tags`, `text`, `masks`, `classification`, `bias`; the first is the
            default.
        split: the split that is taken when none is named; None for sets without splits.
        layouts: paths below the root that are looked for, in words where a pattern would be long.
        opener: `module:function`.
        aliases: other names for the same thing.
        classes: name of its class list (see `class_list`), None where it has none of its own.
    """

    name: str
    summary: str
    tasks: tuple[str, ...]
    split: str | None
    layouts: tuple[str, ...]
    opener: str
    aliases: tuple[str, ...] = ()
    classes: str | None = None


_MASKS = ("masks", "classification")
_VOC2012 = (
    "VOCdevkit/VOC2012/JPEGImages",
    "VOCdevkit/VOC2012/SegmentationClass",
    "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt",
    _TTD.format("VOC2012"),
)
_CONTEXT = (
    "VOCdevkit/VOC2010/JPEGImages",
    "VOCdevkit/VOC2010/SegmentationClassContext",
    "VOCdevkit/VOC2010/ImageSets/SegmentationContext/val.txt",
    _TTD.format("PascalContext"),
)

ENTRIES = (
    Entry(
        "voc2007",
        "PASCAL VOC 2007, which of 20 classes a picture shows",
        ("classification",),
        "test",
        (
            "VOCdevkit/VOC2007/JPEGImages",
            "VOCdevkit/VOC2007/Annotations",
            "VOCdevkit/VOC2007/ImageSets/Main/test.txt",
            _TTD.format("VOC2007"),
        ),
        f"{_HERE}.voc2007:open_voc2007",
        ("voc07",),
        "voc20",
    ),
    Entry(
        "voc2012",
        "PASCAL VOC 2012, 20 classes and background",
        _MASKS,
        "val",
        _VOC2012,
        f"{_HERE}.voc2012:open_voc2012",
        ("voc12", "voc21"),
        "voc21",
    ),
    Entry(
        "voc2012-20",
        "PASCAL VOC 2012, 20 classes, background ignored",
        _MASKS,
        "val",
        _VOC2012,
        f"{_HERE}.voc2012:open_voc2012",
        ("voc20",),
        "voc20",
    ),
    Entry(
        "context",
        "PASCAL Context, 59 classes and background",
        _MASKS,
        "val",
        _CONTEXT,
        f"{_HERE}.context:open_context",
        ("pascalcontext", "context60"),
        "context60",
    ),
    Entry(
        "context59",
        "PASCAL Context, 59 classes, background ignored",
        _MASKS,
        "val",
        _CONTEXT,
        f"{_HERE}.context:open_context",
        ("pascalcontext59",),
        "context59",
    ),
    Entry(
        "coco2014",
        "COCO 2014, 80 object classes and background drawn from the instances",
        _MASKS,
        "val",
        ("val2014", "annotations/instances_val2014.json", _TTD.format("COCO2014")),
        f"{_HERE}.coco:open_coco_objects",
        (),
        "coco_object81",
    ),
    Entry(
        "coco2017",
        "COCO 2017, 80 object classes and background drawn from the instances",
        _MASKS,
        "val",
        ("val2017", "annotations/instances_val2017.json", _TTD.format("COCO2017")),
        f"{_HERE}.coco:open_coco_objects",
        ("coco-object",),
        "coco_object81",
    ),
    Entry(
        "coco-stuff",
        "COCO-Stuff 164k, 171 classes",
        _MASKS,
        "val",
        ("val2017 or images/val2017", "stuffthingmaps_trainval2017 or annotations/val2017", _TTD.format("COCO-Stuff")),
        f"{_HERE}.coco_stuff:open_coco_stuff",
        ("cocostuff", "coco-stuff171"),
        "cocostuff171",
    ),
    Entry(
        "coco-stuff27",
        "COCO-Stuff 164k, 27 coarse classes",
        _MASKS,
        "val",
        ("val2017 or images/val2017", "stuffthingmaps_trainval2017 or annotations/val2017", _TTD.format("COCO-Stuff")),
        f"{_HERE}.coco_stuff:open_coco_stuff",
        ("cocostuff27",),
        "cocostuff27",
    ),
    Entry(
        "ade20k",
        "ADE20K scene parsing (ADEChallengeData2016), 150 classes",
        _MASKS,
        "validation",
        (
            "ADEChallengeData2016/images/validation",
            "ADEChallengeData2016/annotations/validation",
            _TTD.format("ADE2016"),
        ),
        f"{_HERE}.ade:open_ade",
        ("ade2016", "ade"),
        "ade150",
    ),
    Entry(
        "cityscapes",
        "Cityscapes, 19 classes of street scenes",
        _MASKS,
        "val",
        ("leftImg8bit/val", "gtFine/val", _TTD.format("Cityscapes")),
        f"{_HERE}.cityscapes:open_cityscapes",
        (),
        "cityscapes19",
    ),
    Entry(
        "cc3m-tagmask",
        "CC3M-TagMask, captions with their true tags and masks",
        ("tags", "text", "bias"),
        None,
        (
            "cc3m_for_evaluation/image",
            "cc3m_for_evaluation/json_refined",
            "cc3m_for_evaluation/mask_using_HQ-SAM",
        ),
        f"{_HERE}.cc3m_tagmask:open_cc3m_tagmask",
        ("cc3m", "tagmask"),
    ),
    Entry(
        "folder",
        "a folder of one's own: images/, masks/, classes.txt",
        ("masks", "classification", "bias"),
        None,
        ("images", "masks", "classes.txt", "captions.txt or NAME.txt beside a picture"),
        f"{_HERE}.folder:open_folder",
    ),
)
"""The catalogue, in the order it should be shown in."""
