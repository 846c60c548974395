"""What can be evaluated: data sets and published rows, as plain rows for tables and machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ttd_core.data.benchmarks.catalogue import entries
from ttd_core.recipes.evaluation.availability import availability, command
from ttd_core.recipes.evaluation.published import published_names, published_row
from ttd_core.recipes.evaluation.summary import METRICS


def data_set_rows() -> Iterator[dict[str, Any]]:
    """Every data set: name, aliases, tasks, splits and layouts."""
    yield {
        "name": "scenes",
        "aliases": [],
        "tasks": "tags, text, masks, bias, classification",
        "split": "test, hard, val, train",
        "description": "built in: drawn pictures with captions, no download; without a split all its tables",
        "layouts": [],
    }
    for entry in entries():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "tasks": ", ".join(entry.tasks),
            "split": entry.split,
            "description": entry.summary,
            "layouts": list(entry.layouts),
        }


def published_rows(root: Path | None, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Every published row: its figures, whether it can be computed here, and what to do.

    Args:
        root: folder of the data sets, None where none was named.
        given: paths typed for weights and other files.
    """
    for name in published_names():
        row = published_row(name)
        found = availability(row, root, given)
        yield {
            "name": name,
            "title": row.title,
            "system": row.system,
            "task": row.task,
            "data": row.data,
            "published": ", ".join(f"{key} {_shown(figure.value, key)}" for key, figure in row.published.items()),
            "figures": {key: [figure.value, figure.tolerance] for key, figure in row.published.items()},
            "source": row.source,
            "arrives": row.arrives,
            "here": _state(row.arrives, found.complete, found.data, found.weights),
            "missing": list(found.missing),
            "command": command(row, root, given),
        }


def _shown(value: float, key: str) -> str:
    return f"{value:.1f}" if METRICS[key][0] == "percent" else f"{value:.3f}"


def _state(arrives: str | None, complete: bool, data: bool | None, weights: bool | None) -> str:
    if arrives is not None:
        return f"later ({arrives})"
    if complete:
        return "ready"
    absent = [word for word, found in (("data", data), ("weights", weights)) if found is False or found is None]
    return f"needs {' and '.join(absent)}" if absent else "needs files"
