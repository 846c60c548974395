"""A loaded model with everything that is decided once per process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ttd_core.clip.load import load_backbone
from ttd_core.errors import UsageError
from ttd_core.text.bank import TextBank

if TYPE_CHECKING:
    from ttd_core.protocols import Backbone, Reporter
    from ttd_core.recipes.options import CommonOptions, ModelOptions
    from ttd_core.types import ModelInfo


@dataclass(frozen=True)
class Reading:
    """How pictures are shown to the model and how its similarities are read: options resolved against the model.

    Args:
        image_size: shorter side in pixels at scale 1.
        scales: factors on it.
        hflip: average with the mirrored picture.
        calibration: `sigmoid`, `softmax`, `minmax` or `none`.
        logit_scale: factor of the softmax reading.
        sigmoid_scale, sigmoid_bias: of the sigmoid reading, None where the model has none.
        templates: prompt template set of the tags; captions go in as they stand.
    """

    image_size: int
    scales: tuple[float, ...]
    hflip: bool
    calibration: str
    logit_scale: float
    sigmoid_scale: float | None
    sigmoid_bias: float | None
    templates: str


def resolve_reading(options: CommonOptions, info: ModelInfo) -> Reading:
    """Fill the options the user left open with the model's own.

    Raises:
        UsageError: the sigmoid reading is asked of a model that has learned no scale and bias.
    """
    calibration = options.calibration or info.calibration
    if calibration == "sigmoid" and info.sigmoid_scale is None:
        raise UsageError(
            f"--calibration sigmoid needs a learned scale and bias, and --model {info.name} has none",
            hint="use --calibration softmax",
        )
    return Reading(
        image_size=options.image_size or info.image_size,
        scales=options.scales,
        hflip=options.hflip,
        calibration=calibration,
        logit_scale=options.logit_scale or info.logit_scale,
        sigmoid_scale=info.sigmoid_scale,
        sigmoid_bias=info.sigmoid_bias,
        templates=options.templates or info.templates,
    )


@dataclass(frozen=True)
class Session:
    """A backbone on its device, the texts it has seen, and how it is read."""

    backbone: Backbone
    bank: TextBank
    device: torch.device
    reading: Reading

    @property
    def info(self) -> ModelInfo:
        """What the backbone says about itself."""
        return self.backbone.info

    def unknown_words(self, tag: str) -> list[str]:
        """Words of a tag outside a closed vocabulary; empty for open models."""
        check = getattr(self.backbone, "unknown_words", None)
        return list(check(tag)) if check is not None else []

    def embed_tags(self, tags: Sequence[str]) -> torch.Tensor:
        """Prompt and encode tags: K×D, normalised, on the device."""
        return self.bank.embed(list(tags), self.reading.templates)

    def embed_captions(self, captions: Sequence[str]) -> torch.Tensor:
        """Encode captions without a template: B×D, normalised, on the device."""
        return self.bank.embed(list(captions), "identity")


def open_session(options: CommonOptions, report: Reporter, cache: Path | None = None) -> Session:
    """Load the model that the options name.

    Args:
        options: which model, device and reading.
        report: told what is assumed, e.g. the activation of a weights file.
        cache: folder for text embeddings, None to keep them in memory only.

    Raises:
        UsageError: an unknown model or device.
        WeightsError: the weights cannot be used.
    """
    device = choose_device(options.model)
    if options.model.threads is not None:
        torch.set_num_threads(options.model.threads)
    torch.manual_seed(options.seed)
    backbone = load_backbone(options.model.spec(), device, report)
    return Session(backbone, TextBank(backbone, cache), device, resolve_reading(options, backbone.info))


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
        raise UsageError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {name}: this machine has no MPS device")
    return device
