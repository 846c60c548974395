"""Task `text`: the caption's own mask against the union of its words' true masks (Caption IoU, `ttd.md` 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.data.benchmarks.types import BenchmarkSample
from ttd_core.drawing.overlay import tint
from ttd_core.errors import DataError
from ttd_core.metrics.captions import MaskCounts, count_mask, mean_shares, pooled_shares
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.task import Example, Finish, Setting, percent

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.model_answers import ModelAnswers

OWN, UNION, WHOLE = "caption", "union of the selected tags", "whole picture"
COLOUR = np.array([[214, 80, 30]], dtype=np.uint8)


class TextTask:
    """Caption segmentation by a model.

    Args:
        setting: options, data set, where to report.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._answers: ModelAnswers | None = None

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Picture and true mask."""
        return CaptionReader(self._setting.benchmark)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Look at the pictures; refining and counting come later."""
        asked = self._model().ask(read)
        return [partial(self._row, each, *answer) for each, answer in zip(read, asked, strict=True)]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """Caption IoU, mFPR and mFNR, beside the whole picture as mask."""
        return summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """Shares of every mask of one caption."""
        return caption_figures(row)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Picture, true mask and the caption's mask."""
        read = self.reader()(sample)
        question, looked = self._model().ask([read])[0]
        mask, _ = self._model().caption_masks(read.picture, question, looked)
        return mask_example(read, mask)

    def _row(self, read: Read, question: Any, looked: Any) -> dict[str, Any]:
        assert read.picture is not None
        own, union = self._model().caption_masks(read.picture, question, looked)
        return masks_row(read, {OWN: own, UNION: union})

    def _model(self) -> ModelAnswers:
        if self._answers is None:
            from ttd_core.recipes.evaluation.model_answers import ModelAnswers

            s = self._setting
            self._answers = ModelAnswers(s.options, s.report, s.run, s.cache, masks=True)
        return self._answers


class CaptionReader(Reader):
    """Reads pictures with the caption's true mask."""

    def __call__(self, sample: BenchmarkSample) -> Read:
        """Decode one sample.

        Raises:
            DataError: picture or mask cannot be used, or there is no mask or no caption.
        """
        read = super().__call__(sample)
        if read.truth.caption_mask is None:
            raise DataError(f"{sample.key}: the data set has no mask for this caption")
        if sample.caption is None or not sample.caption.strip():
            raise DataError(f"{sample.key}: no caption")
        return read


def masks_row(read: Read, masks: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The row of one caption: for every mask its true positives, false positives and false negatives in pixels."""
    truth = read.truth.caption_mask
    assert truth is not None
    counted = {name: count_mask(mask, truth) for name, mask in masks.items()}
    counted[WHOLE] = count_mask(np.ones_like(truth), truth)
    return {"key": read.sample.key, "masks": {name: [c.tp, c.fp, c.fn] for name, c in counted.items()}}


def summary(rows: Iterable[Row]) -> Summary:
    """All figures of caption segmentation.

    Args:
        rows: see `masks_row`.
    """
    counts: dict[str, list[MaskCounts]] = {}
    quality: dict[str, float] = {}
    for row in rows:
        for name, values in row["masks"].items():
            counts.setdefault(name, []).append(MaskCounts(*values))
        quality[row["key"]] = caption_figures(row)[OWN]["iou"]
    own = counts.pop(OWN, [])
    return Summary(
        metrics=_metrics(own),
        counts={"captions": len(own), "pixels": sum(c.tp + c.fn for c in own)},
        baselines={name: _metrics(found) for name, found in counts.items()},
        quality=quality,
    )


def caption_figures(row: Row) -> dict[str, Any]:
    """IoU in percent, FPR and FNR as fractions, of every mask of one caption."""
    found = {}
    for name, values in row["masks"].items():
        shares = MaskCounts(*values).shares
        found[name] = {"iou": percent(shares.iou), "fpr": shares.fpr, "fnr": shares.fnr}
    return found


def mask_example(read: Read, mask: np.ndarray) -> Example:
    """Picture, true mask and answer, as the report shows them."""
    assert read.picture is not None
    assert read.truth.caption_mask is not None
    pixels = read.picture.pixels
    drawn = [tint(pixels, shown.astype(np.uint8), COLOUR) for shown in (read.truth.caption_mask, mask)]
    return Example(read.sample.caption or "", pixels, *drawn)


def _metrics(counts: Sequence[MaskCounts]) -> dict[str, float]:
    mean, pooled = mean_shares(counts), pooled_shares(counts)
    return {
        "caption_iou": percent(mean.iou),
        "caption_iou_pooled": percent(pooled.iou),
        "mfpr": mean.fpr,
        "mfnr": mean.fnr,
    }
