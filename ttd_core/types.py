"""The nouns that travel through the program.

Axis letters, used in every docstring: B images, K tags or classes, D embedding width, h w patch grid, H W pixels,
S scales. Nothing here imports torch when the module is loaded, so that `ttd tags --text` stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
"""`--precision` -> the type of number that runs record."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model to load, as the user named it.

    Args:
        model: `scenes` (built in), `tcl`, or an open_clip architecture such as `ViT-B-16`.
        pretrained: an open_clip pretrained tag, a weights file, or a folder holding one.
        weights: a weights file of the model's own format (`tcl.pth`, safetensors, an OpenAI archive).
        lora: a PEFT adapter folder or file applied on top.
        dense: name of the dense strategy; None takes the model's own.
        activation: `quickgelu`, `gelu`, or None to decide from the weights.
    """

    model: str = "scenes"
    pretrained: str | None = None
    weights: str | None = None
    lora: str | None = None
    dense: str | None = None
    activation: str | None = None
    precision: str = "fp32"


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded backbone says about itself.

    Args:
        name: stem of the run ID (`scenes`, `tcl`, `ViT-B-16`).
        weights_name: short name of the weights (`builtin`, `openai`, a file's stem, `random`).
        weights_sha256: digest over everything that was loaded, adapter included; keys the text cache.
        patch: side of a patch in pixels; picture sides must be multiples of it.
        width: D.
        mean, std: normalisation of RGB in 0..1.
        image_size: default shorter side in pixels.
        dense: name of the dense strategy in use.
        activation: `quickgelu` or `gelu`.
        calibration: default reading of the maps, `sigmoid` or `softmax`.
        logit_scale: scale of the softmax reading.
        sigmoid_scale, sigmoid_bias: learned w and b of `sigmoid(w·cos + b)`; None where the model has none.
        vocabulary: the case-folded words the text tower was trained on, None when it is open.
        templates: default prompt template set.
        mask_size: default shorter side in pixels where masks are made; None for `image_size`.
        cell: side in pixels of a cell of the dense embeddings where it is finer than a patch; None for the patch.
        normalise_templates: each prompt's embedding is normalised before the mean over a template set (the usual
            convention); False where the mean is taken first (TCL).
        precision: of the image encoder's products, `fp32` or `bf16`.
    """

    name: str
    weights_name: str
    weights_sha256: str
    patch: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int
    dense: str
    activation: str
    calibration: str
    logit_scale: float
    sigmoid_scale: float | None = None
    sigmoid_bias: float | None = None
    vocabulary: frozenset[str] | None = None
    templates: str = "identity"
    normalise_templates: bool = True
    precision: str = "fp32"

    cell: int | None = None
    mask_size: int | None = None

    @property
    def cell_side(self) -> int:
        """Side in pixels of a cell of the dense embeddings."""
        return self.cell or self.patch


@dataclass(frozen=True)
class Encoded:
    """Images after the vision tower.

    Args:
        dense: B×D×h×w patch (or finer) embeddings, L2-normalised over D, float.
        pooled: B×D image embeddings, L2-normalised.
        extra: further per-method tensors with B first, e.g. TCL's `kp` B×D×h×w embeddings.
    """

    dense: torch.Tensor
    pooled: torch.Tensor
    extra: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Args:
        pixels: H×W×3 uint8 RGB, upright (EXIF orientation applied).
        name: how messages and outputs call it.
        path: where it came from, None when read from a stream or made in memory.
    """

    pixels: np.ndarray
    name: str
    path: Path | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class Sample:
    """One datum as the user gave it: a caption, an image, a list of tags, or several of these.

    Args:
        key: unique and stable within the input; a resumed run skips finished keys.
        image: path of the picture, None for text only.
        caption: the sentence, None when only tags are given.
        tags: the user's own candidates in order, None to take them from the caption.
        origin: `file:line` for messages, or the option it came from.
        candidates: words that stand for the caption's own and compete as those do (a benchmark's judged words); None
            to split the caption.
        classes: the list that the tags were chosen from, or are, whose order numbers them; None where there is none.
    """

    key: str
    image: Path | None = None
    caption: str | None = None
    tags: tuple[str, ...] | None = None
    origin: str = ""
    candidates: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TagScore:
    """The decision about one candidate.

    Args:
        tag: spelling as in the caption.
        score: in 0..1 for calibrated scorers, None when the tag could not be scored.
        selected: kept as an image-relevant tag.
        x, y: the pixel of the original image that proves the score; None for scorers that look at no place.
        runner_up: the strongest other tag at that pixel, None where there is none.
        note: why a tag was not scored, e.g. `unknown word`.
    """

    tag: str
    score: float | None
    selected: bool
    x: int | None = None
    y: int | None = None
    runner_up: str | None = None
    note: str | None = None
