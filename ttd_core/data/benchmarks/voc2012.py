"""PASCAL VOC 2012: masks of 20 classes with the background (`voc2012`) or without it (`voc2012-20`)."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.devkit import Devkit, open_devkit
from ttd_core.data.benchmarks.label_files import open_label_list
from ttd_core.data.benchmarks.raw_labels import plain_labels, zero_ignored
from ttd_core.data.benchmarks.types import Benchmark

VOC2012 = Devkit(
    "PASCAL VOC 2012",
    "VOC2012",
    "SegmentationClass",
    "ImageSets/Segmentation",
    ("VOC2012",),
    "VOCtrainval_11-May-2012.tar",
)


def open_voc2012(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open VOC 2012.

    Args:
        name: `voc2012` or `voc2012-20`.
        split: name of a list in `ImageSets/Segmentation`, `val` by default; lists with `aug` in their name take their
            masks from `SegmentationClassAug` where it exists.
        root: folder that holds VOCdevkit, or the ttd layout.
        truth: image-level labels, e.g. TagCLIP's list: a classification set of its pictures.

    Raises:
        DataError: it is not there, or not whole enough to say what is missing.
    """
    split = split or "val"
    with_background = name == "voc2012"
    if truth is not None:
        return open_label_list(f"{name}:{split}", class_list("voc20"), truth, VOC2012.pictures(root))
    classes = class_list("voc21" if with_background else "voc20")
    raw = plain_labels(21) if with_background else zero_ignored(20)
    return open_devkit(VOC2012, name, split, root, classes, ("masks", "classification"), raw)
