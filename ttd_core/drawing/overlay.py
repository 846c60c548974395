"""A picture with its tags' regions tinted, outlined and explained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ttd_core.drawing.canvas import fit, resized, resized_labels
from ttd_core.drawing.colours import FAINT, INK, LINE, PAPER, Colour, tag_colours
from ttd_core.drawing.lettering import elide, text_width, write

CAPTION_COLOUR: Colour = (228, 60, 62)
_NARROWEST = 360


def overlay(
    picture: np.ndarray,
    labels: np.ndarray,
    tags: Sequence[str],
    *,
    notes: Sequence[str] | None = None,
    title: str | None = None,
    colours: np.ndarray | None = None,
) -> Image.Image:
    """Tint every tag's region, outline it and list the tags below the picture.

    Args:
        picture: H×W×3 uint8; enlarged or reduced to a size that is pleasant to look at.
        labels: H×W integers, 0 background, k + 1 the k-th tag.
        tags: K names.
        notes: K short remarks for the legend, e.g. scores; None writes each tag's share of the picture.
        title: a line above the legend, e.g. the caption.
        colours: K×3 uint8, None for `tag_colours`.

    Returns:
        An RGB picture.
    """
    colours = tag_colours(len(tags)) if colours is None else colours
    size = fit(*picture.shape[:2])
    shown = resized_labels(labels, size)
    tinted = tint(np.asarray(resized(picture, size)), shown, colours)
    if notes is None:
        counted = np.bincount(labels.ravel(), minlength=len(tags) + 1)[1:]
        notes = [f"{share:.0%}" if share >= 0.005 or not share else "<1%" for share in counted / max(1, labels.size)]
    # a swatch for a tag that covers no pixel would be looked for in vain
    present = set(np.unique(labels).tolist())
    named = enumerate(zip(tags, notes, colours, strict=True), start=1)
    entries = [(tag, note, _colour(colour)) for label, (tag, note, colour) in named if label in present]
    return _framed(Image.fromarray(tinted), entries, title)


def caption_overlay(picture: np.ndarray, mask: np.ndarray, caption: str) -> Image.Image:
    """The picture with all that the caption does not cover faded out, and the caption below.

    Args:
        picture: H×W×3 uint8.
        mask: H×W bool.
        caption: the sentence.

    Returns:
        An RGB picture.
    """
    size = fit(*picture.shape[:2])
    inside = resized_labels(mask, size) > 0
    pixels = np.asarray(resized(picture, size)).astype(np.float32)
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    faded = 0.35 * grey[..., None] + 0.65 * 255 * 0.92
    drawn = np.where(inside[..., None], pixels, faded)
    drawn = _outlined(drawn, inside.astype(np.int32), np.array([CAPTION_COLOUR], dtype=np.uint8))
    entry = ("caption", f"{mask.mean():.0%}", CAPTION_COLOUR)
    return _framed(Image.fromarray(drawn.astype(np.uint8)), [entry], caption)


def tint(pixels: np.ndarray, labels: np.ndarray, colours: np.ndarray, strength: float = 0.5) -> np.ndarray:
    """Colour the regions of a picture.

    Args:
        pixels: H×W×3 uint8.
        labels: H×W integers, 0 background, k + 1 the k-th colour.
        colours: K×3 uint8.
        strength: 0 leaves the picture, 1 hides it.

    Returns:
        H×W×3 uint8.
    """
    palette = np.concatenate([np.zeros((1, 3), dtype=np.uint8), colours]).astype(np.float32)
    pixels = pixels.astype(np.float32)
    # The background steps back a little, so that the tinted regions stand out in bright pictures too.
    weight = np.where(labels > 0, strength, 0.22)[..., None]
    base = np.where((labels > 0)[..., None], palette[labels], pixels.mean(axis=2, keepdims=True) * 0.5 + 110)
    drawn = _outlined(pixels * (1 - weight) + base * weight, labels, colours)
    return np.clip(drawn, 0, 255).astype(np.uint8)


def _outlined(pixels: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """H×W×3 float with a line in each region's full colour along its border, and a white one around it."""
    thick = max(1, round(max(labels.shape) / 500))
    # Refined masks have ragged borders and specks; a line round each of them would hide the picture.
    labels = _smoothed(labels, 2 * round(max(labels.shape) / 200) + 1)
    edge, halo = _border(labels, thick), _border(labels, thick + max(1, thick // 2))
    pixels = np.where((halo & (labels == 0))[..., None], 255.0, pixels)
    palette = np.concatenate([np.zeros((1, 3), dtype=np.uint8), colours])
    drawn: np.ndarray = np.where((edge & (labels > 0))[..., None], palette[labels], pixels)
    return drawn


def _smoothed(labels: np.ndarray, reach: int) -> np.ndarray:
    """Each pixel takes the commonest label of the square of `reach` pixels around it; long lists are left alone."""
    if labels.max(initial=0) > 255:
        return labels
    picture = Image.fromarray(labels.astype(np.uint8)).filter(ImageFilter.ModeFilter(reach))
    return np.asarray(picture, dtype=np.int32)


def _border(labels: np.ndarray, reach: int) -> np.ndarray:
    """H×W bool: pixels that have another label within `reach` rows or columns."""
    border = np.zeros(labels.shape, dtype=bool)
    for step in range(1, reach + 1):
        down, across = labels[step:] != labels[:-step], labels[:, step:] != labels[:, :-step]
        border[step:] |= down
        border[:-step] |= down
        border[:, step:] |= across
        border[:, :-step] |= across
    return border


def _framed(picture: Image.Image, entries: Sequence[tuple[str, str, Colour]], title: str | None) -> Image.Image:
    """A picture on white paper with a title and a legend of (name, remark, colour) entries below."""
    text = max(15, round(max(picture.size) / 50))
    margin, row = round(text * 1.3), round(text * 1.9)
    width = max(picture.width, _NARROWEST)
    lines = _legend_lines(entries, text, width)
    below = (row if title else 0) + row * len(lines)
    height = picture.height + 2 * margin + below + (margin // 2 if below else 0)
    page = Image.new("RGB", (width + 2 * margin, height), PAPER)
    page.paste(picture, (margin + (width - picture.width) // 2, margin))
    draw = ImageDraw.Draw(page)
    y = picture.height + margin + margin // 2 + row / 2
    if title:
        write(draw, (margin, y), elide(title, text, width), text, INK)
        y += row
    for line in lines:
        for x, name, note, colour in line:
            box = (margin + x, y - text * 0.42, margin + x + text * 0.84, y + text * 0.42)
            draw.rounded_rectangle(box, radius=text * 0.2, fill=colour, outline=LINE)
            write(draw, (margin + x + text * 1.3, y), name, text, INK)
            write(draw, (margin + x + text * 1.75 + text_width(name, text), y), note, text, FAINT)
        y += row
    return page


def _legend_lines(
    entries: Sequence[tuple[str, str, Colour]], text: int, width: int
) -> list[list[tuple[float, str, str, Colour]]]:
    """Break legend entries into lines: (x, name, remark, colour) each."""
    lines: list[list[tuple[float, str, str, Colour]]] = []
    x = float(width)
    for name, note, colour in entries:
        room = width - text * 2.4 - text_width(note, text)
        name = elide(name, text, min(room, 24 * text))
        needed = text * 1.75 + text_width(name, text) + text_width(note, text)
        if not lines or x + needed > width:
            lines.append([])
            x = 0.0
        lines[-1].append((x, name, note, colour))
        x += needed + text * 1.6
    return lines


def _colour(values: np.ndarray) -> Colour:
    return int(values[0]), int(values[1]), int(values[2])
