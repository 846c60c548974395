"""Task `bias`: the single tag bias meter, defined in `ttd_core.metrics.bias`, on any captioned set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.data.benchmarks.types import BenchmarkSample
from ttd_core.errors import DataError
from ttd_core.metrics.bias import SCORINGS, bias_baselines, bias_row, bias_summary, coverage_row
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.task import Example, Finish, Setting
from ttd_core.recipes.results import SCORE_DIGITS
from ttd_core.text.candidates import given_tags

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.model_answers import ModelAnswers

_COUNTS = ("captions", "measured", "undefined")


class BiasTask:
    """The meter on a model.

    Args:
        setting: options, data set, where to report.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._answers: ModelAnswers | None = None

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Pictures with captions."""
        return CaptionedReader(self._setting.benchmark)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Score every caption's candidates in three ways."""
        asked = self._model().ask(read)
        return [partial(self._row, each, *answer) for each, answer in zip(read, asked, strict=True)]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """The meter's reading, one headline figure among them."""
        return summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """What the meter reads off one caption."""
        return {key: value for key, value in row.items() if key != "key"}

    def example(self, sample: BenchmarkSample) -> Example | None:
        """The picture with its caption."""
        return Example(sample.caption or "", self._setting.benchmark.picture(sample).pixels)

    def _row(self, read: Read, question: Any, looked: Any) -> dict[str, Any]:
        model = self._model()
        scores = {kind: model.scorer.scores(kind, question, looked) for kind in SCORINGS}
        kept = {kind: model.scorer.keep(found) for kind, found in scores.items()}
        tags = [question.tags[index].casefold() for index in question.known]
        visible = None
        if read.truth.tags is not None:
            true = {tag.key for tag in given_tags(read.truth.tags)}
            visible = [tag in true for tag in tags]
        text = np.round(scores["text"].double().cpu().numpy(), SCORE_DIGITS)
        assert looked.caption is not None
        row = bias_row(kept, text, looked.caption.cpu().numpy(), looked.cosines.cpu().numpy(), visible)
        masks = (
            [read.truth.tag_masks[tag] for tag in tags if tag in read.truth.tag_masks] if read.truth.tag_masks else []
        )
        if len(masks) > 1 and row["reference"] > 1 and read.picture is not None:
            own, _ = model.caption_masks(read.picture, question, looked)
            row |= coverage_row(own, np.stack(masks))
        return {"key": read.sample.key} | row

    def _model(self) -> ModelAnswers:
        if self._answers is None:
            from ttd_core.recipes.evaluation.model_answers import ModelAnswers

            s = self._setting
            self._answers = ModelAnswers(s.options, s.report, s.run, s.cache, masks=False)
        return self._answers


class CaptionedReader(Reader):
    """Reads pictures that have captions."""

    def __call__(self, sample: BenchmarkSample) -> Read:
        """Decode one sample.

        Raises:
            DataError: the picture cannot be used, or it has no caption.
        """
        if sample.caption is None or not sample.caption.strip():
            raise DataError(f"{sample.key}: no caption")
        return super().__call__(sample)


def summary(rows: Iterable[Row]) -> Summary:
    """The meter's reading over a set.

    Args:
        rows: `key` and what `bias_row` and `coverage_row` give.
    """
    kept = list(rows)
    found = bias_summary(kept)
    return Summary(
        metrics={key: value for key, value in found.items() if key not in _COUNTS},
        counts={key: int(found[key]) for key in _COUNTS},
        baselines=bias_baselines(kept),
        quality={row["key"]: -row["bias"] for row in kept if row.get("bias") is not None},
    )
