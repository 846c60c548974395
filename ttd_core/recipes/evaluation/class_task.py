"""Task `classification`: which classes of a list does a picture show? (specification of TagCLIP, sections 6 and 9)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.data.benchmarks.types import BenchmarkSample, ClassList, Truth
from ttd_core.errors import DataError
from ttd_core.metrics.classification import (
    LabelCounts,
    PrecisionRecall,
    binarise,
    category,
    class_average_precisions,
    count_labels,
    label_matrix,
    overall,
    sample,
)
from ttd_core.metrics.tagging import TagCounts, tag_metrics
from ttd_core.recipes.evaluation.class_texts import class_texts
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.task import Example, Finish, Setting, percent
from ttd_core.recipes.methods import method_of, selection_of
from ttd_core.recipes.results import SCORE_DIGITS

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.model_answers import ModelAnswers


class ClassTask:
    """Multi-label classification by a model.

    Args:
        setting: options, data set, where to report.

    Raises:
        DataError: the file of class names does not fit the classes.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._answers: ModelAnswers | None = None
        classes = setting.benchmark.classes
        assert classes is not None  # data sets without classes do not offer this task
        self._classes = classes
        self._texts = class_texts(
            classes, setting.options.class_names, method_of(setting.options).verbatim, setting.options.names
        )

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Picture and labels."""
        return PresenceReader(self._setting.benchmark)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Score every class."""
        if self._answers is None:
            from ttd_core.recipes.evaluation.model_answers import ModelAnswers

            s = self._setting
            self._answers = ModelAnswers(s.options, s.report, s.run, s.cache, masks=False)
        answers = self._answers
        maps = answers.class_maps([each.picture for each in read], self._texts)
        return [partial(self._row, each, answers.class_scores(looked)) for each, looked in zip(read, maps, strict=True)]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """mAP, and precision, recall and F1 in three averagings."""
        return summary(rows, self._classes, self._setting.options)

    def figures(self, row: Row) -> dict[str, Any]:
        """True labels and scores of one picture."""
        return picture_figures(row, self._classes)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """The picture with its true classes."""
        if sample.image is None:
            return None
        read = self.reader()(sample)
        present = ", ".join(self._classes.things[index] for index in read.truth.present or ())
        return Example(present, read.picture.pixels)

    def _row(self, read: Read, scores: np.ndarray) -> dict[str, Any]:
        rounded = [round(float(score), SCORE_DIGITS) for score in scores]
        return labels_row(read.sample, read.truth) | {"scores": rounded}


class PresenceReader(Reader):
    """Reads labels, and pictures where a model wants them."""

    def __call__(self, sample: BenchmarkSample) -> Read:
        """Decode one sample.

        Raises:
            DataError: the picture cannot be used, or its classes are not known.
        """
        read = super().__call__(sample)
        if read.truth.present is None:
            raise DataError(f"{sample.key}: the data set does not say which classes this picture shows")
        return read


def labels_row(sample: BenchmarkSample, truth: Truth) -> dict[str, Any]:
    """The truth's part of a row; `scores`, `labels` or both come from the answer."""
    row: dict[str, Any] = {"key": sample.key, "present": sorted(truth.present or ())}
    return row | ({"difficult": sorted(truth.difficult)} if truth.difficult else {})


def summary(rows: Iterable[Row], classes: ClassList, options: EvaluateOptions) -> Summary:
    """All figures of classification.

    Kept are by `--select fixed` scores above the threshold, by `relative` and `range` those above
    min + threshold·(max - min) of the picture, by `top` the highest; strictly above, as TagCLIP does. Finished answers
    with labels bring their own decisions; scores beside them are ranked and decide nothing.

    Args:
        rows: `key`, `present`, perhaps `difficult`, and `scores` (C floats), `labels` or both.
        classes: the class list.
        options: selection rule, and how difficult objects count.

    Raises:
        DataError: some rows have labels or scores and others have not.
    """
    count = len(classes.things)
    found = _gathered(rows, count)
    truth = label_matrix(found.present, count)
    hidden = None
    if options.difficult != "positive" and any(found.difficult):
        ignored = label_matrix(found.difficult, count)
        if options.difficult == "ignore":
            hidden = ignored
        else:
            truth &= ~ignored
    metrics: dict[str, float] = {}
    average = None
    if found.scores is not None:
        average = class_average_precisions(found.scores, truth, hidden)
        metrics["map"] = percent(float(average.mean()))
    if found.scores is not None and found.labels is None:
        kept = kept_classes(found.scores, options)
    else:
        kept = label_matrix(found.labels or (), count)
    counts = count_labels(kept, truth, hidden)
    metrics |= _three(overall(counts), "") | _three(category(counts), "category_") | _three(sample(counts), "sample_")
    metrics["accuracy"] = percent(tag_metrics(counts.total).accuracy)
    return Summary(
        metrics=metrics,
        counts={"pictures": len(found.keys)} | _numbers(counts),
        baselines={"keep every class": _three(overall(count_labels(np.ones_like(truth), truth, hidden)), "")},
        per_class=[_class_row(name, index, counts, average) for index, name in enumerate(classes.things)],
        scores=None if found.scores is None else _decisions(found.scores, truth, kept, hidden),
        quality={
            key: _f1(int(tp), int(fp), int(fn))
            for key, tp, fp, fn in zip(found.keys, counts.image_tp, counts.image_fp, counts.image_fn, strict=True)
        },
    )


def kept_classes(scores: np.ndarray, options: EvaluateOptions) -> np.ndarray:
    """n×C bool: what the options keep of n×C float32 scores; see `summary`."""
    rule, threshold = selection_of(options)
    return binarise(scores, {"fixed": "absolute", "range": "relative"}.get(rule, rule), threshold)


@dataclass(frozen=True)
class _Gathered:
    """What the rows of n pictures say.

    Args:
        keys: of the pictures.
        present, difficult: labels of each.
        scores: n×C float32, None without any.
        labels: those that finished answers name for each picture, None where they name none.
    """

    keys: list[str]
    present: list[list[int]]
    difficult: list[list[int]]
    scores: np.ndarray | None
    labels: list[list[int]] | None


def _gathered(rows: Iterable[Row], classes: int) -> _Gathered:
    keys: list[str] = []
    present: list[list[int]] = []
    difficult: list[list[int]] = []
    labels: list[list[int]] = []
    scores, scored = array("f"), 0  # grows in place: lists of Python's floats would take eight times the room
    for row in rows:
        keys.append(row["key"])
        present.append(row["present"])
        difficult.append(row.get("difficult", []))
        if "scores" in row:
            scores.extend(row["scores"])
            scored += 1
        if "labels" in row:
            labels.append(row["labels"])
    if scored not in (0, len(keys)) or len(labels) not in (0, len(keys)):
        raise DataError("some predictions hold scores or labels that others lack, expected one kind for all pictures")
    matrix = np.frombuffer(scores, dtype=np.float32).reshape(-1, classes) if scored else None
    return _Gathered(keys, present, difficult, matrix, labels or None)


def picture_figures(row: Row, classes: ClassList) -> dict[str, Any]:
    """True classes of one picture, and what was answered."""
    names = classes.things
    found: dict[str, Any] = {"present": [names[index] for index in row["present"]]}
    if "labels" in row:
        found["labels"] = [names[index] for index in row["labels"]]
    if "scores" in row:
        found["scores"] = dict(zip(names, row["scores"], strict=True))
    return found


def _three(found: PrecisionRecall, prefix: str) -> dict[str, float]:
    values = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
    return {prefix + name: percent(value) for name, value in values.items()}


def _class_row(name: str, index: int, counts: LabelCounts, average: np.ndarray | None) -> dict[str, Any]:
    tp, fp, fn = (int(part[index]) for part in (counts.class_tp, counts.class_fp, counts.class_fn))
    found = tag_metrics(TagCounts(tp, fp, fn, 0))
    row: dict[str, Any] = {"name": name, "true": tp + fn, "tp": tp, "fp": fp, "fn": fn}
    row |= {"precision": percent(found.precision), "recall": percent(found.recall), "f1": percent(found.f1)}
    return row if average is None else row | {"ap": percent(float(average[index]))}


def _numbers(counts: LabelCounts) -> dict[str, int]:
    total = counts.total
    return {
        "decisions": counts.decisions,
        "tp": total.tp,
        "fp": total.fp,
        "fn": total.fn,
        "exact": counts.exact,
        "true": total.tp + total.fn,
    }


def _decisions(scores: np.ndarray, truth: np.ndarray, kept: np.ndarray, hidden: np.ndarray | None) -> np.ndarray:
    """Every decision that counts as score, true, kept: n×3 float32, since nothing more exact is known."""
    counted = None if hidden is None else ~hidden
    table = np.empty((scores.size if counted is None else int(counted.sum()), 3), dtype=np.float32)
    for column, part in enumerate((scores, truth, kept)):
        table[:, column] = part.ravel() if counted is None else part[counted]
    return table


def _f1(tp: int, fp: int, fn: int) -> float:
    total = 2 * tp + fp + fn
    return percent(2 * tp / total) if total else 100.0
