"""A sheet of scenes for eyes: picture, id map in colours, caption."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from colorsys import hsv_to_rgb

import numpy as np
from PIL import Image, ImageDraw

from ttd_core.scenes.scene import Scene, visible

MARGIN, LINE = 8, 12


def colour_ids(ids: np.ndarray) -> np.ndarray:
    """Colour an S×S id map: S×S×3 uint8, one distinct colour per entity."""
    # Steps of the golden ratio keep the hues of neighbouring numbers far apart.
    colours = [hsv_to_rgb(0.58 + 0.618 * n, 0.35 + 0.3 * (n % 2), 0.95 - 0.22 * (n % 3)) for n in range(256)]
    palette = np.round(255 * np.asarray(colours)).astype(np.uint8)
    coloured: np.ndarray = palette[ids]
    return coloured


def make_sheet(scenes: Sequence[Scene], columns: int = 4, tile: int = 192) -> Image.Image:
    """Arrange scenes on a white page.

    Args:
        scenes: at least one; the first caption of each is printed, visible words in capitals.
        columns: scenes per row.
        tile: side of the picture and of the id map beside it, in pixels.

    Returns:
        An RGB image.
    """
    width, height = 2 * tile + MARGIN, tile + 5 * LINE + MARGIN
    rows = -(-len(scenes) // columns)
    page = Image.new("RGB", (MARGIN + columns * (width + MARGIN), MARGIN + rows * (height + MARGIN)), "white")
    brush = ImageDraw.Draw(page)
    for number, scene in enumerate(scenes):
        left = MARGIN + number % columns * (width + MARGIN)
        top = MARGIN + number // columns * (height + MARGIN)
        page.paste(Image.fromarray(scene.image).resize((tile, tile), Image.Resampling.LANCZOS), (left, top))
        overlay = Image.fromarray(colour_ids(scene.ids)).resize((tile, tile), Image.Resampling.NEAREST)
        page.paste(overlay, (left + tile + MARGIN // 2, top))
        caption = scene.captions[0] if scene.captions else ""
        shown = " ".join(word.upper() if visible(scene, word) else word for word in caption.split())
        for line, text in enumerate(textwrap.wrap(shown, max(width // 7, 10))[:5]):
            brush.text((left, top + tile + 4 + line * LINE), text, fill=(20, 20, 24))
    return page
