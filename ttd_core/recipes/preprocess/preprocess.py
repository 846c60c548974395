"""`ttd preprocess`: a score for every pair, shard by shard, in a run directory that can be taken up again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.data.pair_sources import open_pairs
from ttd_core.data.pairs import PairSource
from ttd_core.data.scores import open_scores
from ttd_core.errors import DataError, RunError
from ttd_core.recipes.preprocess.devices import worker_devices
from ttd_core.recipes.preprocess.engines import run_local
from ttd_core.recipes.preprocess.job import Event, Finished, Job, Opened, Said, Scored, Scorer, Task, Unread
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.recipes.preprocess.recorded import start_run
from ttd_core.recipes.preprocess.scenes_source import open_scenes_pairs
from ttd_core.recipes.preprocess.summary import summarise
from ttd_core.types import DTYPES

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.runs import RunDirectory

FOLDER = "scores"
"""Where a run keeps its score files."""

_NAMED_SHARDS = 10


def run_preprocess(
    options: PreprocessOptions,
    report: Reporter,
    command_line: str = "",
    source: PairSource | None = None,
    open_scorer: Any = None,
) -> tuple[dict[str, Any], Path]:
    """Score all pairs, or go on with an interrupted run, or read a finished one back.

    Args:
        options: the settings.
        report: told about progress and about everything that was skipped.
        command_line: as typed, for the manifest.
        source: pairs instead of those that `options.data` names.
        open_scorer: instead of the options' model: device and reporter -> `Scorer`; picklable for several workers.

    Returns:
        `data`, `model`, `shards`, `pairs`, `ok`, `bad` and `score` (see `summarise`), and the run's folder.

    Raises:
        DataError: there is no data, or not one pair of it could be scored.
        UsageError, WeightsError, MissingPackageError, RunError: see the exit codes.
    """
    if options.engine == "ray":
        from ttd_core.recipes.preprocess.ray_engine import import_ray

        import_ray()
    pairs = source if source is not None else open_source(options)
    with start_run(options, pairs, command_line) as run:
        work = _Work(options, pairs, run, report, open_scorer)
        if run.status == "done" and not work.left:
            report.info(f"already done: {run.path} (--overwrite starts anew)")
            return run.manifest["result"], run.path
        if run.resumed:
            report.info(f"going on with {run.path}: {run.done} of {len(pairs.shards)} shards done before")
        work.run()
        return work.conclude(), run.path


def open_source(options: PreprocessOptions) -> PairSource:
    """The pairs that the options name.

    Raises:
        UsageError: the data is unknown.
        DataError: it is not there, or not what it should be.
    """
    data = options.data or ""
    if data.startswith("scenes:"):
        return open_scenes_pairs(data)
    return open_pairs(data, None if options.root is None else Path(options.root), options.columns)


class _Work:
    """One call: which shards are left, and what becomes of them."""

    def __init__(
        self, options: PreprocessOptions, source: PairSource, run: RunDirectory, report: Reporter, open_scorer: Any
    ) -> None:
        self._options, self._source, self._run, self._report = options, source, run, report
        self._open_scorer = open_scorer
        self._unread: list[Unread] = []
        self._said: set[tuple[str, str | None]] = set()
        self._before = 0
        self._left = self._unfinished()

    @property
    def left(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._left) and (self._options.limit is None or self._before < self._options.limit)

    def run(self) -> None:
        """Score what is left."""
        self._run.note(status="running")
        events = self._engine(self._tasks())
        rows = getattr(self._source, "rows", None) if self._options.limit is None else self._options.limit
        total = None if rows is None else max(0, rows - self._before)
        for _ in self._report.track(self._counted(events), total, f"scoring {self._source.name}"):
            pass
        lost = len(self._source.shards) - self._run.done - len(self._unread)
        assert lost <= 0 or self._options.limit is not None, f"{lost} shards were handed to nobody"

    def conclude(self) -> dict[str, Any]:
        """Read the score files back, write the manifest, and refuse a result without a single score.

        Raises:
            DataError: no pair could be scored.
        """
        run, options = self._run, self._options
        shards = [shard.name for shard in self._source.shards if run.row(shard.name) is not None]
        found = summarise(run.path / FOLDER / f"{name}.parquet" for name in shards)
        unread = len(self._unread)
        if unread > _NAMED_SHARDS:
            self._report.warning(f"{unread - _NAMED_SHARDS} more shards could not be read")
        if not found["ok"]:
            self._refuse(found)
        bad = found["pairs"] - found["ok"]
        result = {
            "data": options.data,
            "model": run.manifest.get("model"),
            "model_sha256": run.manifest.get("model_sha256"),
            "shards": {"done": len(shards), "unread": unread},
            **found,
        }
        run.note(result=result)
        counts = {"done": len(shards), "unread": unread, "pairs": found["pairs"], "ok": found["ok"], "bad": bad}
        # what could not be read may be there the next time; a bad pair stays one
        run.finish("failed" if unread and not options.keep_going else "done", counts)
        return result

    def _refuse(self, found: dict[str, Any]) -> None:
        if not found["pairs"] and self._unread:
            first = self._unread[0]
            more = f"; {len(self._unread) - 1} more shards cannot be read" if len(self._unread) > 1 else ""
            raise DataError(f"{first.message}{more}", first.hint)
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in found["bad"].items())
        raise DataError(f"none of the {found['pairs']:,} pairs of --data {self._options.data} has a score ({reasons})")

    def _unfinished(self) -> list[Task]:
        left = []
        for position, shard in enumerate(self._source.shards):
            row = self._run.row(shard.name)
            if row is None:
                left.append(Task(shard, position))
                continue
            if row.get("state") != _state(self._source, shard):
                raise RunError(
                    f"{shard.name} of --data {self._options.data} changed since it was scored",
                    hint="start the run anew with --overwrite",
                )
            self._before += int(row.get("pairs", 0))
        return left

    def _tasks(self) -> Iterator[Task]:
        """The shards to score, in order; each is handed out when a worker is free for it."""
        limit = self._options.limit
        for task in self._left:
            if limit is not None and self._before >= limit:
                return
            name = f"{FOLDER}/{task.shard.name}.parquet"
            path = self._run.product(name)
            for part in path.parent.glob(f".{path.stem[:80]}.*.part.parquet"):
                with suppress(OSError):  # of a run that was killed
                    part.unlink()
            if limit is None and path.exists() and (counts := _finished_before(path)) is not None:
                self._record(Finished(task, counts))  # killed between the file and its row
                continue
            yield Task(task.shard, task.position, None if limit is None else limit - self._before)

    def _engine(self, tasks: Iterator[Task]) -> Iterator[Event]:
        options = self._options
        if options.engine == "ray":
            from ttd_core.recipes.preprocess.ray_engine import run_ray

            workers = 1 if options.limit is not None else options.workers
            return run_ray(self._job(workers or 1), workers, options.model.device, tasks)
        devices = worker_devices(options, len(self._left), self._open_scorer is None)
        return run_local(self._job(len(devices)), devices, tasks)

    def _job(self, workers: int) -> Job:
        cores = os.cpu_count() or 1
        return Job(
            source=self._source,
            folder=str((self._run.path / FOLDER).resolve()),
            data=self._options.data or "",
            root=self._options.root,
            open_scorer=self._open_scorer or partial(_open_scorer, self._options),
            decoders=max(1, min(8, cores // workers - 1)),
        )

    def _counted(self, events: Iterator[Event]) -> Iterator[None]:
        """One item per scored pair, for the bar; everything else is dealt with in passing."""
        for event in events:
            if isinstance(event, Scored):
                for _ in range(event.pairs):
                    yield None
            elif isinstance(event, Said):
                if (event.message, event.hint) not in self._said:  # every worker says the same
                    self._said.add((event.message, event.hint))
                    self._report.warning(event.message, event.hint) if event.warning else self._report.info(
                        event.message
                    )
            elif isinstance(event, Opened):
                self._note(event)
            elif isinstance(event, Finished):
                self._finish(event)
            elif isinstance(event, Unread):
                self._skip(event)

    def _note(self, event: Opened) -> None:
        known = self._run.manifest.get("model_sha256")
        if known is not None and known != event.model_sha256:
            there, now = str(known)[:12], str(event.model_sha256)[:12]
            raise RunError(
                f"{self._run.path} was begun with other weights (sha256 {there} there, {now} now)",
                hint="name the same weights, or start the run anew with --overwrite",
            )
        facts = {"model": event.model, "model_sha256": event.model_sha256, "settings": event.settings}
        if known is None:
            self._run.note(device=event.device, dtype=DTYPES[self._options.model.precision], **facts)

    def _finish(self, event: Finished) -> None:
        shard = event.task.shard.name
        bad = {status: count for status, count in event.counts.items() if status != "ok"}
        for origin, message, hint in event.named:
            self._report.warning(f"skipped {origin}: {message}", hint)
        if (more := sum(bad.values()) - len(event.named)) > 0:
            reasons = ", ".join(f"{status}: {count:,}" for status, count in sorted(bad.items()))
            self._report.warning(f"skipped {more:,} more pairs of {shard} ({reasons})")
        self._record(event)

    def _record(self, event: Finished) -> None:
        shard = event.task.shard
        pairs = sum(event.counts.values())
        self._before += pairs
        row = {"files": {"scores": f"{FOLDER}/{shard.name}.parquet"}, "pairs": pairs, "statuses": event.counts}
        state = _state(self._source, shard)
        self._run.record(shard.name, row | ({"state": state} if state else {}), event.task.position)

    def _skip(self, event: Unread) -> None:
        self._unread.append(event)
        if len(self._source.shards) > 1 and len(self._unread) <= _NAMED_SHARDS:  # of a single one it is the error
            self._report.warning(f"skipped shard {event.task.shard.name}: {event.message}", event.hint)
        self._run.record_skipped(event.task.shard.name, event.message, event.hint, event.task.position)
        self._run.log("skipped", shard=event.task.shard.name, reason=event.message)


def _state(source: PairSource, shard: Any) -> str | None:
    say = getattr(source, "state", None)
    return None if say is None else say(shard)


def _finished_before(path: Path) -> dict[str, int] | None:
    """Rows by status of a whole score file; None where it is to be made anew."""
    try:
        counts: dict[str, int] = {}
        for batch in open_scores(path).batches(("status",)):
            for entry in batch.column("status").value_counts().to_pylist():
                counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
        return counts
    except DataError:
        return None


def _open_scorer(options: PreprocessOptions, device: str | None, report: Reporter) -> Scorer:
    from ttd_core.recipes.preprocess.scorer import open_pair_scorer

    return open_pair_scorer(options.answers(), device, report)
