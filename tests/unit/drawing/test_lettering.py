from __future__ import annotations

import pytest

from ttd_core.drawing.lettering import elide, font, printable, text_width


def test_letters_the_font_lacks_take_their_plain_form_or_a_box() -> None:
    assert printable("Café – Straße") == "Cafe - Strasse"
    assert printable("犬 dog") == "□ dog"


def test_white_space_and_controls_do_not_break_the_line() -> None:
    assert printable("a\tb\n\n c\x00\x1b[31m\u202e") == "a b c[31m"


@pytest.mark.parametrize("text", ["", "\ud800", "🐶" * 3000, "x" * 100_000, "e\u0301" * 500, "שלום", "{x}%s</b>"])
def test_any_text_can_be_measured_and_cut(text: str) -> None:
    line = elide(text, 18, 120)
    assert text_width(line, 18) <= 120


def test_a_text_that_fits_is_whole_and_one_that_does_not_ends_in_dots() -> None:
    assert elide("dog", 18, 200) == "dog"
    cut = elide("a very long name of a tag", 18, 100)
    assert cut.endswith("...") and cut.startswith("a very")


def test_the_font_grows() -> None:
    assert font(18) is font(18)
    assert text_width("dog", 36) > 1.8 * text_width("dog", 18)
