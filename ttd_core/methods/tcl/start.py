"""From any model to one that TCL trains: a fresh masker beside a frozen CLIP, or one that was trained before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from ttd_core.clip.backbone import ClipBackbone
from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.errors import UsageError
from ttd_core.methods.tcl.model import IMAGENET_MEAN, IMAGENET_STD, Masker, TclBackbone
from ttd_core.methods.tcl.network import TclNetwork
from ttd_core.methods.tcl.scenes import ScenesTcl, scenes_tcl_network
from ttd_core.protocols import Backbone, Reporter


def tcl_network(backbone: Backbone, reporter: Reporter) -> TclNetwork:
    """Put a masker beside a loaded model; one that has a masker is taken as it is, to train it further.

    A fresh decoder draws its filters from torch's generator.

    Raises:
        UsageError: the model is no CLIP whose last block TCL can copy.
    """
    if isinstance(backbone, ScenesBackbone):
        return scenes_tcl_network(backbone)
    if isinstance(backbone, (TclBackbone, ScenesTcl)):
        return backbone
    if not isinstance(backbone, ClipBackbone):
        raise UsageError(f"--method tcl cannot start from {backbone.info.name}", hint="--model ViT-B-16 or scenes")
    visual: Any = backbone.network.visual
    if visual.proj is None or visual.pool_type != "tok" or not isinstance(visual.ln_post, nn.LayerNorm):
        raise UsageError(
            f"--method tcl cannot start from {backbone.info.name}: it has no class token with a projection",
            hint="--model ViT-B-16 --pretrained openai",
        )
    masker = Masker(visual).to(visual.proj.device)
    info = replace(
        backbone.info,
        name="tcl",
        dense="tcl",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        calibration="sigmoid",
        sigmoid_scale=masker.scale.item(),
        sigmoid_bias=masker.bias.item(),
        templates="custom",
        normalise_templates=False,
        cell=backbone.info.patch // 4,
    )
    return TclBackbone(backbone.network, masker, info, reporter)
