"""`metrics.json`: the documented result of an evaluation (docs/evaluate.md).

Figures stand under plain keys with unit and direction. The file is the same for the same data, weights and options
on one machine; times and command lines are in `manifest.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ttd_core.atomic import write_text
from ttd_core.config import result_mapping
from ttd_core.errors import RunError
from ttd_core.recipes.evaluation.summary import METRICS, Summary

if TYPE_CHECKING:
    from pathlib import Path

    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.published import PublishedRow
    from ttd_core.runs import RunDirectory

SCHEMA = "ttd-metrics"
VERSION = 1
FILE = "metrics.json"


def result_object(
    options: EvaluateOptions,
    task: str,
    summary: Summary,
    counts: Mapping[str, int],
    run: RunDirectory,
    row: PublishedRow | None,
    hashes: Mapping[str, str | None],
) -> dict[str, Any]:
    """The object that is written, printed and compared.

    Args:
        options: the settings.
        task: what was measured.
        summary: the figures.
        counts: samples listed, absent, selected, missing, planned, scored and skipped.
        run: tells versions and device.
        row: the published row beside it, None without.
        hashes: `samples`, `predictions`.
    """
    manifest = run.manifest
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "task": task,
        "data": options.data,
        "recipe": options.recipe,
        "run_id": manifest["run_id"],
        "complete": counts["skipped"] == 0 and counts["scored"] == counts["planned"],
        "metrics": {key: _metric(key, value, row) for key, value in summary.metrics.items()},
        "baselines": without_nan(summary.baselines),
        "counts": {**counts, **summary.counts},
        "per_class": without_nan(summary.per_class),
        "options": result_mapping(options),
        "reading": manifest.get("reading"),
        "seed": options.seed,
        "shard": options.shard,
        "hashes": {
            **hashes,
            "weights": manifest.get("weights_sha256"),
            "model": manifest.get("model_sha256"),
        },
        "environment": {
            key: manifest.get(key) for key in ("ttd", "commit", "python", "platform", "packages", "device", "dtype")
        },
    }


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write the object, whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    write_text(path, json.dumps(result, indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a finished run.

    Raises:
        RunError: it is gone or damaged.
    """
    try:
        result = json.loads((folder / FILE).read_text(encoding="utf-8"))
        whole = isinstance(result, dict) and result.get("schema") == SCHEMA and result.get("version") == VERSION
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise RunError(f"{folder / FILE}: gone, damaged or of another release", hint="--overwrite evaluates anew")
    return dict(result)


def beside(result: Mapping[str, Any], recipe: str | None, row: PublishedRow | None) -> dict[str, Any]:
    """A result as read back, beside the published row that is asked for now; a run's name does not depend on it.

    Args:
        result: see `result_object`.
        recipe: name of the row.
        row: the row itself, None without.
    """
    metrics = {
        key: {name: part for name, part in metric.items() if name != "published"} | _published(key, row)
        for key, metric in result["metrics"].items()
    }
    return {**result, "recipe": recipe, "metrics": metrics, "options": {**result["options"], "recipe": recipe}}


def figures_of(result: Mapping[str, Any]) -> dict[str, float | None]:
    """Every figure that `--expect` may name: the metrics, and in the scenes tables the rows' own."""
    found = {key: metric["value"] for key, metric in result["metrics"].items()}
    return found | dict(result.get("figures", {}))


def _metric(key: str, value: float, row: PublishedRow | None) -> dict[str, Any]:
    unit, higher, _ = METRICS[key]
    return {"value": without_nan(float(value)), "unit": unit, "higher_is_better": higher} | _published(key, row)


def _published(key: str, row: PublishedRow | None) -> dict[str, Any]:
    figure = None if row is None else row.published.get(key)
    return {} if figure is None else {"published": {"value": figure.value, "tolerance": figure.tolerance}}


def without_nan(value: Any) -> Any:
    """The same value with null for NaN, which JSON does not know: nothing was counted."""
    if isinstance(value, Mapping):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
