"""Writing what TCL learned in the key layout of `tcl.pth`, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from ttd_core.atomic import write_bytes
from ttd_core.methods.tcl.model import TclBackbone
from ttd_core.methods.tcl.weights import key_table

_PROJECTION = {"visual.proj": "proj", "visual.ln_post.weight": "ln.weight", "visual.ln_post.bias": "ln.bias"}


def learned_tensors(network: TclBackbone, scales: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The masker and the temperatures of the losses by their published names.

    Args:
        network: the model.
        scales: `tclf` and `tcli`, logarithms of the scales.
    """
    held = network.masker.state_dict()
    depth = len(network.network.visual.transformer.resblocks)
    tensors = {theirs: held[ours] for theirs, ours in key_table(network.masker, depth).items()}
    return tensors | {f"{name}_loss.logit_scale": value for name, value in scales.items()}


def frozen_tensors(network: TclBackbone) -> dict[str, torch.Tensor]:
    """The CLIP underneath by its published names; its temperature is left out there."""
    found = {}
    for name, value in network.network.state_dict().items():
        if name in _PROJECTION:
            found[f"clip_image_encoder.clip_proj.{_PROJECTION[name]}"] = value
        elif name.startswith("visual."):
            found[f"clip_image_encoder.clip_visual.{name.removeprefix('visual.')}"] = value
        elif name != "logit_scale":
            found[f"clip_text_encoder.{name}"] = value
    return found


def write_learned(path: Path, network: TclBackbone, scales: Mapping[str, torch.Tensor], with_clip: bool) -> None:
    """Write a file for `--model tcl --weights FILE`.

    Args:
        path: a safetensors file.
        network: the model.
        scales: see `learned_tensors`.
        with_clip: also write the frozen CLIP; without it the file is for OpenAI's ViT-B/16.

    Raises:
        RunError: the file cannot be written.
    """
    tensors = learned_tensors(network, scales) | (frozen_tensors(network) if with_clip else {})
    write_bytes(path, save({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}))
