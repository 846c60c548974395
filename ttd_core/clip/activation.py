"""Which activation a weights file was trained with.

OpenAI trained CLIP with QuickGELU, `x·sigmoid(1.702 x)`; most later weights use the exact, erf GELU. The tensors do not
say which, both load without an error, and the wrong one costs accuracy in silence. open_clip compares only *published
tags* with its configuration, so weights given as files are decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ttd_core.clip.architecture import Architecture
from ttd_core.clip.checkpoint import Checkpoint
from ttd_core.clip.sources import Source
from ttd_core.errors import UsageError

ACTIVATIONS = ("quickgelu", "gelu")


@dataclass(frozen=True)
class Activation:
    """The decision and its grounds.

    Args:
        name: `quickgelu` or `gelu`.
        because: what decided it, for messages.
        certain: False where it is a default that may be wrong.
    """

    name: str
    because: str
    certain: bool

    @property
    def quick(self) -> bool:
        """Whether it is QuickGELU."""
        return self.name == "quickgelu"


def decide_activation(
    explicit: str | None, architecture: Architecture, source: Source | None, checkpoint: Checkpoint | None
) -> Activation:
    """Decide between QuickGELU and GELU.

    In this order: the user's own word; what the publisher declares (a tag, a published file name, a folder's
    configuration); a name that ends in `-quickgelu`; the marks of OpenAI's own files (TorchScript, their constants,
    half-precision matrices beside full-precision norms). Without any of these a checkpoint of open_clip's trainer
    (weights below `state_dict`) is taken as its named configuration says, and a bare table of tensors as OpenAI's:
    both are guesses and reported as such.

    Raises:
        UsageError: `explicit` is neither `quickgelu` nor `gelu`.
    """
    if explicit is not None:
        if explicit not in ACTIVATIONS:
            raise UsageError(f"unknown activation {explicit!r}", hint=f"one of: {', '.join(ACTIVATIONS)}")
        return Activation(explicit, "asked for", True)
    if source is not None and source.quick_gelu is not None:
        return Activation(_name(source.quick_gelu), f"declared by {source.declared_by}", True)
    if checkpoint is None or architecture.name.endswith("-quickgelu"):
        return Activation(_name(bool(architecture.quick_gelu)), f"the model name {architecture.name}", True)
    if checkpoint.container == "torchscript" or checkpoint.openai_constants or _mixed_precision(checkpoint):
        return Activation("quickgelu", "the file has the form of OpenAI's own", True)
    if checkpoint.nested is not None and architecture.quick_gelu is not None:
        return Activation(_name(architecture.quick_gelu), f"the model name {architecture.name}", False)
    return Activation("quickgelu", "the tensors are laid out as OpenAI's", False)


def _name(quick: bool) -> str:
    return "quickgelu" if quick else "gelu"


def _mixed_precision(checkpoint: Checkpoint) -> bool:
    """OpenAI's archives keep matrices in half precision and norms in single precision."""
    matrix = checkpoint.tensors.get("visual.proj")
    norm = checkpoint.tensors.get("visual.ln_post.weight")
    return matrix is not None and norm is not None and (matrix.dtype, norm.dtype) == (torch.float16, torch.float32)
