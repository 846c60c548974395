"""The scenes tables as text: titles, columns and cells, made from what `metrics.json` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PrintedTable:
    """One table.

    Args:
        title: what it shows and in which unit.
        columns: headings.
        rows: cells, one per column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def printed_tables(tables: Mapping[str, Any], words: bool = False) -> list[PrintedTable]:
    """Every table with one decimal, in percent throughout.

    Args:
        tables: `ScenesTables.to_json()`.
        words: also the table word by word, which is long.
    """
    printed = [_tags(tables["tags"]), _ranking(tables["ranking"]), _maps(tables["maps"]), _kinds(tables["kinds"])]
    if words:
        printed.append(_words(tables["words"]))
    return [*printed, _masks(tables["masks"])]


def as_markdown(printed: Sequence[PrintedTable]) -> str:
    """Tables one below the other."""
    lines: list[str] = []
    for table in printed:
        lines += [f"{table.title}:", "", _line(table.columns), "|" + "---|" * len(table.columns)]
        lines += [*map(_line, table.rows), ""]
    return "\n".join(lines).rstrip("\n")


def _tags(rows: Sequence[Mapping[str, Any]]) -> PrintedTable:
    cells = [
        (row["split"], row["row"], _cut(row["threshold"], 3), *_percent(row, "precision", "recall", "f1", "accuracy"))
        for row in rows
    ]
    return PrintedTable("Tags, percent", ("split", "row", "threshold", "P", "R", "F1", "Acc"), tuple(cells))


def _ranking(rows: Sequence[Mapping[str, Any]]) -> PrintedTable:
    cells = [(row["split"], f"{row['row']} cosine", *_percent(row, "auc")) for row in rows]
    return PrintedTable("Visible words ranked above absent ones, percent", ("split", "row", "AUC"), tuple(cells))


def _maps(rows: Sequence[Mapping[str, Any]]) -> PrintedTable:
    cells = [(row["split"], row["views"], *_percent(row, "pixel_auc", "pointing")) for row in rows]
    return PrintedTable("Maps of visible words, percent", ("split", "views", "pixel AUC", "pointing"), tuple(cells))


def _kinds(rows: Sequence[Mapping[str, Any]]) -> PrintedTable:
    cells = [(f"{row['name']}s ({row['count']})", *_percent(row, "pixel_auc", "pointing")) for row in rows]
    return PrintedTable("The same, mean over words", ("words", "pixel AUC", "pointing"), tuple(cells))


def _words(rows: Sequence[Mapping[str, Any]]) -> PrintedTable:
    cells = [(row["name"], row["kind"], str(row["count"]), *_percent(row, "pixel_auc", "pointing")) for row in rows]
    columns = ("word", "kind", "captions", "pixel AUC", "pointing")
    return PrintedTable("The same, word by word", columns, tuple(cells))


def _masks(rows: Sequence[Mapping[str, Any]]) -> PrintedTable:
    cells = [
        (
            f"{row['captions']} ({row['count']})",
            row["row"],
            row["refine"],
            _cut(row["threshold"], 2) + (" (best on val)" if row["best_on_val"] else ""),
            *_percent(row, "caption_iou"),
            *(_number(row[key], 100) for key in ("mfpr", "mfnr")),
        )
        for row in rows
    ]
    columns = ("captions", "mask", "refined", "threshold", "IoU", "FPR", "FNR")
    return PrintedTable("Masks of captions on test, percent", columns, tuple(cells))


def _percent(row: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    return tuple(_number(row[key]) for key in keys)


def _number(value: float | None, factor: float = 1) -> str:
    """One decimal; a figure that does not exist is a dash."""
    return "-" if value is None else f"{factor * value:.1f}"


def _cut(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
