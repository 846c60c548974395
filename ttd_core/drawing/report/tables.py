"""Numbers of the page in the order and form in which they are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttd_core.drawing.report.contents import ClassRow, Confusion, FigureRow

MAIN_CLASSES = 12
DASH = "–"


@dataclass(frozen=True)
class Cell:
    """One cell of the confusion table: its text, its share 0..1 of the row, and whether it lies on the diagonal."""

    text: str
    share: float
    right: bool
    title: str


@dataclass(frozen=True)
class ConfusionTable:
    """The main classes by truth and a last row and column for the rest.

    Args:
        names: of rows and columns alike.
        totals: truth of every row, as text.
        rows: cells per row.
        grouped: how many classes stand together as the last one, 0 for none.
        counted: what was counted.
    """

    names: list[str]
    totals: list[str]
    rows: list[list[Cell]]
    grouped: int
    counted: str


def confusion_table(confusion: Confusion) -> ConfusionTable | None:
    """Normalise each row of the classes with most truth; None where nothing was counted.

    The rest is one group, unless there are at most `MAIN_CLASSES` + 1 classes: a group of one says less than its name.
    """
    counts = np.asarray(confusion.counts, dtype=np.int64)
    names = list(confusion.names)
    truth = counts.sum(axis=1)
    if not truth.sum():
        return None
    if len(names) <= MAIN_CLASSES + 1:
        order, grouped = np.arange(len(names)), 0
    else:
        order, grouped = np.argsort(-truth, kind="stable"), len(names) - MAIN_CLASSES
        group = np.minimum(np.argsort(order), MAIN_CLASSES)  # class → place in the table
        summed = np.zeros((MAIN_CLASSES + 1, MAIN_CLASSES + 1), dtype=np.int64)
        np.add.at(summed, (group[:, None], group[None, :]), counts)
        counts, truth = summed, summed.sum(axis=1)
        names = [names[index] for index in order[:MAIN_CLASSES]] + [f"{grouped} others"]
    rows = [_cells(names, row, index, confusion.counted) for index, row in enumerate(counts)]
    shares = [f"{100 * total / truth.sum():.1f}" for total in truth]
    return ConfusionTable(names, shares, rows, grouped, confusion.counted)


def _cells(names: list[str], row: np.ndarray, index: int, counted: str) -> list[Cell]:
    total = int(row.sum())
    cells = []
    for column, count in enumerate(row.tolist()):
        share = count / total if total else 0.0
        title = f"{count:,} {counted} of {names[index]} taken for {names[column]}"
        cells.append(Cell(_percent(share) if total else DASH, round(share, 3), column == index, title))
    return cells


def _percent(share: float) -> str:
    """Whole percents; what is there but below half of one shows as a dot, nothing as nothing."""
    return f"{100 * share:.0f}" if share >= 0.005 else "·" if share else ""


@dataclass(frozen=True)
class ClassTable:
    """Classes sorted by value, best first, those without one apart.

    Args:
        rows: classes that occur.
        absent: names of those that occur nowhere.
        columns: names of the further columns, in order of appearance.
        mean: of the values.
    """

    rows: list[ClassRow]
    absent: list[str]
    columns: list[str]
    mean: float


def class_table(classes: Sequence[ClassRow]) -> ClassTable | None:
    """Sort the classes; None without any."""
    if not classes:
        return None
    rows = sorted((row for row in classes if not math.isnan(row.value)), key=lambda row: (-row.value, row.name))
    absent = [row.name for row in classes if math.isnan(row.value)]
    columns = list(dict.fromkeys(name for row in rows for name in row.extra))
    mean = math.fsum(row.value for row in rows) / len(rows) if rows else math.nan
    return ClassTable(rows, absent, columns, mean)


def baseline_names(figures: Sequence[FigureRow]) -> list[str]:
    """Names of all trivial answers, in order of appearance."""
    return list(dict.fromkeys(name for row in figures for name in row.baselines))


def shown(value: object) -> str:
    """A value as a reader likes it: thousands apart, two decimals, a dash for NaN and None, text as it stands."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, (float, np.floating)):
        return DASH if math.isnan(value) else f"{float(value):,.2f}"
    return str(value)
