"""What looked odd about truths and answers but was accepted: said while the samples go by, and never a flood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttd_core.data.label_maps import LabelMap
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.reading import Read

SAID = 5
"""How many notices are said in full; the others are counted."""


class Notices:
    """Passes on the first few notices and counts the rest.

    Args:
        report: where to say it.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._found = 0

    def hear(self, read: Any) -> None:
        """Take up the notices of what a reader returned: a sample as read, or its finished row."""
        for sentence in read.get("notices", ()) if isinstance(read, Mapping) else read.truth.notices:
            self._found += 1
            if self._found <= SAID:
                self._report.warning(sentence)

    def close(self) -> None:
        """Say how much was left unsaid."""
        if self._found > SAID:
            self._report.warning(f"{self._found - SAID} more notices like these")


class Hints:
    """Hints that have been given: a folder of answers that are all wrong in one way needs the way out once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def once(self, hint: str | None) -> str | None:
        """The hint the first time, None afterwards."""
        if hint is None or hint in self._given:
            return None
        self._given.add(hint)
        return hint


def noticed(read: Read, answer: LabelMap, name: str) -> dict[str, list[str]]:
    """The part of a row that holds its notices, empty without any.

    Args:
        read: the truth.
        answer: set against it.
        name: the answer's file.
    """
    found = [*read.truth.notices, *(f"{name} {sentence}" for sentence in answer.notices)]
    return {"notices": found} if found else {}
