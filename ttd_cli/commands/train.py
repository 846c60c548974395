"""`ttd train`: train a model."""

from __future__ import annotations

from typing import Annotated

import typer

from ttd_cli import options as o
from ttd_cli.commands.planned import not_there_yet
from ttd_cli.execute import verbosity
from ttd_cli.output import Output
from ttd_core.errors import UsageError

METHODS = ("clip", "ttd", "tcl", "reclip", "trusty")


def train(context: typer.Context) -> None:
    raise not_there_yet("x")
