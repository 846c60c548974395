"""Pictures and truths, decoded ahead of the model in worker processes, handed on in order.

Each worker has only a few samples under way, so memory does not grow with the data set.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, Truth
from ttd_core.errors import DataError
from ttd_core.recipes.results import Skipped
from ttd_core.recipes.worker_pool import Answer, WorkerPool
from ttd_core.types import Picture

AHEAD = 4
"""Samples under way per worker."""

WORTH_WORKERS = 200
"""From this many samples on, starting worker processes pays."""


@dataclass(frozen=True)
class Read:
    """One sample, decoded.

    Args:
        sample: as its data set lists it.
        picture: None where the task looks at none.
        truth: what is known about it.
    """

    sample: BenchmarkSample
    picture: Picture | None
    truth: Truth


@dataclass(frozen=True)
class Reader:
    """Decodes what a model is asked about and measured against; picklable.

    Args:
        benchmark: the data set.
        pictures: whether pictures are needed.
    """

    benchmark: Benchmark
    pictures: bool = True

    def __call__(self, sample: BenchmarkSample) -> Read:
        """Decode one sample.

        Raises:
            DataError: picture or annotation cannot be used.
        """
        picture = self.benchmark.picture(sample) if self.pictures else None
        return Read(sample, picture, self.benchmark.truth(sample, picture.size if picture is not None else None))


def worker_count(asked: int | None, samples: int) -> int:
    """How many processes to start; None decides by the amount of work and the cores that there are."""
    if asked is not None:
        return asked
    return 0 if samples < WORTH_WORKERS else max(1, min(4, (os.cpu_count() or 1) - 1))


def read_all(
    read: Callable[[BenchmarkSample], Any], samples: Iterable[BenchmarkSample], workers: int
) -> Iterator[tuple[BenchmarkSample, Any]]:
    """Apply `read` to every sample, in order; where it fails on one, a `Skipped` stands in its place.

    Args:
        read: picklable; raises DataError for a sample that cannot be used.
        samples: picklable.
        workers: processes; 0 reads here and now.

    Raises:
        RunError: a worker died, as after running out of memory.
    """
    pool = WorkerPool(_Attempts(read), workers, "--workers 0")
    waiting: deque[tuple[BenchmarkSample, Answer]] = deque()
    try:
        for sample in samples:
            waiting.append((sample, pool.ask("read", sample, doing=f"reading near {sample.key}")))
            if len(waiting) > AHEAD * workers:
                first, answer = waiting.popleft()
                yield first, answer.get()
        for last, answer in waiting:
            yield last, answer.get()
    finally:
        pool.close()


@dataclass(frozen=True)
class _Attempts:
    """Reads what can be read; picklable where its reader is."""

    reader: Callable[[BenchmarkSample], Any]

    def read(self, sample: BenchmarkSample) -> Any:
        try:
            return self.reader(sample)
        except DataError as error:
            return Skipped(sample.key, error.message, error.hint)


def batches(items: Iterable[Any], size: int) -> Iterator[Sequence[Any]]:
    """Lists of `size` items, the last one shorter."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
