import pytest
import torch

from ttd_core.clip.word_tokenizer import END, PAD, START, UNKNOWN, WordTokenizer, pad_sequences


def test_known_words_are_framed_and_padded() -> None:
    tokenizer = WordTokenizer(["cat", "dog"], context=8)
    assert tokenizer(["Dog!", "a cat, dog"]).tolist() == [
        [START, 5, END, PAD, PAD],
        [START, UNKNOWN, 4, 5, END],
    ]


def test_unknown_words_are_named_once_in_order() -> None:
    tokenizer = WordTokenizer(["cat"], context=8)
    assert tokenizer.unknown_words("zebra cat giraffe zebra") == ["zebra", "giraffe"]
    assert tokenizer.unknown_words("CAT cat") == []


def test_a_long_text_loses_its_tail_but_keeps_its_end_token() -> None:
    rows = WordTokenizer(["cat"], context=5)(["cat " * 10_000])
    assert rows.tolist() == [[START, 4, 4, 4, END]]


def test_an_empty_text_is_start_and_end() -> None:
    assert WordTokenizer(["cat"], context=5)([""]).tolist() == [[START, END]]
    assert pad_sequences([], 5).shape == torch.Size([0, 2])


def test_a_repeated_word_is_refused() -> None:
    with pytest.raises(ValueError, match="repeats"):
        WordTokenizer(["cat", "cat"], context=5)
