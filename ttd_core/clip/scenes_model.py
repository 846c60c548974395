"""The built-in `scenes` model: a small two-tower network for the generated scenes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from ttd_core.clip.scenes_towers import PictureTower, ScenesArchitecture, TextTower
from ttd_core.clip.word_tokenizer import WordTokenizer
from ttd_core.errors import UsageError
from ttd_core.types import Encoded, ModelInfo

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
DENSE_STRATEGIES = ("value", "attention")


class ScenesBackbone(nn.Module):
    """The `Backbone` contract over the two towers.

    The dense map of the strategy `value` replaces the attention of the last block by its value path and keeps residual
    and MLP, so each cell speaks for itself; `attention` is the network as trained. The pooled embedding is the mean of
    the projected cells of the network as trained, as in training.

    Args:
        arch: sizes of the towers.
        words: the word list, in the order of the embedding table.
        info: what the model says about itself; its `dense` names the strategy in use.
    """

    def __init__(self, arch: ScenesArchitecture, words: Sequence[str], info: ModelInfo) -> None:
        super().__init__()
        if info.dense not in DENSE_STRATEGIES:
            raise UsageError(
                f"the scenes model has no dense strategy '{info.dense}', expected one of {', '.join(DENSE_STRATEGIES)}"
            )
        self.arch = arch
        self.tokenizer = WordTokenizer(words, arch.context)
        self.info = replace(info, vocabulary=frozenset(words))
        self.visual = PictureTower(arch)
        self.text = TextTower(len(self.tokenizer), arch)

    def encode_images(self, images: torch.Tensor) -> Encoded:
        """Encode B×3×H×W pictures normalised with `info.mean` and `info.std`; see `Backbone.encode_images`."""
        self._check(images)
        if self.info.dense == "attention":
            dense = native = self.visual(images)
        else:
            native, dense = self.visual.both(images)
        return Encoded(
            # B×h×w×D -> B×D×h×w
            dense=F.normalize(dense, dim=-1).permute(0, 3, 1, 2),
            pooled=F.normalize(native.flatten(1, 2).mean(dim=1), dim=-1),
        )

    def encode_dense(self, images: torch.Tensor) -> torch.Tensor:
        """`encode_images(images).dense` without the pooled vector, which is half of the work: B×D×h×w."""
        self._check(images)
        # B×h×w×D -> B×D×h×w
        return F.normalize(self.visual(images, value_only=self.info.dense == "value"), dim=-1).permute(0, 3, 1, 2)

    def _check(self, images: torch.Tensor) -> None:
        height, width = images.shape[-2:]
        if height % self.info.patch or width % self.info.patch:
            raise ValueError(f"picture sides must be multiples of {self.info.patch}, got {height}x{width}")

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K texts into K×D, not normalised. Unknown words share one untrained row: ask `unknown_words` first."""
        device = self.text.positions.device
        return self.text(self.tokenizer(texts).to(device))

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that the model was never trained on, in order of appearance."""
        return self.tokenizer.unknown_words(text)


def scenes_info(arch: ScenesArchitecture, weights_name: str, sha256: str, logit_scale: float, dense: str) -> ModelInfo:
    """The description of a scenes model with the given sizes and calibration."""
    return ModelInfo(
        name="scenes",
        weights_name=weights_name,
        weights_sha256=sha256,
        patch=arch.patch,
        cell=arch.patch // 2 if arch.fine else None,
        width=arch.embed,
        mean=MEAN,
        std=STD,
        image_size=96,
        mask_size=128,  # best of 96, 128 and 192 for masks on scenes:val, with and without PAMR
        dense=dense,
        activation="gelu",
        calibration="softmax",
        logit_scale=logit_scale,
    )
