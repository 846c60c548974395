"""Small charts of figures over the steps of a training, side by side on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from ttd_core.drawing.colours import FAINT, INK, LINE, PAPER, Colour, tag_colours
from ttd_core.drawing.lettering import elide, text_width, write

Points = Sequence[tuple[float, float]]

_SIZE = (420, 240)
_COLUMNS = 3
_MARGIN = 24
_TEXT = 15
_INSET = (62, 34, 14, 30)  # left, top, right, bottom of a chart's axes


def curves(charts: Mapping[str, Mapping[str, Points]], title: str = "") -> Image.Image:
    """Draw line charts over a common kind of abscissa, e.g. the step.

    Args:
        charts: title of a chart -> name of a line -> its points (x, y); points that are not finite are left out, and a
            chart without any is not drawn.
        title: a line above all.

    Returns:
        An RGB picture, three charts to a row.
    """
    known = {name: {line: _finite(points) for line, points in lines.items()} for name, lines in charts.items()}
    drawn = {name: {line: p for line, p in lines.items() if p} for name, lines in known.items()}
    drawn = {name: lines for name, lines in drawn.items() if lines}
    columns = max(1, min(_COLUMNS, len(drawn)))
    rows = math.ceil(len(drawn) / columns)
    head = 2 * _TEXT if title else 0
    size = (columns * _SIZE[0] + 2 * _MARGIN, rows * _SIZE[1] + 2 * _MARGIN + head)
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    if title:
        write(draw, (_MARGIN, _MARGIN + _TEXT / 2), elide(title, _TEXT, size[0] - 2 * _MARGIN), _TEXT, INK)
    for place, (name, lines) in enumerate(drawn.items()):
        row, column = divmod(place, columns)
        _chart(draw, (_MARGIN + column * _SIZE[0], _MARGIN + head + row * _SIZE[1]), name, lines)
    return page


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _chart(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, lines: Mapping[str, list[tuple[float, float]]]
) -> None:
    left, top = corner[0] + _INSET[0], corner[1] + _INSET[1]
    right, bottom = corner[0] + _SIZE[0] - _INSET[2], corner[1] + _SIZE[1] - _INSET[3]
    everything = [point for points in lines.values() for point in points]
    xs, ys = _range([x for x, _ in everything]), _range([y for _, y in everything])
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        draw.line((left, y, right, y), fill=LINE)
        label = f"{ys[0] + share * (ys[1] - ys[0]):.3g}"
        write(draw, (left - 6 - text_width(label, _TEXT - 3), y), label, _TEXT - 3, FAINT)
        label = f"{xs[0] + share * (xs[1] - xs[0]):.4g}"
        at = left + share * (right - left - text_width(label, _TEXT - 3))
        write(draw, (at, bottom + _TEXT), label, _TEXT - 3, FAINT)
    x = left
    write(draw, (x, corner[1] + _TEXT), name, _TEXT, INK)
    x += round(text_width(name, _TEXT)) + 14
    for (line, points), values in zip(lines.items(), tag_colours(len(lines)), strict=True):
        colour: Colour = (int(values[0]), int(values[1]), int(values[2]))
        if len(lines) > 1:
            write(draw, (x, corner[1] + _TEXT), line, _TEXT - 2, colour)
            x += round(text_width(line, _TEXT - 2)) + 10
        placed = [
            (
                left + (a - xs[0]) / (xs[1] - xs[0]) * (right - left),
                bottom - (b - ys[0]) / (ys[1] - ys[0]) * (bottom - top),
            )
            for a, b in sorted(points)
        ]
        if len(placed) > 1:
            draw.line(placed, fill=colour, width=2, joint="curve")
        if len(placed) <= 12:
            for a, b in placed:
                draw.ellipse((a - 3, b - 3, a + 3, b + 3), fill=colour)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low < 1e-9 * max(1.0, abs(low), abs(high)):
        room = max(abs(low), 1.0) * 0.05
        return low - room, high + room
    return low, high
