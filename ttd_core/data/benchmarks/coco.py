"""COCO 2014 and 2017: background and 80 objects per pixel, and which of the 80 a picture shows.

Label maps come from, in this order:

1. `annotations/val2017/*_instanceTrainIds.png`, the conversion that TCL evaluates on, where it is there;
2. the instance annotations, drawn when a sample is read;
3. raw `stuffthingmaps`, where there are no instance annotations.

Overlaps: COCO's instances were outlined one by one and do overlap (a cup on a table, a tie on a person), and the
annotations say nothing about order. Crowd regions are drawn first, then the other instances from the largest to the
smallest, so that what lies on something else stays visible; equal sizes keep the order of the file. The published rows
used the first kind of label map, made by COCO-Stuff's authors; figures from drawn ones differ where instances overlap
or where they corrected outlines.

Crowd regions count as their class, in label maps and in `present`. Nothing is ignored (TCL's COCO-Object). Pictures
without objects are background in label maps; TagCLIP's lists for classification leave them out, and so does `for_task`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.coco_files import CocoPlaces, file_names, find_places, split_of, why_missing
from ttd_core.data.benchmarks.coco_ids import RAW_TO_OBJECT
from ttd_core.data.benchmarks.coco_json import CocoAnnotation, CocoPicture, Instances, read_instances
from ttd_core.data.benchmarks.coco_maps import RAW, MapFolder, find_maps, read_coded_map
from ttd_core.data.benchmarks.coco_shapes import ShapeError, draw_shape
from ttd_core.data.benchmarks.label_files import open_label_list
from ttd_core.data.benchmarks.places import not_found
from ttd_core.data.benchmarks.raw_labels import classes_in
from ttd_core.data.benchmarks.ttd_layout import open_ttd_layout
from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, ClassList, OpenedBenchmark, Truth
from ttd_core.data.files import show
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

CONVERTED = "_instanceTrainIds.png"
_TASKS = ("masks", "classification")
_LABEL_MAPS = "label maps are "


@dataclass(frozen=True)
class CocoSource:
    """Where the truth of one sample is.

    Args:
        picture: its annotations, None where only label PNGs are there.
        mask: a label PNG, None where the annotations are drawn.
        raw: the PNG holds COCO-Stuff ids less one instead of classes.
    """

    picture: CocoPicture | None
    mask: Path | None = None
    raw: bool = False


@dataclass(frozen=True)
class CocoObjects(OpenedBenchmark):
    """COCO's objects; see the module.

    Args:
        pixels: whether truths have label maps; without them nothing is drawn where the annotations say what is shown.
    """

    pixels: bool = True

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """Read or draw the label map of a sample.

        Raises:
            DataError: another size than the picture's, or a label PNG that cannot be used.
            MissingPackageError: polygons without pycocotools.
        """
        source: CocoSource = sample.source
        if source.picture is not None and not self.pixels:
            return Truth(present=source.picture.labels)
        if source.mask is not None:
            labels, notices = read_coded_map(source.mask, 81, RAW_TO_OBJECT if source.raw else None, size)
        else:
            assert source.picture is not None
            labels, notices = draw_picture(source.picture, size)
        shown = source.picture.labels if source.picture is not None else classes_in(labels, True)
        return Truth(label_map=labels, present=shown, notices=notices)

    def for_task(self, task: str) -> CocoObjects:
        """The samples that a task counts, with what it needs to know about them.

        `classification` leaves out pictures without objects, as TagCLIP's lists do, and takes the others' classes from
        the annotations, which needs neither label maps nor pycocotools. Pictures that have a label PNG alone cannot be
        told apart before it is read.
        """
        if task != "classification":
            return self
        kept = tuple(each for each in self.samples if each.source.picture is None or each.source.picture.labels)
        notices = self.notices
        if all(each.source.picture is not None for each in kept):
            notices = tuple(each for each in notices if not each.startswith(_LABEL_MAPS))
        if len(kept) < len(self.samples):
            count = f"{len(self.samples) - len(kept):,}"
            notices += (f"{count} without objects left out of {len(self.samples):,} pictures, as in TagCLIP's lists",)
        return replace(self, samples=kept, notices=notices, pixels=False)


def open_coco_objects(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open `coco2014` or `coco2017`.

    Args:
        name: one of the two.
        split: `val` (default) or `train`.
        root: the folder with `val2017` (or `images/val2017`) and `annotations`, or the one above.
        truth: another file of instance annotations, or a label list of TagCLIP's form (classification only).

    Raises:
        UsageError: unknown split.
        DataError: pictures or annotations are not there, or the annotations are damaged.
    """
    part = split_of(name, split)
    stem = part + name[4:8]
    title = f"{name}:{part}"
    classes = class_list("coco_object81")
    places = find_places(root, stem)
    if truth is not None and truth.suffix.lower() != ".json":
        return open_label_list(title, classes, truth, places.pictures)
    if truth is not None:
        return _open(title, stem, classes, replace(places, instances=truth, masks=()))
    if places.pictures is None:
        found = open_ttd_layout(name, (f"COCO{name[4:8]}",), part, root, classes, _TASKS)
        if found is not None:
            return found
    return _open(title, stem, classes, places)


def _open(title: str, stem: str, classes: ClassList, places: CocoPlaces) -> CocoObjects:
    maps = find_maps(places, (CONVERTED,) if places.instances is not None else (CONVERTED, RAW))
    if places.instances is None and maps is None:
        raise not_found(places.root, f"annotations of {title}", _looked_for(stem), _hint(stem))
    listed = Instances() if places.instances is None else read_instances(places.instances, classes.things)
    if places.pictures is None:
        count = f" ({len(listed.pictures):,} of {len(listed.pictures):,} are missing)" if listed.pictures else ""
        raise not_found(places.root, f"pictures of {title}{count}", _looked_for(stem), _hint(stem))
    sources = [(picture.file_name, CocoSource(picture)) for picture in listed.pictures]
    if places.instances is None and maps is not None:
        sources = [(f"{key}.jpg", CocoSource(None)) for key in maps.stems()]
    samples, absent = _sort_out(sources, places.pictures, file_names(places.pictures, places.root), maps)
    if not samples:
        raise DataError(
            f"{show(places.pictures)}: {len(absent):,} of {len(absent):,} pictures of {title} cannot be used "
            f"(first: {absent[0][1] if absent else 'the annotations list none'})",
            _hint(stem),
        )
    return CocoObjects(title, _TASKS, classes, samples, absent, (*listed.notices, *_about(maps)))


def _sort_out(
    sources: Iterable[tuple[str, CocoSource]], folder: Path, names: frozenset[str], maps: MapFolder | None
) -> tuple[tuple[BenchmarkSample, ...], tuple[tuple[str, str], ...]]:
    """Samples whose files are there, and the others with the reason."""
    samples: list[BenchmarkSample] = []
    absent: list[tuple[str, str]] = []
    seen: set[str] = set()
    for file_name, source in sources:
        key, reason = PurePosixPath(file_name).stem, why_missing(file_name, names)
        mask = maps.path(key) if maps is not None else None
        if reason is None and maps is not None and mask is None:
            reason = f"no label map {key}{maps.suffix}"
        if reason is None and key in seen:
            reason = "another picture has the same name"
        if reason is not None:
            absent.append((printable(key)[:80], reason))
            continue
        seen.add(key)
        source = replace(source, mask=mask, raw=maps is not None and maps.raw)
        samples.append(BenchmarkSample(key, folder / file_name, None, source))
    return tuple(samples), tuple(absent)


def _about(maps: MapFolder | None) -> tuple[str, ...]:
    if maps is None:
        return (f"{_LABEL_MAPS}drawn from the instance annotations, smaller instances on top",)
    if maps.raw:
        return (f"{_LABEL_MAPS}the objects of {show(maps.folder)}, everything else is background",)
    return (f"{_LABEL_MAPS}{show(maps.folder)}/*{maps.suffix}, not drawn from the instance annotations",)


def _looked_for(stem: str) -> tuple[str, ...]:
    return (stem, f"images/{stem}", f"annotations/instances_{stem}.json", f"annotations/{stem}/*{CONVERTED}")


def _hint(stem: str) -> str:
    return f"unpack {stem}.zip and annotations_trainval{stem[-4:]}.zip there; --root takes the folder holding both"


def draw_picture(picture: CocoPicture, size: tuple[int, int] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Draw the label map of one picture from its annotations.

    Args:
        picture: as listed.
        size: H and W of the decoded picture, where known.

    Returns:
        H×W uint16 with 0 for background and 1..80, and what could not be drawn.

    Raises:
        DataError: the picture has another size than the annotations say.
        MissingPackageError: polygons without pycocotools.
    """
    height, width = picture.height, picture.width
    if size is not None and tuple(size) != (height, width):
        raise DataError(
            f"{picture.file_name}: the picture is {size[1]}×{size[0]} pixels but its annotations are for "
            f"{width}×{height}",
            "use the pictures as COCO gives them, not resized ones",
        )
    drawn: list[tuple[CocoAnnotation, np.ndarray]] = []
    notices = []
    for annotation in picture.annotations():
        try:
            drawn.append((annotation, draw_shape(annotation.segmentation, height, width)))
        except ShapeError as error:
            notices.append(f"{picture.file_name}: annotation {annotation.id} {error}; it is left out of the label map")
    drawn.sort(key=lambda each: (not each[0].crowd, -int(each[1].sum())))
    labels = np.zeros((height, width), dtype=np.uint16)
    for annotation, mask in drawn:
        labels[mask] = annotation.label + 1
    return labels, tuple(notices)
