"""Answers that need no model: candidate tags, nouns, and ready-made tag lists. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.results import TagResult
from ttd_core.text.candidates import Candidate, candidates, given_tags
from ttd_core.types import Sample, TagScore


def sample_candidates(sample: Sample, options: CommonOptions, class_list: Sequence[str] | None = None) -> list[Candidate]:
    """The candidates of one row: its own tags, else the class list of the call, else the words of its caption.

    Args:
        sample: the row.
        options: which words of a caption are candidates, and `--tags`.
        class_list: what `--tags-file` holds.
    """
    if sample.tags is not None:
        return given_tags(sample.tags)
    if options.tags is not None:
        return given_tags(options.tags)
    if class_list is not None:
        return given_tags(class_list)
    return candidates(sample.caption or "", options.candidates, stopwords=options.stopwords)


def caption_candidates(
    sample: Sample, options: CommonOptions, class_list: Sequence[str] | None = None
) -> TagResult:
    """All candidates of a caption, unscored: what `ttd tags --text` prints when there is no picture to look at."""
    found = sample_candidates(sample, options, class_list)
    scores = tuple(TagScore(candidate.tag, None, True) for candidate in found)
    return TagResult(sample.key, _name(sample), sample.caption, "candidates", scores)


def noun_tags(sample: Sample, options: CommonOptions, class_list: Sequence[str] | None = None) -> TagResult:
    """The published baseline `NLTK nouns`: every noun of the caption is a tag, whatever the picture shows."""
    from ttd_core.text.nouns import noun_keys

    nouns = noun_keys(sample.caption or "", options.tagger)
    return _by_membership(sample, options, class_list, "nouns", nouns)


def listed_tags(
    sample: Sample,
    options: CommonOptions,
    lists: Mapping[str, frozenset[str]],
    class_list: Sequence[str] | None = None,
) -> TagResult:
    """Tags that somebody else (a language model, a person) chose for the caption.

    Args:
        sample: the row.
        options: which words are candidates.
        lists: folded caption -> folded tags; a caption that is not in it keeps nothing and is noted.
        class_list: what `--tags-file` holds.
    """
    chosen = lists.get((sample.caption or "").strip().casefold())
    result = _by_membership(sample, options, class_list, "list", chosen or frozenset())
    if chosen is not None:
        return result
    scores = tuple(TagScore(s.tag, s.score, False, note="caption not in the list") for s in result.scores)
    return TagResult(result.key, result.image, result.text, "list", scores)


def _by_membership(
    sample: Sample, options: CommonOptions, class_list: Sequence[str] | None, scorer: str, kept: frozenset[str]
) -> TagResult:
    scores = tuple(
        TagScore(candidate.tag, 1.0 if candidate.key in kept else 0.0, candidate.key in kept)
        for candidate in sample_candidates(sample, options, class_list)
    )
    return TagResult(sample.key, _name(sample), sample.caption, scorer, scores)


def _name(sample: Sample) -> str | None:
    return None if sample.image is None else str(sample.image)
