"""A cleaned caption -> its words and where they stand.

The words are those of NLTK's `NLTKWordTokenizer` once punctuation is dropped (a test holds the two together on
captions), with three differences that suit tags: a contraction keeps its stem only (`it's` -> `it`, `man's` -> `man`,
while `don't` stays whole), a full stop ends a word anywhere instead of at the end of the text only, and `/` separates.
It is written here because importing the package `nltk` takes longer than everything else `ttd tags --text` does.

Words are runs of letters, marks and digits in any script. Text without blanks between words (Chinese, Japanese, Thai)
is not segmented: a run up to the next punctuation mark is one word.
"""

from __future__ import annotations

from typing import NamedTuple

import regex

_RUN = r"[\p{L}\p{M}\p{N}\u200c\u200d]+"
_WORD = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}])(?:\p{L}\.){2,}(?![\p{L}\p{N}])"  # U.S.
    # One apostrophe or hyphen binds, two hyphens are a dash; a point or comma binds digits only.
    rf"|{_RUN}(?:[-'\u2010\u2011\u2019]{_RUN}|(?<=\p{{N}})[.,](?=\p{{N}}){_RUN})*+"
)
_CLITIC = regex.compile(r"['\u2019](?:s|re|ve|ll|d|m)$", regex.IGNORECASE)


class Token(NamedTuple):
    """A word of a cleaned caption.

    Args:
        text: spelling as in the caption, contraction endings taken off.
        start: its first character in the cleaned caption.
        end: one past the last character, a contraction's ending included.
    """

    text: str
    start: int
    end: int


def split_words(text: str) -> list[Token]:
    """Find the words of a cleaned caption, numbers included, in order of appearance.

    Args:
        text: what `clean_caption` returned.
    """
    found = ((_CLITIC.sub("", hit[0]).strip("\u200c\u200d"), hit) for hit in _WORD.finditer(text))
    return [Token(stem, hit.start(), hit.end()) for stem, hit in found if stem]


def fold(word: str) -> str:
    """The form under which two spellings are the same tag: case folded, one kind of apostrophe and of hyphen."""
    return word.casefold().replace("\u2019", "'").replace("\u2010", "-").replace("\u2011", "-")


def has_letter(word: str) -> bool:
    """False for pure numbers such as `12`, `6.7` and `8-9`."""
    return any(map(str.isalpha, word))
