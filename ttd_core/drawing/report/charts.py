"""The charts of the report: scores of true and false candidates, precision against recall."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ttd_core.drawing.report.contents import Curve, ScoreHistogram
from ttd_core.drawing.report.svg import FAINT, FIRST, INK, LINE, PAPER, SECOND, drawing, inline_svg

SIZE = (4.9, 3.25)  # inches of 72 units; the page shows a unit as 1.1 to 1.5 pixels
_MOST_POINTS = 1500
_FINENESS = 0.2  # percent; finer steps of a curve cannot be seen


def histogram_chart(histogram: ScoreHistogram) -> str:
    """Scores of true candidates above the axis and of false ones below, each as shares of its own kind.

    Shares, since false candidates are so many more that counts would flatten the true ones.

    Returns:
        An `<svg>` element.
    """
    edges = np.asarray(histogram.edges, dtype=np.float64)
    kinds = (
        ("true", np.asarray(histogram.true_counts), FIRST, 1),
        ("false", np.asarray(histogram.false_counts), SECOND, -1),
    )
    with drawing():
        figure, axes = panel()
        highest = 0.0
        for name, counts, colour, side in kinds:
            shares = 100 * counts / max(1, int(counts.sum()))
            highest = max(highest, float(shares.max(initial=0)))
            axes.stairs(side * shares, edges, fill=True, color=colour, linewidth=0)
            axes.text(0.995, 0.97 if side > 0 else 0.03, f"{name} candidates: {int(counts.sum()):,}", color=colour,
                      transform=axes.transAxes, ha="right", va="top" if side > 0 else "bottom")  # fmt: skip
        highest = max(highest * 1.32, 1.0)
        axes.set_ylim(-highest, highest)
        axes.set_xlim(edges[0], edges[-1])
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
        if histogram.threshold is not None and edges[0] <= histogram.threshold <= edges[-1]:
            axes.axvline(histogram.threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            at_right = histogram.threshold > (edges[0] + edges[-1]) / 2
            axes.annotate(f"kept from {histogram.threshold:g}", (histogram.threshold, 0.84), color=INK, fontsize=9,
                          xycoords=("data", "axes fraction"), xytext=(-5 if at_right else 5, 0),
                          textcoords="offset points", ha="right" if at_right else "left")  # fmt: skip
        axes.grid(axis="y")
        axes.set_title("share of the candidates of a kind, percent", color=FAINT, fontsize=9.5)
        axes.set_xlabel("score")
        return inline_svg(figure, "scores", _histogram_words(histogram))


def curve_chart(curve: Curve) -> str:
    """Precision against recall over faint lines of equal F1, with the operating point marked.

    Returns:
        An `<svg>` element.
    """
    recall, precision = 100 * np.asarray(curve.recall, float), 100 * np.asarray(curve.precision, float)
    known = np.isfinite(recall) & np.isfinite(precision)
    recall, precision = thinned(np.stack([recall[known], precision[known]]))
    with drawing():
        figure, axes = panel()
        _equal_f1(axes)
        if curve.keep_all is not None:
            axes.axhline(100 * curve.keep_all, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
            axes.text(
                1,
                100 * curve.keep_all + 2,
                "everything kept",
                color=FAINT,
                fontsize=9,
                va="bottom",
                zorder=2,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
            )
        axes.plot(recall, precision, color=FIRST, linewidth=1.8)
        if curve.operating_point is not None:
            mark_point(axes, 100 * curve.operating_point[0], 100 * curve.operating_point[1])
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 103)
        axes.set_title("precision, percent", color=FAINT, fontsize=9.5)
        axes.set_xlabel("recall, percent")
        return inline_svg(figure, "curve", _curve_words(curve))


def panel(width: float = SIZE[0], height: float = SIZE[1]) -> tuple[Figure, Axes]:
    """A figure with one pair of axes that uses the room it has; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def thinned(points: np.ndarray, most: int = _MOST_POINTS) -> np.ndarray:
    """Drop the points of a line that cannot be told from the one before, then every other one until few are left.

    Args:
        points: 2×N in percent, joined in this order.
        most: how many may stay at most.

    Returns:
        2×M, the first and the last point among them.
    """
    if points.shape[1] <= 2:
        return points
    moved = (np.diff(np.round(points / _FINENESS), axis=1) != 0).any(axis=0)
    kept = np.flatnonzero(np.concatenate([[True], moved[:-1], [True]]))
    if len(kept) > most:
        kept = kept[np.linspace(0, len(kept) - 1, most).round().astype(int)]
    return points[:, kept]


def mark_point(axes: Axes, recall: float, precision: float) -> None:
    """A ringed dot with its figures beside it, on the side where there is room."""
    if not (np.isfinite(recall) and np.isfinite(precision)):
        return
    total = recall + precision
    f1 = 2 * recall * precision / total if total else 0.0
    axes.plot([recall], [precision], marker="o", markersize=8, color=SECOND, markeredgecolor=PAPER,
              markeredgewidth=1.5, zorder=5)  # fmt: skip
    left, low = recall > 55, precision > 30
    axes.annotate(
        f"P {precision:.1f}, R {recall:.1f}, F1 {f1:.1f}", (recall, precision), color=INK, fontsize=9.5,
        xytext=(-8 if left else 8, -12 if low else 12), textcoords="offset points", ha="right" if left else "left",
        va="top" if low else "bottom", zorder=6,
    )  # fmt: skip


def _equal_f1(axes: Axes) -> None:
    for f1 in (20, 40, 60, 80):
        recall = np.linspace(f1 / 2 + 0.5, 100, 60)
        precision = f1 * recall / (2 * recall - f1)
        inside = precision <= 100
        axes.plot(recall[inside], precision[inside], color=LINE, linewidth=1, zorder=0)
        axes.text(102, precision[-1], f"F1 {f1}", color=FAINT, fontsize=8, va="center", zorder=0)


def _histogram_words(histogram: ScoreHistogram) -> str:
    true, false = int(np.sum(histogram.true_counts)), int(np.sum(histogram.false_counts))
    words = f"Histogram of the scores of {true} true and {false} false candidates"
    edges = np.asarray(histogram.edges, float)
    middles = (edges[:-1] + edges[1:]) / 2
    means = [
        f"mean score of the {name} ones {float(counts @ middles) / total:.2f}"
        for name, counts, total in (("true", histogram.true_counts, true), ("false", histogram.false_counts, false))
        if total
    ]
    return "; ".join([words, *means])


def _curve_words(curve: Curve) -> str:
    words = "Precision against recall over all thresholds"
    if curve.average_precision is not None:
        words += f"; average precision {100 * curve.average_precision:.1f} percent"
    if curve.operating_point is not None:
        recall, precision = curve.operating_point
        words += f"; operating point at recall {100 * recall:.1f} and precision {100 * precision:.1f} percent"
    return words
