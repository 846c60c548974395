"""Awkward captions yield their words and nothing of what surrounds them."""

from __future__ import annotations

import pytest

from tests.support.make_bad_captions import CaptionCase, caption_cases
from ttd_core.text.candidates import MODES, candidates
from ttd_core.text.clean import clean_caption, printable

CASES = [*caption_cases(), *caption_cases("vase", "zebra", "umbrella")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("mode", ["words", "nouns"])
def test_candidates_of_an_awkward_caption(case: CaptionCase, mode: str) -> None:
    found = candidates(case.text, mode)
    keys = [candidate.key for candidate in found]
    if case.nouns == ():
        assert found == []
    elif case.nouns is not None:
        assert set(case.nouns) <= set(keys)
    assert not set(case.never) & set(keys)
    assert len(set(keys)) == len(keys)
    assert all(candidate.tag.isprintable() and candidate.tag.strip() for candidate in found)


def test_composed_and_decomposed_accents_are_the_same_tags() -> None:
    assert candidates("un cafe\u0301 et une e\u0301toile") == candidates("un caf\u00e9 et une \u00e9toile")


def test_a_script_without_blanks_is_one_candidate_up_to_punctuation() -> None:
    tags = [candidate.tag for candidate in candidates("一只红色的狗，一辆公共汽车")]
    assert tags == ["一只红色的狗", "一辆公共汽车"]


def test_other_scripts_keep_their_letters_and_marks() -> None:
    assert [candidate.tag for candidate in candidates("كلب أحمر صغير")] == ["كلب", "أحمر", "صغير"]
    assert [candidate.tag for candidate in candidates("एक लाल कुत्ता")] == ["एक", "लाल", "कुत्ता"]
    assert [candidate.tag for candidate in candidates("می\u200cخواهم سگ")] == ["می\u200cخواهم", "سگ"]


def test_repeated_words_are_one_tag_in_the_spelling_of_the_first() -> None:
    tags = [candidate.tag for candidate in candidates("goat Goat GOAT goats kettle KETTLE")]
    assert tags == ["goat", "goats", "kettle"]


@pytest.mark.parametrize("mode", MODES)
def test_ten_thousand_words_keep_each_distinct_one(mode: str) -> None:
    words = ["kettle", "goat", "ladder", "vase"]
    caption = ", ".join(words[i % 4] for i in range(10_000))
    assert [candidate.key for candidate in candidates(caption, mode)] == words


# Each of these once made some pattern start over at every position; quadratic work would take minutes here.
REPEATED = {
    "goat": 1, "<a ": 1, "<script>": 0, "<!--": 0, "\x1b]": 0, "a-": 1, "'a": 1, "a.": 1, "a@": 1, "http://": 1,
    "o\u0336\u0321": 1, "&": 0, "a@a": 2, "<|a": 1, "#": 0, "don't": 1, "1,": 0,
}  # fmt: skip


@pytest.mark.parametrize(("piece", "count"), REPEATED.items(), ids=map(ascii, REPEATED))
def test_endless_repetition_ends(piece: str, count: int) -> None:
    assert len(candidates(piece * 20_000, stopwords=False)) <= count


def test_cleaning_leaves_one_line() -> None:
    assert clean_caption(" a\r\n goat\u2028\x85 here ") == "a goat here"


def test_printable_escapes_what_moves_the_cursor_and_nothing_else() -> None:
    assert printable("goat\x1b[2J\n\udcff\u202e") == r"goat\x1b[2J\n\udcff\u202e"
    assert printable("café \U0001f436 [red] 狗") == "café \U0001f436 [red] 狗"
