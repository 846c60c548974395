"""Cityscapes: masks of 19 classes, from `labelTrainIds` where they have been made, else from `labelIds`."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.benchmarks.annotated import AnnotatedSet, pair_up, refuse_truth
from ttd_core.data.benchmarks.class_lists import class_list, raw_values
from ttd_core.data.benchmarks.places import Listing, below, find_base, list_tree, not_found
from ttd_core.data.benchmarks.raw_labels import RawLabels, plain_labels
from ttd_core.data.benchmarks.ttd_layout import open_ttd_layout
from ttd_core.data.benchmarks.types import IGNORE, Benchmark
from ttd_core.data.files import show
from ttd_core.errors import DataError
from ttd_core.registry import unknown_name

_PICTURES, _MASKS = "leftImg8bit", "gtFine"
_ARCHIVES = {_PICTURES: "leftImg8bit_trainvaltest.zip", _MASKS: "gtFine_trainvaltest.zip"}
_HIGHEST_ID = 33
_TASKS = ("masks", "classification")
_PNG = frozenset((".png",))


def open_cityscapes(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open Cityscapes. Keys are `<city>/<picture>` without `.png`.

    Args:
        name: in the catalogue.
        split: `val` (default) or `train`; labels of `test` are not public.
        root: the folder that holds leftImg8bit and gtFine, or one above, or the ttd layout.
        truth: none; labels come from the masks.

    Raises:
        UsageError: no such split, or a truth was given.
        DataError: it is not there, or not whole enough to say what is missing.
    """
    refuse_truth(name, truth)
    split = split or "val"
    if split not in ("val", "train"):
        raise unknown_name("split of Cityscapes", split, ("val", "train"))
    classes = class_list("cityscapes19")
    images, annotations = _folder(root, _PICTURES, split), _folder(root, _MASKS, split)
    if images is None or annotations is None:
        other = open_ttd_layout(name, ("Cityscapes",), split, root, classes, _TASKS)
        if other is not None:
            return other
        images, annotations = (_folder(root, part, split, deeper=True) for part in (_PICTURES, _MASKS))
    if images is None or annotations is None:
        raise _explain(root, split, images, annotations)
    pictures = _keyed(list_tree(images, _PNG, root), f"_{_PICTURES}", f"_{_PICTURES}")
    masks, raw, notices = _label_files(list_tree(annotations, _PNG, root))
    found = pair_up(sorted({*pictures.names, *masks.names}), pictures, masks)
    if not pictures.names:
        hint = f"unpack {_ARCHIVES[_PICTURES]} again"
        raise DataError(f"{show(images)}: holds no <city>/<city>_*_leftImg8bit.png", hint)
    return AnnotatedSet(f"{name}:{split}", _TASKS, classes, found.samples, found.absent, notices, raw)


def _label_files(listing: Listing) -> tuple[Listing, RawLabels, tuple[str, ...]]:
    """The label files of the kind that there are more of; `labelTrainIds` where there are as many."""
    made = _keyed(listing, "_gtFine_labelTrainIds", f"_{_PICTURES}")
    shipped = _keyed(listing, "_gtFine_labelIds", f"_{_PICTURES}")
    if len(made.names) >= len(shipped.names):
        return made, plain_labels(19), ()
    table = [IGNORE] * (_HIGHEST_ID + 1)
    for index, value in enumerate(raw_values("cityscapes19")):
        table[value] = index
    notice = f"{show(listing.folder)}: labels are read from *_labelIds.png, since *_labelTrainIds.png are not all there"
    return shipped, RawLabels(tuple(table)), (notice,)


def _keyed(listing: Listing, ending: str, new: str) -> Listing:
    """Only the files whose stem has an ending, which becomes another one."""
    cut = len(ending)
    names = {stem[:-cut] + new: name for stem, name in listing.names.items() if stem.endswith(ending)}
    refused = {stem[:-cut] + new: reason for stem, reason in listing.refused.items() if stem.endswith(ending)}
    return Listing(listing.folder, names, refused)


def _folder(root: Path, part: str, split: str, *, deeper: bool = False) -> Path | None:
    nests = (f"{part}_trainvaltest", "cityscapes")
    base = find_base(root, (f"{part}/{split}",), nests, lambda _: False, deeper=deeper)
    return None if base is None else below(base, f"{part}/{split}")


def _explain(root: Path, split: str, images: Path | None, annotations: Path | None) -> DataError:
    missing = [part for part, place in ((_PICTURES, images), (_MASKS, annotations)) if place is None]
    looked = [f"{part}/{split}" for part in missing]
    if len(missing) == 2:
        looked.append("Cityscapes/validation/image")
    archives = " and ".join(_ARCHIVES[part] for part in missing)
    hint = f"unpack {archives} and give --root the folder that holds leftImg8bit and gtFine side by side"
    return not_found(root, "Cityscapes" if len(missing) == 2 else f"{missing[0]} of Cityscapes", looked, hint)
