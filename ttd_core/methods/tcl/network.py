"""What TCL's training asks of a model: a frozen CLIP and a masker beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from ttd_core.types import ModelInfo


class LearnedMasker(Protocol):
    """The part that TCL trains; an `nn.Module`.

    Attributes:
        block: its own copy of CLIP's last block (a module that holds it, or several), frozen in the first stage.
        scale, bias: scalars w and b of the masks, sigmoid(w·cos + b).
    """

    block: nn.Module
    scale: nn.Parameter
    bias: nn.Parameter

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Everything that is learned."""
        ...


class TclNetwork(Protocol):
    """A frozen CLIP with a masker; an `nn.Module`. Every parameter outside `masker` stays as it is."""

    @property
    def info(self) -> ModelInfo:
        """What the model says about itself."""
        ...

    @property
    def masker(self) -> LearnedMasker:
        """The learned part."""
        ...

    @property
    def log_scales(self) -> Mapping[str, float]:
        """Logarithms of the scales of the contrasts `tclf` and `tcli`, as far as an earlier training left them."""
        ...

    def masker_embedding(self, images: torch.Tensor) -> torch.Tensor:
        """The masker's embedding of B×3×H×W normalised images, B×D×u×v, not normalised.

        The gradient reaches the masker alone: neither the images nor the trunk, whose activations are not kept.
        """
        ...

    def clip_embedding(self, images: torch.Tensor) -> torch.Tensor:
        """Frozen CLIP's embedding of B×3×H×W normalised images with ordinary attention, B×D, not normalised.

        The gradient reaches the images alone.
        """
        ...

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K texts as they stand into K×D unnormalised embeddings."""
        ...
