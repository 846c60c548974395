"""One heat map of a sheet: the tile, the line below it, and the colour bar that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ttd_core.drawing.canvas import resized_map
from ttd_core.drawing.colours import COLD, FAINT, HOT, INK, LINE, PAPER, diverging
from ttd_core.drawing.lettering import elide, text_width, write

TEXT = 18
MARGIN = 28
GAP = 22
NOTE_STEP = 26
"""Pixels from line to line of the notes below a sheet."""


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


def inside(picture: np.ndarray, tile: tuple[int, int]) -> tuple[int, int]:
    """The size at which the whole picture fits into a tile."""
    factor = min(tile[0] / picture.shape[0], tile[1] / picture.shape[1])
    return max(1, round(picture.shape[0] * factor)), max(1, round(picture.shape[1] * factor))


def pale(pixels: np.ndarray) -> np.ndarray:
    """H×W×3 uint8 → H×W×1 float in about 0.55..1: the picture as a faint drawing to multiply with."""
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255
    low, high = np.percentile(grey, (2, 98))
    drawing: np.ndarray = (0.58 + 0.42 * np.clip((grey - low) / max(high - low, 0.05), 0, 1))[..., None]
    return drawing


def heated(
    backdrop: np.ndarray, panel: Panel, threshold: float, value_range: tuple[float, float], picture: np.ndarray
) -> Image.Image:
    """The heat map of a panel over the pale picture, with a ring at its proving pixel.

    Args:
        backdrop: h×w×1, see `pale`.
        panel: what is drawn.
        threshold: the value that is white.
        value_range: the values of the full blue and the full red.
        picture: the original, in whose pixels the place is given.
    """
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


def label(draw: ImageDraw.ImageDraw, panel: Panel | None, place: tuple[int, int], width: int) -> None:
    """Name on the left and score on the right, below a tile; a filled dot marks a selected tag."""
    if panel is None:
        write(draw, place, "picture", TEXT, FAINT)
        return
    score = "" if panel.score is None else f"{panel.score:.3f}"
    room = text_width(score, TEXT)
    dot = TEXT * 0.42
    left, middle = place
    box = (left, middle - dot / 2, left + dot, middle + dot / 2)
    draw.ellipse(box, fill=HOT if panel.selected else None, outline=HOT if panel.selected else FAINT)
    name = elide(panel.tag, TEXT, width - room - 2.2 * dot - 12)
    write(draw, (left + 2.2 * dot, middle), name, TEXT, INK if panel.selected else FAINT)
    write(draw, (left + width - room, middle), score, TEXT, INK if panel.selected else FAINT)


def scale(
    draw: ImageDraw.ImageDraw,
    page: Image.Image,
    place: tuple[int, int],
    width: int,
    threshold: float,
    value_range: tuple[float, float],
    remark: str,
    meaning: str = "",
) -> None:
    """The colour bar between its two ends, the threshold with what it is, and a remark on the right."""
    size, length = TEXT - 3, 180
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
    room = width - text_width(remark, size) - (after - place[0]) - 12
    white = f"white at {threshold:.4g}"
    write(draw, (after, middle), elide(f"{white}, {meaning}", size, room) if meaning else white, size, FAINT)
    if remark:
        write(draw, (place[0] + width - text_width(remark, size), middle), remark, size, FAINT)


def notes_below(draw: ImageDraw.ImageDraw, notes: Sequence[str], place: tuple[int, int], width: int) -> None:
    """Lines that explain the sheet, the first one's middle at `place`."""
    for number, note in enumerate(notes):
        write(draw, (place[0], place[1] + number * NOTE_STEP), elide(note, TEXT - 3, width), TEXT - 3, FAINT)
