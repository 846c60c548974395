"""Task `masks`: semantic segmentation. A row holds the cells of one picture's confusion, so every mean is exact."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.data.benchmarks.types import IGNORE, BenchmarkSample, ClassList
from ttd_core.drawing.colours import tag_colours
from ttd_core.drawing.overlay import tint
from ttd_core.errors import DataError, UsageError
from ttd_core.metrics.segmentation import add_cells, cells_of, count_pixels, segmentation_metrics, zero_shot
from ttd_core.recipes.evaluation.class_texts import ClassTexts, class_texts
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.task import Example, Finish, Setting, percent
from ttd_core.recipes.methods import method_of

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.model_answers import ModelAnswers


class MaskTask:
    """Semantic segmentation by a model.

    Args:
        setting: options, data set, where to report.

    Raises:
        DataError: the file of class names does not fit the classes.
        UsageError: `--unseen` names no class of the data set.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._answers: ModelAnswers | None = None
        classes = setting.benchmark.classes
        assert classes is not None  # data sets without classes do not offer this task
        self._classes = classes
        options = setting.options
        self._texts: ClassTexts = class_texts(classes, options.class_names, method_of(options).verbatim, options.names)
        self._figures = SegmentationFigures(classes, setting)

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Picture and label map."""
        return LabelReader(self._setting.benchmark)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Look at the pictures; refining, arg-max and counting come later."""
        labels = self._model().class_labels([each.picture for each in read], self._texts, self._classes)
        return [partial(self._row, *each) for each in zip(read, labels, strict=True)]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """mIoU, mFPR, mFNR and what else follows from the confusion."""
        return self._figures.summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """IoU of one picture's classes."""
        return self._figures.of_one(row)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Picture, truth and answer as coloured label maps."""
        read = self.reader()(sample)
        (labels,) = self._model().class_labels([read.picture], self._texts, self._classes)
        return label_example(read, labels(), self._classes)

    def _row(self, read: Read, labels: Callable[[], np.ndarray]) -> dict[str, Any]:
        return cells_row(read, labels(), self._classes)

    def _model(self) -> ModelAnswers:
        if self._answers is None:
            from ttd_core.recipes.evaluation.model_answers import ModelAnswers

            s = self._setting
            self._answers = ModelAnswers(s.options, s.report, s.run, s.cache, masks=True)
        return self._answers


class LabelReader(Reader):
    """Reads pictures with their label maps."""

    def __call__(self, sample: BenchmarkSample) -> Read:
        """Decode one sample.

        Raises:
            DataError: picture or label map cannot be used.
        """
        read = super().__call__(sample)
        if read.truth.label_map is None:
            raise DataError(f"{sample.key}: the data set has no label map for this picture")
        return read


class SegmentationFigures:
    """From rows to figures, for one class list.

    Args:
        classes: the data set's classes.
        setting: which averaging, and which classes are unseen.

    Raises:
        UsageError: `--unseen` names no class of the data set.
    """

    def __init__(self, classes: ClassList, setting: Setting) -> None:
        self._classes = classes
        self._averaging = setting.options.averaging
        self._unseen = _unseen(classes, setting.options.unseen)

    def summary(self, rows: Iterable[Row]) -> Summary:
        """All figures of semantic segmentation; see `cells_row`."""
        names = self._classes.names
        # the last column counts pixels that the answer gives to no class at all
        confusion = np.zeros((len(names) + 1, len(names) + 1), dtype=np.int64)
        quality: dict[str, float] = {}
        pictures = 0
        for row in rows:
            pictures += 1
            add_cells(confusion, row["cells"])
            quality[row["key"]] = self.of_one(row)["miou"]
        found = segmentation_metrics(confusion, self._averaging, classes=len(names))
        metrics = {
            "miou": percent(found.miou),
            "mfpr": found.mfpr,
            "mfnr": found.mfnr,
            "pixel_accuracy": percent(found.pixel_accuracy),
            "mean_accuracy": percent(found.mean_accuracy),
            "fwiou": percent(found.fwiou),
        }
        if self._unseen:
            seen = [index for index in range(len(names)) if index not in self._unseen]
            shot = zero_shot(found.iou, seen, sorted(self._unseen))
            metrics |= {
                "miou_seen": percent(shot.seen),
                "miou_unseen": percent(shot.unseen),
                "hiou": percent(shot.harmonic),
            }
        truth = confusion.sum(axis=1)
        per_class = [
            {
                "name": name,
                "pixels": int(truth[index]),
                "iou": percent(float(found.iou[index])),
                "fpr": float(found.fpr[index]),
                "fnr": float(found.fnr[index]),
                "recall": percent(float(found.recall[index])),
            }
            for index, name in enumerate(names)
        ]
        everywhere = segmentation_metrics(_one_class(confusion), self._averaging, classes=len(names))
        return Summary(
            metrics=metrics,
            baselines={
                "commonest class everywhere": {
                    "miou": percent(everywhere.miou),
                    "mfpr": everywhere.mfpr,
                    "mfnr": everywhere.mfnr,
                    "pixel_accuracy": percent(everywhere.pixel_accuracy),
                }
            },
            counts={"pictures": pictures, "pixels": int(confusion.sum())},
            per_class=per_class,
            confusion=confusion[: len(names), : len(names)],
            quality=quality,
        )

    def of_one(self, row: Row) -> dict[str, Any]:
        """The mIoU of one picture in percent over the classes in it, and IoU per class; NaN where nothing counts."""
        count = len(self._classes.names)
        confusion = np.zeros((count + 1, count + 1), dtype=np.int64)
        add_cells(confusion, row["cells"])
        found = segmentation_metrics(confusion, "present", classes=count)
        named = zip(self._classes.names, found.iou.tolist(), strict=True)
        return {
            "miou": percent(found.miou),
            "iou": {name: percent(value) for name, value in named if not math.isnan(value)},
        }


def _one_class(confusion: np.ndarray) -> np.ndarray:
    """The confusion of an answer that has the commonest class of the truth everywhere."""
    area = confusion.sum(axis=1)
    trivial = np.zeros_like(confusion)
    trivial[:, int(area.argmax())] = area
    return trivial


def cells_row(read: Read, labels: np.ndarray, classes: ClassList) -> dict[str, Any]:
    """The row of one picture: [truth, answer, pixels] for every pair that occurs.

    Raises:
        DataError: the answer has another size, or holds values that are no class.
    """
    truth = read.truth.label_map
    assert truth is not None
    try:
        confusion = count_pixels(labels, truth, len(classes.names) + 1, IGNORE)
    except ValueError as error:
        raise DataError(f"{read.sample.key}: {error}") from error
    return {"key": read.sample.key, "cells": cells_of(confusion)}


def label_example(read: Read, labels: np.ndarray, classes: ClassList) -> Example:
    """Picture, truth and answer in the classes' colours; the background stays as it is."""
    assert read.picture is not None
    assert read.truth.label_map is not None
    pixels = read.picture.pixels
    shift = 0 if classes.background else 1
    colours = class_colours(classes)
    drawn = []
    for shown in (read.truth.label_map, labels):
        known = shown < len(classes.names)
        drawn.append(tint(pixels, np.where(known, shown.astype(np.int64) + shift, 0), colours))
    present = [classes.names[index] for index in np.unique(read.truth.label_map).tolist() if index < len(classes.names)]
    return Example(", ".join(name.strip() for name in present), pixels, *drawn)


def class_colours(classes: ClassList) -> np.ndarray:
    """Colours of the classes that are drawn, all but the background."""
    if classes.colours is None:
        return tag_colours(len(classes.things))
    return np.array(classes.colours, dtype=np.uint8)[len(classes.names) - len(classes.things) :]


def _unseen(classes: ClassList, names: Sequence[str] | None) -> frozenset[int]:
    if not names:
        return frozenset()
    places = {name.strip().casefold(): index for index, name in enumerate(classes.names)}
    strange = [name for name in names if name.strip().casefold() not in places]
    if strange:
        raise UsageError(
            f"--unseen {strange[0]!r} is no class of {classes.name}",
            hint=f"its classes: {', '.join(classes.names[:8])} ...",
        )
    return frozenset(places[name.strip().casefold()] for name in names)
