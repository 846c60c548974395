"""The one door to a model: `load_backbone`.

open_clip takes seconds to import, so it is loaded only for models that are built with it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ttd_core.clip.precision import halve_products, reproducible
from ttd_core.protocols import Backbone, Reporter
from ttd_core.registry import BACKBONES
from ttd_core.types import ModelSpec


def load_backbone(spec: ModelSpec, device: torch.device, reporter: Reporter) -> Backbone:
    """Load the model a user named, ready to encode.

    `scenes` and `tcl` are loaded by their own loaders; `auto` reads the architecture off a weights file; every
    other name is an open_clip vision transformer. An adapter is merged into it; products
    are rounded to bfloat16 last, where that is asked for. TF32 is switched off for the process, see
    `reproducible`.

    Args:
        spec: what the user named.
        device: where the model computes.
        reporter: told which activation is used and what was assumed.

    Raises:
        UsageError: unknown model, tag, strategy or activation; no weights named; contradictory options.
        WeightsError: the weights are missing, malformed, unsafe, or of another architecture.
    """
    reproducible()
    if spec.model in BACKBONES.entries:
        backbone: Backbone = BACKBONES.load(spec.model)(spec, device, reporter)
    else:
        from ttd_core.clip.networks import load_clip

        backbone = load_clip(spec, device, reporter)
    if spec.lora is not None:
        from ttd_core.clip.lora import apply_lora

        backbone = apply_lora(backbone, Path(spec.lora), reporter)
    if spec.precision == "bf16":
        assert isinstance(backbone, torch.nn.Module)
        halve_products(backbone)
        backbone.info = replace(backbone.info, precision=spec.precision)
    return backbone
