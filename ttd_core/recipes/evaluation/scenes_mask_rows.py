"""The scenes tables about masks: a caption's map and the unions of its words, beside the whole picture as mask.

Every picture is refined once, for all its maps together, and every map is counted once, for all thresholds together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ttd_core.ops.calibrate import calibrate, stretch_maps
from ttd_core.ops.pamr import pamr
from ttd_core.ops.resize import resize_maps
from ttd_core.recipes.scenes_measure import CaptionMaps, JudgedCaption, select_tags
from ttd_core.scenes.scene import SMALL_SHARE
from ttd_core.types import ModelInfo

WHOLE_PICTURE = "whole picture"
ROWS = ("caption", "union of selected", "union of visible")
REFINERS = ("none", "pamr")
CUTS = tuple(step / 20 for step in range(2, 19))
"""Thresholds to choose from; the fixed one is among them."""


@dataclass(frozen=True)
class MaskRow:
    """One way of cutting a caption's mask, over all captions of `scenes:test` or over the small ones.

    Args:
        captions: `all` or `small` (visible words cover less than 40 % of the picture).
        row: how the mask was made.
        refine: `none` or `pamr`.
        threshold: score above which a pixel belongs to the mask; None for the whole picture.
        best_on_val: the threshold is the one that is best on `scenes:val`.
        iou, fpr, fnr: shares of the union of mask and truth, mean over captions, 0..1; they sum to 1.
        pooled: IoU with intersections and unions summed over captions, 0..1.
        count: number of captions.
    """

    captions: str
    row: str
    refine: str
    threshold: float | None
    best_on_val: bool
    iou: float
    fpr: float
    fnr: float
    pooled: float
    count: int


@dataclass(frozen=True)
class MaskCounts:
    """Pixels of N captions that see something.

    Args:
        true: N×R×C×T int64 pixels inside mask and truth: refiners, rows, thresholds as named above.
        false: the same for pixels of the mask outside the truth.
        truth: N int64 pixels of the truth.
        pixels: of one picture.
    """

    true: np.ndarray
    false: np.ndarray
    truth: np.ndarray
    pixels: int

    def subset(self, name: str) -> MaskCounts:
        """All captions, or the `small` ones."""
        chosen = self.truth < (SMALL_SHARE if name == "small" else 2.0) * self.pixels
        return MaskCounts(self.true[chosen], self.false[chosen], self.truth[chosen], self.pixels)


def count_masks(info: ModelInfo, judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps]) -> MaskCounts:
    """Cut the masks of every caption with a visible word at every threshold and count their pixels.

    Args:
        info: of the model; its sigmoid reads the cosines, a model without one has its maps stretched to 0..1.
        judged: the captions.
        maps: what the model says about them, in the same order.
    """
    counts = [_count(info, item, said) for item, said in zip(judged, maps, strict=True) if item.visible.any()]
    truths = [int(item.truth.sum()) for item in judged if item.visible.any()]
    table = np.array(counts, dtype=np.int64).reshape(len(counts), 2, len(REFINERS), len(ROWS), len(CUTS))
    pixels = judged[0].picture[..., 0].size if judged else 0
    return MaskCounts(table[:, 0], table[:, 1], np.array(truths, dtype=np.int64), pixels)


def mask_rows(validation: MaskCounts, test: MaskCounts, threshold: float) -> list[MaskRow]:
    """Rows at a fixed threshold (one of `CUTS`) and at the best one on validation, for all captions and small ones."""
    rows = []
    for name in ("all", "small"):
        known, asked = validation.subset(name), test.subset(name)
        rest = np.full_like(asked.truth, asked.pixels) - asked.truth
        rows.append(_row(name, WHOLE_PICTURE, "none", None, False, asked.truth, rest, asked.truth))
        for r, refine in enumerate(REFINERS):
            for c, row in enumerate(ROWS):
                best = _best(known.true[:, r, c], known.false[:, r, c], known.truth)
                for t in dict.fromkeys((CUTS.index(threshold), best)):
                    true, false = asked.true[:, r, c, t], asked.false[:, r, c, t]
                    rows.append(_row(name, row, refine, CUTS[t], t == best, true, false, asked.truth))
    return rows


def _count(info: ModelInfo, item: JudgedCaption, said: CaptionMaps) -> np.ndarray:
    """2×R×C×T pixel counts of one caption: inside its truth, outside."""
    selected = select_tags([said], "pixel", info.logit_scale)[0]
    needed = np.flatnonzero(selected | item.visible)
    maps = _read(torch.from_numpy(np.concatenate([said.words[needed], said.caption[None]])), info)
    # (n+1)×h×w -> 1×(n+1)×S×S
    plain = resize_maps(maps[None], item.masks.shape[1:])
    colours = torch.from_numpy(item.picture).permute(2, 0, 1)[None].float()
    counts = []
    for large in (plain[0].numpy(), pamr(colours, plain)[0].numpy()):
        rows = (large[-1:], large[:-1][selected[needed]], large[:-1][item.visible[needed]])
        counts.append([_count_cuts(field.max(axis=0, initial=0.0), item.truth) for field in rows])
    # R×C×2×T -> 2×R×C×T
    return np.moveaxis(np.array(counts), 2, 0)


def _read(cosines: torch.Tensor, info: ModelInfo) -> torch.Tensor:
    if info.sigmoid_scale is None:
        return stretch_maps(cosines[None])[0]
    return calibrate(cosines[None], "sigmoid", sigmoid_scale=info.sigmoid_scale, sigmoid_bias=info.sigmoid_bias)[0]


def _count_cuts(field: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pixels above each of the T thresholds, 2×T: inside the truth, outside."""
    passed = np.searchsorted(np.array(CUTS, dtype=field.dtype), field.ravel())  # thresholds below each pixel
    steps = np.bincount(passed + (len(CUTS) + 1) * ~truth.ravel(), minlength=2 * (len(CUTS) + 1))
    above: np.ndarray = steps.reshape(2, -1)[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    return above


def _best(true: np.ndarray, false: np.ndarray, truth: np.ndarray) -> int:
    """The threshold, as an index, with the best mean IoU; the lowest among equals."""
    if not len(truth):
        return 0
    shares = true / (truth[:, None] + false)
    return int(np.argmax([math.fsum(column) for column in shares.T]))


def _row(
    captions: str,
    row: str,
    refine: str,
    threshold: float | None,
    best: bool,
    true: np.ndarray,
    false: np.ndarray,
    truth: np.ndarray,
) -> MaskRow:
    union, count = truth + false, len(truth)
    iou, fpr, fnr = (math.fsum(part / union) / count if count else float("nan") for part in (true, false, truth - true))
    pooled = int(true.sum()) / int(union.sum()) if count else float("nan")
    return MaskRow(captions, row, refine, threshold, best, iou, fpr, fnr, pooled, count)
