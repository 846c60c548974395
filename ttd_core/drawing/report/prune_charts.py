"""The histogram of a pruning: how many samples have which score, and where the cut lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ttd_core.atomic import write_bytes
from ttd_core.drawing.report.svg import FAINT, FIRST, INK, LINE, SECOND, drawing, saved_figure

MOST_BINS = 80


@dataclass(frozen=True)
class ScoreBins:
    """Samples by score.

    Args:
        edges: B + 1 ascending scores; the cut is one of them where it lies between.
        kept: B counts.
        dropped: B counts of what the cut drops.
        merged: B counts of what is dropped since its caption has a better picture.
        cut: lowest score that is kept.
    """

    edges: np.ndarray
    kept: np.ndarray
    dropped: np.ndarray
    merged: np.ndarray
    cut: float


def score_bins(scores: np.ndarray, ranked: np.ndarray, kept: np.ndarray, cut: float) -> ScoreBins:
    """Count samples by score.

    Args:
        scores: N float32, NaN where there is none.
        ranked: N bool, the samples that the cut was applied to; other scored ones have lost to a better picture.
        kept: N bool.
        cut: lowest score that is kept.
    """
    scored = np.isfinite(scores)
    bins = min(MOST_BINS, 12 + int(2 * np.sqrt(scored.sum())))  # few samples in fine bins look like a comb
    edges = _edges(float(scores[scored].min()), float(scores[scored].max()), cut, bins)
    above, below, other = (
        np.histogram(scores[chosen], edges)[0] for chosen in (kept, ranked & ~kept, scored & ~ranked)
    )
    return ScoreBins(edges, above, below, other, cut)


def _edges(low: float, high: float, cut: float, bins: int) -> np.ndarray:
    """About `bins` equal bins over low..high, moved so that the cut falls between two."""
    step = (high - low) / bins
    if step < 1e-6:  # all scores alike, or nearly
        return np.linspace(low - 0.01, high + 0.01, 4)
    if not low < cut < high:
        return np.linspace(low, high, bins + 1)
    below, above = int(np.ceil((cut - low) / step)), int(np.ceil((high - cut) / step))
    return cut + step * np.arange(-below, above + 1)


def write_score_histogram(path: Path, bins: ScoreBins, headline: str, lines: Sequence[str] = ()) -> None:
    """Write the histogram as PNG, whole or not at all.

    Args:
        path: the file.
        bins: what to show.
        headline: what was pruned.
        lines: what else to say below it.

    Raises:
        RunError: it cannot be written.
    """
    with drawing():
        figure = score_histogram(bins, headline, lines)
        data = saved_figure(figure, ".png")
    write_bytes(path, data)


def score_histogram(bins: ScoreBins, headline: str, lines: Sequence[str] = ()) -> Figure:
    """The figure; call and save it inside `svg.drawing`."""
    figure = Figure(figsize=(8.6, 4.4 + 0.2 * len(lines)), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.1))
    axes = figure.subplots()
    bottom = np.zeros(len(bins.kept))
    series = (
        (bins.kept, FIRST, "kept"),
        (bins.dropped, SECOND, "below the cut"),
        (bins.merged, FAINT, "caption has a better picture"),
    )
    for counts, colour, name in series:
        if counts.any() or name == "kept":
            axes.stairs(bottom + counts, bins.edges, baseline=bottom, fill=True, color=colour, linewidth=0,
                        label=f"{name}: {int(counts.sum()):,}")  # fmt: skip
            bottom = bottom + counts
    _mark_cut(axes, bins.cut, float(bottom.max(initial=1)))
    axes.set_xlabel("score: similarity of picture and caption")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value):,}"))
    axes.grid(axis="y", color=LINE)
    axes.set_title("samples per bin", color=FAINT, fontsize=9.5)
    axes.margins(x=0.01)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3, labelcolor=INK)
    figure.suptitle("\n".join(_clean(line) for line in (headline, *lines)), x=0.015, ha="left", fontsize=11, color=INK)
    return figure


def _mark_cut(axes: Axes, cut: float, highest: float) -> None:
    axes.axvline(cut, color=INK, linewidth=1.2, zorder=4)
    low, high = axes.get_xlim()
    right = cut <= (low + high) / 2  # the words stand where there is more room
    axes.set_ylim(0, highest * 1.16)
    axes.annotate(
        f"cut at {cut:.4f}", (cut, highest * 1.08), xytext=(6 if right else -6, 0), textcoords="offset points",
        ha="left" if right else "right", va="center", color=INK, fontsize=9.5,
    )  # fmt: skip


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:110]
