"""A CLIP with dense image features, behind the `Backbone` contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.clip.dense import Strategy
from ttd_core.clip.text_tower import TextTower
from ttd_core.clip.vit import VisionTower
from ttd_core.protocols import Reporter, SilentReporter
from ttd_core.types import Encoded, ModelInfo


class ClipBackbone(nn.Module):
    """An open_clip network whose patch features are read by a named strategy.

    Frozen and in evaluation mode when loaded. `network` is the part that adapters are put on.

    Args:
        network: open_clip's `CLIP` or `CustomTextCLIP` with a plain vision transformer.
        strategy: how patch features are read.
        info: what the backbone says about itself; `dense` is set from the strategy.
        reporter: hears of texts that had to be cut.
    """

    def __init__(self, network: Any, strategy: Strategy, info: ModelInfo, reporter: Reporter | None = None) -> None:
        super().__init__()
        self.network: Any = network
        self.strategy = strategy
        self.info = replace(info, dense=strategy.name)
        self.vision = VisionTower(network.visual, strategy.variant)
        self.text = TextTower(network)
        self.reporter: Reporter = reporter or SilentReporter()
        self._cut_reported: set[str] = set()

    def encode_images(self, images: torch.Tensor) -> Encoded:
        """Encode images.

        Args:
            images: B×3×H×W, normalised with `info.mean` and `info.std`; H and W any multiples of `info.patch`.

        Returns:
            dense B×D×h×w and pooled B×D, L2-normalised over D. Differentiable.

        Raises:
            UsageError: H or W is no multiple of the patch.
        """
        stream = self.strategy.stream(self.vision, images)
        dense = self.vision.project(self.strategy.read(self.vision, stream))
        return Encoded(F.normalize(dense, dim=-1).permute(0, 3, 1, 2), F.normalize(self.vision.pooled(stream), dim=-1))

    def encode_dense(self, images: torch.Tensor) -> torch.Tensor:
        """`encode_images(images).dense` without the pooled vector: B×D×h×w."""
        dense = self.vision.project(self.strategy.read(self.vision, self.strategy.stream(self.vision, images)))
        return F.normalize(dense, dim=-1).permute(0, 3, 1, 2)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K prompts as they stand into K×D unnormalised embeddings; over-long ones are cut and reported."""
        return encode_texts(self.text, texts, self.reporter, self._cut_reported)


def encode_texts(tower: TextTower, texts: Sequence[str], reporter: Reporter, reported: set[str]) -> torch.Tensor:
    """Tokenise and embed texts, K×D unnormalised; a text that does not fit is reported once.

    Args:
        tower: the text tower.
        texts: K prompts.
        reporter: hears of cut texts.
        reported: texts already reported; added to.
    """
    if not texts:
        return tower.tower.positional_embedding.new_zeros(0, int(tower.network.visual.output_dim))
    ids, lengths, cut = tower.tokenize(texts)
    for text in {texts[i] for i in cut} - reported:
        reported.add(text)
        reporter.warning(f"text longer than {tower.context} tokens, its end is ignored: {text[:60]!r}...")
    return tower.encode(ids, lengths)
