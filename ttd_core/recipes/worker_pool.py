"""Processes of our own that work on what they are handed, and end with the one that started them.

They are spawned, so a script that uses them needs the usual `if __name__ == "__main__"` guard.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from ttd_core.errors import RunError


@dataclass(frozen=True)
class Answer:
    """What a process was asked for."""

    _future: Future[Any]
    _died: RunError

    @property
    def here(self) -> bool:
        """Whether it need not be waited for."""
        return self._future.done()

    def get(self) -> Any:
        """Wait for it.

        Raises:
            RunError: a process died.
        """
        try:
            return self._future.result()
        except BrokenProcessPool as error:
            raise self._died from error


class WorkerPool:
    """Processes that share one object; with none of them, work is done here and now.

    Args:
        worker: picklable; its methods are what is asked for.
        workers: processes.
        alone: the option that does without them, for messages.
    """

    def __init__(self, worker: Any, workers: int, alone: str) -> None:
        self._worker, self._alone = worker, alone
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(worker,))

    def ask(self, method: str, *arguments: Any, doing: str = "reading pictures") -> Answer:
        """Have a method called.

        Args:
            method: its name.
            arguments: picklable.
            doing: what is said of a process that dies meanwhile.

        Raises:
            RunError: a process died.
        """
        died = RunError(
            f"a worker process died while {doing}",
            hint=f"too little memory, or a file that ends the decoder: try {self._alone}",
        )
        if self._pool is None:
            future: Future[Any] = Future()
            future.set_result(getattr(self._worker, method)(*arguments))
            return Answer(future, died)
        try:
            return Answer(self._pool.submit(_work, method, arguments), died)
        except BrokenProcessPool as error:  # it died over what was asked before
            raise died from error

    def close(self) -> None:
        """End the processes; what was asked for and not begun is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


_shared: Any = None


def _begin(worker: Any) -> None:
    """What every process does once: Ctrl-C is for the one that started it, and without that one it ends."""
    global _shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared = worker


def _end_with_parent() -> None:
    """A process waits for work on a pipe that it also holds the other end of, so it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(method: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(_shared, method)(*arguments)
