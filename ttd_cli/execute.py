"""The path every command that answers input by input takes: replay, work, count, report."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import typer

from ttd_cli.errors import DATA
from ttd_cli.output import Output
from ttd_cli.render import Renderer
from ttd_core.errors import DataError
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.recorded import start_run
from ttd_core.recipes.results import Skipped
from ttd_core.recipes.samples import samples_of
from ttd_core.runs import RunDirectory

Chosen = TypeVar("Chosen", bound=CommonOptions)
Recipe = Callable[[Chosen, Iterator[Any], Output, Any, "Path | None"], Iterator[Any]]


def make_output(context: typer.Context, command: str, options: CommonOptions) -> Output:
    """The writer of a call, from its options and the global ones."""
    quiet, verbose = verbosity(context)
    return Output(Renderer(command, options.format, takes_many(options)), quiet, verbose)


def takes_many(options: CommonOptions) -> bool:
    """Whether a call may have several inputs; decided by its options, not by how many there turn out to be."""
    return options.input is not None or options.text == "-" or not options.source


def verbosity(context: typer.Context) -> tuple[bool, int]:
    """`--quiet` and `--verbose`, given before or after the command's name."""
    before = context.obj or {}
    quiet = bool(before.get("quiet")) or bool(context.params.get("quiet"))
    return quiet, max(int(before.get("verbose", 0)), int(context.params.get("verbose") or 0))


def execute(
    command: str,
    options: Chosen,
    recipe: Recipe[Chosen],
    output: Output,
    samples: Iterator[Any] | None = None,
    stdin: BinaryIO | None = None,
) -> None:
    """Run a recipe over the inputs of a call and print its answers in order.

    A run that is finished already is recognised, and its answers printed again; an interrupted one goes on.

    Args:
        command: the subcommand.
        options: validated.
        recipe: yields one result or `Skipped` per input, in order; inputs finished before come from the record.
        output: where answers and messages go.
        samples: the inputs, if they are not those the options name.
        stdin: read for `-`; defaults to the process's own.

    Raises:
        typer.Exit: with code 3, where inputs were skipped without `--keep-going`.
        TtdError: what the recipe and the run directory raise.
    """
    with contextlib.ExitStack() as stack:
        run = start_run(command, options, command_line())
        if run is not None:
            stack.enter_context(run)
            output.detail(f"run {run.path}")
            if run.status == "done":
                for row in run.rows():
                    output.result(_printed(row, run))
                output.end()
                output.info(f"already done: {_counted(run.manifest['counts'])}, {run.path} (--overwrite starts anew)")
                return
            if run.resumed:
                output.info(f"going on with {run.path}: {len(run.finished_keys())} done before")
        stream = samples if samples is not None else samples_of(options, stdin or sys.stdin.buffer)
        counts = _work(
            recipe(options, stream, output, run, cache_folder()), output, run, single=not takes_many(options)
        )
        output.end()
        if not any(counts.values()):
            raise DataError(f"no rows in {options.input or 'standard input'}")
        _close(options, output, run, counts)


def _work(results: Iterator[Any], output: Output, run: RunDirectory | None, single: bool) -> dict[str, int]:
    counts = {"done": 0, "skipped": 0}
    for item in results:
        if isinstance(item, Skipped):
            if single:  # nothing to go on with: the reason is the answer
                raise DataError(item.reason, item.hint)
            counts["skipped"] += 1
            output.warning(f"skipped {item.key}: {item.reason}", item.hint)
            output.skipped(item.to_json())
            continue
        row = item.to_json()
        if run is not None:
            run.record(item.key, row)
        counts["done"] += 1
        output.result(_printed(row, run))
    return counts


def _close(options: CommonOptions, output: Output, run: RunDirectory | None, counts: dict[str, int]) -> None:
    failed = counts["skipped"] > 0 and not options.keep_going
    if run is not None:
        run.finish("failed" if failed else "done", counts)
        output.info(f"{_counted(counts)}: {run.path}")
    elif counts["skipped"]:
        output.info(_counted(counts))
    if failed:
        raise typer.Exit(DATA)


def _printed(row: dict[str, Any], run: RunDirectory | None) -> dict[str, Any]:
    """A row as printed: where it has files, the folder they are in is named too."""
    return {**row, "folder": str(run.path)} if run is not None and row.get("files") else row


def _counted(counts: dict[str, int]) -> str:
    skipped = counts.get("skipped", 0)
    return f"{counts.get('done', 0)} done" + (f", {skipped} skipped" if skipped else "")


def cache_folder() -> Path | None:
    """Where text embeddings are kept between calls: `TTD_CACHE` (`off` for nowhere), else the user's cache folder."""
    named = os.environ.get("TTD_CACHE")
    if named:
        return None if named == "off" else Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "ttd"
    except RuntimeError:  # no home folder, as in some containers
        return None


def command_line() -> str:
    """What was typed, quoted so that it can be typed again."""
    return shlex.join(["ttd", *sys.argv[1:]])
