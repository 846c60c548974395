"""ADE20K scene parsing as ADEChallengeData2016: 150 classes, value 0 counts nowhere, value k is class k-1."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.benchmarks.annotated import AnnotatedSet, pair_up, refuse_truth
from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.places import MASK_SUFFIXES, below, find_base, list_files, list_pictures, not_found
from ttd_core.data.benchmarks.raw_labels import zero_ignored
from ttd_core.data.benchmarks.ttd_layout import open_ttd_layout
from ttd_core.data.benchmarks.types import Benchmark
from ttd_core.data.files import show
from ttd_core.errors import DataError
from ttd_core.registry import unknown_name

_FOLDER = "ADEChallengeData2016"
_ARCHIVE = "ADEChallengeData2016.zip"
_SPLITS = {"validation": "validation", "val": "validation", "training": "training", "train": "training"}
_TASKS = ("masks", "classification")


def open_ade(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open ADE20K.

    Args:
        name: in the catalogue.
        split: `validation` (default) or `training`.
        root: ADEChallengeData2016 or a folder above it, or the ttd layout.
        truth: none; labels come from the masks.

    Raises:
        UsageError: no such split, or a truth was given.
        DataError: it is not there, or not whole enough to say what is missing.
    """
    refuse_truth(name, truth)
    if (split or "validation") not in _SPLITS:
        raise unknown_name("split of ADE20K", split or "", ("validation", "training"))
    part = _SPLITS[split or "validation"]
    marks = (f"images/{part}", f"annotations/{part}")
    base = _base(root, marks)
    if base is None:
        other = open_ttd_layout(name, ("ADE2016", "ADE20K"), part, root, class_list("ade150"), _TASKS)
        if other is not None:
            return other
        base = _base(root, marks, deeper=True)
    if base is None:
        raise _explain(root, part)
    images, annotations = below(base, f"images/{part}"), below(base, f"annotations/{part}")
    assert images is not None and annotations is not None
    pictures, masks = list_pictures(images, base), list_files(annotations, MASK_SUFFIXES, base)
    found = pair_up(sorted({*pictures.names, *masks.names}), pictures, masks)
    if not found.samples and not found.absent:
        raise DataError(f"{show(images)}: holds no pictures", hint=f"unpack {_ARCHIVE} again")
    title = f"{name}:{part}"
    return AnnotatedSet(title, _TASKS, class_list("ade150"), found.samples, found.absent, raw=zero_ignored(150))


def _base(root: Path, marks: tuple[str, ...], *, deeper: bool = False) -> Path | None:
    return find_base(root, marks, (_FOLDER,), lambda _: False, deeper=deeper)


def _explain(root: Path, part: str) -> DataError:
    for here, missing in (("images", "annotations"), ("annotations", "images")):
        half = _base(root, (f"{here}/{part}",))
        if half is not None:
            return not_found(half, f"{missing} of ADE20K", (f"{missing}/{part}",), f"unpack {_ARCHIVE} again")
    looked = (f"{_FOLDER}/images/{part}", f"{_FOLDER}/annotations/{part}", "ADE2016/validation/image")
    return not_found(root, "ADE20K", looked, f"give --root the folder that holds {_FOLDER}, unpacked from {_ARCHIVE}")
