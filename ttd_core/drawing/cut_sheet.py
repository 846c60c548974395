"""One sheet for a pruning: the samples just above the cut, the cut, and those just below, as pictures with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ttd_core.drawing.canvas import resized
from ttd_core.drawing.colours import COLD, FAINT, HOT, INK, LINE, PAPER, Colour
from ttd_core.drawing.lettering import elide, printable, text_width, write

_COLUMNS = 6
_TILE = (180, 244)  # rows, columns
_MARGIN = 28
_GAP = 18
_TEXT = 15
_LINE = 20
_LINES = 3
_HEAD = 46
_EMPTY: Colour = (246, 247, 249)


@dataclass(frozen=True)
class Neighbour:
    """A sample close to the cut.

    Args:
        caption: as it stands; shortened to what fits.
        score: its own.
        kept: on which side of the cut.
        picture: H×W×3 uint8, None where it is not at hand.
    """

    caption: str
    score: float
    kept: bool
    picture: np.ndarray | None = None


def cut_sheet(neighbours: Sequence[Neighbour], cut: float, title: str = "") -> Image.Image:
    """Draw samples around a cut.

    Args:
        neighbours: best first.
        cut: lowest score that is kept.
        title: a line above.

    Returns:
        An RGB picture, 1610 pixels wide.
    """
    groups = [
        ("kept, just above the cut", COLD, [each for each in neighbours if each.kept]),
        ("dropped, just below it", HOT, [each for each in neighbours if not each.kept]),
    ]
    groups = [group for group in groups if group[2]]
    step = _TILE[0] + 10 + _LINE * (_LINES + 1) + _GAP
    width = _COLUMNS * _TILE[1] + (_COLUMNS - 1) * _GAP + 2 * _MARGIN
    height = 2 * _MARGIN + _HEAD + sum(_HEAD + step * math.ceil(len(each) / _COLUMNS) for _, _, each in groups)
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    write(draw, (_MARGIN, _MARGIN + 10), elide(title, 20, width - 2 * _MARGIN), 20, INK)
    top = _MARGIN + _HEAD
    for words, colour, members in groups:
        if top > _MARGIN + _HEAD:
            draw.line((_MARGIN, top - 2, width - _MARGIN, top - 2), fill=INK, width=2)
            label = f"cut at {cut:.4f}"
            write(draw, (width - _MARGIN - text_width(label, 18), top + 16), label, 18, INK)
        draw.rectangle((_MARGIN, top + 9, _MARGIN + 13, top + 22), fill=colour)
        write(draw, (_MARGIN + 22, top + 16), words, 18, INK)
        top += _HEAD
        for number, each in enumerate(members):
            left = _MARGIN + (number % _COLUMNS) * (_TILE[1] + _GAP)
            _tile(page, draw, each, (left, top + (number // _COLUMNS) * step), colour)
        top += step * math.ceil(len(members) / _COLUMNS)
    return page


def _tile(
    page: Image.Image, draw: ImageDraw.ImageDraw, each: Neighbour, place: tuple[int, int], colour: Colour
) -> None:
    """Picture, score and caption; without a picture the caption has its room, too."""
    left, top = place
    height, width = _TILE
    box = (left, top, left + width - 1, top + height - 1)
    draw.rectangle(box, fill=_EMPTY)
    lines = wrapped(each.caption, _TEXT, width, _LINES)
    if each.picture is not None:
        factor = min(height / each.picture.shape[0], width / each.picture.shape[1])
        size = max(1, round(each.picture.shape[0] * factor)), max(1, round(each.picture.shape[1] * factor))
        small = resized(each.picture, size)
        page.paste(small, (left + (width - small.width) // 2, top + (height - small.height) // 2))
    else:
        draw.rectangle(box, outline=LINE)
        note = "picture not at hand"
        write(draw, (left + (width - text_width(note, 14)) / 2, top + height / 2), note, 14, FAINT)
    draw.rectangle((left, top + height, left + width - 1, top + height + 3), fill=colour)
    middle = top + height + 20
    write(draw, (left, middle), f"{each.score:.4f}", _TEXT + 1, colour)
    for line in lines:
        middle += _LINE
        write(draw, (left, middle), line, _TEXT, INK)


def wrapped(text: str, size: int, width: float, most: int) -> list[str]:
    """A text in at most `most` lines of `width` pixels, with dots where it goes on or a word is too long."""
    lines: list[str] = []
    words = printable(text).split()
    while words and len(lines) < most:
        line = words.pop(0)
        while words and text_width(f"{line} {words[0]}", size) <= width:
            line += f" {words.pop(0)}"
        lines.append(line)
    if words:
        lines[-1] += f" {' '.join(words)}"
    return [elide(line, size, width) for line in lines]
