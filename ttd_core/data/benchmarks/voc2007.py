"""PASCAL VOC 2007 as a classification set: which of 20 classes a picture shows, by the objects of its annotation."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.devkit import Devkit, open_devkit
from ttd_core.data.benchmarks.label_files import open_label_list
from ttd_core.data.benchmarks.types import Benchmark

VOC2007 = Devkit(
    "PASCAL VOC 2007",
    "VOC2007",
    "Annotations",
    "ImageSets/Main",
    ("VOC2007",),
    "VOCtest_06-Nov-2007.tar (test) and VOCtrainval_06-Nov-2007.tar",
)


def open_voc2007(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open VOC 2007.

    Args:
        name: in the catalogue.
        split: name of a list in `ImageSets/Main`, `test` by default.
        root: folder that holds VOCdevkit, or the ttd layout.
        truth: labels to go by instead of the annotations, e.g. TagCLIP's list; pictures are then optional.

    Raises:
        DataError: it is not there, or not whole enough to say what is missing.
    """
    split = split or "test"
    classes = class_list("voc20")
    if truth is not None:
        return open_label_list(f"{name}:{split}", classes, truth, VOC2007.pictures(root))
    return open_devkit(VOC2007, name, split, root, classes, ("classification",), None)
