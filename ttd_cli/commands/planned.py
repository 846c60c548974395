"""What commands of later releases answer."""

from __future__ import annotations

from ttd_core.errors import UsageError


def not_there_yet(what: str) -> UsageError:
    """The error of a command or method that has a name but no body yet."""
    return UsageError(
        f"{what} is not there yet: this release has tags, masks, demo, and train --method clip",
        hint="CHANGELOG.md tells what each release brings",
    )
