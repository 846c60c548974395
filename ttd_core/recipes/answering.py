"""What `tags`, `masks` and `demo` have in common: rows in, answers out, in input order, each recorded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ttd_core.data.rows import BadRow
from ttd_core.errors import ImageError, RunError
from ttd_core.recipes.contents import reads_stdin, sample_digest
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.results import Skipped
from ttd_core.recipes.stream import fixed_batches, ready_batches
from ttd_core.types import Picture, Sample

if TYPE_CHECKING:
    from ttd_core.runs import RunDirectory

# Decoding runs in threads (Pillow releases the lock); more than a few only compete with the model for cores.
DECODERS = 4


class Answer(Protocol):
    """What a recipe says about one row."""

    @property
    def key(self) -> str:
        """The sample's key."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The row as it is written for machines."""
        ...


A = TypeVar("A", bound=Answer)


def answers(
    options: CommonOptions,
    samples: Iterable[Sample | BadRow],
    run: RunDirectory | None,
    answer_batch: Callable[[Sequence[Sample]], Iterable[A | Skipped]],
    from_json: Callable[[Mapping[str, Any]], A],
) -> Iterator[A | Skipped]:
    """Answer every row, in input order.

    Rows that an earlier, interrupted run has finished are answered from its record. Rows that cannot be read or
    answered come out as `Skipped` and are tried again by the next run.

    Args:
        options: the batch size, and whether rows arrive one by one on standard input.
        samples: the rows.
        run: where finished rows are recorded, None for one-off calls.
        answer_batch: answers samples in their order; each answer is recorded as it comes, so that one that yields them
            one by one loses nothing finished.
        from_json: reads a recorded row back.
    """
    streaming = reads_stdin(options)
    batches = ready_batches if streaming else fixed_batches
    begin = 0
    for batch in batches(samples, options.batch_size):
        known = _known(run, batch, streaming)
        todo = [row for row in batch if isinstance(row, Sample) and row.key not in known]
        new = iter(answer_batch(todo) if todo else ())
        for position, row in enumerate(batch, start=begin):
            if isinstance(row, Sample) and row.key in known:
                yield from_json(known[row.key])
                continue
            answer = next(new) if isinstance(row, Sample) else Skipped(row.origin, row.message, row.hint)
            if run is not None and isinstance(answer, Skipped):
                run.record_skipped(answer.key, answer.reason, answer.hint, position)
                run.log("skipped", key=answer.key, reason=answer.reason)
            elif run is not None and isinstance(row, Sample):
                mark = {"input": sample_digest(row)} if streaming else {}
                run.record(row.key, {**answer.to_json(), **mark}, position)
            yield answer
        begin += len(batch)


def _known(run: RunDirectory | None, batch: Sequence[Sample | BadRow], streaming: bool) -> dict[str, dict[str, Any]]:
    """The recorded rows of a batch by key. Files were compared as a whole before; a stream is compared row by row."""
    known: dict[str, dict[str, Any]] = {}
    for row in batch:
        found = run.row(row.key) if run is not None and isinstance(row, Sample) else None
        if run is None or found is None or not isinstance(row, Sample):
            continue
        if streaming and found.get("input") != sample_digest(row):
            raise RunError(
                f"{run.path} holds the answer to another input with the key {row.key}",
                hint="choose another place with --run-root or --out, or start it anew with --overwrite",
            )
        known[row.key] = found
    return known


def load_pictures(samples: Sequence[Sample]) -> list[Picture | Skipped]:
    """Decode the pictures of a batch, several at a time; one that cannot be decoded becomes `Skipped`."""
    from ttd_core.data.images import load_picture  # NumPy and Pillow are not needed for captions alone

    def load(sample: Sample) -> Picture | Skipped:
        assert sample.image is not None  # callers sort out rows without a picture first
        try:
            return load_picture(sample.image)
        except ImageError as error:
            return Skipped(sample.key, error.message, error.hint)

    if len(samples) == 1:
        return [load(samples[0])]
    with ThreadPoolExecutor(DECODERS) as pool:
        return list(pool.map(load, samples))
