"""`ttd train --method tcl`: a masker beside a frozen model, trained from caption-picture pairs, in a run directory.

tcl.safetensors               the best weights, for `--weights`
last/tcl.safetensors          those after the last step
tcl.pt, tcl.best.pt           checkpoints, to go on from
log.jsonl, curves.png         what happened
validation.json               figures before the first step and of the best weights
"""

from __future__ import annotations

import copy
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ttd_core.atomic import make_folder, write_text
from ttd_core.clip.load import load_backbone
from ttd_core.config import canonical_json, result_mapping
from ttd_core.errors import UsageError
from ttd_core.methods.tcl.learned import write_learned
from ttd_core.methods.tcl.scenes import ScenesTcl
from ttd_core.methods.tcl.scenes_weights import save_scenes_tcl
from ttd_core.methods.tcl.schedule import TclSchedule
from ttd_core.methods.tcl.start import tcl_network
from ttd_core.methods.tcl.training import TclTraining
from ttd_core.protocols import Reporter
from ttd_core.recipes.session import choose_device
from ttd_core.recipes.train_options import SCENES, TrainOptions
from ttd_core.recipes.train_tcl_data import TrainingData, loader, open_views
from ttd_core.recipes.train_tcl_probe import probe_of
from ttd_core.recipes.train_tcl_step import TclStep
from ttd_core.recipes.train_ttd_data import PairBatch
from ttd_core.recipes.train_ttd_probe import ScenesTruth, criterion_of
from ttd_core.training.checkpoint import load_weights
from ttd_core.training.distributed import Processes
from ttd_core.training.guard import StoppedByGuard
from ttd_core.training.log import read_log
from ttd_core.training.loop import Bookkeeping, LoopSettings, Stage, StageResult, run_stage

VALIDATION_SCENES = 200
STAGE = "tcl"
WEIGHTS = "tcl.safetensors"
DECAY, CLIP, BETAS, EPS = 0.05, 5.0, (0.9, 0.999), 1e-6
"""The published optimiser."""


@dataclass(frozen=True)
class TrainedMasker:
    """What a training left behind.

    Args:
        weights: the best ones.
        use: options by which other commands load them.
        before, after: validation figures before the first step and of the best weights.
        best_step: after how many steps they were found.
        trained: number of learned values.
        cpu_seconds: of the steps and measurements.
    """

    weights: Path
    use: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    best_step: int | None
    trained: int
    cpu_seconds: float


def train_tcl(
    options: TrainOptions, folder: Path, report: Reporter, processes: Processes | None = None
) -> TrainedMasker:
    """Train a masker; an interrupted training goes on where it stopped.

    Steps do not depend on how a batch is cut into processes and parts, but for the rounding of sums: a training may go
    on with other processes than it began with.

    Args:
        options: all settings.
        folder: of the run.
        report: told about progress.
        processes: those that train together; every one calls this, the main one writes.

    Raises:
        UsageError: options that contradict the model.
        DataError: the pairs cannot be read.
        StoppedByGuard: a loss was not finite; `folder` holds the best weights before that.
        RunError: the folder holds a training with other options, or cannot be written.
    """
    return _MaskerTraining(options, folder, report, processes or Processes()).run()


class _MaskerTraining:
    """Model, data and loop put together."""

    def __init__(self, options: TrainOptions, folder: Path, report: Reporter, processes: Processes) -> None:
        self.options, self.own, self.folder = options, options.resolved(), folder
        self.report, self.processes = report, processes
        model = options.model_options()
        self.device = choose_device(model) if processes.device.type == "cpu" else processes.device
        if options.threads is not None or (options.model == "scenes" and self.device.type == "cpu"):
            torch.set_num_threads(options.threads or 1)
        backbone = load_backbone(model.spec(), self.device, report)
        self.base = backbone.info
        torch.manual_seed(options.seed)  # a fresh decoder is random
        self.network: Any = tcl_network(backbone, report)
        self.side = options.image_size or self.base.image_size
        if self.side % self.base.patch:
            raise UsageError(
                f"--image-size {self.side} is no multiple of the model's patch of {self.base.patch} pixels"
            )
        self.first_block = copy.deepcopy(self.network.masker.block.state_dict())
        self.training = TclTraining(self.network).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        scenes = isinstance(self.network, ScenesTcl) and options.data == SCENES
        self.truth = ScenesTruth(VALIDATION_SCENES) if scenes else None

    def run(self) -> TrainedMasker:
        """Train, and write what there is to write."""
        try:
            with open_views(self.options, self.network.info, self.side, self.report, self.truth) as data:
                result = self._train(data)
        except StoppedByGuard as stop:
            if stop.best is not None and self.processes.main:
                self._load_best(stop.best)
                self._write(self.folder / WEIGHTS)
                kept = f"the best weights before that are kept in {self.folder / WEIGHTS}"
                raise StoppedByGuard(stop.reason, stop.step, stop.best, kept) from stop
            raise
        if self.processes.main:
            self._write(self.folder / "last" / WEIGHTS)
            if result.best is not None:
                self._load_best(result.best)
            self._write(self.folder / WEIGHTS)
            self._draw_curves()
        return self._summary(result)

    def _train(self, data: TrainingData) -> StageResult:
        options, own = self.options, self.own
        criterion, larger = self._criterion(data.held_out)
        settings = LoopSettings(
            seed=options.seed, accumulate=options.accumulate, precision=own.precision, ema=options.ema,
            checkpointing=options.checkpointing, validate_every=own.probe_every or own.steps,
            validate_first=criterion is not None, criterion=criterion, larger_is_better=larger,
            processes=self.processes,
        )  # fmt: skip
        schedule = TclSchedule(own.steps, own.frozen_steps, own.warmup)
        stage = Stage(
            STAGE, own.steps, own.lr, decay=DECAY, clip=CLIP, betas=BETAS, eps=EPS, decay_scalars=True,
            schedule=schedule.factor,
        )  # fmt: skip
        books = Bookkeeping(
            self.folder, self._fingerprint(data.digest), log_every=self._log_every(), save_every=own.save_every
        )
        load = loader(data.pairs, list(settings.shares()), own.steps, self.network.info, self.device)
        losses = TclStep(self.training, load, own.batch_size, schedule, settings)
        probe = probe_of(self.training, data.held_out, self.truth) if criterion is not None else None
        return run_stage(self.training, stage, losses, books, self.report, probe, settings)

    def _criterion(self, held: PairBatch) -> tuple[str | None, bool]:
        """The figure that decides what is best; a single pair held out has none, as it has no other captions."""
        if self.truth is None and len(held) < 2:
            if self.processes.main:
                self.report.warning("too few pairs to measure on some of them: the last weights are taken for the best")
            return None, True
        return criterion_of(self.truth, held)

    def _load_best(self, path: Path) -> None:
        """Weights of the first stage leave out the block, which was then as it is in CLIP."""
        self.network.masker.block.load_state_dict(self.first_block)
        self.training.train_block(False)
        load_weights(path, self.training)

    def _log_every(self) -> int:
        """Every step of a short training, every tenth of a long one."""
        return 1 if self.own.steps <= 2000 else 10

    def _fingerprint(self, data: str) -> str:
        """Digest of whatever changes the result."""
        settings = {
            "options": result_mapping(self.options), "model": self.base.weights_sha256, "data": data,
            "own": vars(self.own) | {"probe_every": None, "save_every": None},
        }  # fmt: skip
        return hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:16]

    def _write(self, path: Path) -> None:
        make_folder(path.parent)
        if isinstance(self.network, ScenesTcl):
            save_scenes_tcl(self.network, path)
            return
        scales = {"tclf": self.training.tclf_log_scale, "tcli": self.training.tcli_log_scale}
        write_learned(path, self.network, scales, with_clip=not self._published_base())

    def _published_base(self) -> bool:
        """Whether `--model tcl` finds the CLIP underneath by itself."""
        return self.options.pretrained == "openai" and self.options.model in ("ViT-B-16", "tcl")

    def _draw_curves(self) -> None:
        from ttd_core.drawing.report.training_charts import write_training_chart  # brings matplotlib

        write_training_chart(self.folder / "curves.png", read_log(self.folder / "log.jsonl"))

    def _summary(self, result: StageResult) -> TrainedMasker:
        measured = [entry["validation"] for entry in read_log(self.folder / "log.jsonl") if entry.get("validation")]
        before = measured[0] if measured else {}
        record = {"before": before, "after": dict(result.best_figures), "best_step": result.best_step}
        if self.processes.main:
            write_text(self.folder / "validation.json", json.dumps(record, indent=1) + "\n")
        trained = sum(p.numel() for p in self.network.masker.parameters())
        path = self.folder / WEIGHTS
        scenes = isinstance(self.network, ScenesTcl)
        use = f"--model {'scenes' if scenes else 'tcl'} --weights {shlex.quote(str(path))}"
        if not scenes and self.base.activation != "quickgelu":  # a TCL checkpoint is taken for one on OpenAI's CLIP
            use += f" --activation {self.base.activation}"
        return TrainedMasker(path, use, before, result.best_figures, result.best_step, trained, result.cpu_seconds)
