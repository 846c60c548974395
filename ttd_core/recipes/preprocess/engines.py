"""Workers on this machine: processes with a model each, or one thread; shards go to whoever is free.

Each worker has a pipe. It says when its model is loaded, how many pairs it has scored, and when a shard is finished,
and is then given the next one. Whoever loses the other end of the pipe stops, so no worker outlives the run.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from ttd_core.errors import RunError, TtdError
from ttd_core.recipes.preprocess.job import Event, Failed, Finished, Job, Opened, Said, Scored, Task, Unread
from ttd_core.recipes.preprocess.shard import score_shard

_PATIENCE = 20
"""Seconds that a worker in a thread is given to notice that it is no longer wanted."""


def run_local(job: Job, devices: Sequence[str | None], tasks: Iterator[Task]) -> Iterator[Event]:
    """Score shards on this machine.

    A task is taken from `tasks` only when a worker is free for it, and after the events before it have been consumed.

    Args:
        job: the run; picklable where there are several devices.
        devices: one worker each; a single one works in a thread of this process.
        tasks: the shards.

    Yields:
        What the workers tell.

    Raises:
        TtdError: a worker cannot go on.
        RunError: a worker died.
    """
    first = next(tasks, None)
    if first is None:
        return
    workers: dict[Connection, _Worker] = {}
    upcoming: Task | None = first
    try:
        for device in devices:
            if upcoming is None:
                break
            worker = _Worker(job, device, in_thread=len(devices) == 1)
            workers[worker.pipe] = worker
            worker.give(upcoming)
            upcoming = next(tasks, None) if len(devices) > len(workers) else None
        while busy := [pipe for pipe, worker in workers.items() if worker.task is not None]:
            for pipe in wait(busy):
                worker = workers[pipe]  # type: ignore[index]
                event = worker.hear()
                if isinstance(event, Failed):
                    raise _failure(event)
                yield event
                if isinstance(event, Finished | Unread):
                    worker.give(next(tasks, None))
    finally:
        for worker in workers.values():
            worker.stop()


class _Worker:
    """The near end of a worker."""

    def __init__(self, job: Job, device: str | None, in_thread: bool) -> None:
        self.pipe, far = Pipe()
        self.task: Task | None = None
        self._far = far if in_thread else None
        self._worker: Any
        if in_thread:
            self._worker = threading.Thread(target=serve, args=(far, job, device), name="scoring", daemon=True)
        else:
            context = multiprocessing.get_context("spawn")
            self._worker = context.Process(target=serve, args=(far, job, device, True), daemon=True)
        self._worker.start()
        if not in_thread:
            far.close()  # or its end would never be noticed

    def give(self, task: Task | None) -> None:
        self.task = task
        with suppress(OSError):  # a worker that is gone is noticed when it is listened to
            self.pipe.send(task)

    def hear(self) -> Event:
        try:
            event: Event = self.pipe.recv()
        except (EOFError, OSError) as error:
            name = self.task.shard.name if self.task is not None else "?"
            raise RunError(
                f"a worker process died while scoring shard {name}",
                hint="too little memory, or a picture that ends the decoder: try fewer --workers; finished shards stay",
            ) from error
        return event

    def stop(self) -> None:
        """End the worker, at once if it is busy."""
        busy = self.task is not None
        self.pipe.close()
        if busy and isinstance(self._worker, multiprocessing.process.BaseProcess):
            self._worker.terminate()
        self._worker.join(_PATIENCE)


def _failure(event: Failed) -> Exception:
    if event.error is not None:
        return event.error
    return RuntimeError(f"in a worker:\n{event.traceback}")


def serve(pipe: Connection, job: Job, device: str | None, own_process: bool = False) -> None:
    """What a worker does until there is nothing left: load the model, then shard after shard."""
    if own_process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it

    def send(event: Event) -> None:
        try:
            pipe.send(event)
        except OSError as error:
            raise _Gone from error

    with suppress(_Gone), pipe:
        try:
            _serve(pipe, send, job, device)
        except TtdError as error:
            send(Failed(error))
        except Exception:
            send(Failed(None, traceback.format_exc()))


class _Gone(BaseException):
    """Nobody listens any more. Like Ctrl-C it passes everything that handles failures."""


def _serve(pipe: Connection, send: Callable[[Event], None], job: Job, device: str | None) -> None:
    scorer = job.open_scorer(device, PipeReporter(send))
    send(Opened(scorer.model, scorer.model_sha256, scorer.settings, scorer.device))
    while (task := _next(pipe)) is not None:
        send(score_shard(job, scorer, task, lambda pairs: send(Scored(pairs))))


def _next(pipe: Connection) -> Task | None:
    try:
        task: Task | None = pipe.recv()
    except (EOFError, OSError) as error:
        raise _Gone from error
    return task


class PipeReporter:
    """A `Reporter` whose words are printed by the process that prints.

    Args:
        send: takes an event.
    """

    def __init__(self, send: Any) -> None:
        self._send = send

    def info(self, message: str) -> None:
        """Pass a remark on."""
        self._send(Said(message, warning=False))

    def warning(self, message: str, hint: str | None = None) -> None:
        """Pass a warning on."""
        self._send(Said(message, hint))

    def track(self, items: Any, total: int | None, description: str) -> Any:
        """Show nothing: the bar counts pairs."""
        return items
