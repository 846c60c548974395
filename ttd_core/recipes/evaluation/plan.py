"""What an evaluation is about to do: the data set opened, its samples chosen, everything that is missing counted."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.coco import CocoObjects
from ttd_core.data.benchmarks.label_files_rows import Answers
from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample
from ttd_core.errors import DataError, UsageError
from ttd_core.recipes.evaluation.options import EvaluateOptions, parse_shard
from ttd_core.recipes.evaluation.scenes_data import ScenesBenchmark, open_scenes
from ttd_core.scenes.dataset import find_split

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter

_NAMED = 3
_LISTED = ("name", "tasks", "samples", "absent", "notices")
"""Fields of data sets that say nothing about how a truth is read."""


@dataclass(frozen=True)
class Plan:
    """Samples to be evaluated, with their places in the whole.

    Args:
        benchmark: the data set.
        task: what is measured.
        samples: (place, sample) of this shard, in order; places count after `--limit` and before `--shard`.
        counts: `listed` in the data set, `absent` of these, `selected` by `--limit`, `missing` predictions of these,
            `planned` in this shard.
        digest: SHA-256 over classes, keys, captions and the states of all files of the selected samples, whatever the
            shard; two evaluations with one digest are about the same truth.
        listing: SHA-256 over keys and captions alone, the same on every machine.
    """

    benchmark: Benchmark
    task: str
    samples: tuple[tuple[int, BenchmarkSample], ...]
    counts: dict[str, int]
    digest: str
    listing: str


def open_data(options: EvaluateOptions) -> Benchmark:
    """Open the data set that the options name.

    Raises:
        UsageError: there is no such data set, or it needs a root.
        DataError: what it needs is not there.
    """
    assert options.data is not None
    stem, _, split = options.data.partition(":")
    if stem == "scenes":
        for flag, value in (("--root", options.root), ("--truth", options.truth)):
            if value is not None:
                raise UsageError(f"{flag} does not go with --data scenes, which are drawn", hint=f"drop {flag}")
        # opening a split draws every scene for its caption
        return open_scenes(options.data, split or "test", options.limit)
    root = None if options.root is None else Path(options.root)
    benchmark = open_benchmark(options.data, root, None if options.truth is None else Path(options.truth))
    if isinstance(benchmark, CocoObjects):
        return benchmark.for_task(choose_task(options, benchmark))
    return benchmark


def choose_task(options: EvaluateOptions, benchmark: Benchmark) -> str:
    """The task asked for, or the data set's first.

    Raises:
        UsageError: the data set does not serve this task.
    """
    if options.task is None:
        return benchmark.tasks[0]
    if options.task not in benchmark.tasks:
        raise UsageError(
            f"--task {options.task} cannot be done on --data {options.data}",
            hint=f"it has what is needed for {', '.join(benchmark.tasks)}"
            + ("; true tags can be given with --truth FILE" if options.task == "tags" and options.pred is None else ""),
        )
    return options.task


def make_plan(
    options: EvaluateOptions, benchmark: Benchmark, predicted: Collection[str] | None, report: Reporter
) -> Plan:
    """Choose the samples, and refuse an incomplete set before anything is computed.

    Args:
        options: limit, shard, and whether missing samples are allowed.
        benchmark: the data set.
        predicted: keys of finished answers, None where a model is asked.
        report: told about what is missing or was assumed.

    Raises:
        UsageError: the data set does not serve the task.
        DataError: no samples, a key twice, or samples or predictions are missing without `--allow-missing`.
    """
    task = choose_task(options, benchmark)
    for notice in benchmark.notices:
        report.warning(notice)
    samples = benchmark.samples
    # drawn scenes are opened only up to the limit
    drawn = find_split(benchmark.split).length if isinstance(benchmark, ScenesBenchmark) else 0
    listed = max(drawn, len(samples) + len(benchmark.absent))
    _refuse_twice(options, samples)
    _allow(options, report, [f"{key}: {what}" for key, what in benchmark.absent], listed, "samples are not whole")
    selected = samples[: options.limit]
    if not selected:
        raise DataError(f"--data {options.data} holds no samples", hint="check --root, and the split after the colon")
    absent_answers = [] if predicted is None else [each.key for each in selected if each.key not in predicted]
    shared = predicted.shared([each.key for each in selected]) if isinstance(predicted, Answers) else None
    if shared is not None:
        raise DataError(
            f"--pred {options.pred} has one answer for both {shared[0]} and {shared[1]}",
            hint="spell the keys of the predictions as the data set does, folders included",
        )
    if len(absent_answers) == len(selected):
        found = next(iter(predicted or ()), "nothing")
        raise DataError(
            f"--pred {options.pred} answers none of the {len(selected)} samples: "
            f"it has {found}, not {absent_answers[0]}",
            hint="predictions are found by the data set's keys, as a picture's name without its suffix",
        )
    _allow(options, report, absent_answers, len(selected), f"samples have no answer in {options.pred}")
    if predicted is not None and options.limit is None and len(predicted) > len(selected) - len(absent_answers):
        report.info(f"{len(predicted) - len(selected) + len(absent_answers)} answers belong to no sample")
    unanswered = set(absent_answers)
    answered = [(place, each) for place, each in enumerate(selected) if each.key not in unanswered]
    part, parts = parse_shard(options.shard) if options.shard else (1, 1)
    chosen = tuple(answered[part - 1 :: parts])
    if not chosen:
        raise DataError(f"--shard {options.shard} is empty: there are {len(answered)} samples")
    counts = {
        "listed": listed,
        "absent": len(benchmark.absent),
        "selected": len(selected),
        "missing": len(absent_answers),
        "planned": len(chosen),
    }
    return Plan(
        benchmark,
        task,
        chosen,
        counts,
        _digest(answered, _known, _reading_of(benchmark)),
        _digest(answered, lambda sample: (sample.key, sample.caption)),
    )


def _refuse_twice(options: EvaluateOptions, samples: tuple[BenchmarkSample, ...]) -> None:
    twice = [key for key, count in Counter(sample.key for sample in samples).items() if count > 1]
    if twice:
        raise DataError(
            f"--data {options.data} lists {len(twice)} keys more than once, the first is {twice[0]}",
            hint="every sample needs a key of its own",
        )


def _allow(options: EvaluateOptions, report: Reporter, missing: list[str], total: int, what: str) -> None:
    if not missing:
        return
    named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    message = f"{len(missing)} of {total} {what}: {named}"
    if not options.allow_missing:
        raise DataError(message, hint=f"--allow-missing evaluates the other {total - len(missing)} and counts these")
    report.warning(message)


def _digest(
    samples: Iterable[tuple[int, BenchmarkSample]], part: Callable[[BenchmarkSample], Any], head: Any = None
) -> str:
    digest = hashlib.sha256(b"" if head is None else repr(head).encode("utf-8", "surrogatepass"))
    for _, sample in samples:
        digest.update(repr(part(sample)).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _reading_of(benchmark: Benchmark) -> Any:
    """How annotations become classes: the class list, and whatever else a data set has found out about its files."""
    if not dataclasses.is_dataclass(benchmark):
        return _state(benchmark.classes)
    names = [field.name for field in dataclasses.fields(benchmark) if field.name not in _LISTED]
    return tuple((name, _state(getattr(benchmark, name))) for name in names)


def _known(sample: BenchmarkSample) -> tuple[Any, ...]:
    return sample.key, sample.caption, _state(sample.image), _state(sample.source)


def _state(value: Any) -> Any:
    """What a truth is made of, in a form that can be compared: files by name, size and time of change."""
    if isinstance(value, Path):
        try:
            found = os.stat(value)
        except (OSError, ValueError):  # reading it will say what is wrong
            return value.name, None
        return value.name, found.st_size, found.st_mtime_ns
    if dataclasses.is_dataclass(value):
        return tuple(_state(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, (tuple, list)) and any(not isinstance(each, (int, float, str)) for each in value):
        return tuple(_state(each) for each in value)
    return value
