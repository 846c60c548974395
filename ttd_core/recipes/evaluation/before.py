"""`ttd evaluate --lora X --before`: the figures of the model without its adapter beside those with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ttd_core.recipes.evaluation.printed import digits_of, shown_value
from ttd_core.recipes.evaluation.result import figures_of
from ttd_core.recipes.evaluation.scenes_printed import PrintedTable
from ttd_core.recipes.evaluation.summary import METRICS

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.options import EvaluateOptions

_TABLE_FIGURES = ("f1", "ranking", "pixel_auc", "pointing", "views", "caption_iou")
"""Last parts of the names of those figures of the scenes tables that sum a row up."""


def without_adapter(options: EvaluateOptions) -> EvaluateOptions:
    """The same evaluation of the model as it was before its adapter, a run of its own beside the other."""
    model = replace(options.model, lora=None)
    return replace(options, model=model, before=False, expect=None, per_sample=False, out=None)


def with_before(result: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A result that also tells the figures before.

    Args:
        result: the content of `metrics.json`.
        before: that of the model without its adapter.

    Returns:
        The result with one more key, `before`: `run_id` and `figures` by name.
    """
    return {**result, "before": {"run_id": before["run_id"], "figures": figures_of(before)}}


def before_table(result: Mapping[str, Any]) -> PrintedTable:
    """Before, after and the change between them, figure by figure; of the scenes tables the rows that have changed.

    Args:
        result: see `with_before`.
    """
    counts = result["counts"]["scored"]
    task = "tables" if "tables" in result else result["task"]
    title = f"{task} on {result['data']}, {counts} sample{'s' if counts != 1 else ''}: {_adapter(result)}"
    return PrintedTable(title, ("", "before", "after", "change", "unit"), tuple(_rows(result)))


def _adapter(result: Mapping[str, Any]) -> str:
    model = result["options"].get("model", {})
    return f"{model.get('model', 'the model')} before and after --lora {model.get('lora')}"


def _rows(result: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    before = result["before"]["figures"]
    for key, value in result.get("figures", figures_of(result)).items():
        old = before.get(key)
        if "tables" in result and (key.rpartition(".")[2] not in _TABLE_FIGURES or value == old):
            continue
        unit = METRICS[key][0] if key in METRICS else "percent"
        yield (key, shown_value(old, unit), shown_value(value, unit), _change(old, value, digits_of(unit)), unit)


def _change(old: float | None, new: float | None, digits: int) -> str:
    """The difference of the two figures as they are shown, so that a line adds up."""
    return "-" if old is None or new is None else f"{round(new, digits) - round(old, digits):+.{digits}f}"
