"""The result of an evaluation as tables for people: titles, columns and cells, made from what `metrics.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttd_core.recipes.evaluation.scenes_printed import PrintedTable, printed_tables

_CLASSES = 12
_EXACT = 0.001
"""Tolerances below this ask for every digit."""

_DIGITS = {"exact": 4, "percent": 1, "fraction": 3, "correlation": 2, "tags": 2}


def shown_value(value: float | None, unit: str) -> str:
    """A figure as it is read: percent with one decimal, fractions with three; a dash where nothing was counted."""
    return "-" if value is None else f"{value:.{digits_of(unit)}f}"


def digits_of(unit: str) -> int:
    """Decimals with which figures of a unit are read."""
    return _DIGITS.get(unit, 3)


def result_tables(result: Mapping[str, Any]) -> list[PrintedTable]:
    """The tables of a result: figures beside the published row and the trivial answers, then the classes.

    Args:
        result: the content of `metrics.json`.
    """
    if "tables" in result:
        return printed_tables(result["tables"])
    tables = [_figures(result)]
    if result["per_class"] and result["task"] in ("masks", "classification"):
        tables.append(_classes(result))
    return tables


def _figures(result: Mapping[str, Any]) -> PrintedTable:
    published = any("published" in metric for metric in result["metrics"].values())
    baselines = {name: values for name, values in result["baselines"].items() if values}
    columns = ("", "this run", *(["published"] if published else []), *baselines, "unit")
    rows = []
    for key, metric in result["metrics"].items():
        unit = metric["unit"]
        figure = metric.get("published")
        exact = figure is not None and figure["tolerance"] < _EXACT
        cells = [key, shown_value(metric["value"], "exact" if exact else unit)]
        if figure is not None:
            cells.append(f"{shown_value(figure['value'], 'exact' if exact else unit)} ± {figure['tolerance']:g}")
        elif published:
            cells.append("")
        cells += [shown_value(values[key], unit) if key in values else "" for values in baselines.values()]
        rows.append((*cells, unit))
    counts = result["counts"]
    samples = "1 sample" if counts["scored"] == 1 else f"{counts['scored']} samples"
    title = f"{result['task']} on {result['data']}, {samples}"
    return PrintedTable(title, columns, tuple(rows))


def _classes(result: Mapping[str, Any]) -> PrintedTable:
    """The classes, or of a long list the worst and the best of those that occur."""
    key = "iou" if result["task"] == "masks" else "ap" if "ap" in result["per_class"][0] else "f1"
    known = sorted((row for row in result["per_class"] if row[key] is not None), key=lambda row: -row[key])
    cut = len(known) > 2 * _CLASSES
    shown = [*known[:_CLASSES], *known[-_CLASSES:]] if cut else known
    columns = tuple(name for name in result["per_class"][0] if name not in ("tp", "fp", "fn"))
    rows = tuple(tuple(_cell(row[name], name) for name in columns) for row in shown)
    absent = len(result["per_class"]) - len(known)
    title = f"{_CLASSES} best and {_CLASSES} worst of {len(known)} classes" if cut else f"{len(known)} classes"
    return PrintedTable(title + (f", {absent} occur nowhere" if absent else ""), columns, rows)


def _cell(value: Any, name: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if name in ("fpr", "fnr") else f"{value:.1f}"
    return str(value)
