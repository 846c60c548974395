"""COCO-Stuff 164k: 171 classes of things and stuff, or their 27 groups.

Label maps come from, in this order:

1. `annotations/val2017/*_labelTrainIds.png`, mmsegmentation's conversion (0..170, 255 ignored), for the groups
   `*_27labelTrainIds.png` (0..26, 255 ignored), the conversion that ReCLIP's users make;
2. raw `stuffthingmaps` (the class's id less one, 255 ignored), in `stuffthingmaps_trainval2017/val2017` or beside
   those; for the groups by the table of TagCLIP's evaluation, where everything from 182 on is ignored;
3. for the groups, the converted 171 classes by the same table.

Which classes a picture shows is what its label map holds, but a label list (`--truth`, TagCLIP's form) says it alone:
those lists hold zero-based ids 0..181, an id that the data set does not use is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.coco_files import CocoPlaces, file_names, find_places, split_of
from ttd_core.data.benchmarks.coco_ids import RAW_TO_STUFF, raw_to_coarse, stuff_to_coarse
from ttd_core.data.benchmarks.coco_maps import RAW, MapFolder, find_maps, read_coded_map
from ttd_core.data.benchmarks.label_files import open_label_list
from ttd_core.data.benchmarks.places import not_found
from ttd_core.data.benchmarks.raw_labels import classes_in
from ttd_core.data.benchmarks.stuff_ids import cocostuff_index
from ttd_core.data.benchmarks.ttd_layout import open_ttd_layout
from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, OpenedBenchmark, Truth
from ttd_core.data.files import show
from ttd_core.errors import DataError

FINE = "_labelTrainIds.png"
COARSE = "_27labelTrainIds.png"
Coding = Literal["classes", "raw", "raw to groups", "classes to groups"]


@dataclass(frozen=True)
class CocoStuff(OpenedBenchmark):
    """COCO-Stuff; the source of a sample is its label PNG.

    Args:
        coding: what the values of the label PNGs mean.
    """

    coding: Coding = field(default="classes", repr=False)

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """Read the label map of a sample.

        Raises:
            DataError: unreadable, of another size, or holding values that are no class.
        """
        assert self.classes is not None
        labels, notices = read_coded_map(sample.source, len(self.classes.names), _table(self.coding), size)
        return Truth(label_map=labels, present=classes_in(labels, False), notices=notices)


def open_coco_stuff(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open `coco-stuff` or `coco-stuff27`.

    Args:
        name: one of the two.
        split: `val` (default) or `train`, of 2017.
        root: the folder with `val2017` (or `images/val2017`) and label PNGs, or the one above.
        truth: a label list of TagCLIP's form with zero-based ids 0..181; classification of the 171 classes only.

    Raises:
        UsageError: unknown split.
        DataError: pictures or label PNGs are not there.
    """
    part = split_of(name, split)
    stem, title = f"{part}2017", f"{name}:{part}"
    coarse = name.endswith("27")
    classes = class_list("cocostuff27" if coarse else "cocostuff171")
    places = find_places(root, stem)
    if truth is not None:
        if coarse:
            raise DataError(f"{show(truth)}: label lists are of the 171 classes", "give --data coco-stuff")
        return open_label_list(title, classes, truth, places.pictures, cocostuff_index)
    tasks = ("masks", "classification")
    names = ("COCO-Stuff27",) if coarse else ("COCO-Stuff", "COCOStuff")
    if places.pictures is None and (found := open_ttd_layout(name, names, part, root, classes, tasks)):
        return found
    maps = find_maps(places, (COARSE, RAW, FINE) if coarse else (FINE, RAW))
    _require(places, maps, title, stem)
    assert places.pictures is not None and maps is not None
    samples, absent = _samples(maps, places.pictures, root)
    if not samples:
        raise DataError(
            f"{show(places.pictures)}: {len(absent):,} of {len(absent):,} pictures of {title} are missing", _hint(stem)
        )
    coding: Coding = "raw to groups" if coarse else "raw"
    if not maps.raw:
        coding = "classes to groups" if coarse and maps.suffix == FINE else "classes"
    notice = f"label maps are {show(maps.folder)}/*{maps.suffix}" + (", as published" if maps.raw else "")
    return CocoStuff(title, tasks, classes, samples, absent, (notice,), coding)


def _samples(
    maps: MapFolder, folder: Path, root: Path
) -> tuple[tuple[BenchmarkSample, ...], tuple[tuple[str, str], ...]]:
    """All pictures and label maps by stem; those without the other half are absent."""
    names = file_names(folder, root)
    pictures = {name[:-4] for name in names if name.lower().endswith(".jpg")}
    samples, absent = [], []
    for key in sorted(pictures | set(maps.stems())):
        mask = maps.path(key)
        if mask is None:
            absent.append((key, f"no label map {key}{maps.suffix}"))
        elif key not in pictures:
            absent.append((key, f"no picture {key}.jpg"))
        else:
            samples.append(BenchmarkSample(key, folder / f"{key}.jpg", None, mask))
    return tuple(samples), tuple(absent)


def _require(places: CocoPlaces, maps: MapFolder | None, title: str, stem: str) -> None:
    if places.pictures is not None and maps is not None:
        return
    what = "label maps" if maps is None else "pictures"
    raise not_found(places.root, f"{what} of {title}", _looked_for(maps, stem), _hint(stem))


def _looked_for(maps: MapFolder | None, stem: str) -> Sequence[str]:
    if maps is not None:
        return (stem, f"images/{stem}")
    return (f"stuffthingmaps_trainval2017/{stem}", f"annotations/{stem}/*{FINE}", f"annotations/{stem}/*.png")


def _hint(stem: str) -> str:
    return f"unpack {stem}.zip and stuffthingmaps_trainval2017.zip there; --root takes the folder holding both"


def _table(coding: Coding) -> np.ndarray | None:
    if coding == "classes":
        return None
    if coding == "raw":
        return RAW_TO_STUFF
    return raw_to_coarse() if coding == "raw to groups" else stuff_to_coarse()
