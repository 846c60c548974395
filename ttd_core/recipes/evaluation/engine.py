"""The way of an evaluation: plan, one recorded row per sample, and every figure from the rows.

While one batch is being counted in a thread of its own the model is already looking at the next one, and worker
processes decode those after it. The order of the rows is that of the data set, whatever finishes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ttd_core.data.benchmarks.types import BenchmarkSample
from ttd_core.errors import DataError
from ttd_core.recipes.evaluation.noticed import Hints, Notices
from ttd_core.recipes.evaluation.plan import Plan
from ttd_core.recipes.evaluation.reading import batches, read_all, worker_count
from ttd_core.recipes.evaluation.task import Task
from ttd_core.recipes.results import Skipped

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.runs import RunDirectory

_UNCOUNTED = 2
"""Batches that may wait for being counted."""

Place = tuple[int, BenchmarkSample]


def record_rows(options: EvaluateOptions, plan: Plan, task: Task, run: RunDirectory, report: Reporter) -> int:
    """Answer every sample that the run has not recorded yet.

    A sample that cannot be read or answered is named, recorded as skipped, and tried again by the next run.

    Returns:
        How many samples were skipped.

    Raises:
        TtdError: the model cannot be used, the run cannot be written, or a worker died.
    """
    todo = [(place, sample) for place, sample in plan.samples if run.row(sample.key) is None]
    skipped = 0
    said = Hints()
    waiting: deque[list[tuple[Place, Future[Any] | Skipped]]] = deque()
    with ThreadPoolExecutor(1, "counting") as counting:
        try:
            for batch in _answered(options, plan, task, todo, report, counting):
                waiting.append(batch)
                if len(waiting) > _UNCOUNTED:
                    skipped += _record(run, report, said, waiting.popleft())
            while waiting:
                skipped += _record(run, report, said, waiting.popleft())
        except BaseException:
            for batch in waiting:
                for _, row in batch:
                    if isinstance(row, Future):
                        row.cancel()
            raise
    return skipped


def _answered(
    options: EvaluateOptions,
    plan: Plan,
    task: Task,
    todo: Sequence[Place],
    report: Reporter,
    counting: ThreadPoolExecutor,
) -> Iterator[list[tuple[Place, Future[Any] | Skipped]]]:
    workers = worker_count(options.workers, len(todo))
    reads = read_all(task.reader(), (sample for _, sample in todo), workers)
    shown = report.track(zip(todo, reads, strict=True), len(todo), f"evaluating {plan.benchmark.name}")
    notices = Notices(report)
    for batch in batches(((place, read) for place, (_, read) in shown), options.batch_size):
        good = [read for _, read in batch if not isinstance(read, Skipped)]
        for read in good:
            notices.hear(read)
        finishes = iter(task.answer(good) if good else ())
        yield [(place, read if isinstance(read, Skipped) else counting.submit(next(finishes))) for place, read in batch]
    notices.close()


def _record(
    run: RunDirectory, report: Reporter, said: Hints, batch: Sequence[tuple[Place, Future[Any] | Skipped]]
) -> int:
    skipped = 0
    for (place, sample), waiting in batch:
        try:
            row = waiting.result() if isinstance(waiting, Future) else waiting
        except DataError as error:
            row = Skipped(sample.key, error.message, error.hint)
        if isinstance(row, Skipped):
            skipped += 1
            report.warning(f"skipped {sample.key}: {row.reason}", said.once(row.hint))
            run.record_skipped(sample.key, row.reason, row.hint, place)
            run.log("skipped", key=sample.key, reason=row.reason)
        else:
            run.record(sample.key, row, place)
    return skipped
