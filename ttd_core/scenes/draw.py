"""The canvas: flat shapes painted into a picture and, by the same call, into the id map.

Pictures are painted at twice their size and averaged, ids are sampled, so edges are smooth and ids stay whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

SUPERSAMPLING = 2
INK: Colour = (30, 28, 34)


def shade(colour: Colour, factor: float) -> Colour:
    """Darken a colour (factor below 1) or brighten it by multiplication."""
    return (
        max(0, min(255, round(colour[0] * factor))),
        max(0, min(255, round(colour[1] * factor))),
        max(0, min(255, round(colour[2] * factor))),
    )


def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix a share (0..1) of another colour into a colour."""
    return (
        round(colour[0] + (other[0] - colour[0]) * share),
        round(colour[1] + (other[1] - colour[1]) * share),
        round(colour[2] + (other[2] - colour[2]) * share),
    )


def contrast(colour: Colour) -> Colour:
    """A pattern colour that stands out on the given colour without being another colour word's."""
    dark = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] < 150
    return blend(colour, (255, 252, 240), 0.75) if dark else shade(colour, 0.45)


class Canvas:
    """A picture and its id map under construction.

    Args:
        background: size×size×3 uint8 picture of the stuff.
        ids: size×size uint8 ids of the stuff.
    """

    def __init__(self, background: np.ndarray, ids: np.ndarray) -> None:
        self.size: int = background.shape[0]
        self.side = self.size * SUPERSAMPLING
        wide = (self.side, self.side)
        self.image = Image.fromarray(background).resize(wide, Image.Resampling.NEAREST)
        self.ids = Image.fromarray(ids).resize(wide, Image.Resampling.NEAREST)
        self.paint = ImageDraw.Draw(self.image)
        self.glaze = ImageDraw.Draw(self.image, "RGBA")
        self.mark = ImageDraw.Draw(self.ids)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the size×size×3 uint8 picture and the size×size uint8 id map."""
        picture = np.asarray(self.image.reduce(SUPERSAMPLING))
        ids = np.ascontiguousarray(np.asarray(self.ids)[::SUPERSAMPLING, ::SUPERSAMPLING])
        return picture, ids


class Pen:
    """Paints one thing inside its box; (0, 0) is the box's top left and (1, 1) its bottom right.

    Args:
        canvas: where to paint.
        ident: the thing's number in the id map.
        box: left, top, width and height as shares of the picture.
        mirror: swap left and right.
        pattern: None, `striped` or `dotted`, painted on shapes marked as body.
        light: multiplies every colour; below 1 at night.
        grounded: stands on the ground and throws a shadow.
    """

    def __init__(
        self,
        canvas: Canvas,
        ident: int,
        box: tuple[float, float, float, float],
        mirror: bool = False,
        pattern: str | None = None,
        light: float = 1.0,
        grounded: bool = True,
    ) -> None:
        self._canvas = canvas
        self._ident = ident
        self._left: float = box[0] * canvas.side
        self._top: float = box[1] * canvas.side
        self._width: float = box[2] * canvas.side
        self._height: float = box[3] * canvas.side
        self._mirror = mirror
        self._pattern = pattern
        self._light = light
        self._grounded = grounded

    @property
    def aspect(self) -> float:
        """Width of the box in units of its height."""
        return self._width / self._height

    @property
    def plain(self) -> bool:
        """True when no pattern is painted on bodies."""
        return self._pattern is None

    def poly(self, points: Sequence[Point], fill: Colour, body: bool = False) -> None:
        """A filled polygon."""
        self._fill("polygon", [self._place(u, v) for u, v in points], fill, body)

    def rect(self, u0: float, v0: float, u1: float, v1: float, fill: Colour, body: bool = False) -> None:
        """A filled rectangle."""
        self.poly([(u0, v0), (u1, v0), (u1, v1), (u0, v1)], fill, body)

    def oval(self, u: float, v: float, ru: float, rv: float, fill: Colour, body: bool = False) -> None:
        """A filled ellipse with radii as shares of the box's width and height."""
        self._fill("ellipse", self._bounds(u, v, ru * self._width, rv * self._height), fill, body)

    def disc(self, u: float, v: float, radius: float, fill: Colour, body: bool = False) -> None:
        """A filled circle with its radius as a share of the box's height."""
        self._fill("ellipse", self._bounds(u, v, radius * self._height, radius * self._height), fill, body)

    def dome(self, u: float, v: float, ru: float, rv: float, fill: Colour, body: bool = False) -> None:
        """The upper half of an ellipse; v is its flat bottom."""
        steps = [math.pi * step / 14 for step in range(15)]
        self.poly([(u - ru * math.cos(a), v - rv * math.sin(a)) for a in steps], fill, body)

    def line(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """An open line; its width is a share of the box's height, at least one painted pixel."""
        stroke = max(1, round(width * self._height))
        placed = [self._place(u, v) for u, v in points]
        joint = "curve" if stroke > 2 and len(placed) > 2 else None
        self._canvas.paint.line(placed, fill=self._lit(fill), width=stroke, joint=joint)
        self._canvas.mark.line(placed, fill=self._ident, width=stroke, joint=joint)

    def shadow(self, u: float, v: float, ru: float, rv: float) -> None:
        """Darken the ground; the shadow is not part of the thing."""
        if not self._grounded:
            return
        bounds = self._bounds(u, v, ru * self._width, rv * self._height)
        self._canvas.glaze.ellipse(bounds, fill=(10, 12, 30, 70))

    def glow(self, u: float, v: float, radius: float, colour: Colour, alpha: int) -> None:
        """Brighten the surroundings; the glow is not part of the thing."""
        reach = radius * self._height
        self._canvas.glaze.ellipse(self._bounds(u, v, reach, reach), fill=(*colour, alpha))

    def _place(self, u: float, v: float) -> Point:
        if self._mirror:
            u = 1 - u
        return self._left + u * self._width, self._top + v * self._height

    def _bounds(self, u: float, v: float, reach_x: float, reach_y: float) -> list[Point]:
        x, y = self._place(u, v)
        reach_x, reach_y = max(reach_x, 0.5), max(reach_y, 0.5)
        return [(x - reach_x, y - reach_y), (x + reach_x, y + reach_y)]

    def _lit(self, fill: Colour) -> Colour:
        return fill if self._light == 1.0 else shade(fill, self._light)

    def _fill(self, kind: str, points: list[Point], fill: Colour, body: bool) -> None:
        getattr(self._canvas.paint, kind)(points, fill=self._lit(fill))
        getattr(self._canvas.mark, kind)(points, fill=self._ident)
        if body and self._pattern is not None:
            self._decorate(kind, points, self._lit(contrast(fill)))

    def _decorate(self, kind: str, points: list[Point], ink: Colour) -> None:
        """Paint the pattern inside one shape: the shape's own mask times the pattern's."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top = math.floor(min(xs)), math.floor(min(ys))
        area = (math.ceil(max(xs)) - left + 1, math.ceil(max(ys)) - top + 1)
        shape, pattern = Image.new("L", area), Image.new("L", area)
        getattr(ImageDraw.Draw(shape), kind)([(x - left, y - top) for x, y in points], fill=255)
        pitch = max(min(area) / 3.2, 0.035 * self._canvas.side)
        brush = ImageDraw.Draw(pattern)
        if self._pattern == "striped":
            for row in range(int(area[1] / pitch) + 1):
                brush.rectangle([0, (row + 0.3) * pitch, area[0], (row + 0.72) * pitch], fill=255)
        else:
            for row in range(int(area[1] / pitch) + 1):
                for column in range(int(area[0] / pitch) + 2):
                    x, y = (column + 0.5 * (row % 2)) * pitch, (row + 0.5) * pitch
                    brush.ellipse([x - 0.27 * pitch, y - 0.27 * pitch, x + 0.27 * pitch, y + 0.27 * pitch], fill=255)
        self._canvas.image.paste(ink, (left, top), ImageChops.darker(shape, pattern))
