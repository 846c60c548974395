"""`ttd train --method ttd`: text-tag self-distillation of a model by adapters, recorded in a run directory.

adapter_config.json, adapter_model.safetensors, ttd.json   the best adapter: the folder is what `--lora` takes
last/                                                      the one after the last step
ttd.pt, ttd.best.pt                                        checkpoints, to go on from
log.jsonl, curves.png, maps.png                            what happened
validation.json                                            figures before the first step and of the best one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ttd_core.atomic import write_text
from ttd_core.clip.adapter_card import AdapterCard, write_card
from ttd_core.clip.load import load_backbone
from ttd_core.clip.lora import adapt, save_lora
from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.config import canonical_json, result_mapping
from ttd_core.data.kept import Kept, open_kept
from ttd_core.errors import UsageError
from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.model import TtdTraining, map_reading
from ttd_core.protocols import Reporter
from ttd_core.recipes.scenes_calibrate import calibrate_scenes
from ttd_core.recipes.scenes_pairs import MOST_SCENES, kept_scenes, training_scenes
from ttd_core.recipes.session import choose_device
from ttd_core.recipes.train_options import SCENES, TrainOptions
from ttd_core.recipes.train_source import open_source
from ttd_core.recipes.train_ttd_data import Ahead, ScenePairs, TrainingPairs, to_input
from ttd_core.recipes.train_ttd_guard import CollapseGuard
from ttd_core.recipes.train_ttd_pictures import draw_maps, sample_maps
from ttd_core.recipes.train_ttd_probe import CaptionWords, ScenesTruth, criterion_of, probe_of
from ttd_core.recipes.train_ttd_shards import ShardPairs
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.training.checkpoint import load_weights
from ttd_core.training.distributed import Processes
from ttd_core.training.guard import StoppedByGuard
from ttd_core.training.log import read_log
from ttd_core.training.loop import Bookkeeping, LoopSettings, Share, Stage, StageResult, StepLosses, run_stage

VALIDATION_SCENES = 200
CALIBRATION_SCENES = 400
STAGE = "ttd"


@dataclass(frozen=True)
class Distilled:
    """What a distillation left behind.

    Args:
        adapter: folder of the best adapter.
        before, after: validation figures before the first step and of the best adapter.
        best_step: after how many steps it was found.
        trained: number of trained values.
        cpu_seconds: of the steps and measurements.
    """

    adapter: Path
    before: Mapping[str, float]
    after: Mapping[str, float]
    best_step: int | None
    trained: int
    cpu_seconds: float


def train_ttd(options: TrainOptions, folder: Path, report: Reporter, processes: Processes | None = None) -> Distilled:
    """Distil a model into an adapter; an interrupted training goes on where it stopped.

    Args:
        options: all settings.
        folder: of the run.
        report: told about progress.
        processes: those that train together; every one calls this, the main one writes.

    Raises:
        UsageError: options that contradict the model.
        DataError: the pairs cannot be read.
        StoppedByGuard: the run collapsed; `folder` holds the best adapter before that.
        RunError: the folder holds a training with other options, or cannot be written.
    """
    return _Distillation(options, folder, report, processes or Processes()).run()


class _Distillation:
    """Model, data and loop put together."""

    def __init__(self, options: TrainOptions, folder: Path, report: Reporter, processes: Processes) -> None:
        self.options, self.own, self.folder, self.report, self.processes = (
            options, options.resolved(), folder, report, processes,
        )  # fmt: skip
        model = options.model_options()
        device = choose_device(model) if processes.device.type == "cpu" else processes.device
        if options.threads is not None or (options.model == "scenes" and device.type == "cpu"):
            torch.set_num_threads(options.threads or 1)
        backbone = load_backbone(model.spec(), device, report)
        self.info = backbone.info
        self.side = options.image_size or self.info.image_size
        if self.side % self.info.patch:
            raise UsageError(
                f"--image-size {self.side} is no multiple of the model's patch of {self.info.patch} pixels"
            )
        torch.manual_seed(options.seed)  # fresh adapters are random
        self.adapters = adapt(backbone, options.rank, options.lora_scale, options.targets, options.towers)
        reading = map_reading(self.info, options.calibration, options.logit_scale, options.maps)
        self.training = TtdTraining(backbone, _config(options), reading).to(device)
        self.device = device
        self.words = CaptionWords(backbone, options.stopwords, options.candidates)
        self.truth = ScenesTruth(VALIDATION_SCENES) if options.data == SCENES and self._knows_scenes() else None
        self.pairs = self._open_pairs()

    def run(self) -> Distilled:
        """Train, and write what there is to write."""
        before = sample_maps(self.training, self.words, self.pairs.held_out) if self.processes.main else []
        try:
            result = self._train()
        except StoppedByGuard as stop:
            if stop.best is not None and self.processes.main:
                load_weights(stop.best, self.training)
                self._write_adapter(self.folder, {"stopped": stop.step, "reason": stop.reason}, self._trained_reading())
                self._draw(before)
                kept = f"the best adapter before that is kept in {self.folder}"
                raise StoppedByGuard(stop.reason, stop.step, stop.best, kept) from stop
            raise
        if self.processes.main:
            self._write_adapter(self.folder / "last", {"step": self.own.steps}, self._trained_reading())
            if result.best is not None:
                load_weights(result.best, self.training)
            self._write_adapter(
                self.folder, {"step": result.best_step}, self._recalibrated() or self._trained_reading()
            )
            self._draw(before)
        return self._summary(result)

    def _train(self) -> StageResult:
        options, own = self.options, self.own
        criterion, larger = criterion_of(self.truth, self.pairs.held_out)
        settings = LoopSettings(
            seed=options.seed, accumulate=options.accumulate, precision=own.precision, ema=options.ema,
            checkpointing=options.checkpointing, validate_every=own.probe_every or own.steps,
            validate_first=criterion is not None, criterion=criterion, larger_is_better=larger,
            guard=self._guard() if options.guard else None, processes=self.processes,
        )  # fmt: skip
        stage = Stage(STAGE, own.steps, own.lr, own.warmup, floor=0.1, decay=0.0)
        books = Bookkeeping(self.folder, self._fingerprint(), log_every=1, save_every=own.save_every)
        probe = probe_of(self.training, self.words, self.pairs.held_out, own.batch_size, self.truth)
        ahead = Ahead(self.pairs.share, list(settings.shares()), own.steps)

        def losses(step: int, share: Share) -> StepLosses:
            batch = ahead(step, share)
            shown = to_input(batch.pictures, self.info, self.device)
            result = self.training(shown, self.words.batch(batch.captions))
            return StepLosses(result.losses, result.monitors, len(batch))

        return run_stage(
            self.training, stage, losses, books, self.report, probe if criterion is not None else None, settings
        )

    def _open_pairs(self) -> TrainingPairs:
        options, own = self.options, self.own
        if options.data == SCENES:
            cache = None if options.cache is None else Path(options.cache)
            rows = kept_scenes(_kept(options), options.scenes or MOST_SCENES)
            count = own.scenes if rows is None else rows[-1] + 1
            data = training_scenes(count, self.side, CaptionStyle(), options.workers, cache, self.report)
            data = data if rows is None else data.chosen(rows)
            held = self.truth.held_out(self.side) if self.truth else ScenesTruth(VALIDATION_SCENES).held_out(self.side)
            return ScenePairs(data, held, own.batch_size, options.seed)
        kept = _kept(options)
        pairs = ShardPairs(
            open_source(options, kept), kept, self.side, own.batch_size, options.seed, self.report, options.workers
        )
        self.report.info(f"{pairs.total} pairs to train on, {len(pairs.held_out)} kept apart")
        return pairs

    def _guard(self) -> CollapseGuard:
        random = self.info.weights_name == "random"
        if random:
            self.report.warning("random weights cannot tell whether captions belong to pictures: not looked at")
        return CollapseGuard(len(self.pairs.held_out), check_pairs=not random)

    def _knows_scenes(self) -> bool:
        return self.info.name == "scenes"

    def _fingerprint(self) -> str:
        """Digest of whatever changes the result."""
        settings = {
            "options": result_mapping(self.options), "model": self.info.weights_sha256,
            "pairs": self.pairs.total, "own": vars(self.own) | {"probe_every": None, "save_every": None},
        }  # fmt: skip
        return hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:16]

    def _write_adapter(self, folder: Path, place: Mapping[str, Any], reading: Mapping[str, float]) -> None:
        save_lora(self.adapters, folder)
        affine = self.training.affine
        made: dict[str, Any] = {**place, "options": result_mapping(self.options)}
        if affine is not None:
            made |= {"affine_scale": round(affine[0], 4), "affine_bias": round(affine[1], 4)}
        write_card(folder, AdapterCard(self.info.name, self.info.weights_sha256, reading, made))

    def _trained_reading(self) -> dict[str, float]:
        """The trained a and b, for a model that reads all its maps by a sigmoid; others keep their own reading."""
        affine = self.training.affine
        if affine is None or self.info.calibration != "sigmoid":
            return {}
        return {"sigmoid_scale": affine[0], "sigmoid_bias": affine[1]}

    def _recalibrated(self) -> dict[str, float]:
        """Of the built-in model on its own data: scale and sigmoid chosen on `scenes:val`, as its base's were."""
        backbone: Any = self.training.backbone
        if not self.options.recalibrate or self.truth is None or not isinstance(backbone, ScenesBackbone):
            return {}
        info = backbone.info
        try:
            found = calibrate_scenes(backbone, CALIBRATION_SCENES).info
        finally:
            backbone.info = info
        assert found.sigmoid_scale is not None and found.sigmoid_bias is not None
        return {
            "logit_scale": found.logit_scale, "sigmoid_scale": found.sigmoid_scale, "sigmoid_bias": found.sigmoid_bias,
        }  # fmt: skip

    def _draw(self, before: list[Any]) -> None:
        after = sample_maps(self.training, self.words, self.pairs.held_out)
        draw_maps(self.folder / "maps.png", before, after)
        from ttd_core.drawing.report.training_charts import write_training_chart  # brings matplotlib

        write_training_chart(self.folder / "curves.png", read_log(self.folder / "log.jsonl"))

    def _summary(self, result: StageResult) -> Distilled:
        from ttd_core.training.log import read_log

        measured = [entry["validation"] for entry in read_log(self.folder / "log.jsonl") if entry.get("validation")]
        before = measured[0] if measured else {}
        record = {"before": before, "after": dict(result.best_figures), "best_step": result.best_step}
        if self.processes.main:
            write_text(self.folder / "validation.json", json.dumps(record, indent=1) + "\n")
        trained = sum(p.numel() for p in self.training.parameters() if p.requires_grad)
        return Distilled(self.folder, before, result.best_figures, result.best_step, trained, result.cpu_seconds)


def _config(options: TrainOptions) -> TtdConfig:
    return TtdConfig(
        distance=options.distance, affine_scale=options.affine_scale, affine_bias=options.affine_bias,
        tag_weight=options.tag_weight, distill_weight=options.distill_weight, threshold=options.select_threshold,
        scales=options.scales, hflip=options.hflip,
    )  # fmt: skip


def _kept(options: TrainOptions) -> Kept | None:
    return None if options.manifest is None else open_kept(Path(options.manifest))
