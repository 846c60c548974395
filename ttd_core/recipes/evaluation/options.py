"""Every setting of `ttd evaluate`, with its default and what is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import adapter_named, not_both, not_empty, whole
from ttd_core.recipes.method_checks import check_background
from ttd_core.recipes.model_options import ModelOptions
from ttd_core.recipes.options import Calibration, Candidates, CommonOptions, MaskOptions, Preset, Selection, TagOptions

Task = Literal["tags", "text", "masks", "classification", "bias"]
TASKS: tuple[str, ...] = ("tags", "text", "masks", "classification", "bias")


def _how(default: Any) -> Any:
    return field(default=default, metadata={"result": False})


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of `ttd evaluate`; those not explained here mean what they mean in `CommonOptions` and `MaskOptions`.

    Args:
        task: `tags` (tag selection), `text` (the caption's mask), `masks` (semantic segmentation), `classification`
            (which classes a picture shows), `bias` (the single tag bias meter); None takes the data set's first one.
        data: data set, with a split where it has several (`scenes:test`, `voc2012:val`), or a folder or list of one's
            own; `scenes` alone prints every table of the built-in benchmark.
        root: folder of the data set.
        pred: finished answers to score instead of a model's: a run or folder of masks, a `tags.jsonl`, a tag file.
        truth: a file with the true tags or labels, instead of the data set's own annotation.
        class_names: file with one line per class (background left out): the text or, separated by commas, the texts
            that stand for it; None prompts the data set's own names.
        names: published system whose spellings are prompted, see `ttd_core.data.benchmarks.class_lists.names_for`; set
            by published rows.
        unseen: classes a zero-shot method was not trained on, for seen, unseen and harmonic figures.
        difficult: VOC objects marked difficult count as `positive` (TagCLIP's label lists), `negative`, or not at all
            (`ignore`).
        averaging: classes in the mean of mIoU, see `ttd_core.metrics.segmentation`: `present` in truth or answer,
            `truth` in the truth (TagCLIP), `zero` all of them, absent ones as 0 (ReCLIP).
        bg: score that a class has to exceed. None is the method's own where there is a background; without one it
            leaves every pixel to its strongest class, while a score given leaves what stays below it to no class.
        shard: this run's part of the samples, `i/n` with i from 1 to n.
        merge: runs of all n shards, to be put together.
        allow_missing: go on where samples or predictions are missing, and count them.
        before: also evaluate the model without its adapter, and show its figures beside.
        expect: `metric=value:tolerance`, or `published` for the recipe's own figures.
        recipe: name of a published row whose settings come first.
        workers: processes that decode pictures and truths; 0 works in this one, None decides by the amount of work.
        per_sample: also write `samples.jsonl` with the figures of every sample.
        report: also write `report.html`.

    Raises:
        UsageError: options contradict each other (both are named) or a value is out of range.
    """

    task: Task | None = None
    data: str | None = None
    root: str | None = _how(None)
    pred: str | None = None
    truth: str | None = None
    class_names: str | None = None
    names: str | None = None
    unseen: tuple[str, ...] | None = None
    difficult: Literal["positive", "negative", "ignore"] = "positive"
    averaging: Literal["present", "truth", "zero"] = "present"
    limit: int | None = None
    shard: str | None = None
    merge: tuple[str, ...] | None = _how(None)
    allow_missing: bool = False
    before: bool = _how(False)
    expect: tuple[str, ...] | None = _how(None)
    recipe: str | None = None
    model: ModelOptions = field(default_factory=ModelOptions)
    method: str = "ttd"
    image_size: int | None = None
    scales: tuple[float, ...] = (1.0,)
    hflip: bool = False
    templates: str | None = None
    calibration: Calibration | None = None
    logit_scale: float | None = None
    kp_weight: float | None = None
    window: int | None = None
    stride: int | None = None
    preset: Preset | None = None
    candidates: Candidates = "words"
    stopwords: bool = True
    tagger: Literal["builtin", "nltk"] = "builtin"
    scorer: str = "pixel"
    select: Selection | None = None
    threshold: float | None = None
    pamr: bool | None = None
    crf: bool = False
    bg: float | None = None
    seed: int = 0
    batch_size: int = _how(8)
    workers: int | None = _how(None)
    per_sample: bool = _how(False)
    report: bool = _how(True)
    format: Literal["text", "tsv", "json", "jsonl"] = _how("text")
    out: str | None = _how(None)
    run_root: str = _how("runs")
    overwrite: bool = _how(False)
    keep_going: bool = _how(False)

    def __post_init__(self) -> None:
        """Refuse contradictions and values out of range."""
        not_empty("--data", self.data, "a data set")
        for flag, value in (("--root", self.root), ("--out", self.out), ("--run-root", self.run_root)):
            not_empty(flag, value, "a folder")
        for flag, value in (("--pred", self.pred), ("--truth", self.truth), ("--class-names", self.class_names)):
            not_empty(flag, value, "a file")
        not_both("--merge", self.merge, "--shard", self.shard, "a merge holds all shards")
        not_both("--merge", self.merge, "--pred", self.pred, "the shards were scored already")
        if self.data is None and self.merge is None:
            raise UsageError(
                "nothing to evaluate on: --data is missing", hint="e.g. --data scenes:test; ttd evaluate --list"
            )
        adapter_named(self.before, self.model.lora)
        not_both("--before", self.before or None, "--pred", self.pred, "finished answers have no model")
        not_both("--before", self.before or None, "--merge", self.merge, "the shards hold one model's answers")
        if self.workers is not None:
            whole("--workers", self.workers, at_least=0)
        if self.shard is not None:
            parse_shard(self.shard)
        self.answers()
        check_background(self)

    def answers(self, masks: bool = True) -> CommonOptions:
        """The settings of the model and of its reading, in the form every recipe takes.

        Args:
            masks: masks will be made; False where only tags are scored, on which a model may look at a smaller size.

        Raises:
            UsageError: a value is out of range.
        """
        common: dict[str, Any] = {name: getattr(self, name) for name in _SHARED} | {"input": self.data or "shards"}
        if masks:
            return _Masks(**common, pamr=self.pamr, crf=self.crf)
        return _Tags(**common)


class _Masks(MaskOptions):
    _command = "evaluate"


class _Tags(TagOptions):
    _command = "evaluate"


_SHARED = (
    "limit", "model", "method", "image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "kp_weight",
    "window", "stride", "preset", "candidates", "stopwords", "tagger", "scorer", "select", "threshold", "seed",
    "batch_size", "run_root",
)  # fmt: skip
"""Fields that `EvaluateOptions` and `CommonOptions` have in common."""


def task_of(name: str) -> Task | None:
    """The task of this name, None for what is none (the tables of the scenes)."""
    return next((task for task in get_args(Task) if task == name), None)


def parse_shard(text: str) -> tuple[int, int]:
    """Read `i/n`.

    Raises:
        UsageError: not two whole numbers with 1 <= i <= n.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part <= parts:
        raise UsageError(f"--shard {text!r} is not a part of a whole", hint="e.g. --shard 1/4, 2/4, 3/4 and 4/4")
    return part, parts
