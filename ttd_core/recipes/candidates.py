"""Answers that need no model: candidate tags, nouns, and ready-made tag lists. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.results import TagResult
from ttd_core.text.candidates import Candidate, candidates, given_tags
from ttd_core.types import Sample, TagScore


def sample_candidates(sample: Sample, options: CommonOptions) -> list[Candidate]:
    """The candidates of one row: the tags given for it, else the words of its caption that the options ask for."""
    if sample.tags is not None:
        return _given(sample.tags)
    if sample.candidates is not None:
        return given_tags(sample.candidates)
    return candidates(sample.caption or "", options.candidates, stopwords=options.stopwords, tagger=options.tagger)


@lru_cache(maxsize=16)
def _given(tags: tuple[str, ...]) -> list[Candidate]:
    """A class list is the same tuple for every picture; cleaning thousands of names once is enough."""
    return given_tags(tags)


def caption_candidates(sample: Sample, options: CommonOptions) -> TagResult:
    """All candidates of a caption, unscored: what `ttd tags --text` prints when there is no picture to look at."""
    scores = tuple(TagScore(candidate.tag, None, True) for candidate in sample_candidates(sample, options))
    return TagResult(sample.key, picture_name(sample), sample.caption, "candidates", scores)


def noun_tags(sample: Sample, options: CommonOptions) -> TagResult:
    """The published baseline "NLTK nouns": every noun of the caption is a tag, whatever the picture shows."""
    from ttd_core.text.nouns import noun_keys

    return _by_membership(sample, options, "nouns", noun_keys(sample.caption or "", options.tagger))


def listed_tags(sample: Sample, options: CommonOptions, lists: Mapping[str, frozenset[str]]) -> TagResult:
    """Tags that somebody else (a language model, a person) chose for the caption.

    Args:
        sample: the row.
        options: which words are candidates.
        lists: folded caption -> folded tags. The candidates of a caption that is not in it come out unscored, each with
            a note.
    """
    chosen = lists.get((sample.caption or "").strip().casefold())
    if chosen is not None:
        return _by_membership(sample, options, "list", chosen)
    scores = tuple(
        TagScore(candidate.tag, None, False, note="caption not in the list")
        for candidate in sample_candidates(sample, options)
    )
    return TagResult(sample.key, picture_name(sample), sample.caption, "list", scores)


def picture_name(sample: Sample) -> str | None:
    """The picture's path as it is written to outputs; None for text only."""
    return None if sample.image is None else str(sample.image)


def _by_membership(sample: Sample, options: CommonOptions, scorer: str, kept: frozenset[str]) -> TagResult:
    scores = tuple(
        TagScore(candidate.tag, 1.0 if candidate.key in kept else 0.0, candidate.key in kept)
        for candidate in sample_candidates(sample, options)
    )
    return TagResult(sample.key, picture_name(sample), sample.caption, scorer, scores)
