"""`ttd preprocess`: not there yet."""

from __future__ import annotations

from ttd_cli.commands.planned import not_there_yet


def preprocess() -> None:
    """Score every picture-caption pair of a training set. Not there yet."""
    raise not_there_yet("ttd preprocess")
