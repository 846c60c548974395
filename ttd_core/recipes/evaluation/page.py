"""From the figures of an evaluation to its report page, and to the plot of the single tag bias."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ttd_core.drawing.report.bias import write_bias_plot
from ttd_core.drawing.report.contents import (
    BiasPoint,
    ClassRow,
    Confusion,
    Curve,
    Example,
    FigureRow,
    ReportPage,
    ScoreHistogram,
)
from ttd_core.drawing.report.page import write_report
from ttd_core.errors import DataError
from ttd_core.metrics.curves import precision_recall_curve, score_histogram
from ttd_core.recipes.evaluation.printed import shown_value
from ttd_core.recipes.evaluation.summary import METRICS, Row, Summary

if TYPE_CHECKING:
    import numpy as np

    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.plan import Plan
    from ttd_core.recipes.evaluation.task import Task
    from ttd_core.runs import RunDirectory

EXAMPLES = 4
"""How many of the worst and of the best samples are shown."""

_BAR = {
    "masks": ("iou", "IoU, percent"),
    "classification": ("f1", "F1, percent"),
    "tags": ("recall", "recall, percent"),
}
_TASKS = {
    "tags": "tag selection",
    "text": "masks of captions",
    "masks": "semantic segmentation",
    "classification": "multi-label classification",
    "bias": "single tag bias",
}


def write_evaluation_page(
    options: EvaluateOptions,
    plan: Plan,
    task: Task,
    summary: Summary,
    result: Mapping[str, Any],
    run: RunDirectory,
    report: Reporter,
) -> None:
    """Write `report.html`, and with the bias meter `bias.png`.

    Raises:
        RunError: a file cannot be written.
    """
    report.info("writing the report")
    points = _bias_points(run.rows()) if plan.task == "bias" else ()
    headline = _headline(summary) if plan.task == "bias" else ""
    worst, best = _examples(plan, task, summary, report)
    page = ReportPage(
        title=f"{_TASKS[plan.task].capitalize()} on {options.data}",
        subtitle=_subtitle(options, result),
        command=str(run.manifest.get("command_line") or ""),
        figures=_figures(result),
        notes=_notes(result),
        facts=_facts(result),
        classes=_class_rows(plan.task, summary),
        class_value=_BAR.get(plan.task, ("", ""))[1],
        confusion=_confusion(plan, summary),
        histogram=_histogram(options, summary),
        curve=_curve(summary),
        bias=points,
        bias_headline=headline,
        worst=worst,
        best=best,
    )
    write_report(run.product("report.html"), page)
    if points:
        write_bias_plot(run.product("bias.png"), points, headline)


def write_tables_page(options: EvaluateOptions, result: Mapping[str, Any], run: RunDirectory) -> None:
    """Write `report.html` of the scenes tables.

    Raises:
        RunError: the file cannot be written.
    """
    words = [
        ClassRow(row["name"], math.nan if row["pixel_auc"] is None else row["pixel_auc"], {
            "pictures": row["count"], "pointing": math.nan if row["pointing"] is None else row["pointing"],
        })
        for row in result["tables"]["words"]
    ]  # fmt: skip
    page = ReportPage(
        title="The scenes benchmark",
        subtitle=[("data", "scenes:test, scenes:hard and scenes:val"), ("model", options.model.model)],
        command=str(run.manifest.get("command_line") or ""),
        figures=_figures(result),
        facts=_facts(result),
        classes=words,
        class_value="pixel AUC, percent",
    )
    write_report(run.product("report.html"), page)


def _subtitle(options: EvaluateOptions, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [("task", _TASKS[result["task"]]), ("data", f"{options.data}, {result['counts']['scored']} samples")]
    if options.pred is not None:
        lines.append(("answers", options.pred))
    else:
        model = options.model
        lines.append(("model", " ".join(part for part in (model.model, model.pretrained, model.lora) if part)))
    return lines + ([("published row", options.recipe)] if options.recipe else [])


def _figures(result: Mapping[str, Any]) -> list[FigureRow]:
    rows = []
    for key, metric in result["metrics"].items():
        published = metric.get("published")
        rows.append(
            FigureRow(
                label=key,
                ours=shown_value(metric["value"], metric["unit"]),
                unit=metric["unit"],
                higher_is_better=metric["higher_is_better"],
                published=None if published is None else shown_value(published["value"], metric["unit"]),
                baselines={
                    name: shown_value(values[key], metric["unit"])
                    for name, values in result["baselines"].items()
                    if key in values
                },
                meaning=METRICS[key][2],
            )
        )
    return rows


def _notes(result: Mapping[str, Any]) -> list[str]:
    counts = result["counts"]
    notes = []
    if result["shard"] is not None:
        notes.append(f"These figures are those of shard {result['shard']} only.")
    if counts["selected"] < counts["listed"] - counts["absent"]:
        notes.append(f"Only the first {counts['selected']} of {counts['listed']} samples were looked at.")
    for key, what in (
        ("absent", "are listed by the data set but not whole"),
        ("missing", "have no answer"),
        ("skipped", "could not be read or answered"),
    ):
        if counts[key]:
            notes.append(f"{counts[key]} samples {what}; no figure counts them.")
    return notes


def _facts(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [(name.replace("_", " "), value) for name, value in result["counts"].items()]
    facts.append(("seed", result["seed"]))
    facts += [(f"SHA-256 of {name}", value) for name, value in result["hashes"].items() if value]
    for name, value in result["environment"].items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        if value:
            facts.append((name, value))
    return facts


def _class_rows(task: str, summary: Summary) -> list[ClassRow]:
    if task not in _BAR:
        return []
    bar = _BAR[task][0]
    return [
        ClassRow(
            str(row["name"]), float(row[bar]), {key: value for key, value in row.items() if key not in ("name", bar)}
        )
        for row in summary.per_class
    ]


def _confusion(plan: Plan, summary: Summary) -> Confusion | None:
    classes = plan.benchmark.classes
    if summary.confusion is None or classes is None:
        return None
    return Confusion(classes.names, summary.confusion)


def _known(summary: Summary) -> np.ndarray | None:
    """Decisions that have a score of their own: for a list of tags there is nothing to draw."""
    scores = summary.scores
    if scores is None or not len(scores):
        return None
    known: np.ndarray = scores[~_isnan(scores[:, 0])]
    return known if len(set(known[:, 0].tolist())) > 2 else None


def _isnan(values: np.ndarray) -> np.ndarray:
    different: np.ndarray = values != values
    return different


def _histogram(options: EvaluateOptions, summary: Summary) -> ScoreHistogram | None:
    scores = _known(summary)
    if scores is None:
        return None
    found = score_histogram(scores[:, 0], scores[:, 1])
    threshold = options.threshold if options.select == "fixed" and options.pred is None else None
    return ScoreHistogram(found.edges, found.true, found.false, threshold)


def _curve(summary: Summary) -> Curve | None:
    if _known(summary) is None:
        return None
    found = precision_recall_curve(summary.scores[:, 0], summary.scores[:, 1])
    metrics = summary.metrics
    point = (metrics["recall"] / 100, metrics["precision"] / 100)
    return Curve(
        found.recall,
        found.precision,
        operating_point=None if any(map(math.isnan, point)) else point,
        keep_all=None if math.isnan(found.base) else found.base,
    )


def _examples(
    plan: Plan, task: Task, summary: Summary, report: Reporter
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The worst and the best samples, looked at once more; with few samples none is shown twice."""
    known = {key: value for key, value in summary.quality.items() if not math.isnan(value)}
    ranked = sorted(known, key=lambda key: (known[key], key))
    worst = ranked[:EXAMPLES]
    best = [key for key in reversed(ranked) if key not in worst][:EXAMPLES]
    samples = {sample.key: sample for _, sample in plan.samples}
    shown = []
    for chosen in (worst, best):
        examples = []
        for key in chosen:
            try:
                found = task.example(samples[key])
            except DataError as error:  # readable a minute ago: the figures stand, the picture is left out
                report.warning(f"no picture of {key} in the report: {error.message}")
                continue
            if found is not None:
                value = f"{abs(known[key]):.1f}"
                examples.append(Example(key, found.caption, value, found.pixels, found.truth, found.answer))
        shown.append(tuple(examples))
    return shown[0], shown[1]


def _bias_points(rows: Iterable[Row]) -> tuple[BiasPoint, ...]:
    points = []
    for row in rows:
        if row["reference"] >= 2:
            follow = row["follow"] or [math.nan]
            points.append(BiasPoint(row["reference"], row["text"], row["image"], follow[0], follow[-1]))
    return tuple(points)


def _headline(summary: Summary) -> str:
    value = summary.metrics["bias"]
    if math.isnan(value):
        return "no caption here has two tags to choose between"
    return f"single tag bias {value:.1f} of 100, over {summary.counts['measured']} captions"
