"""Training one row and measuring what became of the model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from distillation.cells import Numbered, averaged_cells
from distillation.rows import Row
from distillation.variants import Variant, VariantTraining

from ttd_core.clip.lora import adapt
from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.model import TextBatch, map_reading
from ttd_core.metrics.bias import bias_row, bias_summary
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.protocols import Backbone, SilentReporter
from ttd_core.recipes.evaluation.scenes_tag_rows import calibrate_cosines, tag_rows
from ttd_core.recipes.scenes_calibrate import LIES, SCALES
from ttd_core.recipes.scenes_measure import (
    CaptionMaps,
    JudgedCaption,
    PictureCells,
    Texts,
    Views,
    count_selected,
    judge_maps,
    judged_captions,
    picture_cells,
    select_tags,
    softmax_scores,
)
from ttd_core.recipes.scenes_pairs import CaptionedPictures, training_scenes
from ttd_core.recipes.train_ttd_data import PairBatch, ScenePairs, to_input
from ttd_core.recipes.train_ttd_guard import CollapseGuard
from ttd_core.recipes.train_ttd_probe import CUTS, CaptionWords, held_out_figures, stretched
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.scene import SMALL_SHARE
from ttd_core.training.loop import Bookkeeping, LoopSettings, Share, Stage, StepLosses, run_stage

BATCH = 32
DRAWN = 100 * BATCH
JUDGED_MAPS = 100
Judged = Sequence[JudgedCaption]
Maps = Sequence[CaptionMaps]


class Bench:
    """Scenes and truths, read once.

    Args:
        cache: folder that keeps the training scenes.
        weights: of the base; None takes the one that ships.
    """

    def __init__(self, cache: Path | None, weights: Path | None = None) -> None:
        self._cache, self._weights = cache, weights
        self._data = training_scenes(DRAWN, 96, CaptionStyle(), 1, cache, SilentReporter())
        self.val = judged_captions("val", 400)
        self.lying = judged_captions("val", 400, LIES)
        self._test: tuple[Judged, Judged] | None = None
        self._on_val: list[PictureCells] | None = None
        self._seen: dict[tuple[tuple[float, ...], bool], torch.Tensor] = {}

    def base(self) -> ScenesBackbone:
        """The model before any training."""
        torch.set_num_threads(1)
        return load_scenes_backbone(self._weights)

    def train(self, row: Row, seed: int, guard: CollapseGuard | None = None) -> Backbone:
        """The model after a row's training, with its adapters on."""
        backbone = self.base()
        torch.manual_seed(seed)
        adapt(backbone, row.rank, targets=row.targets, towers=row.towers)
        config, reading = TtdConfig(**row.loss), map_reading(backbone.info, row.calibration, maps=row.maps)
        variant = Variant(**row.variant)
        training = VariantTraining(backbone, config, reading, variant, self.base())
        words = CaptionWords(backbone, row.stopwords)
        val = self.val[:200]
        held = PairBatch(
            np.stack([item.picture for item in val]).transpose(0, 3, 1, 2), tuple(item.caption for item in val)
        )
        numbered = Numbered(self._data.pictures)
        pairs = ScenePairs(CaptionedPictures(numbered, self._data.captions), held, BATCH, seed)  # type: ignore[arg-type]
        ready = row.towers == "text" or variant.frozen
        teacher = self._cells(row.loss.get("scales", (1.0,)), row.loss.get("hflip", False)) if ready else None
        own = self._cells((1.0,), False) if row.towers == "text" else None
        device = torch.device("cpu")

        def shown(numbers: PairBatch) -> tuple[torch.Tensor, TextBatch]:
            rows = list(numbers.pictures)
            training.own_cells = None if own is None else own[rows]
            training.teacher_cells = None if teacher is None else teacher[rows]
            batch = _spoil(numbered.batch(numbers), row.spoiled)
            return to_input(batch.pictures, backbone.info, device), words.batch(batch.captions)

        def losses(step: int, share: Share) -> StepLosses:
            numbers = pairs.share(step, share)
            result = training(*shown(numbers))
            return StepLosses(result.losses, result.monitors, len(numbers))

        if variant.caption_sigmoid:
            training.fit_caption(*shown(pairs.share(0, Share())))

        def probe(step: int) -> dict[str, float]:
            return held_out_figures(training, words, held, BATCH)

        with tempfile.TemporaryDirectory() as folder:
            stage = Stage("ttd", row.steps, row.lr, 10, floor=0.1, decay=0.0)
            settings = LoopSettings(
                seed=seed, validate_every=row.steps, validate_first=True, guard=guard, ema=variant.ema
            )
            books = Bookkeeping(Path(folder), "ablation", log_every=10)
            run_stage(training, stage, losses, books, SilentReporter(), probe if guard else None, settings)
        return backbone

    def _cells(self, scales: tuple[float, ...], hflip: bool) -> torch.Tensor:
        """Of all training pictures, computed once."""
        if (scales, hflip) not in self._seen:
            self._seen[scales, hflip] = averaged_cells(self.base(), self._data.pictures, scales, hflip)
        return self._seen[scales, hflip]

    def judge(self, backbone: Backbone, untouched: bool = False) -> dict[str, float]:
        """What settings are searched by: `scenes:val` alone, percent.

        Args:
            backbone: the model.
            untouched: its image encoder is the base's.
        """
        if untouched and self._on_val is None:
            self._on_val = list(seen_cells(backbone, self.val))
        on_val, on_lying = look(backbone, [self.val, self.lying], self._on_val if untouched else None)
        scale = backbone.info.logit_scale
        chosen = [(self.val, on_val), (self.lying, on_lying)]
        best = max(SCALES, key=lambda other: sum(f1(*each, other) for each in chosen))
        small = small_ious(self.val, on_val, scale)
        maps = judge_maps(self.val[:JUDGED_MAPS], on_val[:JUDGED_MAPS])
        found = {
            "v-fix": f1(*chosen[0], scale), "v-hard": f1(*chosen[1], scale),
            "v-cap": float(small[0].mean(axis=0).max()), "v-uni": float(small[1].mean(axis=0).max()),
            "v-AUC": float(np.nanmean([one.auc for one in maps])), "v-hard refit": f1(*chosen[1], best),
        }  # fmt: skip
        return {name: round(100 * value, 2) for name, value in found.items()} | {"refit": best}

    def measure(self, backbone: Backbone) -> dict[str, float]:
        """The columns of the table."""
        if self._test is None:
            self._test = judged_captions("test", 400), judged_captions("hard", 400)
        val, (test, hard) = self.val, self._test
        scale = backbone.info.logit_scale
        on_val, on_lying = look(backbone, [val, self.lying])
        on_test, on_hard = look(backbone, [test, hard])
        cuts = calibrate_cosines(val, on_val)
        found: dict[str, float] = {}
        for name, judged, maps in (("", test, on_test), ("hard ", hard, on_hard)):
            table = {each.row: each.metrics for each in tag_rows("", judged, maps, scale, 0.5, cuts)}
            found |= {f"{name}fix": table["pixel"].f1, f"{name}cos": table["pixel, calibrated cosine"].f1}
            if not name:
                found |= {"P": table["pixel"].precision, "R": table["pixel"].recall}
                found["image"] = table["image, calibrated cosine"].f1
        judged_maps = judge_maps(test, on_test)
        found["AUC"] = float(np.nanmean([one.auc for one in judged_maps]))
        found["point"] = float(np.mean([one.inside for one in judged_maps]))
        found |= _masks(val, on_val, test, on_test, scale)
        chosen = [(val, on_val), (self.lying, on_lying)]
        seen = judge_maps(val[:JUDGED_MAPS], on_val[:JUDGED_MAPS])
        found["val"] = (sum(f1(*each, scale) for each in chosen) + float(np.nanmean([m.auc for m in seen]))) / 3
        best = max(SCALES, key=lambda other: sum(f1(*each, other) for each in chosen))
        found |= {"s-fix": f1(test, on_test, best), "s-hard": f1(hard, on_hard, best)}
        meter = bias_summary([_bias(item, said, scale) for item, said in zip(test, on_test, strict=True)])
        return {
            **{name: round(100 * value, 2) for name, value in found.items()},
            "worst": round(meter["follow_worst"], 3), "bias": round(meter["bias"], 2), "scale": best,
        }  # fmt: skip


def seen_cells(backbone: Backbone, judged: Judged) -> Iterator[PictureCells]:
    """The pictures of a split as the model sees them, at its own size."""
    return picture_cells(backbone, [item.picture for item in judged], Views((backbone.info.image_size,)))


def look(
    backbone: Backbone, splits: Sequence[Judged], cells: Iterable[PictureCells] | None = None
) -> list[list[CaptionMaps]]:
    """The maps of several captions for the same pictures, each picture encoded once, if at all."""
    texts = Texts(backbone, [item for split in splits for item in split])
    found: list[list[CaptionMaps]] = [[] for _ in splits]
    for place, seen in enumerate(cells or seen_cells(backbone, splits[0])):
        for maps, split in zip(found, splits, strict=True):
            maps.append(texts.compare(split[place], seen.first, seen.pooled))
    return found


def f1(judged: Judged, maps: Maps, scale: float) -> float:
    """Of pixel scoring at softmax 0.5, a share."""
    return tag_metrics(count_selected(judged, select_tags(maps, "pixel", scale))).f1


def small_ious(judged: Judged, maps: Maps, scale: float) -> np.ndarray:
    """IoU of the caption's map and of its selected words' union with the truth, 2×captions×`CUTS`; small captions."""
    return np.array([ious for small, *ious in _ious(judged, maps, scale) if small]).transpose(1, 0, 2)


def _ious(judged: Judged, maps: Maps, scale: float) -> list[tuple[Any, Any, Any]]:
    kept, found = select_tags(maps, "pixel", scale), []
    for item, said, keep in zip(judged, maps, kept, strict=True):
        if not item.visible.any():
            continue
        side = item.picture.shape[0]
        caption = stretched(said.caption[None], side)[0]
        union = stretched(said.words[keep], side).max(axis=0, initial=0.0)
        ious = [[mask_shares(shown > cut, item.truth).iou for cut in CUTS] for shown in (caption, union)]
        found.append((bool(item.truth.mean() < SMALL_SHARE), np.array(ious[0]), np.array(ious[1])))
    return found


def _masks(val: Judged, on_val: Maps, test: Judged, on_test: Maps, scale: float) -> dict[str, float]:
    known, asked = small_ious(val, on_val, scale), _ious(test, on_test, scale)
    found = {"cap": float(np.mean([caption[7] for _, caption, _ in asked]))}  # CUTS[7] is 0.4
    for place, name in enumerate(("s-cap", "s-uni")):
        best = int(known[place].mean(axis=0).argmax())
        found[name] = float(np.mean([each[place + 1][best] for each in asked if each[0]]))
    return found


def _bias(item: JudgedCaption, said: CaptionMaps, scale: float) -> dict[str, Any]:
    parts = {"pixel": said.words, "image": said.image, "text": said.text}
    scores = {name: softmax_scores(values, scale) for name, values in parts.items()}
    kept = {name: (values >= 0.5).tolist() for name, values in scores.items()}
    return bias_row(kept, scores["text"], said.caption, said.words, item.visible.tolist())


def _spoil(batch: PairBatch, how: str | None) -> PairBatch:
    if how == "shuffled":
        return PairBatch(batch.pictures, batch.captions[1:] + batch.captions[:1])
    if how == "repeated":
        return PairBatch(np.repeat(batch.pictures[:1], len(batch), axis=0), batch.captions)
    return batch
