"""A backbone with adapters under the losses of text-tag self-distillation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.errors import UsageError
from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.losses import distill_loss, map_distance, tag_loss
from ttd_core.methods.ttd.monitors import map_monitors, pair_monitors
from ttd_core.methods.ttd.select import MapReading, select_words
from ttd_core.methods.ttd.targets import caption_target, word_targets
from ttd_core.protocols import Backbone
from ttd_core.types import ModelInfo


@dataclass(frozen=True)
class TextBatch:
    """The texts of B pairs, every distinct one once.

    Args:
        words: U distinct candidates of all captions.
        captions: V distinct captions.
        word_rows: B×K int64, rows of `words`; padding points at row 0.
        caption_rows: B int64, rows of `captions`.
        valid: B×K bool, False for the padding of captions with fewer candidates.
    """

    words: Sequence[str]
    captions: Sequence[str]
    word_rows: torch.Tensor
    caption_rows: torch.Tensor
    valid: torch.Tensor


def text_batch(captions: Sequence[str], candidates: Sequence[Sequence[str]]) -> TextBatch:
    """Collect the distinct texts of B captions and of their candidates; padded to the longest list.

    Args:
        captions: B sentences.
        candidates: their candidate words, in order; a list may be empty.
    """
    words = {word: row for row, word in enumerate(dict.fromkeys(word for several in candidates for word in several))}
    texts = {text: row for row, text in enumerate(dict.fromkeys(captions))}
    longest = max((len(several) for several in candidates), default=0)
    rows = torch.zeros(len(captions), longest, dtype=torch.long)
    valid = torch.zeros(len(captions), longest, dtype=torch.bool)
    for place, several in enumerate(candidates):
        rows[place, : len(several)] = torch.tensor([words[word] for word in several], dtype=torch.long)
        valid[place, : len(several)] = True
    return TextBatch(list(words), list(texts), rows, torch.tensor([texts[text] for text in captions]), valid)


@dataclass(frozen=True)
class StepResult:
    """Losses and monitors of a batch.

    Args:
        losses: weighted, by name (`tag`, `distill`); their sum is minimised.
        monitors: see `map_monitors` and `pair_monitors`, and `affine_scale`, `affine_bias` where they are trained.
    """

    losses: dict[str, torch.Tensor]
    monitors: dict[str, float]


@dataclass(frozen=True)
class Seen:
    """What a batch looks like to the model.

    Args:
        words: B×K×h×w cosines of the candidates.
        captions: B×h×w cosines of the captions.
        pictures: B×D means of the pictures' cells.
        sentences: B×D caption embeddings, normalised.
        texts: B×K×D candidate embeddings, normalised; those of padding mean nothing.
    """

    words: torch.Tensor
    captions: torch.Tensor
    pictures: torch.Tensor
    sentences: torch.Tensor
    texts: torch.Tensor


class TtdTraining(nn.Module):
    """The network that is trained: its trainable parameters are the adapters, and a and b of the affine distance.

    The backbone stays in evaluation mode whatever the loop says: frozen statistics must not move.

    Args:
        backbone: a `Backbone` with adapters on; everything else frozen.
        config: the losses.
        reading: how its maps are read.
    """

    def __init__(self, backbone: Backbone, config: TtdConfig, reading: MapReading) -> None:
        super().__init__()
        if not isinstance(backbone, nn.Module):
            raise TypeError("a backbone is a module")
        self.backbone: nn.Module = backbone
        self.config = config
        self.reading = reading
        scale, bias = reading.sigmoid or (config.affine_scale, config.affine_bias)
        trained = config.distance == "bce-affine"
        self.affine_scale = nn.Parameter(torch.tensor(float(scale)), requires_grad=trained)
        self.affine_bias = nn.Parameter(torch.tensor(float(bias)), requires_grad=trained)
        self.eval()

    def train(self, mode: bool = True) -> TtdTraining:
        """Set the mode of this module alone; the backbone keeps evaluation mode."""
        self.training = mode
        self.backbone.eval()
        return self

    @property
    def affine(self) -> tuple[float, float] | None:
        """Scale a and bias b as trained, None for another distance."""
        if self.config.distance != "bce-affine":
            return None
        return float(self.affine_scale.detach()), float(self.affine_bias.detach())

    def forward(self, pictures: torch.Tensor, texts: TextBatch) -> StepResult:
        """Losses of a batch.

        Args:
            pictures: B×3×H×W, normalised, on the backbone's device.
            texts: captions and candidates of the B pictures.
        """
        seen = self.look(pictures, texts)
        words, config = seen.words, self.config
        valid = texts.valid.to(words.device)
        teacher = self.averaged(pictures, seen)
        with full_precision(words.device):
            selected = select_words(teacher, valid, self.reading, config.threshold, config.keep_best)
            losses = self._losses(seen, teacher, selected, valid)
            monitors = map_monitors(words, valid, selected) | pair_monitors(seen.pictures, seen.sentences)
        if self.affine is not None:
            monitors |= dict(zip(("affine_scale", "affine_bias"), self.affine, strict=True))
        return StepResult(losses, monitors)

    def _losses(
        self, seen: Seen, teacher: torch.Tensor, selected: torch.Tensor, valid: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Weighted losses by name; the teacher's B×K×h×w maps, selection and padding carry no gradient."""
        config, losses = self.config, {}
        targets = word_targets(self.reading.read(teacher), selected)
        affine = (self.affine_scale, self.affine_bias)
        if config.tag_weight:
            distances = map_distance(seen.words, targets, config.distance, self.reading, affine)
            losses["tag"] = config.tag_weight * tag_loss(distances, valid)
        if config.distill_weight:
            distances = map_distance(seen.captions, caption_target(targets), config.distance, self.reading, affine)
            losses["distill"] = config.distill_weight * distill_loss(distances, selected)
        return losses

    @torch.no_grad()
    def averaged(self, pictures: torch.Tensor, seen: Seen) -> torch.Tensor:
        """Word maps averaged over the configured sizes and mirror images, B×K×h×w on the grid of `seen`; detached."""
        config, grid = self.config, seen.words.shape[2:]
        if (config.scales, config.hflip) == ((1.0,), False) or not seen.words.shape[1]:
            return seen.words.detach()
        info: ModelInfo = self.backbone.info  # type: ignore[assignment]
        words = F.normalize(seen.texts, dim=-1)
        found = []
        for scale in config.scales:
            sides = [max(1, round(side * scale / info.patch)) * info.patch for side in pictures.shape[2:]]
            shown = pictures
            if sides != list(pictures.shape[2:]):
                shown = F.interpolate(pictures, sides, mode="bicubic", antialias=True)
            for mirrored in (False, True)[: 1 + config.hflip]:
                if shown is pictures and not mirrored:
                    found.append(seen.words)
                    continue
                dense = self._dense(shown.flip(3) if mirrored else shown)
                with full_precision(dense.device):
                    maps = torch.einsum("bdhw,bkd->bkhw", dense.flip(3) if mirrored else dense, words)
                found.append(F.interpolate(maps, grid, mode="bilinear") if maps.shape[2:] != grid else maps)
        return torch.stack(found).mean(dim=0)

    def _dense(self, pictures: torch.Tensor) -> torch.Tensor:
        """B×D×h×w cells, normalised; a backbone that can do without the pooled vector does."""
        backbone: Backbone = self.backbone  # type: ignore[assignment]
        encode = getattr(backbone, "encode_dense", None)
        found = backbone.encode_images(pictures).dense if encode is None else encode(pictures)
        return F.normalize(found.float(), dim=1)

    def look(self, pictures: torch.Tensor, texts: TextBatch) -> Seen:
        """Similarity maps of a batch. Differentiable."""
        backbone: Backbone = self.backbone  # type: ignore[assignment]
        # B×D×h×w
        dense = self._dense(pictures)
        device = dense.device
        captions = F.normalize(backbone.encode_texts(texts.captions).float(), dim=-1)[texts.caption_rows.to(device)]
        if texts.words:
            words = F.normalize(backbone.encode_texts(texts.words).float(), dim=-1)[texts.word_rows.to(device)]
        else:
            words = dense.new_zeros(len(dense), 0, dense.shape[1])
        with full_precision(device):
            caption_maps = torch.einsum("bdhw,bd->bhw", dense, captions)
            maps = torch.einsum("bdhw,bkd->bkhw", dense, words)
        return Seen(maps, caption_maps, dense.mean(dim=(2, 3)), captions, words)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """No autocast: maps span a few hundredths, of which bfloat16 tells a dozen steps apart; the encoders take the time.

    `binary_cross_entropy` of probabilities, besides, is refused under autocast on a GPU.
    """
    return torch.autocast(device.type, enabled=False) if device.type in ("cpu", "cuda") else nullcontext()


def map_reading(
    info: ModelInfo, calibration: str | None = None, logit_scale: float | None = None, maps: str | None = None
) -> MapReading:
    """How a model's maps are read: sigmoids where it has a scale and a bias for them, else as it says itself.

    Selecting by sigmoid, too, measured better than by the softmax that the built-in model answers with: each word is
    judged alone, and no place has to have a winner.

    Raises:
        UsageError: sigmoids are asked of a model that has no scale and bias for them.
    """
    how = calibration or ("sigmoid" if info.sigmoid_scale is not None else info.calibration)
    if "sigmoid" in (how, maps) and info.sigmoid_scale is None:
        raise UsageError(
            f"sigmoid maps need a learned scale and bias, and {info.name} has none",
            hint="use --calibration softmax and --maps cosine",
        )
    return MapReading(how, logit_scale or info.logit_scale, info.sigmoid_scale, info.sigmoid_bias, maps)
