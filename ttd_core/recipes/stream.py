"""Turning a stream of rows into batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def fixed_batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Batches of `size` rows, the last one possibly shorter: the same batches on every run."""
    batch: list[T] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def ready_batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Batches of the rows that have arrived, at most `size`: never waits for a row that is not there yet.

    For standard input, where the writer may be waiting for our answer to row n before it sends row n + 1. Reads at
    most `size` rows ahead, so memory stays flat. An exception of `rows` is raised here after the rows before it.
    """
    arrived: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(maxsize=size)

    def read() -> None:
        try:
            for row in rows:
                arrived.put((row,))
        except BaseException as error:
            arrived.put(error)
        else:
            arrived.put(None)

    threading.Thread(target=read, name="ttd-reader", daemon=True).start()
    end: BaseException | None = None
    open_ = True
    while open_:
        batch: list[T] = []
        item = arrived.get()
        while True:
            if item is None or isinstance(item, BaseException):
                end, open_ = item, False
                break
            batch.append(item[0])
            if len(batch) == size or arrived.empty():
                break
            item = arrived.get()
        if batch:
            yield batch
    if end is not None:
        raise end
