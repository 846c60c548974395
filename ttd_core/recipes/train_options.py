"""Every setting of `ttd train`, and what is refused. Importing this module loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from ttd_core.data.rows import Columns
from ttd_core.errors import UsageError
from ttd_core.recipes.checks import MAX_SEED, finite, not_both, not_empty, positive, share, whole
from ttd_core.recipes.model_options import ModelOptions
from ttd_core.recipes.train_methods import METHODS, Resolved, check_method, owners, resolve

__all__ = ["METHODS", "SCENES", "Resolved", "TrainOptions", "parts_that_count", "with_manifest"]

SCENES = "scenes:train"


def _how(default: Any) -> Any:
    return field(default=default, metadata={"result": False})


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of `ttd train`. Those of `--method clip` are explained in `ttd_core.recipes.train.TrainConfig`.

    Args:
        method: one of `METHODS`.
        data: `scenes:train`, or pairs as `ttd_core.data.pair_sources.open_pairs` understands them.
        root: folder of named data sets.
        manifest: folder of a `ttd prune` run; only the pairs it kept are used.
        image_column, text_column, id_column: of a list with names of its own; None takes the usual names, or those that
            the manifest knows.
        scenes: scenes to draw; None takes as many as `steps` batches hold, at most 30,000.
        steps, batch_size, lr, probe_every: None takes the method's own; `probe_every` is the number of steps between
            measurements, 0 for none but the last.
        model, pretrained, weights, dense, activation, device: see `ModelOptions`.
        image_size: side of the square pictures in pixels; None takes the model's own.
        distance, affine_scale, affine_bias, tag_weight, distill_weight: see `ttd_core.methods.ttd.config.TtdConfig`.
        select_threshold: least score of a selected word.
        calibration, logit_scale: how words are scored for selection; None takes sigmoids where the model has a scale
            and a bias for them, else its own reading.
        maps: what is distilled, `cosine` or `sigmoid` maps; None takes sigmoids where the model has a learned scale and
            bias, as the definition of S has it.
        scales, hflip: the views whose mean maps select words and make targets.
        candidates, stopwords: see `ttd_core.text.candidates`.
        rank, lora_scale: of the adapters.
        lora_targets: names of the linear layers that get one, separated by commas.
        towers: which encoders get adapters.
        frozen_steps: steps in which TCL's copy of CLIP's last block does not train; None takes 3 of 5.
        augment: views of the pictures in TCL: `published`, `crop` or `none`, see `ttd_core.data.augmentation`; None
            takes `none` for drawn scenes and `published` elsewhere.
        warmup: warm-up steps; None takes the method's own.
        precision: as in `ttd_core.training.stage.LoopSettings`; None takes the method's own.
        accumulate, ema, checkpointing: see there.
        guard: stop a run that collapses.
        recalibrate: with the built-in model and `scenes:train`, choose scale and sigmoid on `scenes:val` anew;
            measured no better than those of the base.
        save_every: steps between checkpoints; None takes the method's own.
        out: folder of the run; None takes `<run_root>/train/<run id>`.
        run_root: where runs are kept.
        overwrite: start anew where a run of this name exists.
        resume: go on with an interrupted training; it is what happens anyway.

    Raises:
        UsageError: a value is out of range, belongs to another method, or the method is unknown or not there yet.
    """

    method: str = "clip"
    data: str = SCENES
    root: str | None = None
    manifest: str | None = None
    image_column: str | None = None
    text_column: str | None = None
    id_column: str | None = None
    scenes: int | None = None
    steps: int | None = None
    gated_steps: int = 0
    batch_size: int | None = None
    lr: float | None = None
    gated_lr: float = 7e-4
    word_weight: float = 1.0
    align_weight: float = 1.0
    calibration_scenes: int = 400
    seed: int = 0
    model: str = "scenes"
    pretrained: str | None = None
    weights: str | None = None
    dense: str | None = None
    activation: Literal["quickgelu", "gelu"] | None = None
    image_size: int | None = None
    distance: Literal["mse", "l1", "bce", "bce-affine"] = "bce-affine"
    affine_scale: float = 10.0
    affine_bias: float = -3.0
    tag_weight: float = 1.0
    distill_weight: float = 0.2
    select_threshold: float = 0.5
    calibration: Literal["sigmoid", "softmax"] | None = None
    logit_scale: float | None = None
    maps: Literal["cosine", "sigmoid"] | None = None
    scales: tuple[float, ...] = (1.0,)
    hflip: bool = False
    candidates: Literal["words", "nouns", "phrases"] = "words"
    stopwords: bool = True
    rank: int = 8
    lora_scale: float = 1.0
    lora_targets: str = "in_proj,out_proj,c_fc,c_proj"
    towers: Literal["both", "image", "text"] = "both"
    frozen_steps: int | None = None
    augment: Literal["published", "crop", "none"] | None = None
    warmup: int | None = None
    precision: Literal["fp32", "bf16"] | None = None
    ema: float | None = None
    guard: bool = True
    recalibrate: bool = False
    probe_every: int | None = _how(None)
    accumulate: int = _how(1)
    checkpointing: bool = _how(False)
    save_every: int | None = _how(None)
    device: str = _how("auto")
    threads: int | None = _how(None)
    workers: int = _how(1)
    cache: str | None = _how(None)
    out: str | None = _how(None)
    run_root: str = _how("runs")
    overwrite: bool = _how(False)
    resume: bool = _how(False)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        self._check_method()
        for flag, folder in (
            ("--out", self.out), ("--run-root", self.run_root), ("--cache", self.cache), ("--root", self.root),
            ("--manifest", self.manifest),
        ):  # fmt: skip
            not_empty(flag, folder, "a folder")
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite contradict each other", hint="leave one of them out")
        not_empty("--data", self.data, "scenes:train, a list, a folder or archives")
        if self.data.startswith("scenes:") and self.data != SCENES:
            raise UsageError(f"--data {self.data!r} is not for training", hint=SCENES)
        self._check_numbers()
        if self.method != "clip":
            self._check_adapting()
        if self.method == "ttd":
            self._check_distillation()

    def _check_method(self) -> None:
        check_method(self.method)
        for each in fields(self):
            known = owners(each.name)
            if self.method not in known and getattr(self, each.name) != each.default:
                flag = f"--{each.name.replace('_', '-')}"
                raise UsageError(
                    f"{flag} belongs to --method {' and '.join(known)}, not to --method {self.method}",
                    hint=f"add --method {known[0]}, or leave {flag} out",
                )
        if self.method == "clip" and self.data != SCENES:
            raise UsageError(f"--data {self.data!r} is unknown to --method clip", hint=SCENES)

    def _check_numbers(self) -> None:
        for flag, count in (("--scenes", self.scenes), ("--steps", self.steps), ("--threads", self.threads)):
            if count is not None:
                whole(flag, count, at_least=1)
        for flag, number in (("--gated-steps", self.gated_steps), ("--probe-every", self.probe_every or 0)):
            whole(flag, number, at_least=0)
        whole("--calibration-scenes", self.calibration_scenes, at_least=1)
        whole("--workers", self.workers, at_least=1)
        whole("--seed", self.seed, at_least=0, at_most=MAX_SEED)
        own = self.resolved()
        if self.method == "tcl" and own.batch_size == 1:
            raise UsageError(
                "--batch-size 1 leaves the area loss of other captions undefined: there are none",
                hint="--batch-size 2 or more; --accumulate cuts a batch into parts that fit into memory",
            )
        whole("--batch-size", own.batch_size, at_least=2)
        if own.scenes < own.batch_size:
            raise UsageError(
                f"--scenes {own.scenes} is less than --batch-size {own.batch_size}",
                hint=f"generate more scenes, or use --batch-size {max(2, own.scenes)}",
            )
        self._check_steps(own)
        positive("--lr", own.lr)
        positive("--gated-lr", self.gated_lr)
        for flag, weight in (("--word-weight", self.word_weight), ("--align-weight", self.align_weight)):
            finite(flag, weight)
            if weight < 0:
                raise UsageError(f"{flag} {weight:g} is out of range, expected 0 or more")

    def _check_steps(self, own: Resolved) -> None:
        """What the loop itself is told."""
        for flag, count, least in (
            ("--warmup", own.warmup, 0), ("--frozen-steps", own.frozen_steps, 0), ("--accumulate", self.accumulate, 1),
            ("--save-every", own.save_every, 1),
        ):  # fmt: skip
            whole(flag, count, at_least=least)
        if own.batch_size % self.accumulate:
            raise UsageError(
                f"--batch-size {own.batch_size} cannot be cut into --accumulate {self.accumulate} equal parts",
                hint="choose a batch size that is a multiple of them",
            )
        if self.ema is not None and not 0 < self.ema < 1:
            raise UsageError(f"--ema {self.ema:g} is out of range, expected a number between 0 and 1, such as 0.999")

    def _check_adapting(self) -> None:
        """What the methods that start from a model have in common."""
        self.model_options()
        if self.image_size is not None:
            whole("--image-size", self.image_size, at_least=1, at_most=4096)
        if self.data == SCENES and self.manifest is None and self.root is not None:
            raise UsageError("--root does not go with --data scenes:train, whose pictures are drawn")
        for role, name in vars(self.columns).items():
            if name is None:
                continue
            not_empty(f"--{role}-column", name, "a column")
            not_both(f"--{role}-column", name, "--manifest", self.manifest, "a pruning knows the columns")
            if self.data == SCENES:
                raise UsageError(f"--{role}-column does not go with --data {SCENES}, which is no list")

    def _check_distillation(self) -> None:
        for flag, number in (("--tag-weight", self.tag_weight), ("--distill-weight", self.distill_weight)):
            finite(flag, number)
            if number < 0:
                raise UsageError(f"{flag} {number:g} is out of range, expected 0 or more")
        if not self.tag_weight and not self.distill_weight:
            raise UsageError("--tag-weight 0 and --distill-weight 0 leave nothing to train", hint="give one of them")
        share("--select-threshold", self.select_threshold)
        for flag, scale in (("--affine-scale", self.affine_scale), ("--lora-scale", self.lora_scale)):
            positive(flag, scale)
        finite("--affine-bias", self.affine_bias)
        if self.logit_scale is not None:
            positive("--logit-scale", self.logit_scale)
        whole("--rank", self.rank, at_least=1)
        if not self.scales:
            raise UsageError("--scales is empty", hint="e.g. --scales 1.0 or --scales 1.0,1.33")
        for factor in self.scales:
            positive("--scales", factor)
            if factor > 16:
                raise UsageError(f"--scales {factor:g} is too large, expected factors up to 16")
        if not self.targets:
            raise UsageError("--lora-targets is empty", hint="e.g. in_proj,out_proj,c_fc,c_proj")

    @property
    def columns(self) -> Columns:
        """The list's columns, where they are named."""
        return Columns(image=self.image_column, text=self.text_column, id=self.id_column)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the layers that get adapters."""
        return tuple(name.strip() for name in self.lora_targets.split(",") if name.strip())

    def model_options(self) -> ModelOptions:
        """The model as the other commands name it."""
        return ModelOptions(
            model=self.model, pretrained=self.pretrained, weights=self.weights, dense=self.dense,
            activation=self.activation, device=self.device, threads=self.threads,
        )  # fmt: skip

    def resolved(self) -> Resolved:
        """The settings that were left to the method."""
        return resolve(self)


def parts_that_count(options: TrainOptions) -> dict[str, int]:
    """The number of parts where it changes the result: `clip` contrasts a picture with those of its part alone."""
    return {"accumulate": options.accumulate} if options.method == "clip" and options.accumulate > 1 else {}


def with_manifest(options: TrainOptions, data: str, root: str | None) -> TrainOptions:
    """The options with the data that a pruned set was made of.

    Raises:
        UsageError: they name other data.
    """
    if options.data not in (SCENES, data):
        raise UsageError(
            f"--data {options.data} is not what {options.manifest} was pruned from: {data}",
            hint="leave --data out, or name that manifest's own",
        )
    return replace(options, data=data, root=options.root or root)
