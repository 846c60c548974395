"""The word lists are closed, and a word is true for what it names."""

from __future__ import annotations

import pytest

from ttd_core.scenes import vocabulary


def test_lists_have_the_documented_lengths() -> None:
    assert len(vocabulary.WORDS) == len(set(vocabulary.WORDS)) == 301
    assert len(vocabulary.VISUAL_WORDS) == 110
    assert len(vocabulary.STOP_WORDS) == 25
    assert (len(vocabulary.STUFF), len(vocabulary.THINGS)) == (9, 27)


def test_kinds_of_words_do_not_overlap() -> None:
    never = {*vocabulary.TAIL_ADJECTIVES, *vocabulary.TAIL_NOUNS, *vocabulary.TAIL_VERBS}
    assert not never & vocabulary.VISUAL_WORDS
    assert not vocabulary.STOP_WORDS & (never | vocabulary.VISUAL_WORDS)
    linked = {word for group in vocabulary.LINKED.values() for word in group}
    assert not linked & vocabulary.VISUAL_WORDS


def test_every_noun_is_a_known_word() -> None:
    assert set(vocabulary.WORDS) >= vocabulary.NOUNS


@pytest.mark.parametrize(
    ("word", "entity", "attributes", "expected"),
    [
        ("dog", "dog", (), True),
        ("puppies", "dog", (), True),
        ("person", "woman", (), True),
        ("people", "man", (), True),
        ("men", "man", (), True),
        ("man", "woman", (), False),
        ("vehicle", "bus", (), True),
        ("buses", "bus", (), True),
        ("buss", "bus", (), False),
        ("automobile", "bus", (), False),
        ("beach", "sand", (), True),
        ("sands", "sand", (), False),
        ("red", "ball", ("red", "striped"), True),
        ("striped", "ball", ("red", "striped"), True),
        ("dotted", "ball", ("red", "striped"), False),
        ("near", "ball", ("red",), False),
    ],
)
def test_word_is_true_for_names_plurals_and_attributes(
    word: str, entity: str, attributes: tuple[str, ...], expected: bool
) -> None:
    assert vocabulary.word_is_true(word, entity, attributes) is expected


def test_content_words_are_distinct_lower_case_and_without_stop_words() -> None:
    assert vocabulary.content_words("A Dog near the dog on Grass") == ("dog", "grass")
