"""`ttd train --method clip`: train the built-in model from nothing, from caption-picture pairs alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from ttd_core.atomic import write_text
from ttd_core.clip.scenes_model import MEAN, STD, ScenesBackbone, scenes_info
from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.clip.scenes_weights import save_scenes_weights
from ttd_core.clip.word_tokenizer import WordTokenizer, pad_sequences, split_words
from ttd_core.errors import UsageError
from ttd_core.methods.clip.config import ClipLossConfig
from ttd_core.methods.clip.model import ContrastiveTraining
from ttd_core.protocols import Reporter
from ttd_core.recipes.scenes_calibrate import calibrate_scenes
from ttd_core.recipes.scenes_measure import scenes_probe
from ttd_core.recipes.scenes_pairs import CaptionedPictures, training_scenes
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.dataset import find_split
from ttd_core.training.distributed import Processes
from ttd_core.training.log import read_log
from ttd_core.training.loop import Bookkeeping, LoopSettings, Share, Stage, StepLosses, run_stage
from ttd_core.training.pairs import Batch, PairSet, draw_batch

# options that change how the work is done, and those that only matter after the last step
NO_RESULT = ("workers", "cache", "threads", "save_every", "probe_every")
NOT_IN_STEPS = ("logit_scale", "dense", "calibration_scenes")


@dataclass(frozen=True)
class TrainConfig:
    """Options of contrastive training; the defaults rebuild the shipped weights.

    Args:
        data: `scenes:train`, the only data this training knows today.
        scenes: number of generated scenes.
        size: picture side in pixels, a multiple of 8.
        style: how much the training captions lie.
        seed: seed of the weights and of the batches.
        steps: steps of the first stage, mean pooling.
        gated_steps: steps of the second, TCL-like stage; 0 leaves it out.
        batch: pictures per step.
        lr, gated_lr: peak rates of the two stages.
        warmup: warm-up steps of either stage.
        decay: weight decay on matrices and filters.
        accumulate: parts of a batch, one after the other; a picture is contrasted with those of its own part, so other
            parts are another training.
        ema: decay of averaged weights; None for none.
        bfloat16: compute matrix products in bfloat16; weights stay in float32.
        threads: CPU threads.
        workers: processes that generate scenes.
        cache: folder that keeps generated scenes for the next run; None keeps nothing.
        logit_scale: scale of the softmax reading while training is watched; the final one is chosen on `scenes:val`.
        dense: dense strategy to store with the model.
        save_every, probe_every: steps between checkpoints, and between measurements on `scenes:val` (0: none).
        calibration_scenes: scenes of `scenes:val` on which scale and thresholds are chosen at the end.
        architecture: sizes of the model.
        losses: weights of the losses.
    """

    data: str = "scenes:train"
    scenes: int = 30_000
    size: int = 96
    style: CaptionStyle = field(default_factory=CaptionStyle)
    seed: int = 0
    steps: int = 5800
    gated_steps: int = 0
    batch: int = 64
    lr: float = 2e-3
    gated_lr: float = 7e-4
    warmup: int = 60
    decay: float = 0.05
    accumulate: int = 1
    ema: float | None = None
    bfloat16: bool = True
    threads: int = 1
    workers: int = 1
    cache: Path | None = None
    logit_scale: float = 50.0
    dense: str = "value"
    save_every: int = 500
    probe_every: int = 1000
    calibration_scenes: int = 400
    architecture: ScenesArchitecture = field(default_factory=ScenesArchitecture)
    losses: ClipLossConfig = field(default_factory=ClipLossConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if self.data != "scenes:train":
            raise UsageError(f"--data {self.data} cannot be trained on, expected scenes:train")
        for name in ("scenes", "steps", "batch", "threads", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.batch < 2 or self.scenes < self.batch:
            raise UsageError(f"batch is {self.batch} with {self.scenes} scenes, expected 2 up to the number of scenes")


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Args:
        weights: the safetensors file.
        checkpoint: the last checkpoint, for going on.
        log: one JSON line per logged step.
        parameters: number of trained values in the file.
        cpu_seconds: of the steps, without data generation.
    """

    weights: Path
    checkpoint: Path
    log: Path
    parameters: int
    cpu_seconds: float


def train_clip(config: TrainConfig, out_dir: Path, report: Reporter, processes: Processes | None = None) -> TrainResult:
    """Train the scenes model and write its weights; an interrupted training goes on where it stopped.

    Args:
        config: all options.
        out_dir: receives checkpoints, `log.jsonl`, its picture `curves.png`, `scenes.safetensors` and, with its
            options, `scenes.json`.
        report: told about progress.
        processes: those that train together, None for this one alone; each contrasts its own share of a batch, and the
            main one alone writes.

    Raises:
        UsageError: options that contradict each other.
        RunError: `out_dir` holds a training with other options.
    """
    torch.set_num_threads(config.threads)
    data = training_scenes(config.scenes, config.size, config.style, config.workers, config.cache, report)
    words = sorted({word for captions in data.captions for caption in captions for word in split_words(caption)})
    pairs = _tokenise(data, WordTokenizer(words, config.architecture.context))
    torch.manual_seed(config.seed)
    info = scenes_info(config.architecture, "training", "", config.logit_scale, config.dense)
    backbone = ScenesBackbone(config.architecture, words, info)
    trainer = ContrastiveTraining(backbone.visual, backbone.text, config.architecture.embed, config.losses)
    books = Bookkeeping(out_dir, _fingerprint(config), save_every=config.save_every)
    processes = processes or Processes()
    settings = LoopSettings(
        seed=config.seed,
        processes=processes,
        accumulate=config.accumulate,
        ema=config.ema,
        precision="bf16" if config.bfloat16 else "fp32",
        validate_every=config.probe_every or config.steps,
    )
    probe = scenes_probe(backbone) if config.probe_every else None
    seconds = 0.0
    for stage, gated in _stages(config):
        losses = _Losses(trainer, pairs, config, gated)
        seconds += run_stage(trainer, stage, losses, books, report, probe, settings).cpu_seconds
    weights = out_dir / "scenes.safetensors"
    if processes.main:
        report.info("choosing scale and thresholds on scenes:val")
        save_scenes_weights(calibrate_scenes(backbone, config.calibration_scenes), weights)
        _describe(config, backbone, seconds, out_dir / "scenes.json")
        _draw_curves(out_dir)
    count = sum(parameter.numel() for parameter in backbone.parameters())
    return TrainResult(weights, out_dir / f"{stage.name}.pt", out_dir / "log.jsonl", count, seconds)


def _stages(config: TrainConfig) -> list[tuple[Stage, bool]]:
    mean = Stage("mean", config.steps, config.lr, config.warmup, decay=config.decay)
    if not config.gated_steps:
        return [(mean, False)]
    gated = Stage(
        "gated", config.gated_steps, config.gated_lr, config.warmup, decay=config.decay, first_step=config.steps
    )
    return [(mean, False), (gated, True)]


class _Losses:
    """Draws the batch of a step and computes its losses."""

    def __init__(self, trainer: ContrastiveTraining, pairs: PairSet, config: TrainConfig, gated: bool) -> None:
        self.trainer, self.pairs, self.config, self.gated = trainer, pairs, config, gated
        trainer.to(memory_format=torch.channels_last)

    def __call__(self, step: int, share: Share) -> StepLosses:
        batch = _shared(draw_batch(self.pairs, step, self.config.batch, self.config.seed), share)
        # what the losses draw depends on seed, step and share alone, too
        torch.manual_seed(self.config.seed * 1_000_003 + step + 1_000_000_007 * share.part)
        captions, words = _tokens(batch, self.config.architecture.context)
        pictures = normalise(batch.pictures).contiguous(memory_format=torch.channels_last)
        losses = self.trainer.losses(pictures, captions, words, batch.counts, self.gated)
        return StepLosses(losses, samples=len(pictures))


def _shared(batch: Batch, share: Share) -> Batch:
    """The rows of a share, and the words that are left in them."""
    if share.parts == 1:
        return batch
    rows = share.slice(len(batch.captions))
    counts = batch.counts[:, rows]
    there = (counts > 0).any(dim=1)
    return Batch(batch.pictures[rows], batch.captions[rows], batch.words[there.numpy()], counts[there])


def normalise(pictures: torch.Tensor) -> torch.Tensor:
    """B×3×H×W in 0..1 to the model's input range."""
    return (pictures - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def _tokens(batch: Batch, context: int) -> tuple[torch.Tensor, torch.Tensor]:
    captions = pad_sequences([caption.tolist() for caption in batch.captions], context)
    return captions, pad_sequences([[word] for word in batch.words.tolist()], context)


def _tokenise(data: CaptionedPictures, tokenizer: WordTokenizer) -> PairSet:
    captions = [[np.array(tokenizer.word_ids(text), dtype=np.int64) for text in several] for several in data.captions]
    return PairSet(data.pictures, captions)


def _describe(config: TrainConfig, backbone: ScenesBackbone, seconds: float, path: Path) -> None:
    """Write what made the weights, for whoever finds the file."""
    options = {name: value for name, value in asdict(config).items() if name not in NO_RESULT}
    info = backbone.info
    record = {
        "data_seed": find_split(config.data).seed,
        "options": options,
        "chosen_on_validation": {
            "logit_scale": info.logit_scale,
            "sigmoid_scale": info.sigmoid_scale,
            "sigmoid_bias": info.sigmoid_bias,
        },
        "parameters": sum(parameter.numel() for parameter in backbone.parameters()),
        "cpu_seconds": round(seconds),
        "torch": torch.__version__,
    }
    write_text(path, json.dumps(record, indent=1) + "\n")


def _draw_curves(out_dir: Path) -> None:
    from ttd_core.drawing.report.training_charts import write_training_chart  # brings matplotlib

    write_training_chart(out_dir / "curves.png", read_log(out_dir / "log.jsonl"))


def _fingerprint(config: TrainConfig) -> str:
    """Digest of the options that change the result."""
    options = {name: value for name, value in asdict(config).items() if name not in (*NO_RESULT, *NOT_IN_STEPS)}
    for name, plain in (("accumulate", 1), ("ema", None)):  # trainings that were begun without these options go on
        if options[name] == plain:
            del options[name]
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()[:16]
