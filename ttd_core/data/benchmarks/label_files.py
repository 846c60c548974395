"""Image-level labels in files: TagCLIP's lists, JSON Lines with labels or scores, and data sets that are such a list.

A list has `<id> <label> <label> ...` a line, as TagCLIP's image sets and tag files do: labels are indices into the
classes without the background, or their names; after a tab they may be separated by commas, for names of several
words. A JSON Lines file has one object a line: `key` (or `id`, `image`), and `labels` (indices or names), `tags`
(names) or `scores` (one number per class, in order); the `tags.jsonl` of `ttd tags` is understood as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttd_core.data.benchmarks.coco_files import file_names
from ttd_core.data.benchmarks.label_files_rows import (
    ROW_HINT,
    Answers,
    add_once,
    is_json_lines,
    json_rows,
    key_of,
    text_rows,
)
from ttd_core.data.benchmarks.types import BenchmarkSample, ClassList, OpenedBenchmark, Truth
from ttd_core.data.files import show
from ttd_core.errors import DataError
from ttd_core.text.clean import printable
from ttd_core.text.tokens import fold


@dataclass(frozen=True)
class LabelPrediction:
    """What somebody says a picture shows.

    Args:
        labels: indices into the classes without the background, ascending; None where only scores are given.
        scores: one per class, float64, in any range; None where only labels are given.
    """

    labels: tuple[int, ...] | None
    scores: np.ndarray | None = None


def read_label_predictions(
    path: Path, classes: ClassList, to_label: Callable[[int], int] | None = None, scores: bool = True
) -> Answers[LabelPrediction]:
    """Read predicted (or true) labels; the forms are described above.

    Args:
        path: a list or JSON Lines.
        classes: the classes; `things` are meant.
        to_label: from the numbers in the file to indices, raising DataError; None takes them as they are.
        scores: read scores, too; otherwise rows without labels are an error.

    Raises:
        DataError: naming file and line: unknown class, index out of range, another number of scores than classes,
            a key that comes twice, a row that holds neither labels nor scores; or an empty file.
    """
    reader = _LabelReader(classes, to_label, scores)
    rows = json_rows(path) if is_json_lines(path) else _list_rows(path)
    found: dict[str, LabelPrediction] = {}
    for origin, row in rows:
        if "error" in row and not {"labels", "tags", "scores"} & row.keys():
            continue
        add_once(found, key_of(row, origin), reader.read(row, origin), origin)
    if not found:
        raise DataError(f"{show(path)}: holds no labels", ROW_HINT)
    return Answers(found)


class _LabelReader:
    def __init__(self, classes: ClassList, to_label: Callable[[int], int] | None, scores: bool) -> None:
        self._wants_scores = scores
        self._things = classes.things
        self._title = classes.name
        self._to_label = to_label
        self._by_name = {fold(name): index for index, name in enumerate(classes.things)}

    def read(self, row: Mapping[str, Any], origin: str) -> LabelPrediction:
        scores = self._scores(row, origin) if self._wants_scores else None
        named = row.get("labels", row.get("tags"))
        if named is None and scores is None:
            raise DataError(f"{origin}: has neither labels, tags nor scores", ROW_HINT)
        if named is None:
            return LabelPrediction(None, scores)
        if not isinstance(named, list):
            raise DataError(f"{origin}: its labels are no list", ROW_HINT)
        return LabelPrediction(tuple(sorted({self._label(each, origin) for each in named})), scores)

    def _label(self, value: Any, origin: str) -> int:
        if isinstance(value, str):
            index = self._by_name.get(fold(value.strip()))
            if index is not None:
                return index
            if not value.strip().isdecimal():
                raise DataError(f"{origin}: {printable(value)[:60]} is no class of {self._title}", self._hint())
            value = int(value) if len(value) < 10 else -1
        if type(value) is not int:
            raise DataError(f"{origin}: a label is neither a whole number nor a class name", ROW_HINT)
        if self._to_label is not None:
            try:
                value = self._to_label(value)
            except DataError as error:
                raise DataError(f"{origin}: {error.message}", error.hint) from error
        if not 0 <= value < len(self._things):
            raise DataError(f"{origin}: label {value} is outside 0..{len(self._things) - 1}", self._hint())
        return int(value)

    def _scores(self, row: Mapping[str, Any], origin: str) -> np.ndarray | None:
        scores = row.get("scores")
        if scores is None and isinstance(row.get("candidates"), list):
            scores = {
                each.get("tag"): each.get("score")
                for each in row["candidates"]
                if isinstance(each, dict) and each.get("score") is not None
            }
            if not scores:
                return None
        if scores is None:
            return None
        if isinstance(scores, dict):
            by_label = {self._label(str(name), origin): score for name, score in scores.items()}
            scores = [by_label[index] for index in sorted(by_label)]
        if not isinstance(scores, list) or not all(type(each) in (int, float) for each in scores):
            raise DataError(f"{origin}: its scores are no list of numbers", ROW_HINT)
        if len(scores) != len(self._things):
            raise DataError(f"{origin}: has {len(scores)} scores, expected {len(self._things)}, one per class")
        if not all(math.isfinite(each) for each in scores):
            raise DataError(f"{origin}: has a score that is not finite")
        return np.array(scores, dtype=np.float64)

    def _hint(self) -> str:
        return f"the classes are {', '.join(self._things[:4])}, ... ({len(self._things)} of them, numbered from 0)"


@dataclass(frozen=True)
class LabelList(OpenedBenchmark):
    """A data set whose truth is a list of labels; the source of a sample are its labels."""

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """The labels of a sample, which were read when the list was opened."""
        return Truth(present=sample.source)


def open_label_list(
    name: str, classes: ClassList, path: Path, pictures: Path | None, to_label: Callable[[int], int] | None = None
) -> LabelList:
    """Open a list of true labels for classification, `--truth FILE`.

    Args:
        name: of the data set, split included.
        classes: its classes.
        path: a list in a form that `read_label_predictions` understands.
        pictures: folder of the pictures `<id>.jpg`; None where there is none: then samples have no picture, and only
            finished predictions can be scored.
        to_label: see `read_label_predictions`.

    Raises:
        DataError: the list cannot be read, or none of its pictures is there.
    """
    truths = read_label_predictions(path, classes, to_label)
    present = file_names(pictures, pictures) if pictures is not None else frozenset()
    samples, absent = [], []
    for key, truth in truths.items():
        if truth.labels is None:
            raise DataError(f"{show(path)}: {printable(key)[:80]} has scores but no labels, expected true labels")
        image = next((key + suffix for suffix in (".jpg", "", ".jpeg", ".png") if key + suffix in present), None)
        if pictures is not None and image is None:
            absent.append((key, f"no picture {printable(key)[:80]}.jpg in {show(pictures)}"))
            continue
        samples.append(
            BenchmarkSample(key, pictures / image if pictures is not None and image else None, None, truth.labels)
        )
    if not samples:
        raise DataError(f"{show(path)}: none of its {len(truths):,} pictures is in {show(pictures or Path())}")
    notices: tuple[str, ...] = (f"true labels are those of {show(path)}",)
    if pictures is None:
        notices += ("no pictures are there, so only finished predictions can be scored",)
    return LabelList(name, ("classification",), classes, tuple(samples), tuple(absent), notices)


def _list_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for origin, text in text_rows(path):
        key, tab, rest = text.partition("\t")
        labels = [each.strip() for each in rest.split(",")] if tab and not rest.replace(" ", "").isdecimal() else None
        words = text.split()
        yield origin, {"key": key.strip(), "labels": labels} if labels else {"key": words[0], "labels": words[1:]}
