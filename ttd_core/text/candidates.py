"""A caption -> its candidate tags, before any model has looked at the picture.

Every word of the caption is a candidate (paper, method figure); stop words are dropped beforehand unless asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, get_args

from ttd_core.errors import UsageError
from ttd_core.text.clean import clean_caption, clean_tag
from ttd_core.text.stopwords import stop_words
from ttd_core.text.tokens import fold, has_letter, split_words

Mode = Literal["words", "nouns", "phrases"]
MODES: tuple[str, ...] = get_args(Mode)


class Candidate(NamedTuple):
    """A tag that a caption suggests.

    Args:
        tag: spelling of its first appearance in the caption.
        key: folded spelling; two candidates of one caption never share it.
    """

    tag: str
    key: str


def candidates(
    caption: str, mode: str = "words", *, stopwords: bool | Collection[str] = True, tagger: str = "builtin"
) -> list[Candidate]:
    """Split a caption into candidate tags, in order of appearance, each once.

    Two words are the same tag when they differ in case only; a plural is a tag of its own. Punctuation, pure numbers,
    emoji, addresses, @names, #labels, HTML and control characters are no candidates. A run of text in a script without
    blanks between words is one candidate.

    Args:
        caption: any string.
        mode: `words` for every word, `nouns` for nouns only, `phrases` for noun phrases (`red umbrella`).
        stopwords: True drops NLTK's English list, False drops nothing, a collection is used as the list.
        tagger: part-of-speech tagger of `nouns` and `phrases`, `builtin` or `nltk`.

    Raises:
        UsageError: for an unknown mode or tagger.
        MissingPackageError: when the tagger or its data is not installed.
    """
    if mode not in MODES:
        raise UsageError(f"unknown kind of candidates {mode!r}, expected one of {', '.join(MODES)}")
    dropped = _folded_list(stopwords)
    text = clean_caption(caption)
    return _unique(tag for tag in _spellings(text, mode, dropped, tagger) if not _is_stop_word(fold(tag), dropped))


def given_tags(tags: Iterable[str]) -> list[Candidate]:
    """A user's own tags as candidates: cleaned, empty ones dropped, duplicates merged, nothing else changed.

    Args:
        tags: single or multi-word tags.
    """
    return _unique(filter(None, map(clean_tag, tags)))


def split_tags(text: str) -> list[str]:
    """Split `umbrella, two dogs` at commas into tags without the blanks around them; empty parts are dropped.

    Args:
        text: the value of `--tags` or of a tags column.
    """
    return [tag for tag in map(clean_tag, text.split(",")) if tag]


def _spellings(text: str, mode: str, dropped: Collection[str], tagger: str) -> Iterable[str]:
    if mode == "words":
        return (token.text for token in split_words(text) if has_letter(token.text))
    from ttd_core.text.nouns import find_nouns, find_phrases

    if mode == "nouns":
        return (token.text for token in find_nouns(text, tagger))
    return find_phrases(text, dropped, tagger)


def _folded_list(stopwords: bool | Collection[str]) -> frozenset[str]:
    if isinstance(stopwords, bool):
        return stop_words() if stopwords else frozenset()
    return frozenset(map(fold, stopwords))


def _is_stop_word(key: str, dropped: Collection[str]) -> bool:
    # The list holds `don't` but not `can't`; a negated auxiliary is never a thing, whichever it is.
    return key in dropped or (bool(dropped) and key.endswith("n't"))


def _unique(tags: Iterable[str]) -> list[Candidate]:
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(fold(tag), tag)
    return [Candidate(tag, key) for key, tag in first.items()]
