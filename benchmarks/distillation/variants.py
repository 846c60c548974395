"""Readings of the method that the program does not offer, for the search alone: what the paper leaves open.

The structure stays as published: words are selected by their nearest place, selected ones are pulled to their stretched
maps and rejected ones to zero, the caption to the union of the selected ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.losses import distill_loss, map_distance, tag_loss
from ttd_core.methods.ttd.model import Seen, StepResult, TextBatch, TtdTraining
from ttd_core.methods.ttd.monitors import map_monitors, pair_monitors
from ttd_core.methods.ttd.select import MapReading, select_words
from ttd_core.methods.ttd.targets import caption_target, word_targets
from ttd_core.protocols import Backbone
from ttd_core.recipes.scenes_calibrate import fit_sigmoid


@dataclass(frozen=True)
class Variant:
    """What differs from the program.

    Args:
        frozen: words are selected by, and targets made from, the maps of the untouched base.
        rejected: weight of a rejected word's distance in L_tag.
        undecided: words whose score lies between this and the threshold are neither pulled up nor down.
        power: exponent of the stretched maps.
        caption_sigmoid: the caption's map has a scale and a bias of its own, fitted to the targets of the untouched
            model and then fixed: cosines of captions span five times the range of those of words.
        caption_distance: distance of L_distill; None takes that of L_tag.
        ema: the mean of the adapters over the steps, with this decay, is measured.
    """

    frozen: bool = False
    rejected: float = 1.0
    undecided: float | None = None
    power: float = 1.0
    caption_sigmoid: bool = False
    caption_distance: str | None = None
    ema: float | None = None


class VariantTraining(TtdTraining):
    """`TtdTraining` with the differences of a `Variant`, and with cells that were computed before.

    Args:
        backbone, config, reading: as `TtdTraining` has them.
        variant: the differences.
        base: the untouched model, for frozen targets.
    """

    def __init__(
        self, backbone: Backbone, config: TtdConfig, reading: MapReading, variant: Variant, base: Backbone
    ) -> None:
        super().__init__(backbone, config, reading)
        self.variant, self._words = variant, _Known(base)
        self._caption_affine: tuple[torch.Tensor, torch.Tensor] | None = None
        self.own_cells: torch.Tensor | None = None
        self.teacher_cells: torch.Tensor | None = None
        """B×D×h×w of the next batch: what an untrained image encoder sees, and what targets are made from."""

    def forward(self, pictures: torch.Tensor, texts: TextBatch) -> StepResult:
        """Losses of a batch."""
        config, variant, reading = self.config, self.variant, self.reading
        seen, valid = self.look(pictures, texts), texts.valid
        teacher = self._teacher(pictures, texts, seen)
        selected = select_words(teacher, valid, reading, config.threshold, config.keep_best)
        targets = word_targets(reading.read(teacher), selected).pow(variant.power)
        affine: tuple[torch.Tensor, torch.Tensor] = (self.affine_scale, self.affine_bias)
        losses = {}
        if config.tag_weight:
            weights = torch.where(selected, 1.0, variant.rejected)
            if variant.undecided is not None:
                likely = select_words(teacher, valid, reading, variant.undecided, False)
                weights = weights * (selected | ~likely)
            distances = map_distance(seen.words, targets, config.distance, reading, affine)
            losses["tag"] = config.tag_weight * tag_loss(distances * weights[..., None, None], valid)
        if config.distill_weight:
            kind = variant.caption_distance or config.distance
            own = self._caption_affine or affine
            distances = map_distance(seen.captions, caption_target(targets), kind, reading, own)
            losses["distill"] = config.distill_weight * distill_loss(distances, selected)
        monitors = map_monitors(seen.words, valid, selected) | pair_monitors(seen.pictures, seen.sentences)
        return StepResult(losses, monitors)

    @torch.no_grad()
    def fit_caption(self, pictures: torch.Tensor, texts: TextBatch) -> None:
        """Scale and bias of the caption's own sigmoid, from pairs as the model sees them now."""
        seen = self.look(pictures, texts)
        teacher = self._teacher(pictures, texts, seen)
        selected = select_words(teacher, texts.valid, self.reading, self.config.threshold, self.config.keep_best)
        union = caption_target(word_targets(self.reading.read(teacher), selected).pow(self.variant.power))
        scale, bias = fit_sigmoid(seen.captions.flatten().numpy(), union.flatten().numpy())
        self._caption_affine = torch.tensor(scale), torch.tensor(bias)

    @torch.no_grad()
    def _teacher(self, pictures: torch.Tensor, texts: TextBatch, seen: Seen) -> torch.Tensor:
        """Word maps that select and make targets, B×K×h×w."""
        if self.teacher_cells is None:
            return self.averaged(pictures, seen)
        words = self._words(texts.words)[texts.word_rows] if self.variant.frozen else F.normalize(seen.texts, dim=-1)
        return torch.einsum("bdhw,bkd->bkhw", self.teacher_cells, words)

    def _dense(self, pictures: torch.Tensor) -> torch.Tensor:
        return super()._dense(pictures) if self.own_cells is None else self.own_cells


class _Known:
    """Vectors of words by an untouched model, each computed once.

    Args:
        base: the model.
    """

    def __init__(self, base: Backbone) -> None:
        self._base = base
        self._vectors: dict[str, torch.Tensor] = {}

    def __call__(self, words: Sequence[str]) -> torch.Tensor:
        """U×D, normalised."""
        new = [word for word in words if word not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, F.normalize(self._base.encode_texts(new).float(), dim=-1), strict=True))
        return torch.stack([self._vectors[word] for word in words])
