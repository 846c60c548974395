"""The plot of the single tag bias: how much of a caption text and image scoring find, and which tag its map follows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MultipleLocator

from ttd_core.atomic import write_bytes
from ttd_core.drawing.report.charts import panel
from ttd_core.drawing.report.contents import BiasPoint
from ttd_core.drawing.report.svg import FAINT, FIRST, INK, PAPER, SECOND, THIRD, drawing, inline_svg, saved_figure
from ttd_core.errors import UsageError

_MOST_TAGS = 6  # captions with more stand together at the right end
_MOST_DOTS = 400
_BINS = 25
_MOST_LINES = 4
_SHARE_TITLE = "reference tags that are found, percent"
_FOLLOW_TITLE = "correlation of the caption's map with its strongest tag"


def bias_panels(points: Sequence[BiasPoint]) -> list[tuple[str, str]]:
    """The panels as separate charts, for a page that puts them side by side or below each other.

    Returns:
        Heading and `<svg>` element of each panel that has something to show.
    """
    panels = []
    with drawing():
        if any(point.reference > 0 and (point.text is not None or point.image is not None) for point in points):
            figure, axes = panel()
            words = draw_found(axes, points)
            panels.append(("How much of a caption is found", inline_svg(figure, "found", words)))
        if len(_correlations(points)):
            figure, axes = panel()
            words = draw_followed(axes, points)
            panels.append(("Which tag the caption's map follows", inline_svg(figure, "followed", words)))
    return panels


def bias_chart(points: Sequence[BiasPoint], headline: str = "") -> Figure:
    """Both panels side by side; call and save it inside `svg.drawing`."""
    lines = textwrap.wrap(_clean(headline), 100)[:_MOST_LINES]
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    figure = Figure(figsize=(11, 4.2 + 0.25 * len(lines)), layout=layout)
    left, right = figure.subplots(1, 2)
    draw_found(left, points)
    draw_followed(right, points)
    if lines:
        figure.suptitle("\n".join(lines), x=0.015, ha="left", fontsize=12, color=INK)
    return figure


def write_bias_plot(path: Path, points: Sequence[BiasPoint], headline: str = "") -> None:
    """Write the plot as `.png` or `.svg`, whole or not at all.

    Raises:
        UsageError: another suffix.
        RunError: it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise UsageError(f"{path} is neither .png nor .svg", hint=f"e.g. {path.with_suffix('.png').name}")
    with drawing():
        data = saved_figure(bias_chart(points, headline), suffix)
    write_bytes(path, data)


def draw_found(axes: Axes, points: Sequence[BiasPoint]) -> str:
    """Share of the reference tags that are found, by how many there are.

    A bubble's area is the number of captions at its place, lines join the means, and the dashed line is what one would
    find who sees a single tag of every caption.

    Returns:
        The same in words.
    """
    points = [point for point in points if point.reference > 0]
    reference = np.array([point.reference for point in points], dtype=np.int64)
    column = np.minimum(reference, _MOST_TAGS)
    ticks = np.arange(1, max(2, column.max(initial=1)) + 1)
    words: list[str] = []
    labels: list[tuple[float, str, str]] = []
    axes.plot(ticks, np.full(len(ticks), 100), color=FAINT, linewidth=1, zorder=1)
    if len(points):
        x, y = _means(column, 1 / reference)
        axes.plot(x, y, color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        labels.append((y[-1], "one tag of\neach caption", FAINT))
    for name, found, colour, shift in (
        ("text scoring", [point.text for point in points], FIRST, -0.13),
        ("image scoring", [point.image for point in points], SECOND, 0.13),
    ):
        asked = np.array([count is not None for count in found], dtype=bool)
        if not asked.any():
            continue
        counts = np.array([count for count in found if count is not None], dtype=np.int64)
        pooled = 100 * counts.sum() / reference[asked].sum()
        _bubbles(axes, column[asked] + shift, 100 * counts / reference[asked], colour)
        x, y = _means(column[asked], counts / reference[asked])
        axes.plot(x + shift, y, color=colour, linewidth=1.8, marker="o", markersize=5, markeredgecolor=PAPER, zorder=4)
        labels.append((y[-1], f"{name}\n{pooled:.1f} % of all", colour))
        words.append(f"{name} finds {pooled:.1f} percent of the reference tags")
    _label_ends(axes, ticks[-1] + 0.42, labels)
    axes.set_ylim(0, 106)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlim(0.6, ticks[-1] + 0.4)
    axes.set_xticks(ticks, [f"{tick}+" if tick == _MOST_TAGS else str(tick) for tick in ticks])
    axes.grid(axis="y")
    axes.set_title(_SHARE_TITLE, color=FAINT, fontsize=9.5)
    axes.set_xlabel("tags that pixel scoring finds (the reference)")
    return "; ".join([f"Share of the reference tags found, over {len(points)} captions", *words])


def draw_followed(axes: Axes, points: Sequence[BiasPoint]) -> str:
    """Correlation of the caption's map with its strongest tag's map against that with its weakest's.

    On the diagonal the map follows both alike; the further up and left, the more the strongest tag has taken over.

    Returns:
        The same in words.
    """
    pairs = _correlations(points)
    weakest, strongest = pairs[:, 0], pairs[:, 1]
    low = -1.05 if len(pairs) and pairs.min() < -0.5 else -0.55 if len(pairs) and pairs.min() < -0.02 else -0.02
    axes.plot([low, 1.02], [low, 1.02], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate("both alike", (0.78, 0.78), color=FAINT, fontsize=9, va="top", xytext=(6, -5),
                  textcoords="offset points")  # fmt: skip
    words = f"Correlation of the caption's map with its strongest and its weakest tag, over {len(pairs)} captions"
    if len(pairs):
        _dots(axes, weakest, strongest, low)
        middle = float(np.median(weakest)), float(np.median(strongest))
        axes.plot(*[[value] for value in middle], marker="D", markersize=8, color=SECOND, markeredgecolor=PAPER,
                  markeredgewidth=1.3, zorder=5)  # fmt: skip
        axes.text(0.99, 0.02, f"medians: strongest {middle[1]:.2f}, weakest {middle[0]:.2f}", color=SECOND,
                  transform=axes.transAxes, ha="right", va="bottom")  # fmt: skip
        words += f"; medians {middle[1]:.2f} and {middle[0]:.2f}"
    for limits, axis in ((axes.set_xlim, axes.xaxis), (axes.set_ylim, axes.yaxis)):
        limits(low, 1.03)
        axis.set_major_locator(MultipleLocator(0.25 if low > -0.5 else 0.5))
    axes.grid()
    axes.set_title(_FOLLOW_TITLE, color=FAINT, fontsize=9.5)
    axes.set_xlabel("... and with its weakest tag")
    return words


def _correlations(points: Sequence[BiasPoint]) -> np.ndarray:
    """Weakest and strongest of every caption where both are defined: N×2 float."""
    pairs = np.array([(point.weakest, point.strongest) for point in points], dtype=np.float64).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _means(column: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns that occur, and the mean share of each in percent."""
    counts = np.bincount(column)
    present = np.flatnonzero(counts)
    return present, 100 * np.bincount(column, weights=share)[present] / counts[present]


def _label_ends(axes: Axes, x: float, labels: list[tuple[float, str, str]], gap: float = 15.0) -> None:
    """Write (height, text, colour) to the right of the lines they name, moved apart where they would overlap."""
    placed = sorted(labels)
    heights = [max(gap / 2, height) for height, _, _ in placed]
    for index in range(1, len(heights)):
        heights[index] = max(heights[index], heights[index - 1] + gap)
    over = max(0.0, max(heights, default=0.0) - 98)
    for index in reversed(range(len(heights))):  # push down what left the panel, and what that then meets
        ceiling = heights[index + 1] - gap if index + 1 < len(heights) else heights[index] - over
        heights[index] = min(heights[index], ceiling)
    for height, (_, text, colour) in zip(heights, placed, strict=True):
        axes.text(x, height, text, color=colour, fontsize=9, va="center", linespacing=1.1)


def _bubbles(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    places, counts = np.unique(np.stack([x, y.round()]), axis=1, return_counts=True)
    axes.scatter(
        places[0], places[1], s=6 + 260 * counts / counts.max(), color=colour, alpha=0.28, linewidth=0, zorder=3
    )


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, low: float) -> None:
    """Every caption as a dot; where they are many, squares whose area is the number of captions in them."""
    if len(x) <= _MOST_DOTS:
        axes.scatter(x, y, s=22, color=THIRD, alpha=0.45, linewidth=0, zorder=3)
        return
    step = (1.0 - low) / _BINS
    bins = np.minimum(((np.stack([x, y]) - low) / step).astype(int), _BINS - 1)
    places, counts = np.unique(bins, axis=1, return_counts=True)
    sizes = 3 + 38 * counts / counts.max()
    across, up = low + (places + 0.5) * step
    axes.scatter(across, up, s=sizes, marker="s", color=THIRD, alpha=0.75, linewidth=0, zorder=3)


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
