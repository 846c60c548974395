"""Numbers stored with the built-in model, chosen on `scenes:val` and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.recipes.scenes_measure import (
    CaptionMaps,
    JudgedCaption,
    Views,
    caption_maps,
    count_selected,
    enlarge,
    judged_captions,
    select_tags,
)
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.scene import SMALL_SHARE

SCALES = (25.0, 35.0, 50.0, 70.0, 100.0)
MASK_VIEWS = Views((96, 128, 192), hflip=True)
BACKGROUND = 0.4
LIES = CaptionStyle(inserted=(1, 3))
PIXEL_STEP = 4


def calibrate_scenes(backbone: ScenesBackbone, count: int = 400) -> ScenesBackbone:
    """Choose the softmax scale for tags and the sigmoid for masks; changes `backbone.info` and returns the backbone.

    The scale is the one of `SCALES` with the best mean pixel F1 at threshold 0.5 over validation captions as they are
    and with 1 to 3 absent words inserted. The sigmoid's slope is fitted to the pixels of visible words; its bias then
    puts the threshold that gives selected tags the best union on small captions at 0.4, the usual background score.

    Args:
        backbone: a trained model.
        count: number of validation scenes.
    """
    plain, lying = judged_captions("val", count), judged_captions("val", count, LIES)
    views = Views((backbone.info.image_size,))
    scale = _best_scale([(captions, caption_maps(backbone, captions, views)) for captions in (plain, lying)])
    maps = caption_maps(backbone, plain, MASK_VIEWS)
    slope, _ = fit_sigmoid(*_word_pixels(plain, maps))
    cut = _best_cosine(plain, maps, scale)
    bias = float(np.log(BACKGROUND / (1 - BACKGROUND)) - slope * cut)
    backbone.info = replace(
        backbone.info, logit_scale=scale, sigmoid_scale=round(slope, 4), sigmoid_bias=round(bias, 4)
    )
    return backbone


def fit_sigmoid(cosines: np.ndarray, inside: np.ndarray, rounds: int = 30) -> tuple[float, float]:
    """Fit sigmoid(w·cos + b) to boolean truths by Newton's method.

    Args:
        cosines: N float.
        inside: N bool.
        rounds: Newton steps.

    Returns:
        w and b.
    """
    centre, spread = cosines.mean(dtype=np.float64), max(float(cosines.std(dtype=np.float64)), 1e-6)
    design = np.stack([(cosines - centre) / spread, np.ones(len(cosines))], axis=1)
    weights = np.zeros(2)
    for _ in range(rounds):
        guess = 1 / (1 + np.exp(-design @ weights))
        curvature = design.T @ (design * (guess * (1 - guess))[:, None]) + 1e-6 * np.eye(2)
        weights -= np.linalg.solve(curvature, design.T @ (guess - inside))
    return float(weights[0] / spread), float(weights[1] - weights[0] * centre / spread)


def _best_scale(sets: Sequence[tuple[list[JudgedCaption], list[CaptionMaps]]]) -> float:
    def mean_f1(scale: float) -> float:
        found = [tag_metrics(count_selected(c, select_tags(m, "pixel", scale))).f1 for c, m in sets]
        return float(np.mean(found))

    return max(SCALES, key=mean_f1)


def _word_pixels(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps]) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and truth of every fourth pixel each way, over all visible words."""
    cosines, inside = [], []
    for item, found in zip(judged, maps, strict=True):
        shown = enlarge(found.words[item.visible], item.picture.shape[0])
        cosines.append(shown[:, ::PIXEL_STEP, ::PIXEL_STEP].ravel())
        inside.append(item.masks[item.visible][:, ::PIXEL_STEP, ::PIXEL_STEP].ravel())
    return np.concatenate(cosines), np.concatenate(inside)


def _best_cosine(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], scale: float) -> float:
    """The cosine above which the union of selected words fits small captions best."""
    kept = select_tags(maps, "pixel", scale)
    small = [
        (enlarge(found.words[keep], item.picture.shape[0]).max(axis=0, initial=-1.0), item.truth)
        for item, found, keep in zip(judged, maps, kept, strict=True)
        if item.visible.any() and item.truth.mean() < SMALL_SHARE
    ]
    cuts = np.linspace(-0.2, 0.9, 56)
    return float(max(cuts, key=lambda cut: np.mean([mask_shares(field > cut, truth).iou for field, truth in small])))
