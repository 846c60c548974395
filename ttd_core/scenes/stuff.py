"""The ground a scene stands on: nine stuff classes, each with its own texture.

Noise is defined on a fixed grid and spread to the picture's size, so a scene looks alike at 96 and at 384 pixels.
All arrays are S×S (S: picture side in pixels), float32 levels 0..255 unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ttd_core.scenes.dice import Dice

BASE = 96
"""Side of the noise grid: the picture size at which one noise cell is one pixel."""

NIGHT_LIGHT = 0.62


@dataclass(frozen=True)
class Ground:
    """What every texture may use.

    Args:
        x, y: 1×S and S×1 pixel centres as shares of the picture.
        speckle: S×S fine noise in -1..1.
        smooth: S×S slow noise in -1..1.
        horizon: height of the horizon, 0 at the top.
        mode: `day`, `sunset` or `night`.
        dice: for the few numbers a texture draws itself.
    """

    x: np.ndarray
    y: np.ndarray
    speckle: np.ndarray
    smooth: np.ndarray
    horizon: float
    mode: str
    dice: Dice


@lru_cache(maxsize=16)
def _taps(cells: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left neighbour, right neighbour and weight for bilinear spreading of cells to pixels."""
    where = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    left = np.floor(where).astype(np.int64)
    return left, np.minimum(left + 1, cells - 1), (where - left).astype(np.float32)


def spread(grid: np.ndarray, size: int) -> np.ndarray:
    """Spread a rows×columns grid bilinearly over size×size pixels."""
    if grid.shape == (size, size):
        return grid
    low, high, weight = _taps(grid.shape[0], size)
    rows = grid[low] * (1 - weight[:, None]) + grid[high] * weight[:, None]
    low, high, weight = _taps(grid.shape[1], size)
    result: np.ndarray = rows[:, low] * (1 - weight) + rows[:, high] * weight
    return result


def make_ground(size: int, horizon: float, mode: str, dice: Dice) -> Ground:
    """Draw the noise of one scene."""
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    speckle, smooth = spread(dice.grid(BASE, BASE), size), spread(dice.grid(8, 8), size)
    return Ground(centres[None, :], centres[:, None], speckle, smooth, horizon, mode, dice)


def wavy(ground: Ground, level: float, height: float) -> np.ndarray:
    """A border that rises and falls like gentle hills: the level for every column, length S."""
    first, second = ground.dice.uniform(0, 6.28), ground.dice.uniform(0, 6.28)
    x = ground.x[0]
    border: np.ndarray = level + height * (0.7 * np.sin(4.3 * x + first) + 0.3 * np.sin(11 * x + second))
    return border


def straight(ground: Ground, level: float) -> np.ndarray:
    """A level border, length S."""
    return np.full_like(ground.x[0], level)


def peaks(ground: Ground, level: float, tallest: float) -> np.ndarray:
    """The outline of one to three triangular mountains standing on the level, length S."""
    x, dice = ground.x[0], ground.dice
    ridge = np.zeros_like(x)
    count = 1 + dice.below(3)
    for number in range(count):
        centre = (number + dice.uniform(0.2, 0.8)) / count
        height, reach = tallest * dice.uniform(0.6, 1.0), dice.uniform(0.28, 0.5)
        ridge = np.maximum(ridge, height * (1 - np.abs(x - centre) / reach))
    outline: np.ndarray = level - ridge
    return outline


def _tone(colour: tuple[int, int, int], change: np.ndarray) -> np.ndarray:
    """A base colour plus the same change on all channels: S×S×3."""
    toned: np.ndarray = np.asarray(colour, dtype=np.float32) + change[..., None]
    return toned


_DAY = (
    ((70, 140, 228), (186, 220, 246)),
    ((92, 164, 236), (206, 230, 248)),
    ((62, 122, 206), (164, 206, 240)),
)
_SUNSET = (((226, 108, 58), (252, 198, 118)), ((212, 104, 84), (250, 184, 104)))
_NIGHT = (((10, 11, 24), (30, 34, 62)), ((14, 14, 22), (36, 34, 54)))
_SKIES = {"day": _DAY, "sunset": _SUNSET, "night": _NIGHT}
"""Colour at the top and at the horizon."""


def _sky(ground: Ground) -> np.ndarray:
    top, bottom = (np.asarray(colour, dtype=np.float32) for colour in ground.dice.pick(_SKIES[ground.mode]))
    depth = np.clip(ground.y / max(ground.horizon, 0.05), 0, 1)[..., None]
    haze = 3 if ground.mode == "night" else 9
    sky: np.ndarray = top + (bottom - top) * depth + (haze * ground.smooth)[..., None]
    return sky


def _sea(ground: Ground) -> np.ndarray:
    colour = ground.dice.pick(((36, 108, 176), (28, 126, 178), (46, 96, 158)))
    below = np.maximum(ground.y - ground.horizon, 0.0) + 0.02
    phase = 46 * np.sqrt(below) + 0.5 * ground.smooth + 0.5 * np.sin(15 * ground.x + 40 * below)
    crest = np.sin(2 * phase)
    return _tone(colour, 13 * crest + 9 * np.maximum(crest - 0.6, 0) + 5 * ground.smooth)


def _grass(ground: Ground) -> np.ndarray:
    colour = ground.dice.pick(((84, 158, 62), (70, 142, 58), (108, 168, 66), (60, 150, 84)))
    blades = ground.speckle.copy()
    step = max(1, ground.speckle.shape[0] // BASE)
    for shift in (1, 2, 3):
        blades += np.roll(ground.speckle, shift * step, axis=0)
    return _tone(colour, 8 * blades + 9 * ground.smooth)


def _sand(ground: Ground) -> np.ndarray:
    colour = ground.dice.pick(((232, 208, 156), (222, 192, 138), (238, 218, 176)))
    return _tone(colour, 7 * ground.speckle + 7 * ground.smooth)


def _road(ground: Ground) -> np.ndarray:
    return _tone(ground.dice.pick(((104, 104, 110), (88, 90, 98), (120, 118, 120))), 7 * ground.speckle)


def _snow(ground: Ground) -> np.ndarray:
    return _tone((236, 242, 250), 2.5 * ground.speckle + 7 * ground.smooth)


def _mountain(ground: Ground) -> np.ndarray:
    colour = ground.dice.pick(((122, 112, 118), (104, 114, 134), (138, 118, 104)))
    lit = 14 * np.sign(np.sin(9 * ground.x + 5 * ground.y + 3 * ground.smooth))
    return _tone(colour, lit + 16 * ground.smooth + 5 * ground.speckle)


def _wall(ground: Ground) -> np.ndarray:
    colour = ground.dice.pick(((236, 222, 196), (198, 218, 222), (232, 206, 206), (206, 216, 190)))
    stripes = ground.dice.pick((0, 0, 9)) * np.sign(np.sin(ground.x * 2 * math.pi * 11))
    return _tone(colour, stripes + 3 * ground.smooth + 0 * ground.y)


def _floor(ground: Ground) -> np.ndarray:
    colour = ground.dice.pick(((176, 126, 80), (152, 104, 68), (196, 154, 112)))
    depth = np.maximum(ground.y - ground.horizon, 0) / max(1 - ground.horizon, 0.05)
    boards = np.sqrt(depth) * 5.5
    row = np.floor(boards)
    seam = (boards - row < 0.1) | (np.abs((ground.x * 2.2 + 0.37 * row) % 1.0 - 0.5) < 0.008)
    return _tone(colour, np.where(seam, -34, 7 * np.sin(row * 2.4)) + 4 * ground.smooth + 2 * ground.speckle)


_TEXTURES: dict[str, Callable[[Ground], np.ndarray]] = {
    "sky": _sky, "sea": _sea, "grass": _grass, "sand": _sand, "road": _road, "snow": _snow, "mountain": _mountain,
    "wall": _wall, "floor": _floor,
}  # fmt: skip


def paint_stuff(ground: Ground, bands: list[tuple[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Paint the bands from top to bottom.

    Args:
        ground: noise and geometry of the scene.
        bands: stuff class and its upper border per column (length S); the first border is ignored.

    Returns:
        The S×S×3 float32 picture in levels and the S×S uint8 ids, 0 for the first band.
    """
    size = ground.x.shape[1]
    ids = np.zeros((size, size), dtype=np.uint8)
    for number, (_, border) in enumerate(bands[1:], start=1):
        ids[ground.y >= border] = number
    picture = np.empty((size, size, 3), dtype=np.float32)
    for number, (name, border) in enumerate(bands):
        texture = _TEXTURES[name](ground)
        if name != "sky" and ground.mode == "night":
            texture = texture * NIGHT_LIGHT
        if name != "sky" and ground.mode == "sunset":
            texture = texture * np.asarray((1.04, 0.92, 0.84), dtype=np.float32)
        where = ids == number
        picture[where] = texture[where]
        _edge(picture, name, where, ground, border)
    return picture, ids


def _edge(picture: np.ndarray, name: str, where: np.ndarray, ground: Ground, border: np.ndarray) -> None:
    """Details that belong to a band's own pixels: foam is sand's upper rim, lane marks lie on the road."""
    if name == "sand":
        picture[where & (ground.y < border + 0.016)] = (240, 244, 240)
        picture[where & (ground.y >= border + 0.016) & (ground.y < border + 0.045)] *= 0.88
    elif name == "road":
        middle = border + 0.52 * (1 - border)
        dash = (np.abs(ground.y - middle) < 0.016) & (ground.x * 4.5 % 1.0 < 0.6)
        picture[where & dash] = (226, 222, 206)
        picture[where & (ground.y < border + 0.03)] = (168, 164, 160)
    elif name == "floor":
        picture[where & (ground.y < border + 0.03)] = (246, 242, 234)
    elif name == "sky" and ground.mode == "night":
        _stars(picture, where, ground.dice)


def _stars(picture: np.ndarray, where: np.ndarray, dice: Dice) -> None:
    size = picture.shape[0]
    spot = max(1, round(size / BASE))
    for _ in range(26):
        row, column, light = dice.uniform(0, 0.97), dice.uniform(0, 0.97), dice.uniform(120, 240)
        top, left = int(row * size), int(column * size)
        if where[top, left]:
            patch = picture[top : top + spot, left : left + spot]
            patch[where[top : top + spot, left : left + spot]] = light
