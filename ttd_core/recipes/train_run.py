"""A recorded training: the run directory around it, and what it leaves.

Importing this module loads no torch; options are so refused before anything slow happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ttd_core.atomic import make_folder
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.recipes.train_options import METHODS, SCENES, TrainOptions, parts_that_count, with_manifest
from ttd_core.recipes.train_source import pairs_digest, weights_digest
from ttd_core.runs import RunDirectory, RunName, input_name, open_run, run_id

if TYPE_CHECKING:
    from ttd_core.data.kept import Kept
    from ttd_core.protocols import Reporter
    from ttd_core.training.distributed import Place, Processes

__all__ = ["METHODS", "TrainOptions", "run_training"]


class Trained(Protocol):
    """What both trainings say about themselves."""

    @property
    def trained(self) -> int: ...  # noqa: D102
    @property
    def cpu_seconds(self) -> float: ...  # noqa: D102
    @property
    def best_step(self) -> int | None: ...  # noqa: D102
    @property
    def before(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def after(self) -> Mapping[str, float]: ...  # noqa: D102


T = TypeVar("T", bound=Trained)


def run_training(options: TrainOptions, command_line: str, report: Reporter, place: Place | None = None) -> Path:
    """Train in a run directory, or go on with an interrupted training.

    Args:
        options: the settings.
        command_line: for the manifest.
        report: told about progress.
        place: of this process among several that train together; None for one alone. The main one keeps the run
            directory.

    Returns:
        The weights file of `clip` and `tcl`, the adapter's folder of `ttd`.

    Raises:
        RunError: the folder cannot be written or holds another training.
        DataError: the manifest or the list of pairs cannot be read.
        WeightsError: a weights file is missing.
        UsageError: several processes are to train a method that knows one only.
    """
    kept = None
    if options.manifest is not None:
        from ttd_core.data.kept import open_kept

        kept = open_kept(Path(options.manifest))
        options = with_manifest(options, kept.data, kept.root)
    if place is not None and place.count > 1:
        return _train_together(options, command_line, report, place, kept)
    with _open(options, command_line, kept) as run:
        if run.status == "done":
            report.info(f"already done: {run.path} (--overwrite starts anew)")
            return _product(options, run.path)
        if options.method == "clip":
            return _train_clip(options, run, report)
        return _adapt(options, run, report, None)


def _adapt(options: TrainOptions, run: RunDirectory, report: Reporter, processes: Processes | None) -> Path:
    """The methods that start from a model and train in one process or several."""
    return (_train_tcl if options.method == "tcl" else _train_ttd)(options, run, report, processes)


def _open(options: TrainOptions, command_line: str, pruned: Kept | None) -> RunDirectory:
    kept = to_mapping(replace(options, overwrite=False, resume=False))  # a repeated training must not erase itself
    pairs, weights = pairs_digest(options, pruned), weights_digest(options)
    return open_run(
        Path(options.run_root), "train", run_id(_name(options, pairs if pruned is None else None, weights)), kept,
        results=result_mapping(options) | parts_that_count(options), inputs_sha256=pairs, weights_sha256=weights,
        overwrite=options.overwrite, folder=None if options.out is None else Path(options.out),
        command_line=command_line,
    )  # fmt: skip


def _name(options: TrainOptions, pairs: str | None, weights: str | None) -> RunName:
    other = changed_results(options) | parts_that_count(options)
    if options.method == "clip":
        return RunName(model=options.method, data=options.data.replace(":", "-"), other=other)
    scenes = options.data == SCENES
    data = options.data.replace(":", "-") if scenes or "/" not in options.data else input_name(None, options.data)
    return RunName(
        model=options.model, pretrained=options.pretrained, data=data, task=options.method, other=other,
        data_sha256=pairs, weights_sha256=weights,
    )  # fmt: skip


def _product(options: TrainOptions, folder: Path) -> Path:
    return folder / {"clip": "weights/scenes.safetensors", "tcl": TCL_PRODUCTS["weights"]}.get(options.method, "")


def _train_clip(options: TrainOptions, run: RunDirectory, report: Reporter) -> Path:
    from ttd_core.methods.clip.config import ClipLossConfig
    from ttd_core.recipes.train import TrainConfig, train_clip

    if options.cache is not None:
        make_folder(Path(options.cache))  # hours of drawing should not end here
    folder = run.product("weights/scenes.safetensors").parent
    if options.overwrite:
        for checkpoint in folder.glob("*.pt"):
            checkpoint.unlink()
    own = options.resolved()
    config = TrainConfig(
        data=options.data, scenes=own.scenes, steps=own.steps, gated_steps=options.gated_steps, batch=own.batch_size,
        calibration_scenes=options.calibration_scenes, lr=own.lr, gated_lr=options.gated_lr, seed=options.seed,
        warmup=own.warmup, accumulate=options.accumulate, ema=options.ema, bfloat16=own.precision == "bf16",
        save_every=own.save_every, probe_every=own.probe_every, threads=options.threads or 1, workers=options.workers,
        cache=None if options.cache is None else Path(options.cache),
        losses=ClipLossConfig(word_weight=options.word_weight, align_weight=options.align_weight),
    )  # fmt: skip
    result = train_clip(config, folder, report)
    row = {"files": {"weights": "weights/scenes.safetensors"}, "parameters": result.parameters}
    run.record("weights", row | {"cpu_seconds": round(result.cpu_seconds, 1)})
    run.finish("done", {"done": 1})
    report.info(f"trained {result.parameters} values in {result.cpu_seconds:.0f} CPU-seconds: {run.path}")
    return result.weights


PRODUCTS = {
    "adapter": "adapter_model.safetensors", "config": "adapter_config.json", "card": "ttd.json",
    "last": "last/adapter_model.safetensors", "last config": "last/adapter_config.json", "last card": "last/ttd.json",
    "checkpoint": "ttd.pt", "best": "ttd.best.pt", "curves": "curves.png", "maps": "maps.png",
    "validation": "validation.json",
}  # fmt: skip


TCL_PRODUCTS = {
    "weights": "tcl.safetensors", "last": "last/tcl.safetensors", "checkpoint": "tcl.pt", "best": "tcl.best.pt",
    "curves": "curves.png", "validation": "validation.json",
}  # fmt: skip


def _train_ttd(options: TrainOptions, run: RunDirectory, report: Reporter, processes: Processes | None) -> Path:
    from ttd_core.recipes.train_ttd import train_ttd

    def train() -> Trained:
        return train_ttd(options, run.path, report, processes)

    _trained(options, run, report, "adapter", PRODUCTS, train, "the adapter changes nothing")
    return run.path


def _train_tcl(options: TrainOptions, run: RunDirectory, report: Reporter, processes: Processes | None) -> Path:
    from ttd_core.recipes.train_tcl import TrainedMasker, train_tcl

    def train() -> TrainedMasker:
        return train_tcl(options, run.path, report, processes)

    result = _trained(options, run, report, "weights", TCL_PRODUCTS, train, "these weights have learned nothing")
    report.info(f"use it: ttd masks {result.use}")
    return result.weights


def _trained(
    options: TrainOptions,
    run: RunDirectory,
    report: Reporter,
    kind: str,
    products: Mapping[str, str],
    train: Callable[[], T],
    nothing: str,
) -> T:
    """Train, record what it left, and say what came of it.

    Args:
        options: the settings.
        run: the run directory.
        report: told how it ended.
        kind: key of the record.
        products: name -> path in the run of what a training may leave.
        train: does the work.
        nothing: what it means that no step was better than none.
    """
    if options.cache is not None:
        make_folder(Path(options.cache))
    for product in products.values():
        run.product(product)
    result = train()
    run.record(
        kind,
        {
            "files": {name: path for name, path in products.items() if (run.path / path).exists()},
            "parameters": result.trained, "cpu_seconds": round(result.cpu_seconds, 1), "best_step": result.best_step,
            "before": dict(result.before), "after": dict(result.after),
        },
    )  # fmt: skip
    run.finish("done", {"done": 1})
    if result.best_step == 0:
        report.warning(
            f"nothing measured better than the model before the first step: {nothing}",
            hint=f"what the last step left is in {run.path / 'last'}",
        )
    report.info(f"trained {result.trained} values in {result.cpu_seconds:.0f} CPU-seconds: {run.path}")
    return result


def _train_together(
    options: TrainOptions, command_line: str, report: Reporter, place: Place, kept: Kept | None
) -> Path:
    """The main process opens the run and tells the others where; they compute and write nothing."""
    import torch

    from ttd_core.errors import UsageError
    from ttd_core.protocols import SilentReporter
    from ttd_core.recipes.train_tcl import train_tcl
    from ttd_core.recipes.train_ttd import train_ttd
    from ttd_core.training.distributed import join

    if options.method not in ("ttd", "tcl"):
        raise UsageError(f"--method {options.method} trains in one process", hint="start it without torchrun")
    cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    device = f"cuda:{place.local_rank}" if cuda else "cpu"
    if place.rank == 0:
        with _open(options, command_line, kept) as run, join(place, device) as processes:
            processes.from_main((str(run.path), run.status == "done"))
            if run.status == "done":
                report.info(f"already done: {run.path} (--overwrite starts anew)")
                return _product(options, run.path)
            return _adapt(options, run, report, processes)
    with join(place, device) as processes:
        told: tuple[str, bool] = processes.from_main(None)
        folder, done = Path(told[0]), told[1]
        if not done:
            (train_tcl if options.method == "tcl" else train_ttd)(options, folder, SilentReporter(), processes)
        return folder
