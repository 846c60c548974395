"""Pictures and truths, decoded ahead of the model in worker processes, handed on in order.

Workers are spawned, so a script that evaluates with workers needs the usual `if __name__ == "__main__"` guard. Each
has only a few samples under way, so memory does not grow with the data set.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, Truth
from ttd_core.errors import DataError, RunError
from ttd_core.recipes.results import Skipped
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
    if not workers:
        for sample in samples:
            yield sample, _attempt(read, sample)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(read,))
    waiting: deque[tuple[BenchmarkSample, Any]] = deque()
    try:
        for sample in samples:
            waiting.append((sample, _submitted(pool, sample)))
            if len(waiting) > AHEAD * workers:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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


_read: Callable[[BenchmarkSample], Any] | None = None


def _begin(read: Callable[[BenchmarkSample], Any]) -> None:
    """What every worker does once: Ctrl-C is for the process that started it, and without that one it ends."""
    global _read
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _read = read


def _end_with_parent() -> None:
    """A worker waits for work on a pipe that it also holds the other end of, so it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(sample: BenchmarkSample) -> Any:
    assert _read is not None
    return _attempt(_read, sample)


def _attempt(read: Callable[[BenchmarkSample], Any], sample: BenchmarkSample) -> Any:
    try:
        return read(sample)
    except DataError as error:
        return Skipped(sample.key, error.message, error.hint)


def _submitted(pool: ProcessPoolExecutor, sample: BenchmarkSample) -> Future[Any]:
    try:
        return pool.submit(_work, sample)
    except BrokenProcessPool as error:  # it died while the rows before were being worked on
        raise _died(sample) from error


def _next(waiting: deque[tuple[BenchmarkSample, Any]]) -> tuple[BenchmarkSample, Any]:
    sample, future = waiting.popleft()
    try:
        return sample, future.result()
    except BrokenProcessPool as error:
        raise _died(sample) from error


def _died(sample: BenchmarkSample) -> RunError:
    return RunError(
        f"a worker process died while reading near {sample.key}",
        hint="too little memory, or a file that ends the decoder: try --workers 0",
    )
