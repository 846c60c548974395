"""What a distillation is measured by: held-out pairs for any data, the truth of `scenes:val` where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.methods.ttd.model import TextBatch, TtdTraining, text_batch
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.ops.calibrate import stretch_maps
from ttd_core.protocols import Backbone
from ttd_core.recipes.evaluation.scenes_tag_rows import calibrate_cosines
from ttd_core.recipes.scenes_calibrate import LIES
from ttd_core.recipes.scenes_measure import (
    CaptionMaps,
    JudgedCaption,
    Texts,
    Views,
    count_selected,
    enlarge,
    judge_maps,
    judged_captions,
    picture_cells,
    select_tags,
)
from ttd_core.recipes.train_ttd_data import PairBatch, to_input
from ttd_core.recipes.train_ttd_guard import HELD
from ttd_core.scenes.scene import SMALL_SHARE
from ttd_core.text.candidates import candidates

Figures = dict[str, float]
_SCORE = ("val_f1", "val_f1_lying", "val_pixel_auc", "val_union_iou")
CUTS = np.arange(1, 19) / 20
JUDGED_MAPS = 100
"""Scenes whose word maps are judged; pixel AUC takes longer than all the rest."""


class CaptionWords:
    """The candidates of captions, as the model knows them.

    Args:
        backbone: words outside a closed vocabulary are left out.
        stopwords: drop stop words beforehand.
        mode: `words`, `nouns` or `phrases`.
    """

    def __init__(self, backbone: Backbone, stopwords: bool = True, mode: str = "words") -> None:
        unknown: Callable[[str], Sequence[str]] = getattr(backbone, "unknown_words", lambda word: ())

        @lru_cache(maxsize=200_000)
        def known(word: str) -> bool:
            return not unknown(word)

        def split(caption: str) -> tuple[str, ...]:
            found = candidates(caption, mode, stopwords=stopwords)
            return tuple(each.key for each in found if known(each.key))

        self._split = lru_cache(maxsize=100_000)(split)

    def batch(self, captions: Sequence[str]) -> TextBatch:
        """Captions and their candidates, every distinct text once."""
        return text_batch(captions, [self._split(caption) for caption in captions])


@torch.no_grad()
def held_out_figures(training: TtdTraining, words: CaptionWords, held: PairBatch, size: int) -> Figures:
    """Losses, monitors and retrieval on pairs that training never sees, `held_` before their names.

    `retrieval` is the mean of both directions' share of pairs whose counterpart ranks first among all (R@1), with the
    pooled picture; a counterpart that is equally close as another counts as found.

    Args:
        training: the model.
        words: its candidates.
        held: the pairs; of none there are no figures.
        size: pairs per forward pass.
    """
    if not len(held):
        return {}
    backbone: Any = training.backbone
    device = next(training.parameters()).device
    sums: Figures = {}
    pictures, captions = [], []
    for start in range(0, len(held), size):
        part = held.chunk(slice(start, start + size))
        shown = to_input(part.pictures, backbone.info, device)
        texts = words.batch(part.captions)
        result = training(shown, texts)
        figures = {**{name: float(value) for name, value in result.losses.items()}, **result.monitors}
        for name in ("tag", "distill", "spread", "selected", "likeness"):
            sums[name] = sums.get(name, 0.0) + len(part) * figures.get(name, 0.0)
        pictures.append(F.normalize(backbone.encode_images(shown).pooled.float(), dim=-1))
        encoded = F.normalize(backbone.encode_texts(texts.captions).float(), dim=-1)
        captions.append(encoded[texts.caption_rows.to(device)])
    means = {name: value / len(held) for name, value in sums.items()}
    means["loss"] = means.pop("tag") + means.pop("distill")
    means["retrieval"] = _found_first(torch.cat(pictures) @ torch.cat(captions).T)
    return {HELD + name: value for name, value in means.items()}


def _found_first(likeness: torch.Tensor) -> float:
    own = likeness.diagonal()
    forth, back = (own >= likeness.amax(dim=dim) - 1e-6 for dim in (1, 0))
    distinct = len(own) > 1 and float(likeness.amax() - likeness.amin()) > 1e-6
    return float(torch.cat([forth, back]).float().mean()) if distinct else 0.0


class ScenesTruth:
    """Figures with the truth of `scenes:val`; nothing is trained on it, settings may be chosen by it.

    Args:
        count: scenes.
    """

    def __init__(self, count: int) -> None:
        self._plain, self._lying = judged_captions("val", count), judged_captions("val", count, LIES)

    def held_out(self, side: int) -> PairBatch:
        """The pictures with their captions as pairs, resized to a square of `side` pixels."""
        stacked = np.stack([item.picture for item in self._plain]).transpose(0, 3, 1, 2)
        if side != stacked.shape[-1]:
            values = torch.from_numpy(np.ascontiguousarray(stacked)).float()
            resized = F.interpolate(values, (side, side), mode="bicubic", antialias=True)
            stacked = resized.round().clamp(0, 255).byte().numpy()
        return PairBatch(stacked, tuple(item.caption for item in self._plain))

    def figures(self, backbone: Backbone) -> Figures:
        """Tag F1 and map quality, fractions.

        Returns:
            `val_f1`: pixel scoring at threshold 0.5, `val_f1_lying` with 1 to 3 absent words inserted into each
            caption, `val_f1_cosine` with the best threshold on the plain cosine, `val_pixel_auc` and `val_pointing` of
            the maps of visible words, `val_union_iou` of the selected words' stretched maps with the truth of small
            captions, at the best threshold. `val_score`, by which the best is kept: mean of `val_f1`, `val_f1_lying`,
            `val_pixel_auc` and `val_union_iou`, the tags and the masks that distillation is for.
        """
        plain, lying = self._look(backbone)
        scale = backbone.info.logit_scale
        cut = calibrate_cosines(self._plain, plain)["pixel"]
        cosine = [said.words.max(axis=(1, 2), initial=-1.0) >= cut for said in plain]
        found = judge_maps(self._plain[:JUDGED_MAPS], plain[:JUDGED_MAPS])
        figures = {
            "val_f1": _f1(self._plain, select_tags(plain, "pixel", scale)),
            "val_f1_lying": _f1(self._lying, select_tags(lying, "pixel", scale)),
            "val_f1_cosine": _f1(self._plain, cosine),
            "val_pixel_auc": float(np.nanmean([one.auc for one in found])),
            "val_pointing": float(np.mean([one.inside for one in found])),
            "val_union_iou": float(np.mean(union_ious(self._plain, plain, scale), axis=0).max()),
        }
        score = float(np.mean([figures[name] for name in _SCORE]))
        return {name: round(value, 5) for name, value in {**figures, "val_score": score}.items()}

    def _look(self, backbone: Backbone) -> tuple[list[CaptionMaps], list[CaptionMaps]]:
        texts = Texts(backbone, [*self._plain, *self._lying])
        plain, lying = [], []
        views = Views((backbone.info.image_size,))
        for place, cells in enumerate(picture_cells(backbone, [item.picture for item in self._plain], views)):
            plain.append(texts.compare(self._plain[place], cells.first, cells.pooled))
            lying.append(texts.compare(self._lying[place], cells.first, cells.pooled))
        return plain, lying


def probe_of(
    training: TtdTraining, words: CaptionWords, held: PairBatch, size: int, truth: ScenesTruth | None
) -> Callable[[int], Mapping[str, float]]:
    """The probe of the training loop, with all figures above."""

    def probe(step: int) -> Figures:
        figures = held_out_figures(training, words, held, size)
        backbone: Any = training.backbone
        return figures | (truth.figures(backbone) if truth is not None else {})

    return probe


def criterion_of(truth: ScenesTruth | None, held: PairBatch) -> tuple[str | None, bool]:
    """The figure that decides what is best, and whether larger is better; None without anything to measure."""
    if truth is not None:
        return "val_score", True
    return (HELD + "loss", False) if len(held) else (None, True)


def union_ious(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], scale: float) -> np.ndarray:
    """IoU of the union of selected words with the truth, for every small caption (rows) at each of `CUTS`."""
    rows = []
    for item, said, keep in zip(judged, maps, select_tags(maps, "pixel", scale), strict=True):
        if item.visible.any() and item.truth.mean() < SMALL_SHARE:
            shown = stretched(said.words[keep], item.picture.shape[0]).max(axis=0, initial=0.0)
            rows.append([mask_shares(shown > cut, item.truth).iou for cut in CUTS])
    return np.array(rows).reshape(-1, len(CUTS)) if rows else np.zeros((1, len(CUTS)))


def stretched(maps: np.ndarray, side: int) -> np.ndarray:
    """K×h×w maps at K×side×side, each stretched to 0..1; flat ones become zero."""
    return stretch_maps(torch.from_numpy(enlarge(maps, side))[None])[0].numpy()


def _f1(judged: Sequence[JudgedCaption], selected: Sequence[np.ndarray]) -> float:
    return tag_metrics(count_selected(judged, selected)).f1
