"""Random draws that stay the same for ever.

Everything is built from `Generator.random`, whose stream NumPy does not change between releases, unlike that of
`integers` or `choice`. One `Dice` belongs to one scene and one purpose, so scenes can be made in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """A seeded source of random decisions.

    Args:
        seed: non-negative integers that name the stream, e.g. split seed, scene number, purpose.
    """

    def __init__(self, *seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self._random = self._generator.random

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number from low to high."""
        return low + (high - low) * float(self._random())

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return float(self._random()) < probability

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return int(self._random() * count)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, each equally likely."""
        return items[int(self._random() * len(items))]

    def weighted(self, weights: Sequence[float]) -> int:
        """An index drawn in proportion to its weight."""
        mark = float(self._random()) * sum(weights)
        for index, weight in enumerate(weights):
            mark -= weight
            if mark < 0:
                return index
        return len(weights) - 1

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A new list in random order."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = int(self._random() * (last + 1))
            result[last], result[other] = result[other], result[last]
        return result

    def grid(self, rows: int, columns: int) -> np.ndarray:
        """A rows×columns float32 array of independent values in -1..1."""
        return self._generator.random((rows, columns), dtype=np.float32) * 2 - 1
