"""The nouns and noun phrases of a caption."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import regex

from ttd_core.text.clean import clean_caption
from ttd_core.text.taggers import tag_parts
from ttd_core.text.tokens import Token, fold, has_letter, split_words

_MARKS = regex.compile(r"[^\s\p{L}\p{M}\p{N}]")
# Taggers look at neighbours only, so a long text is tagged in pieces and stays linear in time and memory.
_PIECE = 500
# `a parked car`, but not `a woman watering plants`: a participle is part of a phrase only after one of these.
_OPENERS = frozenset({"DT", "CD", "PRP$", "JJ", "JJR", "JJS", "POS"})


def find_nouns(text: str, tagger: str = "builtin") -> list[Token]:
    """The words of a cleaned caption that are nouns, proper names included, in order of appearance.

    Args:
        text: what `clean_caption` returned.
        tagger: `builtin` or `nltk`.
    """
    return [token for token, part, _ in _tagged(text, tagger) if part.startswith("NN") and has_letter(token.text)]


def find_phrases(text: str, stop_words: Collection[str], tagger: str = "builtin") -> list[str]:
    """The noun phrases of a cleaned caption: adjectives and participles, then one or more nouns.

    A phrase does not cross punctuation, numbers or stop words. The words are joined by single blanks.

    Args:
        text: what `clean_caption` returned.
        stop_words: folded words that end a phrase (`other`, `same`); empty for none.
        tagger: `builtin` or `nltk`.
    """
    phrases: list[str] = []
    words: list[str] = []
    has_noun = False
    before = ""
    for token, part, joined in _tagged(text, tagger):
        is_noun = part.startswith("NN")
        is_modifier = part.startswith("JJ") or (part in ("VBN", "VBG") and joined and before in _OPENERS)
        usable = (is_noun or is_modifier) and has_letter(token.text) and fold(token.text) not in stop_words
        if words and not (usable and joined and (is_noun or not has_noun)):
            phrases += [" ".join(words)] if has_noun else []
            words, has_noun = [], False
        if usable:
            words.append(token.text)
            has_noun = has_noun or is_noun
        before = part
    return [*phrases, " ".join(words)] if has_noun else phrases


def noun_keys(caption: str, tagger: str = "builtin") -> frozenset[str]:
    """The folded nouns of a caption, for the scorer that selects every noun.

    Args:
        caption: as the user gave it.
        tagger: `builtin` or `nltk`.
    """
    return frozenset(fold(token.text) for token in find_nouns(clean_caption(caption), tagger))


def _tagged(text: str, tagger: str) -> Iterator[tuple[Token, str, bool]]:
    """Tokens with their part of speech and whether only blanks stand between them and the token before."""
    tokens = split_words(text)
    for begin in range(0, len(tokens), _PIECE):
        piece = tokens[begin : begin + _PIECE]
        words: list[str] = []
        joined: list[bool] = []
        end = tokens[begin - 1].end if begin else 0
        for token in piece:
            mark = _MARKS.search(text, end, token.start)
            if mark:
                words.append("," if mark[0] not in ".!?" else mark[0])
            joined.append(mark is None)
            words.append(token.text)
            end = token.end
        parts = tag_parts(words, tagger)
        # Marks were tagged as words of their own; drop them again.
        kept = [part for word, part in zip(words, parts, strict=True) if not _MARKS.fullmatch(word)]
        yield from zip(piece, kept, joined, strict=True)
