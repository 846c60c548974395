"""The English stop word list of NLTK, shipped as our own data so that nothing is downloaded."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

Edition = Literal["179", "198"]


@cache
def stop_words(edition: Edition = "198") -> frozenset[str]:
    """Read the list.

    The first 179 words are NLTK's long-standing list; in 2024 it gained 19 contractions (`he'll`, `we've`). Captions
    are split so that a contraction's ending is never a candidate, hence both editions leave the same candidates.

    Args:
        edition: how many words.

    Returns:
        Case-folded words.
    """
    text = (resources.files("ttd_core.text") / "data" / "stopwords_en.txt").read_text(encoding="utf-8")
    older, newer = text.split("# added later:\n")
    words = older if edition == "179" else older + newer
    return frozenset(line for line in words.splitlines() if not line.startswith("#"))
