"""The words of a caption that are decided on, and which trivial answers would keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttd_core.recipes.candidates import sample_candidates
from ttd_core.recipes.evaluation.scenes_data import ScenesBenchmark
from ttd_core.scenes.vocabulary import NOUNS, VISUAL_WORDS
from ttd_core.text.nouns import noun_keys
from ttd_core.types import Sample

if TYPE_CHECKING:
    from ttd_core.data.benchmarks.types import BenchmarkSample, Truth
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.task import Setting


@dataclass(frozen=True)
class JudgedWord:
    """One candidate.

    Args:
        tag: as spelled in the caption.
        key: folded.
        flags: baseline → whether it keeps the word: `keep`, `noun`, and with the scenes `dictionary`.
    """

    tag: str
    key: str
    flags: Mapping[str, bool]


def benchmark_sample(options: EvaluateOptions, sample: BenchmarkSample, truth: Truth) -> Sample:
    """A benchmark's sample in the form that `ttd tags` answers.

    The words that the data set has judged are its candidates, unless the options ask for others than usual: with
    `--no-stopwords` or `--candidates nouns` the caption is split as they say.
    """
    usual = options.candidates == "words" and options.stopwords
    judged = truth.candidates if usual else None
    return Sample(sample.key, sample.image, sample.caption, origin=sample.key, candidates=judged)


def judged_words(setting: Setting, sample: BenchmarkSample, truth: Truth) -> list[JudgedWord]:
    """The candidates of a caption: those that were judged, else the words that the options ask for."""
    options = setting.options
    found = sample_candidates(benchmark_sample(options, sample, truth), options.answers(masks=False))
    if isinstance(setting.benchmark, ScenesBenchmark):
        return [
            JudgedWord(c.tag, c.key, {"keep": True, "noun": c.key in NOUNS, "dictionary": c.key in VISUAL_WORDS})
            for c in found
        ]
    nouns = noun_keys(sample.caption or "", options.tagger)
    return [JudgedWord(c.tag, c.key, {"keep": True, "noun": c.key in nouns}) for c in found]
