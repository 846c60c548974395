"""`ttd train --config RUN/run.yaml --resume`, typed in whatever folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ttd_cli.resolve import is_typed

if TYPE_CHECKING:
    from ttd_core.recipes.train_options import TrainOptions


@contextmanager
def where_it_began(context: typer.Context, options: TrainOptions) -> Iterator[Path | None]:
    """Work in the folder in which an interrupted training was begun: from there its relative paths are meant.

    That folder is told by where the run.yaml lies, so that a project may have moved as a whole.

    Args:
        context: what was typed.
        options: resolved from it.

    Yields:
        The folder; None where the present one is meant, or it cannot be told.
    """
    home = _home(context, options)
    if home is None:
        yield None
        return
    before = Path.cwd()
    os.chdir(home)
    try:
        yield home
    finally:
        os.chdir(before)


def _home(context: typer.Context, options: TrainOptions) -> Path | None:
    config = context.params.get("config")
    if not options.resume or config is None or is_typed(context, "out") or is_typed(context, "run_root"):
        return None
    folder = Path(os.path.abspath(config)).parent
    inner = Path(options.out) if options.out is not None else Path(options.run_root) / "train" / folder.name
    inner = Path(os.path.normpath(inner))
    below = inner.parts
    if inner.is_absolute() or not (folder / "manifest.json").is_file() or folder.parts[-len(below) :] != below:
        return None
    home = Path(*folder.parts[: -len(below)])
    return None if home == Path.cwd() else home
