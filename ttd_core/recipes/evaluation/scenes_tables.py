"""`ttd evaluate --data scenes`: every table of the built-in benchmark, each figure beside its trivial baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttd_core.metrics.tagging import TagMetrics
from ttd_core.ops.tta import plan_sizes
from ttd_core.protocols import Backbone, Reporter
from ttd_core.recipes.evaluation.scenes_map_rows import MapRow, WordRow, kind_rows, map_row, word_rows
from ttd_core.recipes.evaluation.scenes_mask_rows import WHOLE_PICTURE, MaskRow, count_masks, mask_rows
from ttd_core.recipes.evaluation.scenes_tag_rows import (
    RULES,
    RankingRow,
    TagRow,
    calibrate_cosines,
    ranking_rows,
    tag_rows,
)
from ttd_core.recipes.evaluation.summary import Summary
from ttd_core.recipes.scenes_calibrate import BACKGROUND
from ttd_core.recipes.scenes_measure import (
    THRESHOLD,
    CaptionMaps,
    JudgedCaption,
    MapJudgement,
    Texts,
    Views,
    judge_maps,
    judged_captions,
    picture_cells,
)
from ttd_core.types import ModelInfo

MASK_SCALES = (0.75, 1.0, 1.5)
"""Sizes at which masks look at a picture, as factors on the model's usual size for masks; mirrored too."""


@dataclass(frozen=True)
class ScenesTables:
    """All tables.

    Args:
        scenes: how many scenes of each split were looked at.
        tags: tag selection on `test` and `hard`.
        ranking: visible above absent words, by plain cosines.
        maps: pixel AUC and pointing on `test`, as tags are scored and as masks are made.
        words, kinds: the same for single words, as tags are scored.
        masks: caption masks on `test`.
    """

    scenes: int
    tags: Sequence[TagRow]
    ranking: Sequence[RankingRow]
    maps: Sequence[MapRow]
    words: Sequence[WordRow]
    kinds: Sequence[WordRow]
    masks: Sequence[MaskRow]

    def to_json(self) -> dict[str, Any]:
        """The tables under plain keys, with the units of `METRICS`: percent, and fractions for `mfpr` and `mfnr`.

        A figure that does not exist, since nothing was counted, is None.
        """
        return {
            "scenes": self.scenes,
            "tags": [
                {"split": row.split, "row": row.row, "threshold": row.threshold, **_plain(_tag_values(row.metrics))}
                for row in self.tags
            ],
            "ranking": [
                {"split": row.split, "row": row.scorer, "visible": row.visible, "absent": row.absent,
                 **_plain({"auc": _percent(row.auc)})}
                for row in self.ranking
            ],
            "maps": [
                {"split": row.split, "views": row.views, **_plain(_map_values(row))}
                for row in self.maps
            ],
            "kinds": [_plain(_word_values(row)) for row in self.kinds],
            "words": [_plain(_word_values(row)) for row in self.words],
            "masks": [
                {"captions": row.captions, "count": row.count, "row": row.row, "refine": row.refine,
                 "threshold": row.threshold, "best_on_val": row.best_on_val, **_plain(_mask_values(row))}
                for row in self.masks
            ],
        }  # fmt: skip

    def summary(self) -> Summary:
        """The headline: pixel scoring on `test`, its maps, and the caption's own mask at the fixed threshold."""
        tags = {row.row: _tag_values(row.metrics) for row in self.tags if row.split == "test"}
        plain = next(row for row in self.masks if row.row == "caption")
        whole = next(row for row in self.masks if row.row == WHOLE_PICTURE)
        return Summary(
            metrics={**tags["pixel"], **_map_values(self.maps[0]), **_mask_values(plain)},
            counts={"captions": self.scenes},
            baselines={**{name: tags[name] for name in RULES}, WHOLE_PICTURE: _mask_values(whole)},
            per_class=[_word_values(row) for row in self.words],
        )


def scenes_tables(backbone: Backbone, count: int | None, report: Reporter) -> ScenesTables:
    """Measure a model on `scenes:test` and `scenes:hard`; every chosen threshold is chosen on `scenes:val`.

    Tags are scored at the model's usual picture size, softmax at 0.5; masks are made from three sizes and their mirror
    images, all cosines averaged. Words and captions go in as they stand, without a prompt template.

    Args:
        backbone: any model; the built-in one knows all words.
        count: scenes of each split, None for all 400.
        report: told about progress.
    """
    info = backbone.info
    views = _all_views(info)
    report.info("looking at scenes:val")
    val = judged_captions("val", count)
    (plain, fine) = _look(backbone, val, [val], views)
    cuts, known = calibrate_cosines(val, plain[0]), count_masks(info, val, fine)
    report.info("looking at scenes:test and scenes:hard")
    splits = {"test": judged_captions("test", count), "hard": judged_captions("hard", count)}
    plain, fine = _look(backbone, splits["test"], list(splits.values()), views)
    report.info("counting tags, maps and masks")
    found = dict(zip(splits, plain, strict=True))
    usual = judge_maps(splits["test"], found["test"])
    words = word_rows(usual)
    scale = info.logit_scale
    return ScenesTables(
        scenes=len(splits["test"]),
        tags=[row for name, own in splits.items() for row in tag_rows(name, own, found[name], scale, THRESHOLD, cuts)],
        ranking=[row for name, own in splits.items() for row in ranking_rows(name, own, found[name])],
        maps=_map_rows(usual, judge_maps(splits["test"], fine), views),
        words=words,
        kinds=kind_rows(words),
        masks=mask_rows(known, count_masks(info, splits["test"], fine), BACKGROUND),
    )


def _all_views(info: ModelInfo) -> Views:
    """The size at which tags are scored first, then those of masks; the first one counts for both."""
    base = info.mask_size or info.image_size
    sizes = [height for height, _ in plan_sizes((base, base), info.patch, base, MASK_SCALES)]
    return Views(tuple(dict.fromkeys((info.image_size, *sizes))), hflip=True)


def _look(
    backbone: Backbone, shown: Sequence[JudgedCaption], asked: Sequence[Sequence[JudgedCaption]], views: Views
) -> tuple[list[list[CaptionMaps]], list[CaptionMaps]]:
    """Encode every picture once and compare it with the captions that several splits have for it.

    Returns:
        The first view's maps of each split, and the mean maps of the first split.
    """
    texts = Texts(backbone, [item for split in asked for item in split])
    plain: list[list[CaptionMaps]] = [[] for _ in asked]
    fine = []
    for i, cells in enumerate(picture_cells(backbone, [item.picture for item in shown], views)):
        for maps, split in zip(plain, asked, strict=True):
            maps.append(texts.compare(split[i], cells.first, cells.pooled))
        fine.append(texts.compare(asked[0][i], cells.mean, cells.pooled))
    return plain, fine


def _map_rows(usual: Sequence[MapJudgement], fine: Sequence[MapJudgement], views: Views) -> list[MapRow]:
    return [map_row("test", Views(views.sizes[:1]), usual), map_row("test", views, fine)]


def _tag_values(metrics: TagMetrics) -> dict[str, float]:
    return {
        "precision": _percent(metrics.precision),
        "recall": _percent(metrics.recall),
        "f1": _percent(metrics.f1),
        "accuracy": _percent(metrics.accuracy),
    }


def _map_values(row: MapRow | WordRow) -> dict[str, float]:
    return {"pixel_auc": _percent(row.auc), "pointing": _percent(row.pointing)}


def _word_values(row: WordRow) -> dict[str, Any]:
    return {"name": row.word, "kind": row.kind, "count": row.count, **_map_values(row)}


def _mask_values(row: MaskRow) -> dict[str, float]:
    return {
        "caption_iou": _percent(row.iou),
        "caption_iou_pooled": _percent(row.pooled),
        "mfpr": round(row.fpr, 6),
        "mfnr": round(row.fnr, 6),
    }


def _percent(share: float) -> float:
    return share if math.isnan(share) else round(100 * share, 4)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}
