"""The tagger: from pictures and class embeddings to one score per class, and from scores to tags.

Coarse patch scores -> refinement along attention -> each class's best place -> a second look at the candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ttd_core.methods.tagclip.config import TagClipConfig
from ttd_core.methods.tagclip.refine import masked_attention, refine
from ttd_core.methods.tagclip.reidentify import Crops, candidates, crops, cut
from ttd_core.methods.tagclip.tower import LocalTower

MIXED = 256
"""Crops compared with all texts at once."""


@dataclass(frozen=True)
class Tagged:
    """What the tagger says about one picture.

    Args:
        scores: C final scores of the classes, in 0..1.
        local: C scores before the second look.
        refined: N×K refined scores of all texts by patch, classes first.
        grid: h, w.
        crops: what was looked at again.
    """

    scores: torch.Tensor
    local: torch.Tensor
    refined: torch.Tensor
    grid: tuple[int, int]
    crops: Crops


class Tagger:
    """TagCLIP over an image encoder.

    Args:
        tower: the encoder.
        logit_scale: s of the softmax over all texts.
        config: the settings.

    Raises:
        UsageError: the settings name a block that the encoder lacks.
    """

    def __init__(self, tower: LocalTower, logit_scale: float, config: TagClipConfig | None = None) -> None:
        self.tower = tower
        self.config = config or TagClipConfig()
        self._scale = logit_scale
        self._blocks = self.config.block_numbers(tower.depth)
        self._least = math.ceil(self.config.votes * tower.depth - 1e-9)

    @torch.inference_mode()
    def __call__(
        self, images: torch.Tensor, texts: Sequence[torch.Tensor], owners: Sequence[torch.Tensor]
    ) -> list[Tagged]:
        """Tag pictures of one size.

        A picture's answer does not depend on the others, up to rounding: crops of all pictures are encoded together.

        Args:
            images: B×3×H×W, resized to multiples of the patch and normalised.
            texts: B tensors K×D, normalised: those of a picture's classes, then background words.
            owners: B tensors of int64, the class 0..C−1 of each of the first texts, ascending; a class takes the
                highest cosine of its texts before anything competes.
        """
        seen = self.tower.local(images, self._blocks)
        attention = masked_attention(seen.mean, seen.votes, self._least)
        found = []
        for patches, along, own, owner in zip(seen.patches, attention, texts, owners, strict=True):
            coarse = torch.softmax(self._scale * strongest(patches @ own.T, owner), dim=-1)
            refined = refine(along, coarse, seen.grid)[1]
            local = refined[:, : int(owner[-1]) + 1].amax(dim=0) if len(owner) else refined.new_zeros(0)
            chosen = candidates(refined, local, self.config.threshold)[: None if self.config.reidentify else 0]
            again = crops(refined, chosen, seen.grid, self.tower.side)
            found.append(Tagged(local.clone(), local, refined, seen.grid, again))
        self._look_again(images, found, texts, owners)
        return found

    def _look_again(
        self,
        images: torch.Tensor,
        found: Sequence[Tagged],
        texts: Sequence[torch.Tensor],
        owners: Sequence[torch.Tensor],
    ) -> None:
        """Halve the way from a candidate's local score to its probability in the crop."""
        keep = torch.cat([one.crops.keep for one in found])
        if not len(keep):
            return
        # cut as they are needed: with a low threshold there may be as many as classes, 0.6 MB each
        places = [(image, box) for image, one in zip(images, found, strict=True) for box in one.crops.boxes.tolist()]
        patch, side = self.tower.patch, self.tower.side
        size = self.config.crops or (8 if images.device.type == "cpu" else 64)
        parts = []
        for start in range(0, len(places), size):
            pictures = [cut(image, box, patch, side) for image, box in places[start : start + size]]
            parts.append(self.tower.crops(torch.stack(pictures), keep[start : start + size]))
        self._mix(torch.cat(parts), found, texts, owners)

    def _mix(
        self,
        embedded: torch.Tensor,
        found: Sequence[Tagged],
        texts: Sequence[torch.Tensor],
        owners: Sequence[torch.Tensor],
    ) -> None:
        """Put the embeddings of all crops to the scores of their classes."""
        parts = embedded.split([len(one.crops.classes) for one in found])
        for one, part, own, owner in zip(found, parts, texts, owners, strict=True):
            # a few at once: of a long list as many classes may be looked at again as there are
            for few, classes in zip(part.split(MIXED), one.crops.classes.split(MIXED), strict=True):
                seen = torch.softmax(self._scale * strongest(few @ own.T, owner), dim=-1)
                again = seen.gather(1, classes[:, None])[:, 0]
                one.scores[classes] = 0.5 * one.local[classes] + 0.5 * again


def strongest(cosines: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    """…×K cosines of texts -> …×(C + B) of classes and background words: the highest of a class's texts.

    Args:
        cosines: the first len(owner) belong to classes.
        owner: their classes, ascending.
    """
    count = int(owner[-1]) + 1 if len(owner) else 0
    if count == len(owner):
        return cosines
    own, rest = cosines[..., : len(owner)], cosines[..., len(owner) :]
    best = own.new_empty(*own.shape[:-1], count)
    return torch.cat([best.scatter_reduce(-1, owner.expand_as(own), own, "amax", include_self=False), rest], dim=-1)


def chosen_tags(scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """Which classes are tags: scores above min + τ·(max − min) of the picture's own; the first best where none is.

    Args:
        scores: …×C.
        threshold: τ in 0..1.

    Returns:
        …×C bool.
    """
    low, high = scores.amin(dim=-1, keepdim=True), scores.amax(dim=-1, keepdim=True)
    chosen = scores > low + threshold * (high - low)
    best = torch.zeros_like(chosen).scatter_(-1, scores.argmax(dim=-1, keepdim=True), True)
    return torch.where(chosen.any(dim=-1, keepdim=True), chosen, best)
