"""Checks of single option values; each message names the flag and the value."""

from __future__ import annotations

import math

from ttd_core.errors import UsageError
from ttd_core.registry import DENSE

MAX_SEED = 2**32 - 1
"""Largest seed that torch and NumPy both take."""

OWN_DENSE = {"scenes": ("value", "attention"), "tcl": ("tcl",)}
"""Models that read their dense features in ways of their own; all others take the strategies of the registry."""


def finite(flag: str, value: float) -> None:
    """Refuse NaN and infinities.

    Raises:
        UsageError: the value is not a finite number.
    """
    if not math.isfinite(value):
        raise UsageError(f"{flag} {value} is not a finite number")


def positive(flag: str, value: float) -> None:
    """Refuse everything but finite numbers above zero.

    Raises:
        UsageError: the value is zero, negative or not finite.
    """
    finite(flag, value)
    if value <= 0:
        raise UsageError(f"{flag} {value:g} is out of range, expected a number above 0")


def share(flag: str, value: float) -> None:
    """Refuse everything outside 0..1.

    Raises:
        UsageError: the value is out of range or not finite.
    """
    finite(flag, value)
    if not 0 <= value <= 1:
        raise UsageError(f"{flag} {value:g} is out of range, expected a number from 0 to 1")


def whole(flag: str, value: int, at_least: int, at_most: int | None = None) -> None:
    """Refuse whole numbers outside a range.

    Raises:
        UsageError: the value is out of range.
    """
    if value < at_least or (at_most is not None and value > at_most):
        wanted = f"{at_least} or more" if at_most is None else f"{at_least} to {at_most}"
        raise UsageError(f"{flag} {value} is out of range, expected {wanted}")


def not_both(first: str, first_value: object, second: str, second_value: object, why: str) -> None:
    """Refuse two options given together; None counts as not given.

    Raises:
        UsageError: both values are given.
    """
    if first_value is not None and second_value is not None:
        raise UsageError(f"{first} and {second} contradict each other: {why}", hint="leave one of them out")


def not_empty(flag: str, value: str | None, wanted: str) -> None:
    """Refuse an empty or blank value, e.g. of a shell variable that is not set; None counts as not given.

    Raises:
        UsageError: the value is blank.
    """
    if value is not None and not value.strip():
        raise UsageError(f"{flag} is empty", hint=f"name {wanted}, or leave {flag} out")


def known_dense(model: str, dense: str) -> None:
    """Refuse a dense strategy that the model does not have.

    Raises:
        UsageError: it has others.
    """
    known = OWN_DENSE.get(model) or DENSE.names()
    if dense not in known:
        raise UsageError(f"--dense {dense!r} is unknown to --model {model}", hint=f"one of {', '.join(known)}")


def adapter_named(before: bool, lora: str | None) -> None:
    """Refuse a comparison with the model without its adapter where there is no adapter.

    Raises:
        UsageError: `before` without `lora`.
    """
    if before and lora is None:
        raise UsageError(
            "--before shows the model without --lora beside it, and --lora is missing",
            hint="e.g. --lora scenes-ttd --before",
        )
