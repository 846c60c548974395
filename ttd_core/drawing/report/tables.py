"""Numbers of the page in the order and form in which they are read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttd_core.drawing.report.contents import ClassRow, Confusion, FigureRow, Table

MAIN_CLASSES = 12
DASH = "–"
_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+%?")
_NO_NUMBER = ("", "-", DASH)


@dataclass(frozen=True)
class Cell:
    """One cell of the confusion table: its text, its share 0..1 of the row, and whether it lies on the diagonal."""

    text: str
    share: float
    right: bool
    title: str


@dataclass(frozen=True)
class ConfusionRow:
    """One true class: its name, its share of the whole truth in percent as text, and one cell per column."""

    name: str
    total: str
    cells: list[Cell]


@dataclass(frozen=True)
class ConfusionTable:
    """The main classes by truth, then one row and column for the rest, then what is no class.

    Args:
        names: of the columns.
        rows: the classes that have truth.
        grouped: how many classes stand together as the last one, 0 for none.
        counted: what was counted.
    """

    names: list[str]
    rows: list[ConfusionRow]
    grouped: int
    counted: str


def confusion_table(confusion: Confusion) -> ConfusionTable | None:
    """Normalise each row of the classes with most truth, and then most answers; None where nothing was counted.

    The rest is one group, unless there are at most `MAIN_CLASSES` + 1 classes: a group of one says less than its name.
    Classes without truth have no row.
    """
    counts = np.asarray(confusion.counts, dtype=np.int64)
    truth = counts.sum(axis=1)
    if not truth.sum():
        return None
    classes = len(confusion.names) - confusion.apart
    main = list(range(classes))
    if classes > MAIN_CLASSES + 1:
        answer = counts.sum(axis=0)
        order = np.lexsort((-answer[:classes], -truth[:classes])).tolist()
        main = [index for index in order if truth[index] or answer[index]][:MAIN_CLASSES]
    grouped = classes - len(main)
    if grouped == 1:
        main, grouped = [*main, *set(range(classes)) - set(main)], 0
    names = [confusion.names[index] for index in main] + ([f"{grouped} others"] if grouped else [])
    place = np.full(len(confusion.names), len(main))  # class → place in the table, first of all that of the group
    place[main] = np.arange(len(main))
    place[classes:] = len(names) + np.arange(confusion.apart)
    names += confusion.names[classes:]
    summed = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(summed, (place[:, None], place[None, :]), counts)
    rows = [
        ConfusionRow(names[index], f"{100 * total / truth.sum():.1f}", _cells(names, row, index, confusion.counted))
        for index, (row, total) in enumerate(zip(summed, summed.sum(axis=1), strict=True))
        if total
    ]
    return ConfusionTable(names, rows, grouped, confusion.counted)


def _cells(names: list[str], row: np.ndarray, index: int, counted: str) -> list[Cell]:
    total = int(row.sum())  # there is truth, or the row would not be
    cells = []
    for column, count in enumerate(row.tolist()):
        share = count / total
        title = f"{count:,} {counted} of {names[index]} taken for {names[column]}"
        cells.append(Cell(_percent(share), round(share, 3), column == index, title))
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


@dataclass(frozen=True)
class ReadyTable:
    """A table as the page takes it.

    Args:
        title: its heading.
        columns: headings, and whether what stands below is numbers.
        rows: cells, and whether the row begins a group that differs in its first cell.
    """

    title: str
    columns: list[tuple[str, bool]]
    rows: list[tuple[bool, list[tuple[str, bool]]]]


def ready_table(table: Table) -> ReadyTable:
    """Find the columns of numbers, and where groups begin; rows that are too short are filled, longer ones cut."""
    width = len(table.columns)
    rows = [[*row[:width], *[""] * (width - len(row))] for row in table.rows]
    numbers = [index > 0 and _numeric([row[index] for row in rows]) for index in range(width)]
    first = [row[0] if row else "" for row in rows]
    grouped = len(set(first)) < len(first)  # where every row has a name of its own a line under each says nothing
    begins = [grouped and index > 0 and name != first[index - 1] for index, name in enumerate(first)]
    return ReadyTable(
        table.title,
        list(zip(table.columns, numbers, strict=True)),
        [(new, list(zip(row, numbers, strict=True))) for new, row in zip(begins, rows, strict=True)],
    )


def _numeric(cells: Sequence[str]) -> bool:
    """Whether all cells that say something are numbers and at least one does."""
    said = [cell.strip() for cell in cells if cell.strip() not in _NO_NUMBER]
    return bool(said) and all(_NUMBER.fullmatch(cell) for cell in said)


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
