"""One sheet per picture: the picture, then a heat map per tag with its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ttd_core.drawing.canvas import resized, resized_map
from ttd_core.drawing.colours import COLD, FAINT, HOT, INK, LINE, PAPER, diverging
from ttd_core.drawing.lettering import elide, text_width, write

MOST_TAGS = 60
_WIDTH = 1600
_TEXT = 18
_MARGIN = 28
_GAP = 22


@dataclass(frozen=True)
class Panel:
    """One heat map of a sheet.

    Args:
        tag: its name.
        values: h×w float map.
        score: what stands beside the name, None for nothing.
        selected: drawn in full; the others are drawn pale.
        place: x and y of the proving pixel in the original picture, marked by a ring; None for no mark.
    """

    tag: str
    values: np.ndarray
    score: float | None = None
    selected: bool = True
    place: tuple[int, int] | None = None


def sheet(
    picture: np.ndarray,
    panels: Sequence[Panel],
    *,
    threshold: float = 0.5,
    value_range: tuple[float, float] = (0.0, 1.0),
    title: str = "",
) -> Image.Image:
    """Draw picture | heat map per tag, wrapped into rows.

    Heat maps run from blue through white at the threshold to red, over the picture in pale grey.

    Args:
        picture: H×W×3 uint8.
        panels: the tags in the order wanted; of more than `MOST_TAGS` the best-scored ones are drawn.
        threshold: the value that is white.
        value_range: the values of the full blue and the full red.
        title: a line below the sheet, e.g. the caption.

    Returns:
        An RGB picture, at most 1600 pixels wide.
    """
    drawn = _best(panels)
    tile, columns = _layout(picture.shape[0] / picture.shape[1], len(drawn) + 1)
    height, width = tile
    step = height + round(_TEXT * 2.6)
    rows = math.ceil((len(drawn) + 1) / columns)
    inner = columns * width + (columns - 1) * _GAP
    foot = round(_TEXT * 2.2) * (2 if title else 1)
    page = Image.new("RGB", (inner + 2 * _MARGIN, rows * step + foot + 2 * _MARGIN - _GAP // 2), PAPER)
    draw = ImageDraw.Draw(page)
    small = resized(picture, _inside(picture, tile))
    backdrop = _pale(np.asarray(small))
    for index in range(len(drawn) + 1):
        left = _MARGIN + (index % columns) * (width + _GAP)
        top = _MARGIN + (index // columns) * step
        panel = drawn[index - 1] if index else None
        tile_picture = small if panel is None else _heated(backdrop, panel, threshold, value_range, picture)
        page.paste(tile_picture, (left + (width - small.width) // 2, top + (height - small.height) // 2))
        _label(draw, panel, (left, top + height + round(_TEXT * 0.95)), width)
    bottom = _MARGIN + rows * step + _TEXT
    if title:
        write(draw, (_MARGIN, bottom), elide(title, _TEXT, inner), _TEXT, INK)
        bottom += round(_TEXT * 2.2)
    left_out = f"{len(drawn)} of {len(panels)} tags, the best-scored" if len(drawn) < len(panels) else ""
    _scale(draw, page, (_MARGIN, bottom), inner, threshold, value_range, left_out)
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
    fitting = (_WIDTH - 2 * _MARGIN + _GAP) // (width + _GAP)
    columns = max(1, min(tiles, fitting))
    rows = math.ceil(tiles / columns)
    return (height, width), math.ceil(tiles / rows)  # even rows rather than a last row of one


def _inside(picture: np.ndarray, tile: tuple[int, int]) -> tuple[int, int]:
    """The size at which the whole picture fits into a tile."""
    factor = min(tile[0] / picture.shape[0], tile[1] / picture.shape[1])
    return max(1, round(picture.shape[0] * factor)), max(1, round(picture.shape[1] * factor))


def _pale(pixels: np.ndarray) -> np.ndarray:
    """H×W×3 uint8 → H×W×1 float in about 0.55..1: the picture as a faint drawing to multiply with."""
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255
    low, high = np.percentile(grey, (2, 98))
    pale: np.ndarray = (0.58 + 0.42 * np.clip((grey - low) / max(high - low, 0.05), 0, 1))[..., None]
    return pale


def _heated(
    backdrop: np.ndarray, panel: Panel, threshold: float, value_range: tuple[float, float], picture: np.ndarray
) -> Image.Image:
    size = backdrop.shape[0], backdrop.shape[1]
    heat = diverging(resized_map(panel.values, size), value_range[0], threshold, value_range[1])
    tile = Image.fromarray(np.clip(heat * backdrop, 0, 255).astype(np.uint8))
    if panel.place is not None:
        x = (panel.place[0] + 0.5) * size[1] / picture.shape[1]
        y = (panel.place[1] + 0.5) * size[0] / picture.shape[0]
        draw = ImageDraw.Draw(tile)
        for radius, colour, thick in ((8, PAPER, 4), (7, INK, 2)):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=thick)
    return tile


def _label(draw: ImageDraw.ImageDraw, panel: Panel | None, place: tuple[int, int], width: int) -> None:
    """Name on the left and score on the right, below a tile; a filled dot marks a selected tag."""
    if panel is None:
        write(draw, place, "picture", _TEXT, FAINT)
        return
    score = "" if panel.score is None else f"{panel.score:.3f}"
    room = text_width(score, _TEXT)
    dot = _TEXT * 0.42
    left, middle = place
    box = (left, middle - dot / 2, left + dot, middle + dot / 2)
    draw.ellipse(box, fill=HOT if panel.selected else None, outline=HOT if panel.selected else FAINT)
    name = elide(panel.tag, _TEXT, width - room - 2.2 * dot - 12)
    write(draw, (left + 2.2 * dot, middle), name, _TEXT, INK if panel.selected else FAINT)
    write(draw, (left + width - room, middle), score, _TEXT, INK if panel.selected else FAINT)


def _scale(
    draw: ImageDraw.ImageDraw,
    page: Image.Image,
    place: tuple[int, int],
    width: int,
    threshold: float,
    value_range: tuple[float, float],
    remark: str,
) -> None:
    """The colour bar between its two ends, the threshold, and a remark on the right."""
    size, length = _TEXT - 3, 180
    low, high = value_range
    ends = f"{low:g}", f"{high:g}"
    middle = place[1]
    left = place[0] + round(text_width(ends[0], size)) + 9
    bar = diverging(np.linspace(low, high, length)[None].repeat(12, axis=0), low, threshold, high)
    page.paste(Image.fromarray(bar.astype(np.uint8)), (left, middle - 6))
    draw.rectangle((left, middle - 6, left + length - 1, middle + 5), outline=LINE)
    at = left + length * min(max((threshold - low) / max(high - low, 1e-6), 0.0), 1.0)
    draw.line((at, middle - 9, at, middle + 8), fill=INK)
    write(draw, (place[0], middle), ends[0], size, COLD)
    write(draw, (left + length + 8, middle), ends[1], size, HOT)
    after = left + length + 28 + text_width(ends[1], size)
    write(draw, (after, middle), f"white at {threshold:g}", size, FAINT)
    if remark:
        write(draw, (place[0] + width - text_width(remark, size), middle), remark, size, FAINT)
