"""What `ttd evaluate` does with its options: list, or evaluate, print and compare."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.cells import cell_len, set_cell_size

from ttd_cli.errors import DATA, EXPECTATION
from ttd_cli.execute import cache_folder, command_line
from ttd_cli.output import Output
from ttd_cli.resolve import is_typed, resolve_over
from ttd_cli.verbosity import verbosity
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.before import before_table, with_before, without_adapter
from ttd_core.recipes.evaluation.expect import Outcome, check, parse_expectations, refuse_unknown
from ttd_core.recipes.evaluation.listing import data_set_rows, published_rows
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.printed import result_tables
from ttd_core.recipes.evaluation.published import expectations, published_row, row_options
from ttd_core.recipes.evaluation.result import figures_of
from ttd_core.recipes.evaluation.scenes_printed import PrintedTable
from ttd_core.recipes.evaluation.summary import METRICS, TASK_METRICS
from ttd_core.text.clean import printable

_WIDEST = 44


def run(context: typer.Context) -> None:
    """Evaluate, print the figures, and compare them with what is expected.

    Raises:
        typer.Exit: with 5 where an expectation is missed, with 3 where samples were skipped without `--keep-going`.
        TtdError: what options, data, model and run directory refuse.
    """
    options = _resolve(context)
    published = expectations(published_row(options.recipe)) if options.recipe else None
    expected = parse_expectations(
        options.expect or (), None if published is None else parse_expectations(published, None)
    )
    from ttd_core.recipes.evaluation.scenes_run import asks_for_tables

    if not asks_for_tables(options):  # those have figures of their own
        refuse_unknown(expected, TASK_METRICS.get(options.task or "", tuple(METRICS)))
    output = Output(None, *verbosity(context))
    from ttd_core.recipes.evaluation.evaluate import run_evaluation

    plain = [without_adapter(options)] if options.before else []
    *before, (result, folder) = [
        run_evaluation(each, output, command_line(), cache_folder()) for each in (*plain, options)
    ]
    if before:
        result = with_before(result, before[0][0])
    for line in _printed(result, options.format):
        output.line(line)
    outcomes = check(expected, figures_of(result))
    for outcome in outcomes:
        (output.info if outcome.met else output.error)(str(outcome))
    output.info(_where(result, folder))
    raise_for(outcomes, result, options)


def raise_for(outcomes: Sequence[Outcome], result: Mapping[str, Any], options: EvaluateOptions) -> None:
    """End with the documented exit code where something is not as it should be.

    Raises:
        typer.Exit: see `run`.
    """
    if any(not outcome.met for outcome in outcomes):
        raise typer.Exit(EXPECTATION)
    if not result["complete"] and not options.keep_going:
        raise typer.Exit(DATA)


def list_everything(context: typer.Context) -> None:
    """Print data sets and published rows: a table each, or one object per published row for machines."""
    values = context.params
    root = None if values["root"] is None else Path(values["root"])
    given = {f"--{name}": values[name] for name in ("weights", "lora", "pretrained", "pred") if values[name]}
    output = Output(None, *verbosity(context))
    style = values["format"]
    rows = list(published_rows(root, given))
    if values["recipe"]:
        rows = [row for row in rows if row["name"] == published_row(values["recipe"]).name]
    if style in ("json", "jsonl"):
        for line in _json_lines(rows, style):
            output.line(line)
        return
    for line in _rows_as_text(rows, style, brief=not values["recipe"]):
        output.line(line)


def _rows_as_text(rows: Sequence[Mapping[str, Any]], style: str, brief: bool) -> Iterator[str]:
    columns = ("name", "task", "data", "here", "published")
    cells = [tuple(str(row[column]) for column in columns) for row in rows]
    if style == "tsv":
        yield from ("\t".join(printable(cell) for cell in line) for line in (columns, *cells))
        return
    if brief:
        sets = tuple((each["name"], each["tasks"], each["description"]) for each in data_set_rows())
        yield from table_lines(PrintedTable("Data sets", ("name", "tasks", "what"), sets))
        yield ""
        yield from table_lines(PrintedTable("Published rows", columns, tuple(cells)))
        yield ""
        yield "What a row needs and what to type: ttd evaluate --list --recipe NAME"
        return
    for row in rows:
        yield f"{row['name']}: {row['title']}"
        yield f"  published: {row['published']}"
        yield f"  source: {row['source']}"
        for sentence in row["missing"]:
            yield f"  {sentence}"
        if not row["missing"]:
            yield f"  ready: {row['command']}"


def table_lines(table: PrintedTable) -> Iterator[str]:
    """A table for people: the first column to the left, numbers to the right, aligned by what a terminal shows."""
    yield table.title
    lines = [tuple(printable(cell) for cell in line) for line in (table.columns, *table.rows)]
    widths = [min(max(cell_len(line[i]) for line in lines), _WIDEST) for i in range(len(table.columns))]
    widths[-1] = max(cell_len(line[-1]) for line in lines)
    right = [all(_is_number(line[i]) for line in lines[1:]) for i in range(len(table.columns))]
    for line in lines:
        cells = [
            " " * (width - cell_len(cell)) + cell if flush and cell_len(cell) < width else set_cell_size(cell, width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()


def _is_number(cell: str) -> bool:
    return not cell or cell == "-" or cell[0] in "+-0123456789."


def _printed(result: Mapping[str, Any], style: str) -> Iterator[str]:
    if style == "json":
        yield json.dumps(result, indent=2, ensure_ascii=True, allow_nan=False)
    elif style == "jsonl":
        yield json.dumps(result, ensure_ascii=True, allow_nan=False)
    elif style == "tsv":
        yield from _as_tsv(result)
    else:
        tables = [before_table(result)] if "before" in result else result_tables(result)
        for number, table in enumerate(tables):
            yield from table_lines(table)
            if number + 1 < len(tables):
                yield ""


def _as_tsv(result: Mapping[str, Any]) -> Iterator[str]:
    old = result.get("before", {}).get("figures")
    yield "metric\tvalue\tunit\tpublished" + ("" if old is None else "\tbefore")
    for key, metric in result["metrics"].items():
        figure = metric.get("published", {}).get("value", "")
        values = [metric["value"], *([] if old is None else [old.get(key)])]
        value, *before = ("" if each is None else repr(each) for each in values)
        yield "\t".join([key, value, metric["unit"], str(figure), *before])


def _json_lines(rows: Iterable[Mapping[str, Any]], style: str) -> Iterator[str]:
    if style == "json":
        yield json.dumps(list(rows), indent=2)
    else:
        yield from (json.dumps(row) for row in rows)


def _where(result: Mapping[str, Any], folder: Path) -> str:
    counts = result["counts"]
    skipped = "".join(f", {counts[key]} {key}" for key in ("absent", "missing", "skipped") if counts.get(key))
    report = folder / "report.html"
    return f"{counts['scored']} samples{skipped}: {report if report.exists() else folder / 'metrics.json'}"


def _resolve(context: typer.Context) -> EvaluateOptions:
    """The options: those of a recipe first, then those typed."""
    recipe = context.params.get("recipe")
    if recipe is None or context.params.get("config") is not None:
        return resolve_over(context, EvaluateOptions, "evaluate", None)
    row = published_row(recipe)
    from ttd_core.recipes.evaluation.availability import availability, is_split_of

    if row.arrives is not None and context.params.get("pred") is None:
        raise UsageError(
            f"--recipe {recipe}: {availability(row).missing[0]}", hint="finished answers can be scored with --pred"
        )
    base = EvaluateOptions(**row_options(row))
    for name in ("task", "data"):
        typed = context.params[name]
        own = getattr(base, name)
        if is_typed(context, name) and typed != own and not (name == "data" and is_split_of(typed, own)):
            raise UsageError(
                f"--recipe {recipe} and --{name} {typed} contradict each other: the row is about {own}",
                hint=f"drop one of them; ttd evaluate --list --recipe {recipe} shows the row's settings",
            )
    if (
        is_typed(context, "weights")
        and not is_typed(context, "pretrained")
        and "tcl"
        not in (
            base.model.model,
            context.params["model"],
        )
    ):
        # a weights file takes the place of the row's weights; TCL's holds but a part of them
        base = dataclasses.replace(base, model=dataclasses.replace(base.model, pretrained=None))
    return resolve_over(context, EvaluateOptions, "evaluate", dataclasses.replace(base, recipe=recipe))
