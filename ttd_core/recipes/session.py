"""A loaded model with everything that is decided once per process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ttd_core.clip.load import load_backbone
from ttd_core.errors import UsageError
from ttd_core.recipes.methods import method_of, open_method
from ttd_core.recipes.options import MaskOptions
from ttd_core.text.bank import TextBank
from ttd_core.text.rivals import RIVALS

if TYPE_CHECKING:
    from ttd_core.protocols import Backbone, Reporter
    from ttd_core.recipes.methods import MethodModel
    from ttd_core.recipes.options import CommonOptions, ModelOptions
    from ttd_core.types import ModelInfo


_REMEMBERED = 100_000


@dataclass(frozen=True)
class Reading:
    """How similarities become scores: the options resolved against the model.

    Args:
        calibration: `sigmoid`, `softmax`, `minmax` or `none`.
        logit_scale: factor of the softmax reading.
        sigmoid_scale, sigmoid_bias: of the sigmoid reading, None where the model has none.
        rivals: texts that compete for every place without being answers, so that a lone tag can lose.
    """

    calibration: str
    logit_scale: float
    sigmoid_scale: float | None
    sigmoid_bias: float | None
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Views:
    """How a picture is shown to the model.

    Args:
        image_size: shorter side in pixels at scale 1.
        scales: factors on it.
        hflip: average with the mirrored picture.
    """

    image_size: int
    scales: tuple[float, ...]
    hflip: bool


@dataclass(frozen=True)
class Session:
    """A backbone on its device, the texts it has seen, and how it looks and is read.

    Args:
        backbone: the model.
        bank: its text embeddings.
        device: where it computes.
        views: how pictures are shown to it.
        caption_reading: for the words of a caption, which compete with each other.
        alone_reading: for tags that nothing says cover the picture: those a user listed, and a caption's only word.
        templates: prompt template set of the tags; captions go in as they stand.
        apart: every picture goes through the model by itself, so that its answer depends on nothing else.
        method: what looks at pictures and embeds texts instead of `ttd_core.recipes.maps`, None for `--method ttd`.
    """

    backbone: Backbone
    bank: TextBank
    device: torch.device
    views: Views
    caption_reading: Reading
    alone_reading: Reading
    templates: str
    apart: bool = False
    method: MethodModel | None = None
    _unknown: dict[str, list[str]] = field(default_factory=dict, repr=False)

    @property
    def info(self) -> ModelInfo:
        """What the backbone says about itself."""
        return self.backbone.info

    def described(self) -> dict[str, Any]:
        """What the options come to with this model, in plain values: sizes, templates, and how scores are read."""
        alone, caption = self.alone_reading, self.caption_reading
        return {
            "model": self.info.name,
            "weights": self.info.weights_name,
            "dense": self.info.dense,
            "activation": self.info.activation,
            "precision": self.info.precision,
            "image_size": self.views.image_size,
            "scales": list(self.views.scales),
            "hflip": self.views.hflip,
            "templates": self.templates,
            "calibration_of_captions": caption.calibration,
            "calibration_alone": alone.calibration,
            "logit_scale": caption.logit_scale,
            "sigmoid_scale": alone.sigmoid_scale,
            "sigmoid_bias": alone.sigmoid_bias,
            "rivals": len(alone.rivals),
            **({} if self.method is None else self.method.described()),
        }

    def unknown_words(self, tag: str) -> list[str]:
        """Words of a tag outside a closed vocabulary; empty for open models."""
        check = getattr(self.backbone, "unknown_words", None)
        if check is None:
            return []
        known = self._unknown.get(tag)
        if known is None:
            known = self._unknown[tag] = list(check(tag))
            if len(self._unknown) > _REMEMBERED:
                self._unknown.clear()
        return known

    def embed_tags(self, tags: Sequence[str]) -> torch.Tensor:
        """Prompt and encode tags: K×D, on the device, normalised unless the method has embeddings of its own."""
        if self.method is not None:
            return self.method.embed(list(tags), self.templates)
        return self.bank.embed(list(tags), self.templates).to(self.device)

    def embed_names(self, names: Sequence[str], tagging: Sequence[str] | None) -> torch.Tensor:
        """The same where a method of two stages calls a class by another name when it tags; None for the same name."""
        both = getattr(self.method, "embed_both", None)
        if both is None or tagging is None:
            return self.embed_tags(names)
        embedded: torch.Tensor = both(list(names), list(tagging), self.templates)
        return embedded

    def embed_captions(self, captions: Sequence[str]) -> torch.Tensor:
        """Encode captions without a template: B×D, like tags in all else."""
        if self.method is not None:
            return self.method.embed(list(captions), "identity")
        return self.bank.embed(list(captions), "identity").to(self.device)


def open_session(
    options: CommonOptions, report: Reporter, cache: Path | None = None, *, apart: bool = False
) -> Session:
    """Load the model that the options name.

    Args:
        options: which model, device and reading.
        report: told what is assumed, e.g. the activation of a weights file.
        cache: folder for text embeddings, None to keep them in memory only.
        apart: on a CPU, let no text or picture change the last bits of another one's answer.

    Raises:
        UsageError: an unknown model or device, or a reading that the model cannot give.
        WeightsError: the weights cannot be used.
    """
    device = choose_device(options.model)
    if options.model.threads is not None:
        torch.set_num_threads(options.model.threads)
    elif options.model.model == "scenes" and device.type == "cpu":
        # So small a model loses more by handing work to other threads than these save it.
        torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    backbone = load_backbone(options.model.spec(), device, report)
    info = backbone.info
    default_size = (info.mask_size if isinstance(options, MaskOptions) else None) or info.image_size
    alone = "sigmoid" if info.sigmoid_scale is not None else info.calibration
    own = not method_of(options).similarity  # such maps are scores already
    rivals = RIVALS if options.calibration is None and alone == "softmax" and not own else ()
    session = Session(
        backbone=backbone,
        # a closed vocabulary belongs to a model so small that encoding is faster than reading files
        bank=TextBank(
            backbone, cache if info.vocabulary is None else None, report, apart=apart and device.type == "cpu"
        ),
        apart=apart and device.type == "cpu",
        device=device,
        views=Views(options.image_size or default_size, options.scales, options.hflip),
        caption_reading=_reading(options, info, "none" if own and alone == "softmax" else info.calibration),
        alone_reading=replace(_reading(options, info, "none" if own and alone == "softmax" else alone), rivals=rivals),
        templates=options.templates or info.templates,
    )
    return replace(session, method=open_method(session, options))


def _reading(options: CommonOptions, info: ModelInfo, default: str) -> Reading:
    calibration = options.calibration or default
    if calibration == "sigmoid" and info.sigmoid_scale is None:
        raise UsageError(
            f"--calibration sigmoid needs a learned scale and bias, and --model {info.name} has none",
            hint="use --calibration softmax",
        )
    return Reading(calibration, options.logit_scale or info.logit_scale, info.sigmoid_scale, info.sigmoid_bias)


def choose_device(options: ModelOptions) -> torch.device:
    """The device that was asked for; `auto` takes CUDA where there is one.

    Raises:
        UsageError: the device does not exist here.
    """
    name = options.device
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        hint = "use --device cpu" if not count else f"use --device cuda:0 to cuda:{count - 1}, or cpu"
        raise UsageError(
            f"--device {name}: this machine has {count or 'no'} CUDA device{'s' if count > 1 else ''}", hint
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {name}: this machine has no MPS device", hint="use --device cpu")
    return device
