"""A recorded training: the options a person sets, the run directory around it, and the weights it leaves.

Importing this module loads no torch; options are so refused before anything slow happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.atomic import make_folder
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.errors import UsageError
from ttd_core.recipes.checks import MAX_SEED, not_empty, positive, whole
from ttd_core.runs import RunDirectory, RunName, open_run, run_id

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter


METHODS = ("clip", "ttd", "tcl", "reclip", "trusty")
"""What `--method` understands; this release trains the first one."""


def _how(default: Any) -> Any:
    return field(default=default, metadata={"result": False})


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of `ttd train`; see `ttd_core.recipes.train.TrainConfig` for those not explained here.

    Args:
        method: one of `METHODS`.
        out: folder of the run; None takes `<run_root>/train/<run id>`.
        run_root: where runs are kept.
        overwrite: start anew where a run of this name exists.

    Raises:
        UsageError: a value is out of range, the method is unknown or not there yet, or the data is unknown.
    """

    method: str = "clip"
    data: str = "scenes:train"
    scenes: int = 30_000
    steps: int = 5800
    gated_steps: int = 0
    batch_size: int = 64
    lr: float = 2e-3
    gated_lr: float = 7e-4
    calibration_scenes: int = 400
    seed: int = 0
    probe_every: int = _how(1000)
    threads: int = _how(1)
    workers: int = _how(1)
    cache: str | None = _how(None)
    out: str | None = _how(None)
    run_root: str = _how("runs")
    overwrite: bool = _how(False)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        self._check_method()
        for flag, folder in (("--out", self.out), ("--run-root", self.run_root), ("--cache", self.cache)):
            not_empty(flag, folder, "a folder")
        if self.data != "scenes:train":
            raise UsageError(f"--data {self.data!r} is unknown", hint="scenes:train")
        for flag, value in (("--scenes", self.scenes), ("--steps", self.steps), ("--threads", self.threads)):
            whole(flag, value, at_least=1)
        for flag, value in (("--gated-steps", self.gated_steps), ("--probe-every", self.probe_every)):
            whole(flag, value, at_least=0)
        whole("--calibration-scenes", self.calibration_scenes, at_least=1)
        whole("--workers", self.workers, at_least=1)
        whole("--seed", self.seed, at_least=0, at_most=MAX_SEED)
        whole("--batch-size", self.batch_size, at_least=2)
        if self.scenes < self.batch_size:
            raise UsageError(
                f"--scenes {self.scenes} is less than --batch-size {self.batch_size}",
                hint=f"generate more scenes, or use --batch-size {max(2, self.scenes)}",
            )
        positive("--lr", self.lr)
        positive("--gated-lr", self.gated_lr)

    def _check_method(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"--method {self.method!r} is unknown", hint=f"one of {', '.join(METHODS)}")
        if self.method != "clip":
            raise UsageError(
                f"--method {self.method} is not there yet: this release trains with --method clip",
                hint="CHANGELOG.md tells what each release brings",
            )


def run_training(options: TrainOptions, command_line: str, report: Reporter) -> Path:
    """Train in a run directory, or go on with an interrupted training.

    Args:
        options: the settings.
        command_line: for the manifest.
        report: told about progress.

    Returns:
        The weights file.

    Raises:
        RunError: the folder cannot be written or holds another training.
    """
    name = run_id(RunName(model=options.method, data=options.data.replace(":", "-"), other=changed_results(options)))
    kept = to_mapping(replace(options, overwrite=False))  # a repeated training must not erase itself
    folder = None if options.out is None else Path(options.out)
    with open_run(
        Path(options.run_root), "train", name, kept, results=result_mapping(options), overwrite=options.overwrite,
        folder=folder, command_line=command_line,
    ) as run:  # fmt: skip
        weights = run.path / "weights" / "scenes.safetensors"
        if run.status == "done":
            report.info(f"already done: {run.path} (--overwrite starts anew)")
            return weights
        return _train(options, run, report)


def _train(options: TrainOptions, run: RunDirectory, report: Reporter) -> Path:
    from ttd_core.recipes.train import TrainConfig, train_clip

    if options.cache is not None:
        make_folder(Path(options.cache))  # hours of drawing should not end here
    folder = run.product("weights/scenes.safetensors").parent
    if options.overwrite:
        for checkpoint in folder.glob("*.pt"):
            checkpoint.unlink()
    config = TrainConfig(
        data=options.data, scenes=options.scenes, steps=options.steps, gated_steps=options.gated_steps,
        batch=options.batch_size,
        calibration_scenes=options.calibration_scenes, lr=options.lr, gated_lr=options.gated_lr, seed=options.seed,
        probe_every=options.probe_every, threads=options.threads, workers=options.workers,
        cache=None if options.cache is None else Path(options.cache),
    )  # fmt: skip
    result = train_clip(config, folder, report)
    row = {"files": {"weights": "weights/scenes.safetensors"}, "parameters": result.parameters}
    run.record("weights", row | {"cpu_seconds": round(result.cpu_seconds, 1)})
    run.finish("done", {"done": 1})
    report.info(f"trained {result.parameters} values in {result.cpu_seconds:.0f} CPU-seconds: {run.path}")
    return result.weights
