"""One sheet per picture for two models: each tag's heat map before, and below it the one after."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ttd_core.drawing.canvas import resized
from ttd_core.drawing.colours import FAINT, INK, LINE, PAPER
from ttd_core.drawing.lettering import elide, text_width, write
from ttd_core.drawing.tiles import GAP, MARGIN, NOTE_STEP, TEXT, Panel, heated, inside, label, notes_below, pale, scale

MOST_PAIRS = 60
_WIDTH = 1600
_GUTTER = 44
_BETWEEN = 40  # pixels between two blocks, with a line in the middle


def pair_sheet(
    picture: np.ndarray,
    before: Sequence[Panel],
    after: Sequence[Panel],
    *,
    names: tuple[str, str] = ("before", "after"),
    threshold: float | tuple[float, float] = 0.5,
    value_range: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    meaning: str = "",
    notes: Sequence[str] = (),
) -> Image.Image:
    """Draw the picture, then for each tag two heat maps, one below the other, as `sheet` draws one.

    Where the tags do not fit side by side, they go on in a further block of two rows.

    Args:
        picture: H×W×3 uint8.
        before: the tags in the order wanted; of more than `MOST_PAIRS` the first ones are drawn.
        after: the same tags in the same order.
        names: what stands beside the upper and the lower row.
        threshold: the value that is white, or that of the upper and that of the lower row.
        value_range: the values of the full blue and the full red.
        title: a line below the sheet, e.g. the caption.
        meaning: what the threshold is, where it is not the one asked for.
        notes: further lines at the foot, e.g. what the numbers are where they are not the maps'.

    Returns:
        An RGB picture, at most 1600 pixels wide.
    """
    pairs = list(zip(before, after, strict=True))[:MOST_PAIRS]
    (height, width), columns = _layout(picture.shape[0] / picture.shape[1], len(pairs) + 1)
    step = height + round(TEXT * 2.4)
    block = 2 * step + _BETWEEN
    blocks = math.ceil((len(pairs) + 1) / columns)
    inner = _GUTTER + columns * width + (columns - 1) * GAP
    whites = threshold if isinstance(threshold, tuple) else (threshold, threshold)
    below = len(notes) + (whites[0] != whites[1])
    foot = round(TEXT * 2.2) * (2 if title else 1) + NOTE_STEP * below
    page = Image.new("RGB", (inner + 2 * MARGIN, blocks * block - _BETWEEN + foot + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    small = resized(picture, inside(picture, (height, width)))
    backdrop = pale(np.asarray(small))
    for index in range(len(pairs) + 1):
        left = MARGIN + _GUTTER + (index % columns) * (width + GAP)
        top = MARGIN + (index // columns) * block
        if index % columns == 0:
            _beside(page, names, (top, step, height), (inner, top > MARGIN))
        for row, panel in enumerate(pairs[index - 1] if index else (None,)):
            over = top + row * step + (step // 2 if panel is None else 0)  # the picture belongs to both rows
            tile = small if panel is None else heated(backdrop, panel, whites[row], value_range, picture)
            page.paste(tile, (left + (width - small.width) // 2, over + (height - small.height) // 2))
            label(draw, panel, (left, over + height + round(TEXT * 0.95)), width)
    bottom = MARGIN + blocks * block - _BETWEEN + TEXT
    if title:
        write(draw, (MARGIN, bottom), elide(title, TEXT, inner), TEXT, INK)
        bottom += round(TEXT * 2.2)
    left_out = f"{len(pairs)} of {len(before)} tags" if len(pairs) < len(before) else ""
    if whites[0] != whites[1]:  # each row has a bar of its own
        scale(draw, page, (MARGIN, bottom), inner, whites[0], value_range, "", _joined(meaning, names[0]))
        bottom, meaning = bottom + NOTE_STEP, _joined(meaning, names[1])
    scale(draw, page, (MARGIN, bottom), inner, whites[1], value_range, left_out, meaning)
    notes_below(draw, notes, (MARGIN, bottom + NOTE_STEP), inner)
    return page


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _layout(aspect: float, tiles: int) -> tuple[tuple[int, int], int]:
    """Height and width of a tile, and how many stand side by side; smaller than on a sheet of one row per tag."""
    aspect = min(max(aspect, 1 / 3), 3.0)
    for longest in (300, 240, 190) if tiles <= 28 else (150,):
        width = max(140, round(longest if aspect <= 1 else longest / aspect))
        fitting = (_WIDTH - 2 * MARGIN - _GUTTER + GAP) // (width + GAP)
        if tiles <= fitting:  # the largest tiles with which one block will do
            break
    blocks = math.ceil(tiles / max(1, min(tiles, fitting)))
    return (round(width * aspect), width), math.ceil(tiles / blocks)  # even blocks rather than a last one of one tag


def _beside(page: Image.Image, names: tuple[str, str], rows: tuple[int, int, int], line: tuple[int, bool]) -> None:
    """The names of the two rows of a block, upright in the gutter, and a line above a further block."""
    top, step, height = rows
    draw = ImageDraw.Draw(page)
    if line[1]:
        draw.line((MARGIN, top - _BETWEEN // 2, MARGIN + line[0], top - _BETWEEN // 2), fill=LINE, width=2)
    for row, name in enumerate(names):
        text = elide(name, TEXT, height)
        strip = Image.new("RGB", (math.ceil(text_width(text, TEXT)) + 2, TEXT + 10), PAPER)
        write(ImageDraw.Draw(strip), (1, strip.height / 2), text, TEXT, INK if row else FAINT)
        upright = strip.transpose(Image.Transpose.ROTATE_90)
        page.paste(upright, (MARGIN, top + row * step + (height - upright.height) // 2))
