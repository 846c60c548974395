"""`ttd evaluate`: not there yet."""

from __future__ import annotations

from ttd_cli.commands.planned import not_there_yet


def evaluate() -> None:
    """Measure tags and masks against the truth. Not there yet."""
    raise not_there_yet("ttd evaluate")
