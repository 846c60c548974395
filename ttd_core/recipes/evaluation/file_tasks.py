"""Finished answers (`--pred`) in the place of a model: read, judged and counted in the worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ttd_core.data.benchmarks.label_files import LabelPrediction
from ttd_core.data.benchmarks.label_files_masks import PredictedMasks
from ttd_core.data.benchmarks.label_files_tags import TagPrediction
from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, ClassList
from ttd_core.data.files import show
from ttd_core.data.label_maps import LabelMap
from ttd_core.errors import DataError
from ttd_core.recipes.evaluation import class_task, tag_task, text_task
from ttd_core.recipes.evaluation.mask_task import LabelReader, SegmentationFigures, cells_row, label_example
from ttd_core.recipes.evaluation.noticed import noticed
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.task import Example, Finish, Setting
from ttd_core.recipes.results import SCORE_DIGITS


def _as_it_is(row: dict[str, Any]) -> dict[str, Any]:
    return row


class _Counted:
    """What tasks have in common whose workers return finished rows."""

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Nothing is left to do."""
        return [partial(_as_it_is, row) for row in read]


class MaskFileTask(_Counted):
    """Semantic segmentation by finished label maps.

    Args:
        setting: options, data set.
        predicted: the label maps.
    """

    def __init__(self, setting: Setting, predicted: PredictedMasks) -> None:
        classes = setting.benchmark.classes
        assert classes is not None  # data sets without classes do not offer this task
        self._judge = MaskFileJudge(setting.benchmark, predicted, classes)
        self._figures = SegmentationFigures(classes, setting)

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Counts a label map against the truth."""
        return self._judge

    def summary(self, rows: Iterable[Row]) -> Summary:
        """See `MaskTask`."""
        return self._figures.summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """See `MaskTask`."""
        return self._figures.of_one(row)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Picture, truth and answer, where there is a picture."""
        return self._judge.example(sample)


@dataclass(frozen=True)
class MaskFileJudge:
    """Reads truth and answer of a sample and counts pixels; picklable."""

    benchmark: Benchmark
    predicted: PredictedMasks
    classes: ClassList

    def __call__(self, sample: BenchmarkSample) -> dict[str, Any]:
        """Count one sample.

        Raises:
            DataError: truth or answer cannot be used, or their sizes differ.
        """
        read = LabelReader(self.benchmark, pictures=False)(sample)
        answer = self._answer(read)
        return cells_row(read, answer.labels, self.classes) | noticed(read, answer, _file(self.predicted, sample.key))

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Picture, truth and answer."""
        if not _has_picture(self.benchmark, sample):
            return None
        read = LabelReader(self.benchmark)(sample)
        return label_example(read, self._answer(read).labels, self.classes)

    def _answer(self, read: Read) -> LabelMap:
        assert read.truth.label_map is not None
        return _of_size(self.predicted, read.sample.key, read.truth.label_map)


class TextFileTask(_Counted):
    """Caption segmentation by finished binary masks.

    Args:
        setting: options, data set.
        predicted: the masks.
    """

    def __init__(self, setting: Setting, predicted: PredictedMasks) -> None:
        self._judge = TextFileJudge(setting.benchmark, predicted)

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Counts a mask against the truth."""
        return self._judge

    def summary(self, rows: Iterable[Row]) -> Summary:
        """See `TextTask`."""
        return text_task.summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """See `TextTask`."""
        return text_task.caption_figures(row)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Picture, truth and answer, where there is a picture."""
        return self._judge.example(sample)


@dataclass(frozen=True)
class TextFileJudge:
    """Reads true mask and answer of a caption and counts pixels; picklable."""

    benchmark: Benchmark
    predicted: PredictedMasks

    def __call__(self, sample: BenchmarkSample) -> dict[str, Any]:
        """Count one caption.

        Raises:
            DataError: truth or answer cannot be used, or their sizes differ.
        """
        read = text_task.CaptionReader(self.benchmark, pictures=False)(sample)
        answer = self._answer(read)
        return text_task.masks_row(read, {text_task.OWN: answer.labels.astype(bool)}) | noticed(
            read, answer, _file(self.predicted, sample.key)
        )

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Picture, truth and answer."""
        if not _has_picture(self.benchmark, sample):
            return None
        read = text_task.CaptionReader(self.benchmark)(sample)
        return text_task.mask_example(read, self._answer(read).labels.astype(bool))

    def _answer(self, read: Read) -> LabelMap:
        assert read.truth.caption_mask is not None
        return _of_size(self.predicted, read.sample.key, read.truth.caption_mask)


def _of_size(predicted: PredictedMasks, key: str, truth: np.ndarray) -> LabelMap:
    """An answer that covers the same pixels as the truth; pictures are not decoded here, so these two are compared.

    Raises:
        DataError: it has another size, or see `PredictedMasks.look`.
    """
    answer = predicted.look(key)
    if answer.labels.shape != truth.shape:
        (height, width), (rows, columns) = answer.labels.shape, truth.shape
        raise DataError(
            f"{_file(predicted, key)}: {width}×{height} pixels, but the true mask of {key} has {columns}×{rows}",
            hint="save answers in the size of the pictures; resizing label maps here would invent figures",
        )
    return answer


def _file(predicted: PredictedMasks, key: str) -> str:
    return show(predicted.files[key].path)


class TagFileTask:
    """Tag selection by finished lists.

    Args:
        setting: options, data set.
        predicted: tags by key.
    """

    def __init__(self, setting: Setting, predicted: Mapping[str, TagPrediction]) -> None:
        self._setting = setting
        self._predicted = predicted

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """True tags only."""
        return Reader(self._setting.benchmark, pictures=False)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Set the lists against the truth."""
        return [partial(self._row, each) for each in read]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """See `TagTask`."""
        return tag_task.summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """See `TagTask`."""
        return tag_task.caption_figures(row)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """The picture with its caption."""
        return tag_task.captioned_example(self._setting.benchmark, sample)

    def _row(self, read: Read) -> dict[str, Any]:
        answer = self._predicted[read.sample.key]
        caption = read.sample.caption
        if answer.text is not None and caption is not None and answer.text.split() != caption.split():
            raise DataError(
                f"{read.sample.key}: {self._setting.options.pred} answers another caption ({answer.text[:60]!r})",
                hint=f"the data set's caption is {caption[:60]!r}",
            )
        judged = answer.candidates or ()
        scored = [(tag.tag, tag.score, tag.selected) for tag in judged]
        known = {tag.tag for tag in judged}
        scored += [(tag, None, True) for tag in answer.tags if tag not in known]
        return tag_task.decisions_row(self._setting, read.sample, read.truth, scored)


class ClassFileTask:
    """Multi-label classification by finished lists of labels or scores.

    Args:
        setting: options, data set.
        predicted: labels or scores by key.
    """

    def __init__(self, setting: Setting, predicted: Mapping[str, LabelPrediction]) -> None:
        classes = setting.benchmark.classes
        assert classes is not None  # data sets without classes do not offer this task
        self._setting = setting
        self._classes = classes
        self._predicted = predicted

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """True labels only."""
        return class_task.PresenceReader(self._setting.benchmark, pictures=False)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Set the lists against the truth."""
        return [partial(self._row, each) for each in read]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """See `ClassTask`."""
        return class_task.summary(rows, self._classes, self._setting.options)

    def figures(self, row: Row) -> dict[str, Any]:
        """See `ClassTask`."""
        return class_task.picture_figures(row, self._classes)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Nothing to see."""
        return None

    def _row(self, read: Read) -> dict[str, Any]:
        answer = self._predicted[read.sample.key]
        row = class_task.labels_row(read.sample, read.truth)
        if answer.labels is not None:
            row["labels"] = list(answer.labels)
        if answer.scores is not None:
            row["scores"] = [round(float(score), SCORE_DIGITS) for score in answer.scores]
        return row


def _has_picture(benchmark: Benchmark, sample: BenchmarkSample) -> bool:
    return tag_task.has_picture(benchmark, sample)
