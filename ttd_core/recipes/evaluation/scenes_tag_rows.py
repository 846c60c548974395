"""The scenes tables about tags: selection beside baselines that see no picture, calibrated cosines, ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ttd_core.metrics.maps import pixel_auc
from ttd_core.metrics.tagging import TagMetrics, tag_metrics
from ttd_core.recipes.scenes_measure import CaptionMaps, JudgedCaption, count_selected, select_tags
from ttd_core.scenes.vocabulary import NOUNS, VISUAL_WORDS

SCORERS = ("image", "text", "pixel")
KEEP_ALL, KEEP_NOUNS, DICTIONARY = "keep all non-stop words", "keep all nouns", "dictionary of visible words"
RULES: Mapping[str, Callable[[str], bool]] = {
    KEEP_ALL: lambda word: True,
    KEEP_NOUNS: NOUNS.__contains__,
    DICTIONARY: VISUAL_WORDS.__contains__,
}
"""The baselines that see no picture: name → whether a word is kept."""

COSINE_CUTS = np.arange(-200, 201) / 200
"""Thresholds a calibrated cosine may have; a grid, so that the last bits of a score cannot move the choice."""


@dataclass(frozen=True)
class TagRow:
    """One way of selecting tags on one split.

    Args:
        split: `test` or `hard`.
        row: its name.
        metrics: shares in 0..1.
        threshold: least score that is kept; None for the baselines.
    """

    split: str
    row: str
    metrics: TagMetrics
    threshold: float | None = None


@dataclass(frozen=True)
class RankingRow:
    """How well a plain cosine ranks visible words above absent ones that could be visible elsewhere.

    Args:
        split: `test` or `hard`.
        scorer: `image`, `text` or `pixel` (the best cell).
        auc: area under the ROC curve over all captions' words together, 0..1, chance 0.5.
        visible, absent: how many words of either kind.
    """

    split: str
    scorer: str
    auc: float
    visible: int
    absent: int


def tag_rows(
    split: str,
    judged: Sequence[JudgedCaption],
    maps: Sequence[CaptionMaps],
    scale: float,
    threshold: float,
    cuts: Mapping[str, float],
) -> list[TagRow]:
    """Rows of the baselines, of the three softmax scorings, and of the three calibrated cosines.

    Args:
        split: name of the split.
        judged: its captions.
        maps: what the model says about them, in the same order.
        scale: factor of the softmax.
        threshold: least softmax score that is kept.
        cuts: scorer → least cosine that is kept, from `calibrate_cosines` on another split.
    """
    rows = []
    for name, rule in RULES.items():
        selected = [np.array([rule(word) for word in item.words], dtype=bool) for item in judged]
        rows.append(TagRow(split, name, tag_metrics(count_selected(judged, selected))))
    for scorer in SCORERS:
        selected = select_tags(maps, scorer, scale, threshold)
        rows.append(TagRow(split, scorer, tag_metrics(count_selected(judged, selected)), threshold))
    for scorer in SCORERS:
        selected = [found >= cuts[scorer] for found in _cosines(maps, scorer)]
        name = f"{scorer}, calibrated cosine"
        rows.append(TagRow(split, name, tag_metrics(count_selected(judged, selected)), cuts[scorer]))
    return rows


def calibrate_cosines(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps]) -> dict[str, float]:
    """The threshold on each scorer's plain cosine that gives the best F1; the lowest among equals.

    Args:
        judged: captions of a split that is not tested on.
        maps: what the model says about them, in the same order.
    """
    visible = np.concatenate([item.visible for item in judged])
    return {scorer: _best_cut(np.concatenate(_cosines(maps, scorer)), visible) for scorer in SCORERS}


def ranking_rows(split: str, judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps]) -> list[RankingRow]:
    """Rows of the three plain cosines; only words that can ever be visible take part, else a dictionary would do."""
    possible = np.array([word in VISUAL_WORDS for item in judged for word in item.words], dtype=bool)
    visible = np.concatenate([item.visible for item in judged])[possible]
    rows = []
    for scorer in SCORERS:
        auc = pixel_auc(np.concatenate(_cosines(maps, scorer))[possible], visible)
        rows.append(RankingRow(split, scorer, auc, int(visible.sum()), int((~visible).sum())))
    return rows


def _cosines(maps: Sequence[CaptionMaps], scorer: str) -> list[np.ndarray]:
    """K cosines of each caption; of `pixel` those of the best cell."""
    if scorer == "pixel":
        return [found.words.max(axis=(1, 2), initial=-1.0) for found in maps]
    return [getattr(found, scorer) for found in maps]


def _best_cut(scores: np.ndarray, truth: np.ndarray) -> float:
    below = np.searchsorted(np.sort(scores.astype(np.float64)), COSINE_CUTS)
    true_below = np.searchsorted(np.sort(scores[truth].astype(np.float64)), COSINE_CUTS)
    kept, hits = len(scores) - below, int(truth.sum()) - true_below
    return float(COSINE_CUTS[int((2 * hits / (kept + truth.sum())).argmax())])
