"""PASCAL Context: masks of 59 classes with the background (`context`) or without it (`context59`)."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.benchmarks.annotated import refuse_truth
from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.devkit import Devkit, open_devkit
from ttd_core.data.benchmarks.raw_labels import plain_labels, zero_ignored
from ttd_core.data.benchmarks.types import Benchmark

CONTEXT = Devkit(
    "PASCAL Context",
    "VOC2010",
    "SegmentationClassContext",
    "ImageSets/SegmentationContext",
    ("PascalContext", "Context"),
    "VOCtrainval_03-May-2010.tar (pictures) and PASCAL Context's trainval_merged.json, converted to index PNGs",
)


def open_context(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open PASCAL Context. Masks hold indices of the 60-class order: 0 for the background, 1..59.

    Args:
        name: `context` or `context59`.
        split: name of a list in `ImageSets/SegmentationContext`, `val` by default.
        root: folder that holds VOCdevkit, or the ttd layout.
        truth: none; labels come from the masks.

    Raises:
        UsageError: a truth was given.
        DataError: it is not there, or not whole enough to say what is missing.
    """
    refuse_truth(name, truth)
    with_background = name == "context"
    classes = class_list("context60" if with_background else "context59")
    raw = plain_labels(60) if with_background else zero_ignored(59)
    return open_devkit(CONTEXT, name, split or "val", root, classes, ("masks", "classification"), raw)
