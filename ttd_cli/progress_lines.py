"""Progress where there is no terminal: now and then a line, so that the log of a cluster shows how far work is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

EVERY = 60.0
"""Seconds between two lines."""


class ProgressLines:
    """Says how far the work is, at most once a minute, where the work itself says how it is doing.

    Args:
        say: writes a line.
        clock: seconds, from anywhere.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self.status = ""

    def track(self, items: Iterable[T], total: int | None, description: str) -> Iterator[T]:
        """Pass the items on; nothing is said as long as `status` is empty."""
        begun = said = self._clock()
        for done, item in enumerate(items, 1):
            yield item
            now = self._clock()
            if self.status and now - said >= EVERY:
                said = now
                self._say(f"{description}: {_how_far(done, total, now - begun)}: {self.status}")
        self.status = ""


def _how_far(done: int, total: int | None, seconds: float) -> str:
    if total is None:
        return f"{done} done"
    left = timedelta(seconds=round(seconds / done * (total - done)))
    return f"{done} of {total}, {left} left"
