"""The plot of the single tag bias: how much of a caption text and image scoring find, and which tag its map follows."""

from __future__ import annotations

import math
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
        if _asked(points):
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
    points = _asked(points)
    reference = np.array([point.reference for point in points], dtype=np.int64)
    column = np.minimum(reference, _MOST_TAGS) if len(points) else np.ones(1, dtype=np.int64)
    ticks = np.arange(column.min(), column.max() + 1)
    words = [f"Share of the reference tags found, over {len(points)} captions"]
    labels = []
    if len(points):
        x, y = _means(reference, 1 / reference)
        axes.plot(x, y, color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        labels.append((float(y[-1]), "one tag of\neach caption", FAINT))
    for name, colour, shift, found in _scorings(points):
        asked = np.array([count is not None for count in found], dtype=bool)
        counts = np.array([count for count in found if count is not None], dtype=np.int64)
        if not len(counts):
            continue
        pooled = 100 * counts.sum() / reference[asked].sum()
        height = _draw_scoring(axes, reference[asked], counts, colour, shift)
        labels.append((height, f"{name} scoring\n{pooled:.1f} % of all", colour))
        words.append(f"{name} scoring finds {pooled:.1f} percent of them")
    _label_ends(axes, ticks[-1] + 0.42, labels)
    axes.set_ylim(0, 106)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlim(ticks[0] - 0.4, ticks[-1] + 0.4)
    axes.set_xticks(ticks, [f"{tick}+" if tick == _MOST_TAGS else str(tick) for tick in ticks])
    axes.grid(axis="y")
    axes.set_title(_SHARE_TITLE, color=FAINT, fontsize=9.5)
    axes.set_xlabel("reference tags of a caption")
    return "; ".join(words)


def draw_followed(axes: Axes, points: Sequence[BiasPoint]) -> str:
    """Correlation of the caption's map with its strongest tag's map against that with its weakest's.

    On the diagonal the map follows both alike; the further up and left, the more the strongest tag has taken over. The
    means of two yardsticks, an even mean of the tags' maps and the strongest tag's map alone, stand beside ours.

    Returns:
        The same in words.
    """
    pairs = _correlations(points)
    marks = [
        ("strongest tag alone", "^", INK, _yardstick([point.single for point in points])),
        ("caption", "D", SECOND, pairs),
        ("even mean of the tags", "s", INK, _yardstick([point.even for point in points])),
    ]
    marks = [mark for mark in marks if len(mark[3])]
    low = np.floor(4 * np.concatenate([[[0, 0]], *[some for *_, some in marks]]).min(axis=0)) / 4 - 0.03
    axes.plot([-1, 1.03], [-1, 1.03], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=1, label="both alike")
    words = [f"Correlation of the caption's map with its strongest and its weakest tag, over {len(pairs)} captions"]
    _dots(axes, pairs, low)
    means = [[math.fsum(values) / len(values) for values in some.T.tolist()] for *_, some in marks]
    axes.plot(*np.reshape(means, (-1, 2)).T, color=INK, linewidth=1, zorder=4)
    for (name, marker, colour, _), (weakest, strongest) in zip(marks, means, strict=True):
        axes.plot([weakest], [strongest], linestyle="none", marker=marker, markersize=8, color=colour, zorder=5,
                  markeredgecolor=PAPER, clip_on=False, label=f"{name} {strongest:.2f} / {weakest:.2f}")  # fmt: skip
        words.append(f"means of {name}: {strongest:.2f} and {weakest:.2f}")
    # No caption lies right of the diagonal: there is room for names.
    axes.legend(loc="lower right", fontsize=8.5, labelcolor=INK, borderaxespad=0.2, handletextpad=0.5,
                frameon=True, facecolor=PAPER, edgecolor="none", framealpha=0.85)  # fmt: skip
    _frame(axes, low)
    return "; ".join(words)


def _frame(axes: Axes, low: np.ndarray) -> None:
    axes.set(xlim=(low[0], 1.03), ylim=(low[1], 1.03))
    for axis, lowest in zip((axes.xaxis, axes.yaxis), low, strict=True):
        axis.set_major_locator(MultipleLocator(0.25 if lowest > -0.6 else 0.5))
    axes.grid()
    axes.set_title(_FOLLOW_TITLE, color=FAINT, fontsize=9.5)
    axes.set_xlabel("... and with its weakest tag")


def _yardstick(found: Sequence[tuple[float, float] | None]) -> np.ndarray:
    """Weakest and strongest where they are known: N×2 float."""
    return np.array([pair[::-1] for pair in found if pair is not None], dtype=np.float64).reshape(-1, 2)


def _asked(points: Sequence[BiasPoint]) -> list[BiasPoint]:
    """Captions with a reference tag for which at least one scoring is known."""
    return [p for p in points if p.reference > 0 and any(n is not None for n in (p.text, p.image, p.pixel))]


def _scorings(points: Sequence[BiasPoint]) -> list[tuple[str, str, float, list[int | None]]]:
    """Name, colour, place beside the tick and counts of each scoring; pixel scoring only where it misses some."""
    found = [
        ("text", FIRST, -0.18, [point.text for point in points]),
        ("image", SECOND, 0.0, [point.image for point in points]),
    ]
    if any(point.pixel is not None and point.pixel != point.reference for point in points):
        found.append(("pixel", THIRD, 0.18, [point.pixel for point in points]))
    return found


def _draw_scoring(axes: Axes, reference: np.ndarray, counts: np.ndarray, colour: str, shift: float) -> float:
    """Bubbles and the line of the means; returns the height at which the line ends."""
    column = np.minimum(reference, _MOST_TAGS)
    _bubbles(axes, column + shift, 100 * counts / reference, colour)
    x, y = _means(reference, counts / reference)
    axes.plot(x + shift, y, color=colour, linewidth=1.8, marker="o", markersize=5, markeredgecolor=PAPER, zorder=4)
    return float(y[-1])


def _correlations(points: Sequence[BiasPoint]) -> np.ndarray:
    """Weakest and strongest of every caption where both are defined: N×2 float."""
    pairs = np.array([(point.weakest, point.strongest) for point in points], dtype=np.float64).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _means(reference: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of tags that occur, `_MOST_TAGS` and more as one, and the mean share of each in percent."""
    column = np.minimum(reference, _MOST_TAGS)
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
    sizes = 6 + 170 * counts / counts.max()
    axes.scatter(places[0], places[1], s=sizes, color=colour, alpha=0.28, linewidth=0, zorder=3)


def _dots(axes: Axes, pairs: np.ndarray, low: np.ndarray) -> None:
    """Every caption as a dot; where they are many, squares whose area is the number of captions in them."""
    if len(pairs) <= _MOST_DOTS:
        axes.scatter(pairs[:, 0], pairs[:, 1], s=22, color=THIRD, alpha=0.45, linewidth=0, zorder=3)
        return
    step = (1.0 - low) / _BINS
    bins = np.minimum(((pairs - low) / step).astype(int), _BINS - 1)
    places, counts = np.unique(bins, axis=0, return_counts=True)
    sizes = 3 + 38 * counts / counts.max()
    across, up = (low + (places + 0.5) * step).T
    axes.scatter(across, up, s=sizes, marker="s", color=THIRD, alpha=0.75, linewidth=0, zorder=3)


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
