"""Candidates of ordinary captions: order, spelling, stop words, nouns, phrases, and a user's own tags."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ttd_core.errors import MissingPackageError, UsageError
from ttd_core.text.candidates import Candidate, candidates, given_tags, split_tags
from ttd_core.text.clean import clean_caption
from ttd_core.text.nouns import noun_keys
from ttd_core.text.stopwords import stop_words
from ttd_core.text.taggers import tag_parts
from ttd_core.text.tokens import fold, has_letter, split_words

CAPTION = "A woman watering 2 plants with a Green hose"

CAPTIONS = [
    "A man with a red umbrella and two dogs walks along the beach at sunset.",
    "Two small dogs, one black and white and one brown, stand on a wooden floor next to a toilet.",
    "A girl's hat; the boys' kites, and the dog's ball!",
    "He's riding a bike (it isn't new), while she'll watch from the bench.",
    "Stock photo: happy family having breakfast in a bright kitchen - 4k",
    "A black-and-white picture of a T-shirt, rock'n'roll style, at 5 o'clock",
    "An elderly couple \u201cdancing\u201d near a street sign that reads 'STOP'",
    "man, woman, child, tree, car, snow",
    "Close-up of strawberries & blueberries in a coconut bowl, top view",
    "The Eiffel Tower behind a woman sitting on a stone wall with pigeons",
    "A 12-year-old boy plays with 3 balls and a 2.5 metre kite",
]


def tags(caption: str, mode: str = "words", **options: object) -> list[str]:
    return [candidate.tag for candidate in candidates(caption, mode, **options)]  # type: ignore[arg-type]


def test_words_keep_order_and_spelling_without_stop_words_and_numbers() -> None:
    assert tags(CAPTION) == ["woman", "watering", "plants", "Green", "hose"]
    assert candidates("Green hose")[0] == Candidate("Green", "green")


def test_filter_can_be_switched_off_or_replaced() -> None:
    assert tags(CAPTION, stopwords=False) == ["A", "woman", "watering", "plants", "with", "Green", "hose"]
    assert tags(CAPTION, stopwords=["Woman", "a"]) == ["watering", "plants", "with", "Green", "hose"]
    assert tags("don't", stopwords=False) == ["don't"]


def test_nouns_and_phrases() -> None:
    assert tags(CAPTION, "nouns") == ["woman", "plants", "hose"]
    assert tags(CAPTION, "phrases") == ["woman", "plants", "Green hose"]
    assert tags("a large white cake, a parked car and other people", "phrases") == [
        "large white cake",
        "parked car",
        "people",
    ]


def test_phrases_do_not_cross_punctuation() -> None:
    assert tags("cake; kitchen, table", "phrases") == ["cake", "kitchen", "table"]


def test_captions_in_capitals_have_the_same_nouns() -> None:
    assert noun_keys(CAPTION.upper()) == noun_keys(CAPTION) == {"woman", "plants", "hose"}


def test_unknown_mode_and_tagger_are_usage_errors_that_list_the_known() -> None:
    with pytest.raises(UsageError, match="words, nouns, phrases"):
        candidates("a dog", "verbs")
    with pytest.raises(UsageError, match="builtin, nltk"):
        candidates("a dog", "nouns", tagger="spacy")


def test_own_tags_are_split_at_commas_only() -> None:
    assert split_tags(" umbrella, two  dogs ,,The sea ") == ["umbrella", "two dogs", "The sea"]
    assert split_tags("") == []


def test_own_tags_are_not_filtered_but_merged() -> None:
    found = given_tags(["the", "C++", "#1", "cafe\u0301", "CAF\u00c9", "a\x1b[31m b", "  ", "2"])
    assert [candidate.tag for candidate in found] == ["the", "C++", "#1", "caf\u00e9", "a b", "2"]


def test_stop_word_editions_differ_by_contractions_only() -> None:
    older, newer = stop_words("179"), stop_words("198")
    assert (len(older), len(newer)) == (179, 198)
    assert older < newer
    assert all("'" in word for word in newer - older)
    for caption in [*CAPTIONS, " ".join(newer)]:
        assert candidates(caption, stopwords=older) == candidates(caption, stopwords=newer)


@pytest.mark.parametrize("caption", CAPTIONS)
def test_words_are_those_of_nltks_tokenizer(caption: str) -> None:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    # NLTK separates contraction endings as tokens of their own; `n't` stays with its verb here.
    text = clean_caption(caption).replace("isn't", "is")
    theirs = [token.strip(".,'\"\u201c\u201d") for token in NLTKWordTokenizer().tokenize(text)]
    theirs = [token for token in theirs if has_letter(token) and token not in ("s", "ll")]
    assert [token.text for token in split_words(text) if has_letter(token.text)] == theirs


def test_folding_unifies_case_apostrophes_and_hyphens() -> None:
    assert fold("Rock\u2019n\u2019Roll") == fold("rock'n'roll")
    assert fold("T\u2011Shirt") == "t-shirt"


def test_nltk_tagger_without_its_data_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(MissingPackageError, match="averaged_perceptron_tagger_eng") as caught:
        candidates("a dog on grass", "nouns", tagger="nltk")
    assert "nltk.downloader" in str(caught.value.hint)


def test_nltk_tagger_is_asked_with_the_captions_words_and_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    asked: list[list[str]] = []

    def answer(words: list[str]) -> list[tuple[str, str]]:
        asked.append(words)
        return [(word, "NN" if word in ("Dog", "grass") else "X") for word in words]

    monkeypatch.setattr(nltk, "pos_tag", answer)
    assert tags("A Dog, on grass", "nouns", tagger="nltk") == ["Dog", "grass"]
    assert asked == [["A", "Dog", ",", "on", "grass"]]


def test_missing_tagger_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textblob", None)
    monkeypatch.setitem(sys.modules, "textblob.en", None)
    with pytest.raises(MissingPackageError, match="textblob"):
        tag_parts(["dog"])


def test_no_words_need_no_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textblob.en", None)
    assert candidates("", "nouns") == []


def test_reading_inputs_and_splitting_captions_load_no_heavy_package() -> None:
    heavy = ("torch", "open_clip", "peft", "nltk", "numba", "numpy", "textblob", "PIL", "pyarrow")
    code = f"""
import sys
import ttd_core.data.inputs
import ttd_core.data.tag_lists
from ttd_core.text.candidates import candidates
assert [tag for tag, _ in candidates("a dog on grass")] == ["dog", "grass"]
print([name for name in {heavy} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]", result.stderr
