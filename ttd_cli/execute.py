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
from ttd_cli.resolve import resolve
from ttd_cli.verbosity import verbosity
from ttd_core.errors import DataError
from ttd_core.recipes.contents import reads_stdin
from ttd_core.recipes.listed import tags_for_all
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.recorded import start_run
from ttd_core.recipes.results import Skipped
from ttd_core.recipes.samples import check_files, samples_of
from ttd_core.recipes.tag_file import check_tag_file, write_tag_file
from ttd_core.runs import RunDirectory

Chosen = TypeVar("Chosen", bound=CommonOptions)
Recipe = Callable[[Any, Iterator[Any], Output, Any, "Path | None"], Iterator[Any]]


def takes_many(options: CommonOptions) -> bool:
    """Whether a call may have several inputs; decided by its options, not by how many there turn out to be."""
    return options.input is not None or options.data is not None or options.text == "-" or not options.source


def answer(
    context: typer.Context,
    command: str,
    kind: type[Chosen],
    load_recipe: Callable[[], Recipe],
    bundled: Callable[[Chosen], Iterator[Any]] | None = None,
) -> None:
    """Run a command's recipe over the inputs of a call and print its answers in order.

    A run that is finished already is recognised, and its answers printed again; an interrupted one goes on. The recipe
    is loaded last, since torch comes with it: what can be refused is refused before.

    Args:
        context: what was typed.
        command: the subcommand.
        kind: its options.
        load_recipe: gives a function that yields one result or `Skipped` per input, in order, and records it in the
            run; inputs finished before come from the record.
        bundled: the inputs of a call that names none.

    Raises:
        typer.Exit: with code 3, where inputs were skipped, or left out of a tag file, without `--keep-going`.
        TtdError: what options, recipe and run directory refuse.
    """
    options = resolve(context, kind, command)
    check_files(options)
    check_tag_file(options, context.params.get("config"))
    many = takes_many(options)
    output = Output(Renderer(command, options.format, many), *verbosity(context))
    with contextlib.ExitStack() as stack:
        run = start_run(command, options, command_line())
        if run is not None:
            stack.enter_context(run)
            output.detail(f"run {run.path}")
            if run.status == "done" and not reads_stdin(options):
                _replay(options, output, run, single=not many)
                return
            if run.resumed and run.status != "done":
                output.info(f"going on with {run.path}: {run.done} done before")
        named = bundled(options) if bundled and not options.source else None
        samples = samples_of(options, open_stdin(), named)
        results = load_recipe()(options, samples, output, run, cache_folder())
        if not reads_stdin(options) and options.text != "-" and (many or options.image is not None):
            results = iter(output.watch(results, f"ttd {command}"))
        counts, folders = _work(results, output, run, single=not many)
        output.end()
        if not any(counts.values()):
            raise DataError(f"no rows in {options.input or 'standard input'}")
        if run is not None:
            run.finish("failed" if _failed(options, counts) else "done", counts)
            output.info(f"{_counted(counts)}: {run.path}{_spelled(folders)}")
            counts["skipped"] += _write_tag_file(options, output, run)
        elif counts["skipped"]:
            output.info(_counted(counts))
        if _failed(options, counts):
            raise typer.Exit(DATA)


def _replay(options: CommonOptions, output: Output, run: RunDirectory, single: bool) -> None:
    """Print the answers of a finished run as it printed them, and end as it would end with the present options."""
    rows = (Skipped(row["key"], row["error"], row.get("hint")) if "error" in row else row for row in run.outcomes())
    counts, _ = _work(rows, output, run, single)
    output.end()
    output.info(f"already done: {_counted(counts)}, {run.path} (--overwrite starts anew)")
    counts["skipped"] += _write_tag_file(options, output, run)
    if _failed(options, counts):
        raise typer.Exit(DATA)


def _work(
    results: Iterator[Any], output: Output, run: RunDirectory | None, single: bool
) -> tuple[dict[str, int], set[str]]:
    """Print what comes; returns the counts, and which folders of the run hold products."""
    counts = {"done": 0, "skipped": 0}
    folders: set[str] = set()
    for item in results:
        if isinstance(item, Skipped):
            if single:  # nothing to go on with: the reason is the answer
                raise DataError(item.reason, item.hint)
            counts["skipped"] += 1
            output.warning(f"skipped {item.key}: {item.reason}", item.hint)
            output.skipped(item.to_json())
            continue
        row = item if isinstance(item, dict) else item.to_json()
        if single and not row.get("candidates", True):
            output.warning("the caption holds no word that could be a tag", hint="--no-stopwords keeps stop words too")
        counts["done"] += 1
        folders.update(name.split("/")[0] for name in row.get("files", {}).values() if "/" in name)
        output.result(_printed(row, run))
    return counts, folders


def _write_tag_file(options: CommonOptions, output: Output, run: RunDirectory) -> int:
    """Write the tag file of a call that names one; returns how many pictures are missing in it for their names."""
    if options.tag_file is None:
        return 0
    written = write_tag_file(Path(options.tag_file), run.outcomes(), output, tags_for_all(options))
    left_out = f", {written.left_out} left out" if written.left_out else ""
    output.info(f"{written.lines} line{'s' if written.lines != 1 else ''}{left_out}: {options.tag_file}")
    return written.left_out


def _failed(options: CommonOptions, counts: dict[str, int]) -> bool:
    return counts["skipped"] > 0 and not options.keep_going


def _printed(row: dict[str, Any], run: RunDirectory | None) -> dict[str, Any]:
    """A row as printed: where it has files, the folder they are in is named too."""
    return {**row, "folder": str(run.path)} if run is not None and row.get("files") else row


def _spelled(folders: set[str]) -> str:
    """The folders that hold products: one as a path, several in brackets."""
    if len(folders) == 1:
        return f"/{next(iter(folders))}"
    return f" ({', '.join(sorted(folders))})" if folders else ""


def _counted(counts: dict[str, int]) -> str:
    skipped = counts.get("skipped", 0)
    return f"{counts.get('done', 0)} done" + (f", {skipped} skipped" if skipped else "")


def open_stdin() -> BinaryIO:
    """Standard input as bytes, apart from `sys.stdin`.

    Another thread may be waiting in it when Ctrl-C ends the program, and the interpreter, which closes `sys.stdin` on
    its way out, would abort on that stream's lock.
    """
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except (OSError, ValueError):  # replaced by something without a descriptor
        return sys.stdin.buffer


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
