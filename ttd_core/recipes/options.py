"""Every setting of `tags`, `masks` and `demo`, with its default and what is refused.

These classes are the commands' options, the contents of `run.yaml` and the arguments of the recipes at once. Fields
marked `_how()` change how the work is done and not what comes out; they take no part in a run's identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import MAX_SEED, adapter_named, not_both, positive, whole
from ttd_core.recipes.input_checks import check_inputs
from ttd_core.recipes.method_checks import check_background, check_method, check_selection
from ttd_core.recipes.model_options import ModelOptions
from ttd_core.text.prompts import template_set

__all__ = ["CommonOptions", "DemoOptions", "MaskOptions", "ModelOptions", "TagOptions"]

Candidates = Literal["words", "nouns", "phrases"]
Selection = Literal["fixed", "relative", "range", "top", "auto"]
Preset = Literal["voc", "coco", "stuff"]
Calibration = Literal["sigmoid", "softmax", "minmax", "none"]
Format = Literal["text", "tsv", "json", "jsonl"]
PLAIN_SCORERS = ("pixel", "image", "text", "tagclip", "nouns")


def _how(default: Any) -> Any:
    return field(default=default, metadata={"result": False})


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """What `tags`, `masks` and `demo` share.

    Args:
        image: one picture.
        text: its caption; `-` reads captions from standard input, one per line.
        tags: the user's own candidates, in order; they replace those of the caption.
        tags_file: candidates for every input, one per line; or tags of each picture (`tags.jsonl`).
        classes: classes for every input, one per line, with synonyms as `dog: dog, puppy`.
        data: pictures of this data set of `ttd evaluate`, asked about its classes.
        root: its folder.
        input: a list file (jsonl, tsv, csv, parquet), a folder of pictures, or `-` for JSON Lines on standard input.
        image_column, text_column, tags_column, id_column: the list's columns or JSON keys; None takes the usual names.
        limit: stop after this many inputs; None takes all.
        model: see `ModelOptions`.
        method: a name of `ttd_core.recipes.methods.METHODS`.
        image_size: shorter side in pixels the model sees; None takes the model's own.
        scales: factors on `image_size`; maps are averaged over them.
        hflip: average with the mirrored picture.
        templates: prompt template set; None takes the model's own.
        calibration: how similarities become scores; None takes the model's own.
        logit_scale: factor of the softmax calibration; None takes the model's own.
        kp_weight: share of the frozen CLIP's map in 0..1; None takes the method's own.
        window, stride: side of sliding windows and distance between them in pixels; None takes the method's own.
        preset: published settings of TagCLIP and CLIP-ES, see `ttd_core.recipes.tagclip_presets`; None is `voc`.
        candidates: which words of a caption are candidates.
        stopwords: drop stop words before scoring.
        tagger: who finds the nouns: `builtin`, or `nltk` where its data is installed.
        scorer: `pixel`, `image`, `text`, `tagclip`, `nouns`, or `list:FILE` with ready-made tags.
        select: `fixed` keeps scores of at least `threshold`, `relative` those of at least `threshold` times the
            caption's best, `range` those above min + `threshold`·(max − min), `auto` the same over tags and words of
            background together, `top` the `threshold` best. None is the method's own.
        threshold: in 0..1; a whole number for `top`; None is the method's own.
        seed: of every random choice.
        batch_size: pictures per forward pass.
        format: shape of what is printed.
        save: record the run; None decides by the kind of input.
        out: folder of the run; None takes `<run_root>/<command>/<run id>`.
        run_root: where runs are kept.
        overwrite: start anew where a run of this name exists.
        keep_going: exit with 0 even if inputs were skipped.

    Raises:
        UsageError: options contradict each other (both are named) or a value is out of range.
    """

    image: str | None = _how(None)
    text: str | None = None
    tags: tuple[str, ...] | None = None
    tags_file: str | None = None
    classes: str | None = None
    data: str | None = None
    root: str | None = _how(None)
    input: str | None = _how(None)
    image_column: str | None = None
    text_column: str | None = None
    tags_column: str | None = None
    id_column: str | None = None
    limit: int | None = None
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
    seed: int = 0
    batch_size: int = _how(8)
    format: Format = _how("text")
    save: bool | None = _how(None)
    out: str | None = _how(None)
    run_root: str = _how("runs")
    overwrite: bool = _how(False)
    keep_going: bool = _how(False)

    _command: ClassVar[str] = "evaluate"

    def __post_init__(self) -> None:
        """Refuse contradictions and values out of range."""
        check_inputs(self)
        self._check_numbers()
        self._check_scorer()
        check_method(self, self._command)
        check_selection(self)

    def _check_numbers(self) -> None:
        if not self.scales:
            raise UsageError("--scales is empty", hint="e.g. --scales 1.0 or --scales 0.5,1.0,1.5")
        for scale in self.scales:
            positive("--scales", scale)
            if scale > 16:
                raise UsageError(f"--scales {scale:g} is too large, expected factors up to 16")
        whole("--batch-size", self.batch_size, at_least=1)
        whole("--seed", self.seed, at_least=0, at_most=MAX_SEED)
        if self.image_size is not None:
            whole("--image-size", self.image_size, at_least=1, at_most=16384)
        if self.limit is not None:
            whole("--limit", self.limit, at_least=1)
        if self.logit_scale is not None:
            positive("--logit-scale", self.logit_scale)
            if self.calibration not in (None, "softmax"):
                raise UsageError(
                    f"--logit-scale and --calibration {self.calibration} contradict each other: "
                    "the scale belongs to the softmax reading",
                    hint="use --calibration softmax, or leave --logit-scale out",
                )

        if self.templates is not None:
            template_set(self.templates)

    def _check_scorer(self) -> None:
        kind, colon, path = self.scorer.partition(":")
        if colon and kind == "list":
            if not path:
                raise UsageError("--scorer list: names no file", hint="e.g. --scorer list:tags.jsonl")
        elif self.scorer not in PLAIN_SCORERS:
            raise UsageError(
                f"--scorer {self.scorer!r} is unknown", hint=f"one of {', '.join(PLAIN_SCORERS)}, list:FILE"
            )

    @property
    def source(self) -> bool:
        """Whether any input is named at all."""
        return any(value is not None for value in (self.image, self.text, self.input, self.data))

    @property
    def tag_file(self) -> str | None:
        """The `--out` that is a file of tags and no run's folder: `.txt`, of `ttd tags` alone."""
        return None

    @property
    def words(self) -> bool:
        """Whether a picture without a caption has anything to be asked about."""
        return any(value is not None for value in (self.text, self.tags, self.tags_file, self.classes, self.data))


@dataclass(frozen=True, kw_only=True)
class TagOptions(CommonOptions):
    """Options of `ttd tags`.

    Raises:
        UsageError: no input is named, or `--tags` has neither a picture nor a caption to score against.
    """

    _command: ClassVar[str] = "tags"

    def __post_init__(self) -> None:
        """Refuse a call that names nothing to read."""
        super().__post_init__()
        if self.tag_file is not None and not (self.classes or self.tags_file or self.data or self.tags):
            raise UsageError(
                f"--out {self.out} is a file of class numbers, and there is no list of classes",
                hint="--classes FILE, or a folder for --out",
            )
        if not self.source:
            raise UsageError(
                "nothing to read: --image, --text and --input are all missing",
                hint='e.g. ttd tags --text "a dog on wet grass"',
            )
        if self.image is not None and not self.words:
            raise UsageError(
                "--image alone has no words to score",
                hint=f'add a caption or candidates: --image {self.image} --text "..." or --tags "umbrella,dog"',
            )

    @property
    def tag_file(self) -> str | None:
        """See `CommonOptions.tag_file`."""
        return self.out if self.out is not None and self.out.lower().endswith(".txt") else None


@dataclass(frozen=True, kw_only=True)
class PictureOptions(CommonOptions):
    """What `masks` and `demo` share: they need a picture and words to look for in it.

    Args:
        pamr: refine the maps with PAMR; None leaves it to the method.

    Raises:
        UsageError: no picture or no words are named.
    """

    pamr: bool | None = None

    _command: ClassVar[str] = "masks"

    def __post_init__(self) -> None:
        """Refuse a call without a picture or without words."""
        super().__post_init__()
        if self.image is None and self.input is None and self.data is None:
            raise UsageError(
                "no picture: --image and --input are both missing",
                hint=f'e.g. ttd {self._command} --image examples/beach.png --tags "umbrella,dog"',
            )
        if self.image is not None and not self.words:
            raise UsageError(
                "--image alone has no words to look for",
                hint=f'add a caption or tags: --image {self.image} --text "..." or --tags "umbrella,dog"',
            )


@dataclass(frozen=True, kw_only=True)
class MaskOptions(PictureOptions):
    """Options of `ttd masks`.

    Args:
        crf: refine the maps with a dense CRF.
        bg: constant background score in 0..1, in some methods also a power from 1 on; None takes the method's own.
        binary: also write one black-and-white PNG per tag.
        npz: also write the maps as `.npz`.

    Raises:
        UsageError: both refiners are asked for, or a background out of range.
    """

    crf: bool = False
    bg: float | None = None
    binary: bool = False
    npz: bool = False

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        super().__post_init__()
        check_background(self)
        not_both("--pamr", self.pamr or None, "--crf", self.crf or None, "one refiner is applied")


@dataclass(frozen=True, kw_only=True)
class DemoOptions(PictureOptions):
    """Options of `ttd demo`; with no input named, the bundled pictures are used.

    Args:
        before: also draw the maps of the model without its adapter, above those with it.

    Raises:
        UsageError: `before` without an adapter.
    """

    before: bool = False

    _command: ClassVar[str] = "demo"

    def __post_init__(self) -> None:
        """Allow a call that names nothing: it shows the bundled pictures."""
        adapter_named(self.before, self.model.lora)
        if self.source:
            super().__post_init__()
        else:
            CommonOptions.__post_init__(self)
