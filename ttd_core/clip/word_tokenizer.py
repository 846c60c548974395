"""Word-level tokenizer of the built-in model: a closed word list, so an unknown word is flagged instead of guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL_TOKENS = 4
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def split_words(text: str) -> list[str]:
    """Split on everything that is neither a letter nor a digit and fold case; the order of the text is kept."""
    return _WORD.findall(text.casefold())


class WordTokenizer:
    """Maps text to ids of a fixed word list; ids 0 to 3 are padding, start, end and the unknown word.

    Args:
        words: the word list; word `i` gets id `i + 4`.
        context: longest sequence in tokens, start and end included; longer texts lose their tail.
    """

    def __init__(self, words: Sequence[str], context: int) -> None:
        self.words = tuple(words)
        self.context = context
        self._ids = {word: index + SPECIAL_TOKENS for index, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            raise ValueError("the word list repeats a word")

    def __len__(self) -> int:
        """Rows of the embedding table, special tokens included."""
        return len(self.words) + SPECIAL_TOKENS

    def word_ids(self, text: str) -> list[int]:
        """Ids of the words of a text, without start and end; unknown words give `UNKNOWN`."""
        return [self._ids.get(word, UNKNOWN) for word in split_words(text)]

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that are not in the list, in order of appearance."""
        return [word for word in dict.fromkeys(split_words(text)) if word not in self._ids]

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K texts as K×L int64, padded to the longest of them (L ≤ context)."""
        return pad_sequences([self.word_ids(text) for text in texts], self.context)


def pad_sequences(rows: Iterable[Sequence[int]], context: int) -> torch.Tensor:
    """Frame each row of word ids with start and end, cut it to `context` and pad: K×L int64."""
    framed = [[START, *row[: context - 2], END] for row in rows]
    width = max((len(row) for row in framed), default=2)
    tokens = torch.full((len(framed), width), PAD, dtype=torch.long)
    for index, row in enumerate(framed):
        tokens[index, : len(row)] = torch.tensor(row)
    return tokens
