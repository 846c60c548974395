"""How much is said on standard error."""

from __future__ import annotations

import typer

from ttd_core.errors import UsageError


def verbosity(context: typer.Context) -> tuple[bool, int]:
    """`--quiet` and `--verbose`, given before or after the command's name.

    Raises:
        UsageError: both are given.
    """
    before = context.obj or {}
    quiet = bool(before.get("quiet")) or bool(context.params.get("quiet"))
    verbose = max(int(before.get("verbose", 0)), int(context.params.get("verbose") or 0))
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other", hint="leave one of them out")
    return quiet, verbose
