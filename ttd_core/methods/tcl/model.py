"""TCL's masker on a frozen CLIP.

The trunk of CLIP is shared up to its last block. Two copies of that block, both with the identity in place of
attention, go on from there: the frozen one gives the knowledge-preserving ("kp") embedding, the learned one feeds a
gated convolutional decoder that ends at a quarter of the picture's resolution. Symbols: C width of the vision tower,
h×w patch grid, u×v = 4h×4w mask grid.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.clip.backbone import encode_texts
from ttd_core.clip.text_tower import TextTower
from ttd_core.clip.vit import VisionTower, identity, norm, run_block
from ttd_core.ops.conv3x3 import (
    FrozenWeights,
    applies,
    applies_in_training,
    upsampled,
    upsampled_training,
    upsampled_weights,
    winograd,
    winograd_weights,
)
from ttd_core.protocols import Reporter, SilentReporter
from ttd_core.types import Encoded, ModelInfo

EPS = 1e-6
"""Epsilon of TCL's L2 normalisation, x / max(‖x‖, 1e-6)."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

STAGES = 2
"""Decoder stages, each doubling the resolution."""


class GatedConv(nn.Module):
    """tanh(gate)·Conv3x3(GELU(LayerNorm over channels)): B×C×h×w to the same. The gate starts at 0.

    Frozen on the CPU it convolves with the fewer products of `ttd_core.ops.conv3x3`, which keep transformed weights:
    4 times the memory of the originals where the picture is not doubled.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Parameter(torch.zeros(()))
        self._frozen: dict[bool, FrozenWeights] = {}

    def forward(self, x: torch.Tensor, double: bool = False) -> torch.Tensor:
        """The branch alone, without the sum.

        Args:
            x: B×C×h×w.
            double: as if every pixel of x were first repeated in both directions; gives B×C×2h×2w.
        """
        # B×h×w×C: a view where the memory is laid out channels last. Norm and GELU look at one pixel each, so they
        # need not be repeated with it.
        y = F.gelu(self.norm(x.permute(0, 2, 3, 1)))
        if applies(self.conv.weight, y):
            y = (upsampled if double else winograd)(y, self._transformed(double)).permute(0, 3, 1, 2)
        elif double and applies_in_training(self.conv.weight, y):
            assert self.conv.bias is not None
            y = upsampled_training(y, self.conv.weight, self.conv.bias).permute(0, 3, 1, 2)
        else:
            y = y.permute(0, 3, 1, 2)
            y = self.conv(F.interpolate(y, scale_factor=2, mode="nearest") if double else y)
        return torch.tanh(self.gate) * y

    def _transformed(self, double: bool) -> FrozenWeights:
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        kept = self._frozen.get(double)
        if kept is None or not kept.made_from(weight, bias):
            kept = self._frozen[double] = (upsampled_weights if double else winograd_weights)(weight, bias)
        return kept


class UpStage(nn.Module):
    """Nearest upsampling by 2, then two gated convolutions added in turn: B×C×h×w to B×C×2h×2w."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = GatedConv(channels)
        self.second = GatedConv(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upsample and refine."""
        x = F.interpolate(x, scale_factor=2, mode="nearest") + self.first(x, double=True)
        return x + self.second(x)


class Masker(nn.Module):
    """What TCL learns: a copy of CLIP's last block, the decoder, a projection, and the scale and bias of the masks.

    Args:
        visual: open_clip's vision transformer; block, norm and projection start as copies of its own.
    """

    def __init__(self, visual: Any) -> None:
        super().__init__()
        channels = int(visual.proj.shape[0])
        self.block: Any = copy.deepcopy(visual.transformer.resblocks[-1])
        self.stages = nn.ModuleList(UpStage(channels) for _ in range(STAGES))
        self.norm = copy.deepcopy(visual.ln_post)
        self.proj = nn.Parameter(visual.proj.detach().clone())
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.bias = nn.Parameter(torch.tensor(-2.5))

    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        """The masker's own block with identity attention on B×T×C tokens."""
        return run_block(self.block, x, identity)

    def decode(self, tokens: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """B×T×C tokens, class token first, to B×C×u×v."""
        x = tokens[:, 1:].reshape(tokens.shape[0], *grid, -1).permute(0, 3, 1, 2)
        for stage in self.stages:
            x = stage(x)
        return x

    def project(self, decoded: torch.Tensor) -> torch.Tensor:
        """B×C×u×v to the masker embedding B×D×u×v, not normalised."""
        return (norm(self.norm, decoded.permute(0, 2, 3, 1)) @ self.proj).permute(0, 3, 1, 2)

    def forward(self, x: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """From the tokens that enter CLIP's last block, B×T×C, to the masker embedding B×D×u×v, not normalised."""
        return self.project(self.decode(self.tokens(x), grid))


class TclBackbone(nn.Module):
    """TCL behind the `Backbone` contract.

    Frozen and in evaluation mode when loaded. `network` is the CLIP that adapters are put on.

    Args:
        network: the frozen CLIP base.
        masker: the learned part.
        info: what the backbone says about itself.
        reporter: hears of texts that had to be cut.
        log_scales: see `TclNetwork`.
    """

    def __init__(
        self,
        network: Any,
        masker: Masker,
        info: ModelInfo,
        reporter: Reporter | None = None,
        log_scales: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.log_scales = dict(log_scales or {})
        self.network: Any = network
        self.masker = masker
        self.info = info
        self.vision = VisionTower(network.visual)
        self.text = TextTower(network)
        self.reporter: Reporter = reporter or SilentReporter()
        self._cut_reported: set[str] = set()

    def encode_images(self, images: torch.Tensor) -> Encoded:
        """Encode images.

        Args:
            images: B×3×H×W, normalised with ImageNet's mean and deviation; H and W any multiples of the patch.

        Returns:
            dense B×D×u×v masker embedding; pooled B×D CLIP image embedding; `extra["kp"]` B×D×h×w embedding of the
            frozen block. All L2-normalised over D. Differentiable.

        Raises:
            UsageError: H or W is no multiple of the patch.
        """
        stream = self.vision.stream(images)
        dense = F.normalize(self.masker(stream.x, stream.grid), dim=1, eps=EPS)
        pooled = F.normalize(self.vision.pooled(stream), dim=-1, eps=EPS)
        frozen = self.vision.project(self.vision.last_block(stream, identity)[:, 1:])
        kp = F.normalize(frozen, dim=-1, eps=EPS).transpose(1, 2).unflatten(2, stream.grid)
        return Encoded(dense, pooled, {"kp": kp})

    def masker_embedding(self, images: torch.Tensor) -> torch.Tensor:
        """The masker's embedding of B×3×H×W normalised images, B×D×u×v, not normalised; trains the masker alone."""
        with torch.no_grad():
            stream = self.vision.stream(images)
        return self.masker(stream.x, stream.grid)

    def clip_embedding(self, images: torch.Tensor) -> torch.Tensor:
        """Frozen CLIP's embedding of B×3×H×W normalised images, B×D, not normalised; differentiable by the images."""
        return self.vision.pooled(self.vision.stream(images))

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K prompts as they stand into K×D unnormalised embeddings; over-long ones are cut and reported."""
        return encode_texts(self.text, texts, self.reporter, self._cut_reported)
