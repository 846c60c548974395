"""`ttd prune`: not there yet."""

from __future__ import annotations

from ttd_cli.commands.planned import not_there_yet


def prune() -> None:
    """Drop the picture-caption pairs that fit badly. Not there yet."""
    raise not_there_yet("ttd prune")
