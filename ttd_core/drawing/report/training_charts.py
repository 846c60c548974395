"""The curves of a training: a small panel for every figure of its log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ttd_core.atomic import write_bytes
from ttd_core.drawing.report.svg import FAINT, FIRST, INK, LINE, SECOND, THIRD, drawing, saved_figure

COLUMNS = 3
PANEL = (3.2, 2.05)  # inches
MOST_PANELS = 30
_KINDS = (("losses", "loss", FIRST), ("validation", "validation", SECOND), ("monitors", "monitor", THIRD))
_RATE = "learning rate"  # is smooth
_COURSE = (("grad_norm", "gradient norm"), ("lr", _RATE), ("samples_per_second", "samples per second"))
_SMOOTHED_FROM = 60  # points; with fewer every point can be seen


@dataclass
class _Line:
    """One figure over the steps: its title, colour, and points as steps and values."""

    title: str
    colour: str
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Course:
    """All lines, the steps at which a stage ends, and where and why the training was stopped."""

    lines: list[_Line]
    ends: list[int]
    stopped: tuple[int, str] | None


def write_training_chart(path: Path, entries: Sequence[Mapping[str, Any]], best_step: int | None = None) -> None:
    """Draw the curves of a training as a PNG picture; the same log gives the same picture.

    Args:
        path: where to, ending in `.png`; whole or not at all.
        entries: lines of `log.jsonl` in order: `stage`, `step`, `losses`, `validation`, `monitors`, `grad_norm`, `lr`,
            `samples_per_second`, `reason`; others are left out. Without any nothing is drawn.
        best_step: after how many steps (of all stages together) the best weights were measured.

    Raises:
        RunError: it cannot be written.
    """
    course = _course(entries)
    if not course.lines:
        return
    with drawing():
        write_bytes(path, saved_figure(_training_figure(course, best_step), path.suffix))


def _training_figure(course: _Course, best_step: int | None) -> Figure:
    """A panel for every line, `COLUMNS` in a row, and a sentence below where a guard ended the training."""
    lines = course.lines[:MOST_PANELS]
    rows = math.ceil(len(lines) / COLUMNS)
    columns = min(COLUMNS, len(lines))
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.35), layout="constrained")
    last = max(max(line.steps) for line in lines)
    for number, line in enumerate(lines, 1):
        axes = figure.add_subplot(rows, columns, number)
        _draw(axes, line, course.ends, best_step)
        for end in course.ends:
            axes.axvline(end, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
        if course.stopped is not None:
            axes.axvline(course.stopped[0], color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        axes.set_xlim(0, last * 1.02 or 1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.supxlabel(_below(course, best_step), color=FAINT, fontsize=9)
    return figure


def _draw(axes: Axes, line: _Line, ends: Sequence[int], best_step: int | None) -> None:
    steps, values = np.array(line.steps), np.array(line.values)
    if len(steps) >= _SMOOTHED_FROM and line.title != _RATE:
        axes.plot(steps, values, color=line.colour, alpha=0.3, linewidth=0.7)
        for part in np.split(np.arange(len(steps)), np.searchsorted(steps, ends, side="right")):
            axes.plot(steps[part], _smoothed(values[part]), color=line.colour, linewidth=1.5)
    else:
        axes.plot(steps, values, color=line.colour, linewidth=1.5, marker="o", markersize=2.5)
    if best_step in line.steps and line.colour == SECOND:
        value = line.values[line.steps.index(best_step)]
        axes.plot([best_step], [value], marker="o", markersize=8, markerfacecolor="none", markeredgecolor=INK)
    axes.grid(axis="y", color=LINE)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # flat, but for rounding
        axes.set_ylim(low - 0.1 * (abs(low) or 1), low + 0.1 * (abs(low) or 1))
    axes.set_title(line.title, color=line.colour)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Mean over a window of a twentieth of the points, narrower at both ends, over what is a number."""
    half = max(1, len(values) // 40)
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    place = np.arange(len(values))
    reach = np.minimum(half, np.minimum(place, len(values) - 1 - place))
    low, high = place - reach, place + reach + 1
    number = count[high] - count[low]
    return np.where(number > 0, (total[high] - total[low]) / np.maximum(number, 1), np.nan)


def _below(course: _Course, best_step: int | None) -> str:
    words = "steps"
    if best_step is not None:
        words += f"; the ring marks the best weights, after {best_step}"
    if course.stopped is not None:
        step, reason = course.stopped
        words += f"\nstopped after {step}: {reason[:120]}"
    return words


def _course(entries: Sequence[Mapping[str, Any]]) -> _Course:
    """Sort the figures into lines; the steps of a later stage follow on those of the earlier ones."""
    lines: dict[tuple[int, str], _Line] = {}
    before, stage, latest = 0, None, 0
    ends: list[int] = []
    stopped = None
    for entry in entries:
        if "stage" not in entry or "step" not in entry:
            continue
        if stage is not None and entry["stage"] != stage:
            before = latest
            ends.append(latest)
        stage = entry["stage"]
        latest = before + int(entry["step"])
        if entry.get("reason") is not None:
            stopped = (latest, str(entry["reason"]))
        for kind, title, colour, value in _figures(entry):
            line = lines.setdefault((kind, title), _Line(title, colour))
            if not line.steps or line.steps[-1] < latest:
                line.steps.append(latest)
                line.values.append(math.nan if value is None else float(value))
    found = [line for _, line in sorted(lines.items(), key=lambda item: item[0][0])]
    return _Course([line for line in found if np.isfinite(line.values).any()], ends, stopped)


def _figures(entry: Mapping[str, Any]) -> Iterator[tuple[int, str, str, Any]]:
    """Kind, title, colour and value of each figure of a line; kinds in the order of the panels."""
    for kind, (name, label, colour) in enumerate(_KINDS):
        for figure, value in (entry.get(name) or {}).items():
            yield kind, f"{label}: {figure}", colour, value
    for name, label in _COURSE:
        if entry.get(name) is not None:
            yield len(_KINDS), label, FAINT, entry[name]
