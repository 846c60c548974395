"""What every task of `ttd evaluate` is made of: reading, answering, and a summary of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ttd_core.recipes.evaluation.summary import Row, Summary

if TYPE_CHECKING:
    import numpy as np

    from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.results import Skipped
    from ttd_core.runs import RunDirectory

Finish = Callable[[], "dict[str, Any] | Skipped"]
"""The rest of the work on one sample, once the model has seen it; gives its row."""


@dataclass(frozen=True)
class Setting:
    """What a task needs to know.

    Args:
        options: the settings.
        benchmark: the data set.
        report: told what is assumed.
        run: told which model gave the numbers.
        cache: folder for text embeddings.
    """

    options: EvaluateOptions
    benchmark: Benchmark
    report: Reporter
    run: RunDirectory | None = None
    cache: Path | None = None


@dataclass(frozen=True)
class Example:
    """One sample as the report shows it.

    Args:
        caption: a line of text.
        pixels: H×W×3 uint8 picture.
        truth, answer: the same with truth and answer laid over, or None.
    """

    caption: str
    pixels: np.ndarray
    truth: np.ndarray | None = None
    answer: np.ndarray | None = None


class Task(Protocol):
    """One way of measuring. Rows are JSON objects that hold integers and rounded scores only."""

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """What worker processes do with a sample; picklable, raises DataError for one that cannot be used."""
        ...

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Ask the model about what the reader has read; what it returns is called later, in another thread."""
        ...

    def summary(self, rows: Iterable[Row]) -> Summary:
        """All figures, from the rows in the order of the data set."""
        ...

    def figures(self, row: Row) -> dict[str, Any]:
        """The figures of one sample, for `samples.jsonl`."""
        ...

    def example(self, sample: BenchmarkSample) -> Example | None:
        """Look at a sample once more, for the report; None where there is nothing to see."""
        ...


def percent(value: float) -> float:
    """A fraction in percent."""
    return 100.0 * value
