"""How well a model selects tags and cuts masks on the generated scenes, beside baselines that see no picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ttd_core.metrics.captions import MaskShares, mask_shares
from ttd_core.metrics.tagging import TagMetrics, tag_metrics
from ttd_core.ops.masks import label_map
from ttd_core.protocols import Backbone, Reporter
from ttd_core.recipes.scenes_calibrate import BACKGROUND, MASK_VIEWS
from ttd_core.recipes.scenes_measure import (
    CaptionMaps,
    JudgedCaption,
    Views,
    caption_maps,
    count_selected,
    judged_captions,
    map_quality,
    select_tags,
)
from ttd_core.scenes.scene import SMALL_SHARE
from ttd_core.scenes.vocabulary import NOUNS, VISUAL_WORDS

SCORERS = ("image", "text", "pixel")
CUTS = tuple(step / 20 for step in range(2, 19))


@dataclass(frozen=True)
class TagRow:
    """One way of selecting tags on one split."""

    split: str
    row: str
    metrics: TagMetrics


@dataclass(frozen=True)
class MapRow:
    """Quality of the word maps of a split, all in 0..1: mean pixel AUC and share of maxima inside the mask."""

    split: str
    views: str
    auc: float
    pointing: float


@dataclass(frozen=True)
class MaskRow:
    """One way of cutting a caption's mask, mean shares over all captions of a split or over the small ones.

    Args:
        captions: `all` or `small` (visible words cover less than 40 % of the picture).
        row: how the mask was made.
        refine: `none` or `pamr`.
        threshold: score above which a pixel belongs to the mask; NaN where there is none.
        shares: IoU, FPR, FNR.
        count: number of captions.
    """

    captions: str
    row: str
    refine: str
    threshold: float
    shares: MaskShares
    count: int


@dataclass(frozen=True)
class ScenesReport:
    """All rows of a report."""

    tags: list[TagRow]
    maps: list[MapRow]
    masks: list[MaskRow]


def scenes_report(backbone: Backbone, count: int | None, report: Reporter) -> ScenesReport:
    """Measure a model on `scenes:test` and `scenes:hard`; thresholds of masks are chosen on `scenes:val`.

    Args:
        backbone: a model with a softmax scale and a sigmoid (`calibrate_scenes` sets both for the built-in one).
        count: scenes of each split, None for its usual length.
        report: told about progress.
    """
    tags: list[TagRow] = []
    maps: list[MapRow] = []
    plain = Views((backbone.info.image_size,))
    test = judged_captions("test", count)
    for split, judged in (("test", test), ("hard", judged_captions("hard", count))):
        report.info(f"scoring tags of scenes:{split}")
        found = caption_maps(backbone, judged, plain)
        tags += tag_rows(split, judged, found, backbone.info.logit_scale)
        if split == "test":
            maps.append(MapRow(split, _name(plain), *map_quality(judged, found)))
    report.info("cutting masks on scenes:val and scenes:test")
    found = caption_maps(backbone, test, MASK_VIEWS)
    maps.append(MapRow("test", _name(MASK_VIEWS), *map_quality(test, found)))
    validation = judged_captions("val", count)
    masks = mask_rows(backbone, (validation, caption_maps(backbone, validation, MASK_VIEWS)), (test, found))
    return ScenesReport(tags, maps, masks)


def tag_rows(split: str, judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], scale: float) -> list[TagRow]:
    """Rows of three baselines that see no picture, and of the three scorings at threshold 0.5."""
    rules: dict[str, Callable[[str], bool]] = {
        "keep all non-stop words": lambda word: True,
        "keep all nouns": NOUNS.__contains__,
        "dictionary of visible words": VISUAL_WORDS.__contains__,
    }
    rows = []
    for name, rule in rules.items():
        selected = [np.array([rule(word) for word in item.words], dtype=bool) for item in judged]
        rows.append(TagRow(split, name, tag_metrics(count_selected(judged, selected))))
    for scorer in SCORERS:
        selected = select_tags(maps, scorer, scale)
        rows.append(TagRow(split, scorer, tag_metrics(count_selected(judged, selected))))
    return rows


Judged = tuple[Sequence[JudgedCaption], Sequence[CaptionMaps]]


def mask_rows(backbone: Backbone, validation: Judged, test: Judged) -> list[MaskRow]:
    """Rows of the whole picture, the caption's map, and the unions of selected and of truly visible words."""
    rows = []
    for name in ("all", "small"):
        chosen = _subset(*test, name)
        truths = [item.truth for item, _ in chosen]
        whole = [mask_shares(np.ones_like(truth), truth) for truth in truths]
        rows.append(MaskRow(name, "whole picture", "none", float("nan"), _mean(whole), len(truths)))
        for refine in ("none", "pamr"):
            for row in ("caption", "union of selected", "union of visible"):
                cut = _best_cut(backbone, _subset(*validation, name), row, refine)
                fields = [_scores(backbone, item, found, row, refine) for item, found in chosen]
                for threshold in dict.fromkeys((BACKGROUND, cut)):
                    shares = _mean_shares(fields, truths, threshold)
                    rows.append(MaskRow(name, row, refine, threshold, shares, len(truths)))
    return rows


def _best_cut(backbone: Backbone, chosen: list[tuple[JudgedCaption, CaptionMaps]], row: str, refine: str) -> float:
    fields = [_scores(backbone, item, found, row, refine) for item, found in chosen]
    truths = [item.truth for item, _ in chosen]
    return max(CUTS, key=lambda cut: _mean_shares(fields, truths, cut).iou)


def _scores(backbone: Backbone, item: JudgedCaption, found: CaptionMaps, row: str, refine: str) -> np.ndarray:
    """S×S scores in 0..1, the maximum over the row's maps."""
    side = item.picture.shape[0]
    if row == "caption":
        cosines = found.caption[None]
    elif row == "union of selected":
        cosines = found.words[select_tags([found], "pixel", backbone.info.logit_scale)[0]]
    else:
        cosines = found.words[item.visible]
    if not len(cosines):
        return np.zeros((side, side), dtype=np.float32)
    scale, bias = backbone.info.sigmoid_scale or 1.0, backbone.info.sigmoid_bias or 0.0
    maps = torch.sigmoid(scale * torch.from_numpy(cosines) + bias)
    refined = label_map(maps, item.picture, refine=None if refine == "none" else refine).scores
    shown = torch.nn.functional.interpolate(refined[None], (side, side), mode="bilinear")[0]
    field: np.ndarray = shown.amax(dim=0).numpy()
    return field


def _subset(
    judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], name: str
) -> list[tuple[JudgedCaption, CaptionMaps]]:
    largest = SMALL_SHARE if name == "small" else 2.0
    pairs = zip(judged, maps, strict=True)
    return [(item, found) for item, found in pairs if item.visible.any() and item.truth.mean() < largest]


def _mean_shares(fields: Sequence[np.ndarray], truths: Sequence[np.ndarray], cut: float) -> MaskShares:
    return _mean([mask_shares(field > cut, truth) for field, truth in zip(fields, truths, strict=True)])


def _mean(shares: Sequence[MaskShares]) -> MaskShares:
    table = np.array([(share.iou, share.fpr, share.fnr) for share in shares])
    return MaskShares(*(float(value) for value in table.mean(axis=0)))


def _name(views: Views) -> str:
    return "+".join(f"{size}" for size in views.sizes) + " px" + (", mirrored too" if views.hflip else "")
