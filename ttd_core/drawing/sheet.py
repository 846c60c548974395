"""One sheet per picture: the picture, then a heat map per tag with its score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ttd_core.drawing.canvas import resized
from ttd_core.drawing.colours import INK, PAPER
from ttd_core.drawing.lettering import elide, write
from ttd_core.drawing.tiles import GAP, MARGIN, NOTE_STEP, TEXT, Panel, heated, inside, label, notes_below, pale, scale

__all__ = ["MOST_TAGS", "Panel", "sheet"]

MOST_TAGS = 60
_WIDTH = 1600


def sheet(
    picture: np.ndarray,
    panels: Sequence[Panel],
    *,
    threshold: float = 0.5,
    value_range: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    meaning: str = "",
    notes: Sequence[str] = (),
) -> Image.Image:
    """Draw picture | heat map per tag, wrapped into rows.

    Heat maps run from blue through white at the threshold to red, over the picture in pale grey.

    Args:
        picture: H×W×3 uint8.
        panels: the tags in the order wanted; of more than `MOST_TAGS` the best-scored ones are drawn.
        threshold: the value that is white.
        value_range: the values of the full blue and the full red.
        title: a line below the sheet, e.g. the caption.
        meaning: what the threshold is, where it is not the one asked for.
        notes: further lines at the foot, e.g. what the numbers are where they are not the maps'.

    Returns:
        An RGB picture, at most 1600 pixels wide.
    """
    drawn = _best(panels)
    tile, columns = _layout(picture.shape[0] / picture.shape[1], len(drawn) + 1)
    height, width = tile
    step = height + round(TEXT * 2.6)
    rows = math.ceil((len(drawn) + 1) / columns)
    inner = columns * width + (columns - 1) * GAP
    foot = round(TEXT * 2.2) * (2 if title else 1) + NOTE_STEP * len(notes)
    page = Image.new("RGB", (inner + 2 * MARGIN, rows * step + foot + 2 * MARGIN - GAP // 2), PAPER)
    draw = ImageDraw.Draw(page)
    small = resized(picture, inside(picture, tile))
    backdrop = pale(np.asarray(small))
    for index in range(len(drawn) + 1):
        left = MARGIN + (index % columns) * (width + GAP)
        top = MARGIN + (index // columns) * step
        panel = drawn[index - 1] if index else None
        tile_picture = small if panel is None else heated(backdrop, panel, threshold, value_range, picture)
        page.paste(tile_picture, (left + (width - small.width) // 2, top + (height - small.height) // 2))
        label(draw, panel, (left, top + height + round(TEXT * 0.95)), width)
    bottom = MARGIN + rows * step + TEXT
    if title:
        write(draw, (MARGIN, bottom), elide(title, TEXT, inner), TEXT, INK)
        bottom += round(TEXT * 2.2)
    left_out = f"{len(drawn)} of {len(panels)} tags, the best-scored" if len(drawn) < len(panels) else ""
    scale(draw, page, (MARGIN, bottom), inner, threshold, value_range, left_out, meaning)
    notes_below(draw, notes, (MARGIN, bottom + NOTE_STEP), inner)
    return page


def _best(panels: Sequence[Panel]) -> list[Panel]:
    if len(panels) <= MOST_TAGS:
        return list(panels)
    scores = [-math.inf if panel.score is None else panel.score for panel in panels]
    order = sorted(range(len(panels)), key=scores.__getitem__, reverse=True)
    return [panels[i] for i in sorted(order[:MOST_TAGS])]


def _layout(aspect: float, tiles: int) -> tuple[tuple[int, int], int]:
    """Height and width of a tile, and how many stand side by side; smaller where there are many."""
    longest = 340 if tiles <= 13 else 250 if tiles <= 31 else 190
    aspect = min(max(aspect, 1 / 3), 3.0)  # longer pictures get a tile of 1:3 and leave part of it white
    width = max(140, round(longest if aspect <= 1 else longest / aspect))
    height = round(width * aspect)
    fitting = (_WIDTH - 2 * MARGIN + GAP) // (width + GAP)
    columns = max(1, min(tiles, fitting))
    rows = math.ceil(tiles / columns)
    return (height, width), math.ceil(tiles / rows)  # even rows rather than a last row of one
