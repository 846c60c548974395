"""What `ttd prune` does with its options: prune, and print what was kept and why the rest was not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from ttd_cli.execute import command_line
from ttd_cli.output import Output
from ttd_cli.resolve import is_typed
from ttd_cli.verbosity import verbosity
from ttd_core.config import load_config
from ttd_core.recipes.checks import not_empty
from ttd_core.recipes.evaluation.scenes_printed import PrintedTable
from ttd_core.recipes.prune.options import RULES, PruneOptions
from ttd_core.recipes.prune.outcome import printed_rows
from ttd_core.text.clean import printable

_NO_SETTINGS = ("config", "quiet", "verbose")


def run(context: typer.Context) -> None:
    """Prune and print the figures.

    Raises:
        TtdError: what options, scores and run directory refuse.
    """
    options = _resolve(context)
    output = Output(None, *verbosity(context))
    from ttd_core.recipes.prune.prune import HISTOGRAM, run_prune

    pruned = run_prune(options, command_line(), output)
    for notice in pruned.found["notices"]:
        output.warning(notice)
    for line in _printed(pruned.found, pruned.folder, options.format):
        output.line(line)
    before = "already done: " if pruned.repeated else ""
    ending = " (--overwrite starts anew)" if pruned.repeated else f", see {HISTOGRAM} and cut.png"
    output.info(f"{before}{pruned.found['counts']['kept']} samples kept: {pruned.folder}{ending}")


def _resolve(context: typer.Context) -> PruneOptions:
    """The options; those typed replace a configuration's, and a rule typed replaces the configuration's rule."""
    config = context.params.get("config")
    not_empty("--config", config, "a run.yaml")
    values = {name: value for name, value in context.params.items() if name not in _NO_SETTINGS}
    if config is None:
        return PruneOptions(**{**values, "scores": values["scores"] or ""})
    base = load_config(PruneOptions, Path(config), "prune")
    typed = {name: value for name, value in values.items() if is_typed(context, name)}
    if any(name in typed for name in RULES):
        typed = {name: None for name in RULES} | typed
    return dataclasses.replace(base, **typed)


def _printed(found: Mapping[str, Any], folder: Path, style: str) -> Iterator[str]:
    if style == "json":
        brief = {name: value for name, value in found.items() if name not in ("shards", "near_cut")}
        yield json.dumps({**brief, "folder": str(folder)}, indent=2, ensure_ascii=True, allow_nan=False)
    elif style == "tsv":
        yield "name\tvalue"
        yield from (f"{name}\t{printable(value)}" for name, value in (*_flat(found), ("folder", str(folder))))
    else:
        from ttd_cli.evaluation import table_lines

        tables = [PrintedTable(title, ("", ""), tuple(rows)) for title, rows in printed_rows(found) if rows]
        for number, table in enumerate(tables):
            title, _, *lines = table_lines(table)
            yield from (title, *lines)
            if number + 1 < len(tables):
                yield ""


def _flat(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    counts = {name: value for name, value in found["counts"].items() if name != "dropped"}
    yield from ((name, str(value)) for name, value in counts.items())
    yield from ((f"dropped: {reason}", str(count)) for reason, count in found["counts"]["dropped"].items())
    yield "threshold", repr(found["threshold"])
    yield from ((f"quantile {share}", repr(score)) for share, score in found["quantiles"].items())
