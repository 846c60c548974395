"""From the figures of an evaluation to its report page, and to the plot of the single tag bias."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ttd_core.drawing.report.bias import write_bias_plot
from ttd_core.drawing.report.contents import (
    BiasPoint,
    ClassRow,
    Confusion,
    FigureRow,
    ReportPage,
    Table,
)
from ttd_core.drawing.report.page import write_report
from ttd_core.recipes.evaluation.page_examples import choose_examples
from ttd_core.recipes.evaluation.page_scores import curve, histogram
from ttd_core.recipes.evaluation.printed import shown_value
from ttd_core.recipes.evaluation.scenes_printed import printed_tables
from ttd_core.recipes.evaluation.summary import METRICS, Summary

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.plan import Plan
    from ttd_core.recipes.evaluation.task import Task
    from ttd_core.runs import RunDirectory

_BAR = {
    "masks": ("iou",),
    "classification": ("ap", "f1"),
    # not recall, of which keeping everything has 100
    "tags": ("f1",),
}
"""Task → keys of which the first one that classes have becomes their bar."""

_COLUMNS = {
    "iou": "IoU, percent", "ap": "AP, percent", "f1": "F1, percent", "precision": "precision, percent",
    "recall": "recall, percent", "accuracy": "accuracy, percent", "pixel_auc": "pixel AUC, percent",
    "pointing": "pointing, percent", "fpr": "FPR, fraction", "fnr": "FNR, fraction", "pixels": "true pixels",
    "tp": "TP", "fp": "FP", "fn": "FN", "captions": "candidate in", "true": "true in",
}  # fmt: skip
_NEUTRAL = ("reference_tags",)
"""Figures that are neither good nor bad."""

_BASELINES = {"even": "even mean of the tags", "single": "strongest tag alone"}
_MOST_CLASSES = 240
"""Words of large sets run into the thousands; the page shows the commonest of them."""

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
    points = tuple(map(BiasPoint.of, run.rows())) if plan.task == "bias" else ()
    headline = _headline(summary) if plan.task == "bias" else ""
    worst, best = choose_examples(options, plan, task, summary, run, report)
    classes = _class_rows(plan.task, summary)
    page = ReportPage(
        title=f"{_TASKS[plan.task].capitalize()} on {options.data}",
        subtitle=_subtitle(options, result),
        command=str(run.manifest.get("command_line") or ""),
        figures=_figures(result),
        notes=_notes(options, result),
        facts=_facts(result),
        classes=classes,
        class_value=_COLUMNS.get(_bar(plan.task, summary), ""),
        class_noun=("word", "words") if plan.task == "tags" else ("class", "classes"),
        class_note=_class_note(plan.task, classes, len(summary.per_class)),
        confusion=_confusion(plan, summary),
        histogram=histogram(options, summary),
        curve=curve(summary),
        bias=points,
        bias_headline=headline,
        worst=worst.examples,
        best=best.examples,
        worst_note=worst.note,
        best_note=best.note,
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
        ClassRow(row["name"], _number(row["pixel_auc"]), {
            "kind": row["kind"], "captions": row["count"], _COLUMNS["pointing"]: _number(row["pointing"]),
        })
        for row in result["tables"]["words"]
    ]  # fmt: skip
    notes = []
    if options.limit is not None:
        notes.append(
            f"Only the first {_count(options.limit, 'scene')} of every split {_were(options.limit)} looked at."
        )
    page = ReportPage(
        title="The scenes benchmark",
        subtitle=[("data", "scenes:test and scenes:hard; scenes:val for thresholds"), *_model(options)],
        command=str(run.manifest.get("command_line") or ""),
        figures=_figures(result),
        notes=notes,
        facts=_facts(result),
        tables=[Table(each.title, each.columns, each.rows) for each in printed_tables(result["tables"])],
        classes=words,
        class_value=_COLUMNS["pixel_auc"],
        class_noun=("word", "words"),
        class_note="Words that scenes:test shows, each over the captions in which it is visible.",
    )
    write_report(run.product("report.html"), page)


def _subtitle(options: EvaluateOptions, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    data = f"{options.data}, {_count(result['counts']['scored'], 'sample')}"
    lines = [("task", _TASKS[result["task"]]), ("data", data)]
    lines += _model(options) if options.pred is None else [("answers", options.pred)]
    if result["task"] == "tags" and options.pred is None:
        lines.append(("scorer", options.scorer))
    return lines + ([("published row", options.recipe)] if options.recipe else [])


def _model(options: EvaluateOptions) -> list[tuple[str, str]]:
    model = options.model
    return [("model", " ".join(part for part in (model.model, model.pretrained, model.lora) if part))]


def _figures(result: Mapping[str, Any]) -> list[FigureRow]:
    rows = []
    for key, metric in result["metrics"].items():
        published = metric.get("published")
        rows.append(
            FigureRow(
                label=key,
                ours=shown_value(metric["value"], metric["unit"]),
                unit=metric["unit"],
                higher_is_better=None if key in _NEUTRAL else metric["higher_is_better"],
                published=None if published is None else _published(published, metric["unit"]),
                baselines={
                    _BASELINES.get(name, name): shown_value(values[key], metric["unit"])
                    for name, values in result["baselines"].items()
                    if key in values
                },
                meaning=METRICS[key][2],
            )
        )
    return rows


def _published(figure: Mapping[str, float], unit: str) -> str:
    tolerance = figure.get("tolerance")
    value = shown_value(figure["value"], unit)
    return f"{value} ± {tolerance:g}" if tolerance else value


def _notes(options: EvaluateOptions, result: Mapping[str, Any]) -> list[str]:
    counts = result["counts"]
    notes = []
    if result["shard"] is not None:
        notes.append(f"These figures are those of shard {result['shard']} only.")
    if options.limit is not None and counts["selected"] == options.limit:
        notes.append(f"Only the first {_count(options.limit, 'sample')} {_were(options.limit)} looked at.")
    for key, one, many in (
        ("absent", "is listed by the data set but not whole", "are listed by the data set but not whole"),
        ("missing", "has no answer", "have no answer"),
        ("skipped", "could not be read or answered", "could not be read or answered"),
    ):
        if counts[key]:
            what = one if counts[key] == 1 else many
            notes.append(f"{_count(counts[key], 'sample')} {what}; no figure counts {'it' if what is one else 'them'}.")
    if notes and any("published" in metric for metric in result["metrics"].values()):
        notes.append("The published figures are those of the whole set.")
    return notes


def _facts(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [
        (_COLUMNS[name] if name in ("tp", "fp", "fn") else name.replace("_", " "), value)
        for name, value in result["counts"].items()
    ]
    facts.append(("seed", str(result["seed"])))
    facts += [(f"SHA-256 of {name}", value) for name, value in result["hashes"].items() if value]
    for name, value in result["environment"].items():
        if name == "commit" and isinstance(value, Mapping):
            value = f"{value.get('id')}{', with changes' if value.get('dirty') else ''}" if value.get("id") else None
        elif isinstance(value, Mapping):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        if value:
            facts.append((name, value))
    return facts


def _bar(task: str, summary: Summary) -> str:
    """The key of what classes are drawn by, empty for none."""
    if not summary.per_class:
        return ""
    return next((key for key in _BAR.get(task, ()) if key in summary.per_class[0]), "")


def _class_rows(task: str, summary: Summary) -> list[ClassRow]:
    bar = _bar(task, summary)
    rows = summary.per_class[:_MOST_CLASSES] if task == "tags" else summary.per_class  # these come by frequency
    return [
        ClassRow(
            str(row["name"]).strip(),
            math.nan if row.get("true") == 0 else float(row[bar]),
            {_COLUMNS.get(key, key): value for key, value in row.items() if key not in ("name", bar)},
        )
        for row in rows
        if bar
    ]


def _class_note(task: str, shown: Sequence[ClassRow], known: int) -> str:
    if task == "tags" and shown:
        which = "Words that are true somewhere"
        if len(shown) < known:
            which = f"The {len(shown)} of {known} words that are true most often"
        return f"{which}; small numbers of captions make rough figures."
    if task == "classification" and any(math.isnan(row.value) for row in shown):
        return "Means over classes among the figures count those that occur nowhere as 0."
    return ""


def _confusion(plan: Plan, summary: Summary) -> Confusion | None:
    """Truth against answer; pixels without an answer get a column of their own."""
    classes = plan.benchmark.classes
    if summary.confusion is None or classes is None:
        return None
    names = [name.strip() for name in classes.names]
    unanswered = [row["pixels"] for row in summary.per_class] - summary.confusion.sum(axis=1)
    if not unanswered.any():
        return Confusion(names, summary.confusion)
    import numpy as np

    counts = np.pad(summary.confusion, ((0, 1), (0, 1)))
    counts[:-1, -1] = unanswered
    return Confusion([*names, "no class"], counts, apart=1)


def _headline(summary: Summary) -> str:
    metrics, captions = summary.metrics, _count(summary.counts["measured"], "caption")
    if math.isnan(metrics["bias"]):
        return "No caption here has two reference tags to choose between."
    return (
        f"Single tag bias {metrics['bias']:.1f} of 100 over {captions}: at 0 captions prefer their strongest tag no "
        f"more than an even mean of the tags does, at 100 they are nothing but that tag. Text scoring finds "
        f"{metrics['share_text']:.1f} % of the reference tags, image scoring {metrics['share_image']:.1f} %."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _number(value: float | None) -> float:
    return math.nan if value is None else value
