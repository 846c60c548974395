"""Words on pictures, in the one font that comes with Pillow."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST = 400
_ELLIPSIS = "..."


@cache
def font(size: int) -> Font:
    """Pillow's own font at a height of `size` pixels, so that pictures look alike on every machine."""
    return ImageFont.load_default(size)


def printable(text: str) -> str:
    """What of a text the font can show, on one line.

    White space becomes single blanks and control characters are dropped. Letters that the font lacks are replaced by
    their plain form where they have one (é by e), and stay as the font's empty box otherwise.

    Args:
        text: anything, lone surrogates included.

    Returns:
        One line of at most 400 characters.
    """
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + _ELLIPSIS
    line = " ".join(text.split())
    return "".join(_shown(letter) for letter in line)


def elide(text: str, size: int, width: float) -> str:
    """Make a text printable and cut it to `width` pixels at font size `size`, with dots where something is missing."""
    line = printable(text)
    if text_width(line, size) <= width:
        return line
    low, high = 0, len(line)
    while low < high:  # the longest beginning that fits together with the dots
        middle = (low + high + 1) // 2
        if text_width(line[:middle].rstrip() + _ELLIPSIS, size) <= width:
            low = middle
        else:
            high = middle - 1
    return line[:low].rstrip() + _ELLIPSIS


def text_width(line: str, size: int) -> float:
    """Width of a printable line in pixels."""
    return float(font(size).getlength(line))


def write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], line: str, size: int, colour: tuple[int, int, int]
) -> None:
    """Write a printable line; `place` is its left end, vertically centred on the height of a small capital."""
    if isinstance(font(size), ImageFont.FreeTypeFont):
        draw.text(place, line, font=font(size), fill=colour, anchor="lm")
    else:  # the bitmap font of a Pillow built without FreeType knows no anchors
        draw.text((place[0], place[1] - size / 2), line, font=font(size), fill=colour)


@lru_cache(maxsize=4096)
def _shown(letter: str) -> str:
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Mn", "Me"):
        return ""
    if _has_glyph(letter):
        return letter
    plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    plain = {"–": "-", "—": "-", "ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "Æ": "AE", "Ø": "O"}.get(
        letter, plain
    )
    return plain if plain and all(_has_glyph(part) for part in plain) else _missing()


@lru_cache(maxsize=4096)
def _has_glyph(letter: str) -> bool:
    if letter == " ":
        return True
    if not isinstance(font(20), ImageFont.FreeTypeFont):
        return ord(letter) < 256
    return _outline(letter) != _outline("\uffff")


@cache
def _missing() -> str:
    return "\u25a1" if isinstance(font(20), ImageFont.FreeTypeFont) else "?"


def _outline(letter: str) -> bytes:
    picture = Image.new("L", (40, 40))
    ImageDraw.Draw(picture).text((8, 4), letter, font=font(20), fill=255)
    return picture.tobytes()
