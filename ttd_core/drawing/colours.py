"""The colours of tags and of heat maps."""

from __future__ import annotations

import colorsys

import numpy as np

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (32, 36, 42)
FAINT: Colour = (134, 142, 150)
LINE: Colour = (214, 219, 225)
COLD: Colour = (32, 84, 170)
HOT: Colour = (190, 24, 38)

# Neighbours in this list differ in hue and in lightness, so they stay apart in print and for most colour-blind readers.
_TAGS: tuple[Colour, ...] = (
    (228, 60, 62),
    (38, 112, 214),
    (247, 173, 32),
    (26, 153, 107),
    (148, 82, 196),
    (92, 200, 226),
    (236, 112, 176),
    (140, 98, 57),
    (150, 201, 61),
    (255, 127, 63),
    (61, 72, 158),
    (96, 110, 122),
)


def tag_colours(count: int) -> np.ndarray:
    """Colours for `count` tags, count×3 uint8: a hand-picked dozen, then hues a golden angle apart."""
    colours = list(_TAGS[:count])
    for index in range(len(_TAGS), count):
        value = (0.92, 0.7, 0.5)[index % 3]
        red, green, blue = colorsys.hsv_to_rgb((index * 0.61803399) % 1.0, 0.65, value)
        colours.append((int(red * 255), int(green * 255), int(blue * 255)))
    return np.array(colours, dtype=np.uint8).reshape(count, 3)


def label_colours(count: int) -> np.ndarray:
    """Colours of the labels 0..count of a label map, (count + 1)×3 uint8: black background, then `tag_colours`."""
    return np.concatenate([np.zeros((1, 3), dtype=np.uint8), tag_colours(count)])


def diverging(values: np.ndarray, low: float, white: float, high: float) -> np.ndarray:
    """Blue below, white at, red above a threshold.

    Args:
        values: any shape, float; what lies outside low..high takes the end colour, NaN takes white.
        low: value of the full blue.
        white: the threshold.
        high: value of the full red.

    Returns:
        …×3 float in 0..255.
    """
    values = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=white)
    below = np.clip((white - values) / max(white - low, 1e-6), 0, 1)[..., None]
    above = np.clip((values - white) / max(high - white, 1e-6), 0, 1)[..., None]
    # The square root makes small departures from the threshold visible without moving the threshold.
    towards = below**0.75 * (np.array(COLD) - 255.0) + above**0.75 * (np.array(HOT) - 255.0)
    return 255.0 + towards
