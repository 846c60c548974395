"""`ttd evaluate`: figures of a model, or of finished answers, on an annotated data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.atomic import atomic_path
from ttd_core.errors import DataError
from ttd_core.recipes.evaluation.doubts import doubts
from ttd_core.recipes.evaluation.engine import record_rows
from ttd_core.recipes.evaluation.merge import copy_rows, merged_options, open_shards
from ttd_core.recipes.evaluation.plan import Plan, choose_task, make_plan, open_data
from ttd_core.recipes.evaluation.published import published_row
from ttd_core.recipes.evaluation.recorded import answers_digest, other_code, start_run
from ttd_core.recipes.evaluation.result import FILE, beside, read_result, result_object, without_nan, write_result
from ttd_core.recipes.evaluation.scenes_run import asks_for_tables, run_tables
from ttd_core.recipes.evaluation.task import Setting, Task
from ttd_core.recipes.evaluation.tasks import file_answers, make_task
from ttd_core.recipes.evaluation.unused import refuse_unused

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.summary import Summary
    from ttd_core.runs import RunDirectory

SAMPLES = "samples.jsonl"
PAGE = "report.html"


def run_evaluation(
    options: EvaluateOptions, report: Reporter, command_line: str = "", cache: Path | None = None
) -> tuple[dict[str, Any], Path]:
    """Evaluate, or go on with an interrupted evaluation, or read back a finished one.

    Args:
        options: the settings.
        report: told about progress and about everything that was skipped.
        command_line: as typed, for the manifest.
        cache: folder for text embeddings.

    Returns:
        The content of `metrics.json`, and the run's folder.

    Raises:
        UsageError, DataError, WeightsError, VocabularyError, RunError: see the exit codes.
    """
    if asks_for_tables(options):
        return run_tables(options, report, command_line, cache)
    shards = open_shards(options.merge) if options.merge else []
    if shards:
        options = merged_options(options, shards)
    benchmark = open_data(options)
    chosen = choose_task(options, benchmark)
    refuse_unused(options, chosen)
    answers = file_answers(options, chosen, benchmark)
    for notice in () if answers is None else answers.notices:
        report.warning(notice)
    plan = make_plan(options, benchmark, None if answers is None else answers.keys, report)
    with start_run(options, plan.task, plan.digest, command_line, benchmark.name) as run:
        task = make_task(Setting(options, benchmark, report, run, cache), plan.task, answers)
        if run.status == "done":
            report.info(f"already done: {run.path} (--overwrite starts anew)")
            made_by = other_code(run.manifest)
            if made_by is not None:
                report.warning(f"these figures were made by {made_by}", hint="--overwrite makes them anew")
            row = None if options.recipe is None else published_row(options.recipe)
            before = read_result(run.path)
            result = beside(before, options.recipe, row)
            if result != before:
                write_result(run.path / FILE, result)
            _write_files(options, plan, task, result, run, report, anew=result != before)
            return result, run.path
        if run.resumed:
            report.info(f"going on with {run.path}: {run.done} done before")
        skipped = copy_rows(shards, run) if shards else record_rows(options, plan, task, run, report)
        return conclude(options, plan, task, run, skipped, report), run.path


def conclude(
    options: EvaluateOptions, plan: Plan, task: Task, run: RunDirectory, skipped: int, report: Reporter
) -> dict[str, Any]:
    """Figures from the recorded rows, and the files that show them.

    Raises:
        DataError: no sample could be scored.
        RunError: a file cannot be written.
    """
    if not run.done:
        first = next((row["error"] for row in run.outcomes() if "error" in row), "no reason was recorded")
        raise DataError(f"none of the {len(plan.samples)} samples of --data {options.data} could be scored: {first}")
    summary = task.summary(run.rows())
    counts = {**plan.counts, "scored": run.done, "skipped": skipped}
    row = None if options.recipe is None else published_row(options.recipe)
    hashes = {"samples": plan.listing, "predictions": answers_digest(options)}
    result = result_object(options, plan.task, summary, counts, run, row, hashes)
    write_result(run.product(FILE), result)
    for doubt in doubts(options, plan, summary):
        report.warning(doubt)
    _write_files(options, plan, task, result, run, report, summary)
    failed = skipped > 0 and not options.keep_going
    run.finish("failed" if failed else "done", {"done": run.done, "skipped": skipped})
    return result


def _write_files(
    options: EvaluateOptions,
    plan: Plan,
    task: Task,
    result: dict[str, Any],
    run: RunDirectory,
    report: Reporter,
    summary: Summary | None = None,
    anew: bool = True,
) -> None:
    """What was asked for besides `metrics.json`; a finished run only lacks what nobody asked for before."""
    if options.per_sample and (anew or not (run.path / SAMPLES).exists()):
        _write_samples(task, run)
    if options.report and (anew or not (run.path / PAGE).exists()):
        from ttd_core.recipes.evaluation.page import write_evaluation_page

        found = task.summary(run.rows()) if summary is None else summary
        write_evaluation_page(options, plan, task, found, result, run, report)


def _write_samples(task: Task, run: RunDirectory) -> None:
    """`samples.jsonl`: one line per sample with its own figures, null where nothing was counted."""
    with atomic_path(run.product(SAMPLES)) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in run.rows():
            stream.write(json.dumps(without_nan({"key": row["key"], **task.figures(row)})) + "\n")
