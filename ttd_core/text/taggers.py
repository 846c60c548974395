"""Parts of speech of English words: which words of a caption are nouns.

`builtin` is the Brill tagger of the package `textblob`, whose lexicon ships inside its wheel. `nltk` is the averaged
perceptron that the published noun baseline used; its data has to be downloaded by the user once. Both give Penn
Treebank tags: NN* nouns, JJ* adjectives, VB* verbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from ttd_core.errors import MissingPackageError, UsageError

Tagger = Literal["builtin", "nltk"]
TAGGERS: tuple[str, ...] = get_args(Tagger)
NLTK_DATA = "averaged_perceptron_tagger_eng"


def tag_parts(words: Sequence[str], tagger: str = "builtin") -> list[str]:
    """Tag every word in its context.

    Args:
        words: one sentence, punctuation marks as words of their own; at least the neighbours should be real.
        tagger: `builtin` or `nltk`.

    Returns:
        One Penn Treebank tag per word.

    Raises:
        UsageError: for an unknown tagger.
        MissingPackageError: when the package or its data is not installed.
    """
    if tagger == "builtin":
        return _tag_builtin(words) if words else []
    if tagger == "nltk":
        return _tag_nltk(words) if words else []
    raise UsageError(f"unknown tagger {tagger!r}, expected one of {', '.join(TAGGERS)}")


def _tag_builtin(words: Sequence[str]) -> list[str]:
    try:
        from textblob.en import parser  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingPackageError(
            "nouns need the package textblob, which does not load", "pip install textblob"
        ) from error
    # The lexicon is cased; captions in capitals or title case would otherwise be all proper names.
    return [str(tag) for _, tag in parser.find_tags([word.lower() for word in words])]


def _tag_nltk(words: Sequence[str]) -> list[str]:
    try:
        import nltk
    except ImportError as error:
        raise MissingPackageError(
            "the tagger nltk needs the package nltk, which does not load", "pip install nltk"
        ) from error
    try:
        return [str(tag) for _, tag in nltk.pos_tag(list(words))]
    except LookupError as error:
        raise MissingPackageError(
            f"the data {NLTK_DATA} of NLTK's part-of-speech tagger is not installed",
            f"python -m nltk.downloader {NLTK_DATA}, or use --tagger builtin, which needs no download",
        ) from error
