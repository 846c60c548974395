"""TCL on the built-in model: its picture and text towers stay as they are, a masker learns beside them.

What differs from TCL on CLIP follows from the sizes. A patch has 8 pixels instead of 16, so one doubling reaches TCL's
four pixels per cell where CLIP needs two; and the built-in model makes that doubling itself, by fusing the features of
its stem into the map. The masker keeps a copy of that fusion in place of the nearest upsampling and goes on with the
two gated convolutions of a decoder stage. Symbols: C width of the picture tower, D width of the shared space, h×w patch
grid, u×v = 2h×2w mask grid.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.clip.neighbours import Mix
from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.clip.scenes_towers import PictureTower, as_grid, fuse
from ttd_core.methods.tcl.model import EPS, GatedConv
from ttd_core.types import Encoded, ModelInfo

DENSE = "tcl"
"""What `info.dense` says of a model whose maps come from a masker."""

SCALE, BIAS = 10.0, -2.5
"""Where w and b start for a base that has no reading of its own."""

_FINE = ("fine_proj", "fine_norm", "fine_fc", "fine_out")


class ScenesMasker(nn.Module):
    """What TCL learns: copies of the last block, of the fusion and of the projection, two gated convolutions, w and b.

    Args:
        visual: the picture tower that is copied from.
        scale, bias: where w and b start.
    """

    def __init__(self, visual: PictureTower, scale: float = SCALE, bias: float = BIAS) -> None:
        super().__init__()
        channels = visual.proj.in_features
        self.block: Any = copy.deepcopy(visual.blocks[-1])
        self.fine = visual.fine
        if self.fine:
            for name in _FINE:
                self.add_module(name, copy.deepcopy(getattr(visual, name)))
        self.first = GatedConv(channels)
        self.second = GatedConv(channels)
        self.norm = copy.deepcopy(visual.norm)
        self.proj = copy.deepcopy(visual.proj)
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, x: torch.Tensor, mix: Mix, fine: torch.Tensor) -> torch.Tensor:
        """From what `PictureTower.trunk` gives to the masker embedding B×D×u×v, not normalised."""
        x = self.decode(as_grid(self.block(x, mix, value_only=True), fine), fine)
        # B×C×u×v -> B×D×u×v
        projected: torch.Tensor = self.proj(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return projected

    def decode(self, cells: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """B×h×w×C cells to B×C×u×v: one doubling, then the gated convolutions, which start at nothing."""
        if self.fine:
            layers: Any = self
            x = fuse(layers, cells, fine).permute(0, 3, 1, 2)
        else:
            x = F.interpolate(cells.permute(0, 3, 1, 2), scale_factor=2, mode="nearest")
        x = x + self.first(x)
        return x + self.second(x)


class ScenesTcl(nn.Module):
    """The built-in model with a masker, behind the contracts `Backbone` and `TclNetwork`.

    Args:
        base: the model whose towers are taken as they are; frozen here.
        info: what the model says about itself.
        masker: the learned part; None starts one that changes nothing.
    """

    def __init__(self, base: ScenesBackbone, info: ModelInfo, masker: ScenesMasker | None = None) -> None:
        super().__init__()
        self.arch = base.arch
        self.tokenizer = base.tokenizer
        self.info = info
        self.log_scales: dict[str, float] = {}  # its files leave them out
        self.visual = base.visual.requires_grad_(False)
        self.text = base.text.requires_grad_(False)
        scale, bias = base.info.sigmoid_scale, base.info.sigmoid_bias
        if scale is None or bias is None:
            scale, bias = SCALE, BIAS
        self.masker = masker or ScenesMasker(base.visual, scale, bias)
        self.eval()

    def train(self, mode: bool = True) -> ScenesTcl:
        """Set the mode of the masker; the towers keep evaluation mode, as their frozen statistics must not move."""
        super().train(mode)
        self.visual.eval()
        self.text.eval()
        return self

    def encode_images(self, images: torch.Tensor) -> Encoded:
        """Encode images.

        Args:
            images: B×3×H×W, normalised with `info.mean` and `info.std`; H and W are multiples of `info.patch`.

        Returns:
            dense B×D×u×v masker embedding; pooled B×D embedding of the frozen model; `extra["kp"]` its own map of the
            strategy `value`. All L2-normalised over D. Differentiable.
        """
        trunk = self._trunk(images)
        dense = F.normalize(self.masker(*trunk), dim=1, eps=EPS)
        pooled = F.normalize(self.visual.cells(*trunk).flatten(1, 2).mean(dim=1), dim=-1, eps=EPS)
        kp = F.normalize(self.visual.cells(*trunk, value_only=True), dim=-1, eps=EPS)
        # B×h×w×D -> B×D×h×w
        return Encoded(dense, pooled, {"kp": kp.permute(0, 3, 1, 2)})

    def encode_dense(self, images: torch.Tensor) -> torch.Tensor:
        """`encode_images(images).dense` without the frozen model's own answers: B×D×u×v."""
        return F.normalize(self.masker(*self._trunk(images)), dim=1, eps=EPS)

    def masker_embedding(self, images: torch.Tensor) -> torch.Tensor:
        """The masker's embedding of B×3×H×W normalised images, B×D×u×v, not normalised; trains the masker alone."""
        with torch.no_grad():
            trunk = self._trunk(images)
        return self.masker(*trunk)

    def clip_embedding(self, images: torch.Tensor) -> torch.Tensor:
        """The frozen model's embedding of B×3×H×W normalised images, B×D, not normalised; differentiable by them."""
        return self.visual.cells(*self._trunk(images)).flatten(1, 2).mean(dim=1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K texts into K×D, not normalised. Unknown words share one untrained row: ask `unknown_words` first."""
        return self.text(self.tokenizer(texts).to(self.text.positions.device))

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that the model was never trained on, in order of appearance."""
        return self.tokenizer.unknown_words(text)

    def _trunk(self, images: torch.Tensor) -> tuple[torch.Tensor, Mix, torch.Tensor]:
        height, width = images.shape[-2:]
        if height % self.info.patch or width % self.info.patch:
            raise ValueError(f"picture sides must be multiples of {self.info.patch}, got {height}x{width}")
        return self.visual.trunk(images)


def scenes_tcl_network(backbone: ScenesBackbone) -> ScenesTcl:
    """Put a fresh masker beside the built-in model; until it is trained, maps are those of the strategy `value`.

    w and b start as the base's own sigmoid where it has one: cosines of the built-in model lie elsewhere than CLIP's.
    """
    network = ScenesTcl(backbone, backbone.info)
    network.info = with_learned_reading(network)
    network.masker.requires_grad_(True)
    return network


def with_learned_reading(network: ScenesTcl) -> ModelInfo:
    """The description of a model as its masker now is: maps read by the learned w and b."""
    return replace(
        network.info,
        dense=DENSE,
        cell=network.arch.patch // 2,
        calibration="sigmoid",
        sigmoid_scale=network.masker.scale.item(),
        sigmoid_bias=network.masker.bias.item(),
    )
