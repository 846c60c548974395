"""What `ttd preprocess` does with its options: score, print the figures, and say where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from ttd_cli.errors import DATA
from ttd_cli.evaluation import table_lines
from ttd_cli.execute import command_line
from ttd_cli.output import Output
from ttd_cli.resolve import resolve
from ttd_cli.verbosity import verbosity
from ttd_core.recipes.evaluation.scenes_printed import PrintedTable
from ttd_core.recipes.preprocess.options import PreprocessOptions


def run(context: typer.Context) -> None:
    """Score the pairs and print what came out.

    Raises:
        typer.Exit: with 3 where pairs or shards were skipped without `--keep-going`.
        TtdError: what options, data, model and run directory refuse.
    """
    options = resolve(context, PreprocessOptions, "preprocess")
    output = Output(None, *verbosity(context))
    from ttd_core.recipes.preprocess.preprocess import run_preprocess

    result, folder = run_preprocess(options, output, command_line())
    for line in printed(result, folder, options.format):
        output.line(line)
    bad = result["pairs"] - result["ok"]
    skipped = bad + result["shards"]["unread"]
    output.info(f"{result['ok']:,} pairs scored" + (f", {bad:,} skipped" if bad else "") + f": {folder / 'scores'}")
    if skipped and not options.keep_going:
        raise typer.Exit(DATA)


def printed(result: Mapping[str, Any], folder: Path, style: str) -> Iterator[str]:
    """The result in one of the formats.

    Args:
        result: see `run_preprocess`.
        folder: of the run.
        style: `text`, `tsv`, `json` or `jsonl`.
    """
    if style in ("json", "jsonl"):
        whole = {**result, "run": str(folder)}
        yield json.dumps(whole, indent=2 if style == "json" else None, ensure_ascii=True, allow_nan=False)
        return
    rows = list(_rows(result))
    if style == "tsv":
        yield "what\tvalue"
        yield from (f"{what}\t{value}" for what, value in rows)
        return
    counts = tuple((what, f"{value:,}" if isinstance(value, int) else f"{value:.4f}") for what, value in rows)
    yield from table_lines(PrintedTable(f"{result['data']}, scored by {result['model']}", ("what", "value"), counts))


def _rows(result: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
    yield "shards", result["shards"]["done"]
    if result["shards"]["unread"]:
        yield "shards not read", result["shards"]["unread"]
    yield "pairs", result["pairs"]
    yield "ok", result["ok"]
    yield from result["bad"].items()
    for name, value in (result["score"] or {}).items():
        yield f"score {name}", value
