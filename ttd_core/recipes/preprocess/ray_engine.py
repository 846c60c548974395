"""Workers on a Ray cluster: actors with a model each, running the same function as the processes of one machine.

Archives and run folder must be reachable under the same paths on every machine, as on a shared file system.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ttd_core.errors import MissingPackageError, RunError, TtdError, UsageError
from ttd_core.recipes.preprocess.engines import PipeReporter
from ttd_core.recipes.preprocess.job import Event, Failed, Job, Opened, Scored, Task
from ttd_core.recipes.preprocess.shard import score_shard

_RETRIES = 2
"""How often an actor that dies (a machine goes away) is started anew, and its shard with it."""


def import_ray() -> Any:
    """The package, asked for only here.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise MissingPackageError("--engine ray needs the package ray", "pip install 'ttd[ray]'") from error


class RayWorker:
    """One actor: the model, loaded with the first shard.

    Args:
        device: where it computes; None is the scorer's own choice.
    """

    def __init__(self, device: str | None) -> None:
        self._device = device
        self._scorer: Any = None

    def score(self, job: Job, task: Task) -> list[Event]:
        """Score a shard; everything there is to tell comes at once."""
        told: list[Event] = []
        try:
            if self._scorer is None:
                scorer = self._scorer = job.open_scorer(self._device, PipeReporter(told.append))
                told.append(Opened(scorer.model, scorer.model_sha256, scorer.settings, scorer.device))
            told.append(score_shard(job, self._scorer, task, lambda pairs: told.append(Scored(pairs))))
        except TtdError as error:
            told.append(Failed(error))
        return told


def run_ray(job: Job, workers: int | None, device: str, tasks: Iterator[Task]) -> Iterator[Event]:
    """Score shards on the cluster that `RAY_ADDRESS` names, else on a local instance.

    Args:
        job: the run.
        workers: actors; None takes one per GPU, or one per core where the cluster has none.
        device: `--device`; GPUs are used unless it says `cpu`.
        tasks: the shards.

    Yields:
        What the workers tell.

    Raises:
        MissingPackageError: without ray.
        UsageError: more actors with a GPU than the cluster has GPUs.
        TtdError: a worker cannot go on.
    """
    ray = import_ray()
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, logging_level="error")
    try:
        count, gpus = _actors(ray.cluster_resources(), workers, device)
        kind = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=_RETRIES, max_task_retries=_RETRIES)(RayWorker)
        held = ray.put(job)
        busy: dict[Any, Any] = {}
        for task in islice(tasks, count):
            actor = kind.remote("cuda" if gpus else "cpu" if device in ("auto", "cpu") else device)
            busy[actor.score.remote(held, task)] = actor
        while busy:
            (done,), _ = ray.wait(list(busy), num_returns=1)
            actor = busy.pop(done)
            yield from _told(ray, done)
            if (following := next(tasks, None)) is not None:
                busy[actor.score.remote(held, following)] = actor
    finally:
        if started:
            ray.shutdown()


def _actors(resources: dict[str, float], workers: int | None, device: str) -> tuple[int, int]:
    """How many actors, and how many GPUs each."""
    gpus = 0 if device == "cpu" else int(resources.get("GPU", 0))
    if workers is not None and gpus and workers > gpus:
        raise UsageError(f"--workers {workers}: the Ray cluster has {gpus} GPUs", f"--workers {gpus}, or --device cpu")
    return workers or gpus or max(1, int(resources.get("CPU", 1))), 1 if gpus else 0


def _told(ray: Any, done: Any) -> Iterator[Event]:
    try:
        events: list[Event] = ray.get(done)
    except ray.exceptions.RayActorError as error:
        raise RunError(
            "a Ray worker died more than once on the same shard",
            hint="too little memory, or a picture that ends the decoder; finished shards are kept",
        ) from error
    for event in events:
        if isinstance(event, Failed):
            assert event.error is not None  # bugs arrive as Ray's own error with their traceback
            raise event.error
        yield event
