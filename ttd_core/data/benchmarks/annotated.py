"""Data sets that are pictures with a label file, a VOC annotation, or both beside each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ttd_core.data.benchmarks.places import Listing
from ttd_core.data.benchmarks.raw_labels import RawLabels, classes_in
from ttd_core.data.benchmarks.types import BenchmarkSample, OpenedBenchmark, Truth
from ttd_core.data.benchmarks.voc_xml import VocObject, read_voc_xml
from ttd_core.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Annotation:
    """Where the truth of one picture is kept.

    Args:
        mask: its label file.
        xml: its VOC annotation.
        present: classes it shows by a list that was given, indices into `ClassList.things`.
    """

    mask: Path | None = None
    xml: Path | None = None
    present: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class AnnotatedSet(OpenedBenchmark):
    """A `Benchmark` whose samples have an `Annotation` as source.

    Args:
        raw: how label files are read; None where no sample has one.
    """

    raw: RawLabels | None = field(default=None, repr=False)

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """Read the label file and the annotation of a sample.

        Which classes are present is said by the list that was given, else by the annotation, else by the label file.
        """
        annotation: Annotation = sample.source
        label_map: np.ndarray | None = None
        notices: tuple[str, ...] = ()
        if annotation.mask is not None and self.raw is not None:
            label_map, notices = self.raw.read(annotation.mask, size)
        present, difficult, odd = self._present(annotation, label_map)
        return Truth(label_map=label_map, present=present, difficult=difficult, notices=(*notices, *odd))

    def _present(
        self, annotation: Annotation, label_map: np.ndarray | None
    ) -> tuple[tuple[int, ...] | None, tuple[int, ...], tuple[str, ...]]:
        if self.classes is None or annotation.present is not None:
            return annotation.present, (), ()
        notices: tuple[str, ...] = ()
        if annotation.xml is not None:
            present, difficult, unknown = _named_classes(read_voc_xml(annotation.xml), self.classes.things)
            if not unknown:
                return present, difficult, ()
            known = ", ".join(self.classes.things[:3])
            wrong = f"{annotation.xml}: names {', '.join(unknown[:3])}, no class of {self.classes.name} ({known}, ...)"
            if label_map is None:
                raise DataError(wrong, hint="check that --data names the set these annotations belong to")
            notices = (f"{wrong}; the label file says what is present",)
        if label_map is None:
            return None, (), notices
        return classes_in(label_map, self.classes.background), (), notices


def _named_classes(
    objects: Iterable[VocObject], things: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], list[str]]:
    """Indices of the classes named, those of them that are difficult each time, and names that are no class."""
    index = {name.casefold(): place for place, name in enumerate(things)}
    easy: dict[int, bool] = {}
    unknown = []
    for each in objects:
        place = index.get(each.name.casefold())
        if place is None:
            unknown.append(each.name)
        else:
            easy[place] = easy.get(place, False) or not each.difficult
    present = tuple(sorted(easy))
    return present, tuple(place for place in present if not easy[place]), unknown


@dataclass(frozen=True)
class Found:
    """What was found on disk for a list of ids.

    Args:
        samples: those that are whole, in the order of the ids.
        absent: id and what it lacks.
    """

    samples: tuple[BenchmarkSample, ...]
    absent: tuple[tuple[str, str], ...]


def pair_up(
    ids: Iterable[str],
    pictures: Listing,
    masks: Listing | None = None,
    xmls: Listing | None = None,
    captions: Mapping[str, str] | None = None,
) -> Found:
    """Bring together what belongs to each id.

    Args:
        ids: in the order of the data set.
        pictures: each id needs one.
        masks: each id needs one, unless there is no such listing.
        xmls: each id needs one where there are no masks; otherwise they are taken where they exist.
        captions: id → sentence, where there are any.
    """
    samples, absent = [], []
    for key in ids:
        missing = _missing(key, pictures, masks, xmls)
        if missing:
            absent.append((key, missing))
            continue
        source = Annotation(masks.path(key) if masks else None, xmls.path(key) if xmls else None)
        samples.append(BenchmarkSample(key, pictures.path(key), captions.get(key) if captions else None, source))
    return Found(tuple(samples), tuple(absent))


def _missing(key: str, pictures: Listing, masks: Listing | None, xmls: Listing | None) -> str | None:
    needed = [("picture", pictures)]
    if masks is not None:
        needed.append(("mask", masks))
    elif xmls is not None:
        needed.append(("annotation", xmls))
    parts = []
    for what, listing in needed:
        if key in listing.refused:
            parts.append(listing.refused[key])
        elif key not in listing.names:
            parts.append(f"no {what} in {listing.folder.parent.name}/{listing.folder.name}")
    return " and ".join(parts) or None


def refuse_truth(name: str, truth: Path | None) -> None:
    """Refuse `--truth` where the masks are the truth."""
    if truth is not None:
        raise UsageError(f"--truth does nothing for {name}: its masks are the truth", hint="leave --truth out")
