"""`--expect`: figures that have to come out, for continuous integration."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.summary import ALIASES
from ttd_core.registry import near_matches

PUBLISHED = "published"
_SLACK = 1e-9


@dataclass(frozen=True)
class Expectation:
    """A figure and how far it may be off.

    Args:
        metric: its key.
        value: in the metric's unit.
        tolerance: in the same unit, not negative.
    """

    metric: str
    value: float
    tolerance: float


@dataclass(frozen=True)
class Outcome:
    """An expectation and what came out; `met` is False also where nothing could be measured."""

    expected: Expectation
    found: float | None

    @property
    def met(self) -> bool:
        """Whether the figure lies within the tolerance."""
        if self.found is None or math.isnan(self.found):
            return False
        return abs(self.found - self.expected.value) <= self.expected.tolerance + _SLACK

    def __str__(self) -> str:
        """One line for people."""
        expected = self.expected
        found = "nothing was measured" if self.found is None else f"{self.found:.6g}"
        verdict = "as expected" if self.met else "outside"
        return f"{expected.metric}: {found}, {verdict} ({expected.value:g} ± {expected.tolerance:g})"


def parse_expectations(texts: Sequence[str], published: Sequence[Expectation] | None) -> list[Expectation]:
    """Read `--expect`.

    Args:
        texts: `metric=value:tolerance` each, several with commas between them, or `published`.
        published: figures of the recipe, None without a recipe.

    Raises:
        UsageError: one cannot be read, or `published` without a recipe.
    """
    found: list[Expectation] = []
    for text in (part.strip() for each in texts for part in each.split(",")):
        if text == PUBLISHED:
            if published is None:
                raise UsageError(
                    "--expect names no figure", hint="e.g. --expect f1=82.8:0.3, or a published row with --recipe"
                )
            found += published
            continue
        match = re.fullmatch(r"([A-Za-z0-9_.+-]+)=([^:]+):([^:]+)", text)
        numbers = [_number(part) for part in match.groups()[1:]] if match else []
        if match is None or any(number is None for number in numbers) or (numbers[1] or 0.0) < 0:
            raise UsageError(f"--expect {text!r} is not metric=value:tolerance", hint="e.g. --expect f1=82.8:0.3")
        found.append(Expectation(ALIASES.get(match[1], match[1]), numbers[0] or 0.0, numbers[1] or 0.0))
    return found


def check(expected: Sequence[Expectation], figures: Mapping[str, float | None]) -> list[Outcome]:
    """Compare.

    Raises:
        UsageError: an expected figure is none of those that were measured.
    """
    refuse_unknown(expected, figures)
    return [Outcome(each, figures[each.metric]) for each in expected]


def refuse_unknown(expected: Sequence[Expectation], known: Collection[str]) -> None:
    """Refuse expectations about figures that there cannot be.

    Args:
        expected: see `parse_expectations`.
        known: keys of the figures.

    Raises:
        UsageError: a figure is not among them.
    """
    for each in expected:
        if each.metric not in known:
            close = near_matches(each.metric, list(known))
            raise UsageError(
                f"--expect {each.metric}: no such figure here",
                hint=f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(sorted(known))}",
            )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
