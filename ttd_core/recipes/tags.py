"""`ttd tags`: which words of a caption the picture shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ttd_core.data.rows import BadRow
from ttd_core.data.tag_lists import read_tag_lists
from ttd_core.recipes.answering import answers
from ttd_core.recipes.candidates import caption_candidates, listed_tags, noun_tags
from ttd_core.recipes.options import CommonOptions, TagOptions
from ttd_core.recipes.results import Skipped, TagResult
from ttd_core.types import Sample

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.maps import Looked
    from ttd_core.recipes.scoring import Question, Scorer
    from ttd_core.runs import RunDirectory


def run_tags(
    options: TagOptions,
    samples: Iterable[Sample | BadRow],
    report: Reporter,
    run: RunDirectory | None = None,
    cache: Path | None = None,
) -> Iterator[TagResult | Skipped]:
    """Answer every row in input order. torch and the model are loaded only when a row needs them.

    Rows without a picture list their candidates unscored under the scorer `pixel` (nothing can be looked at), and are
    skipped under `image`.

    Args:
        options: the settings.
        samples: the rows.
        report: told what is assumed.
        run: where finished rows are recorded, None for one-off calls.
        cache: folder for text embeddings.

    Raises:
        TtdError: the model, a tag list or the run directory cannot be used; bad rows come out as `Skipped` instead.
    """
    return answers(options, samples, run, TagAnswerer(options, report, cache=cache, run=run), TagResult.from_json)


class TagAnswerer:
    """Sends each row of a batch to the scorer that can answer it.

    Args:
        options: the settings.
        report: told what is assumed.
        scorer: a model scorer to share; None makes one when a row needs it.
        cache: folder for text embeddings.
        run: told which model gave the numbers.
    """

    def __init__(
        self,
        options: CommonOptions,
        report: Reporter,
        scorer: Scorer | None = None,
        cache: Path | None = None,
        run: RunDirectory | None = None,
    ) -> None:
        self._options = options
        self._report = report
        self._cache = cache
        self._run = run
        self._scorer = scorer
        self._kind, _, path = options.scorer.partition(":")
        self._lists = read_tag_lists(Path(path)) if self._kind == "list" else {}

    def __call__(self, samples: Sequence[Sample]) -> list[TagResult | Skipped]:
        """Answer a batch in its order."""
        ready = {i: self.without_model(sample) for i, sample in enumerate(samples)}
        asked = [i for i, answer in ready.items() if answer is None]
        if asked:
            ready.update(zip(asked, self._model().score([samples[i] for i in asked]), strict=True))
        return [answer for answer in ready.values() if answer is not None]

    def scored(self, question: Question, looked: Looked) -> TagResult:
        """The decision about a sample whose picture the model has already looked at."""
        if self._kind in ("nouns", "list"):
            answer = self.without_model(question.sample)
            assert isinstance(answer, TagResult)
            return answer
        return self._model().decide(question, looked)

    def without_model(self, sample: Sample) -> TagResult | Skipped | None:
        """The answer where no model is needed, or the reason why there is none; None where a model has to look."""
        if sample.caption is None and sample.tags is None:
            return Skipped(sample.key, f"{sample.origin}: no caption and no tags", "add a text, or list --tags")
        if self._kind == "nouns":
            return noun_tags(sample, self._options)
        if self._kind == "list":
            return listed_tags(sample, self._options, self._lists)
        if self._kind == "text":
            if sample.caption is None:
                return Skipped(sample.key, f"{sample.origin}: --scorer text needs a caption", "add a text")
            return None
        if sample.image is None:
            if self._kind in ("pixel", "tagclip"):
                return caption_candidates(sample, self._options)
            return Skipped(sample.key, f"{sample.origin}: --scorer {self._kind} needs a picture", "add an image")
        return None

    def _model(self) -> Scorer:
        if self._scorer is None:
            from ttd_core.recipes.scoring import Scorer

            self._scorer = Scorer(self._options, self._report, self._cache, self._run)
        return self._scorer
