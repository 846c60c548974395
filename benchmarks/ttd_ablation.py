"""What each part of text-tag self-distillation does to the built-in model, on the generated scenes.

    python benchmarks/ttd_ablation.py                 # every row, about 35 CPU-seconds each; goes on where it stopped
    python benchmarks/ttd_ablation.py --rows main     # losses, three seeds
    python benchmarks/ttd_ablation.py --table         # the table of the rows measured so far
    python benchmarks/ttd_ablation.py --collapse      # three trainings that the guard ends

Columns, percent: pixel F1 at softmax 0.5 on `scenes:test` with precision and recall (fix, P, R), with the cosine
threshold that is best on `scenes:val` (cos); both on `scenes:hard`; F1 of the image's calibrated cosine (image); pixel
AUC and pointing of visible words (AUC, point); caption IoU at 0.4 of all captions (cap) and, of small captions, with
thresholds from `scenes:val`, of the caption's map and the union of selected words (s-cap, s-uni); correlation of the
caption's map with its worst visible word (worst); the single tag bias (bias, lower is better); the
mean of F1 with and without lies and of pixel AUC on `scenes:val` (val); the softmax scale that is best
there (scale), and pixel F1 with it (s-fix, s-hard). Maps are stretched to 0..1 for masks, as in the measurements on the
prototype, so that no stored calibration takes part. 96 pixels, one view, 400 scenes each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ttd_core.clip.lora import TARGETS, adapt
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.errors import TtdError
from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.model import TtdTraining, map_reading
from ttd_core.metrics.bias import bias_row, bias_summary
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.protocols import Backbone, SilentReporter
from ttd_core.recipes.evaluation.scenes_tag_rows import calibrate_cosines, tag_rows
from ttd_core.recipes.scenes_calibrate import LIES, SCALES
from ttd_core.recipes.scenes_measure import (
    CaptionMaps,
    JudgedCaption,
    Texts,
    Views,
    count_selected,
    judge_maps,
    judged_captions,
    picture_cells,
    select_tags,
    softmax_scores,
)
from ttd_core.recipes.scenes_pairs import training_scenes
from ttd_core.recipes.train_ttd_data import PairBatch, ScenePairs, to_input
from ttd_core.recipes.train_ttd_guard import CollapseGuard
from ttd_core.recipes.train_ttd_probe import CUTS, CaptionWords, held_out_figures, stretched
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.scene import SMALL_SHARE
from ttd_core.training.loop import Bookkeeping, LoopSettings, Share, Stage, StepLosses, StoppedByGuard, run_stage

COLUMNS = (
    "fix", "P", "R", "cos", "hard fix", "hard cos", "image", "AUC", "point", "cap", "s-cap", "s-uni", "worst", "bias",
    "val", "scale", "s-fix", "s-hard",
)  # fmt: skip
BATCH = 32


@dataclass(frozen=True)
class Row:
    """One setting. `loss` are options of `TtdConfig`, the others those of `ttd train`."""

    name: str
    group: str
    loss: dict[str, Any] = field(default_factory=dict)
    steps: int = 100
    lr: float = 3e-4
    rank: int = 8
    targets: tuple[str, ...] = TARGETS
    towers: str = "both"
    maps: str | None = None
    calibration: str | None = None
    stopwords: bool = True
    seeds: tuple[int, ...] = (0,)
    spoiled: str | None = None


def rows() -> list[Row]:
    """Every row of the table, the main ones first."""
    both = {"distill_weight": 1.0}
    found = [
        Row("both, weight 0.2", "main", seeds=(0, 1, 2)),
        Row("both, weight 1", "main", both, seeds=(0, 1, 2)),
        Row("L_tag only", "main", {"distill_weight": 0.0}, seeds=(0, 1, 2)),
        Row("L_distill only", "main", {"tag_weight": 0.0, "distill_weight": 1.0}, seeds=(0, 1, 2)),
        Row("lr 1e-4", "rate", lr=1e-4),
        Row("threshold 0.7", "threshold", {"threshold": 0.7}),
        Row("threshold 0.9", "threshold", {"threshold": 0.9}),
        Row("plain cosines, softmax", "maps", maps="cosine", calibration="softmax"),
        Row("plain cosines, softmax, weight 1", "maps", both, maps="cosine", calibration="softmax"),
    ]
    found += [Row(f"distance {kind}", "distance", {"distance": kind}) for kind in ("mse", "l1", "bce")]
    found += [Row(f"rank {rank}", "rank", rank=rank) for rank in (2, 32)]
    found += [Row(f"{steps} steps", "steps", steps=steps) for steps in (30, 300)]
    found += [
        Row("image encoder only", "towers", towers="image"),
        Row("text encoder only", "towers", towers="text", seeds=(0, 1, 2)),
        Row("text encoder only, weight 1", "towers", both, towers="text"),
        Row("text encoder only, lr 1e-3", "towers", towers="text", lr=1e-3),
    ]
    found += [
        Row(f"selected by softmax, {name}", "selection", loss, calibration="softmax")
        for name, loss in (
            ("weight 0.2", {}), ("weight 1", both), ("L_tag only", {"distill_weight": 0.0}),
            ("L_distill only", {"tag_weight": 0.0, "distill_weight": 1.0}),
        )
    ]  # fmt: skip
    views = {"scales": (1.0, 4 / 3), "hflip": True}
    found += [
        Row("targets of 96+128 px, mirrored too, weight 0.2", "views", views),
        Row("targets of 96+128 px, mirrored too, weight 1", "views", {**views, **both}),
        Row("weight 1, lr 1e-4", "search", both, lr=1e-4),
        Row("weight 1, threshold 0.7", "search", {"threshold": 0.7, **both}),
        Row("attention only", "search", targets=("in_proj", "out_proj")),
    ]
    found += [Row("stop words as candidates", "candidates", stopwords=False), Row("lr 1e-3", "rate", lr=1e-3)]
    return found


class Bench:
    """Scenes and truths, read once.

    Args:
        cache: folder that keeps the training scenes.
        report: told about progress.
    """

    def __init__(self, cache: Path | None) -> None:
        self._data = training_scenes(100 * BATCH, 96, CaptionStyle(), 1, cache, SilentReporter())
        self._splits = {name: judged_captions(name, 400) for name in ("val", "test", "hard")}
        self._lying = judged_captions("val", 400, LIES)

    def train(self, row: Row, seed: int, guard: CollapseGuard | None = None) -> Any:
        """The model after a row's training, with its adapters on."""
        torch.set_num_threads(1)
        backbone = load_scenes_backbone()
        torch.manual_seed(seed)
        adapt(backbone, row.rank, targets=row.targets, towers=row.towers)
        training = TtdTraining(
            backbone, TtdConfig(**row.loss), map_reading(backbone.info, row.calibration, maps=row.maps)
        )
        words = CaptionWords(backbone, row.stopwords)
        val = self._splits["val"][:200]
        held = PairBatch(
            np.stack([item.picture for item in val]).transpose(0, 3, 1, 2), tuple(item.caption for item in val)
        )
        pairs = ScenePairs(self._data, held, BATCH, seed)
        device = torch.device("cpu")

        def losses(step: int, share: Share) -> StepLosses:
            batch = _spoil(pairs.share(step, share), row.spoiled)
            result = training(to_input(batch.pictures, backbone.info, device), words.batch(batch.captions))
            return StepLosses(result.losses, result.monitors, len(batch))

        def probe(step: int) -> dict[str, float]:
            return held_out_figures(training, words, held, BATCH)

        with tempfile.TemporaryDirectory() as folder:
            stage = Stage("ttd", row.steps, row.lr, 10, floor=0.1, decay=0.0)
            settings = LoopSettings(seed=seed, validate_every=row.steps, validate_first=True, guard=guard)
            books = Bookkeeping(Path(folder), "ablation", log_every=10)
            run_stage(training, stage, losses, books, SilentReporter(), probe if guard else None, settings)
        return backbone

    def measure(self, backbone: Backbone) -> dict[str, float]:
        """The columns of the table."""
        val, test, hard = self._splits["val"], self._splits["test"], self._splits["hard"]
        scale = backbone.info.logit_scale
        on_val, on_lying = _look(backbone, [val, self._lying])
        on_test, on_hard = _look(backbone, [test, hard])
        cuts = calibrate_cosines(val, on_val)
        found = {}
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
        chosen = [(val, on_val), (self._lying, on_lying)]
        seen_on_val = judge_maps(val[:100], on_val[:100])
        found["val"] = (sum(_f1(*each, scale) for each in chosen) + float(np.nanmean([m.auc for m in seen_on_val]))) / 3
        best = max(SCALES, key=lambda other: sum(_f1(*each, other) for each in chosen))
        found |= {"s-fix": _f1(test, on_test, best), "s-hard": _f1(hard, on_hard, best)}
        meter = bias_summary([_bias(item, said, scale) for item, said in zip(test, on_test, strict=True)])
        return {
            **{name: round(100 * value, 2) for name, value in found.items()},
            "worst": round(meter["follow_worst"], 3), "bias": round(meter["bias"], 2), "scale": best,
        }  # fmt: skip


def _f1(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], scale: float) -> float:
    return tag_metrics(count_selected(judged, select_tags(maps, "pixel", scale))).f1


def _spoil(batch: PairBatch, how: str | None) -> PairBatch:
    if how == "shuffled":
        return PairBatch(batch.pictures, batch.captions[1:] + batch.captions[:1])
    if how == "repeated":
        return PairBatch(np.repeat(batch.pictures[:1], len(batch), axis=0), batch.captions)
    return batch


def _look(backbone: Backbone, splits: Sequence[Sequence[JudgedCaption]]) -> list[list[CaptionMaps]]:
    """The maps of several captions for the same pictures, each picture encoded once."""
    texts = Texts(backbone, [item for split in splits for item in split])
    found: list[list[CaptionMaps]] = [[] for _ in splits]
    views = Views((backbone.info.image_size,))
    for place, cells in enumerate(picture_cells(backbone, [item.picture for item in splits[0]], views)):
        for maps, split in zip(found, splits, strict=True):
            maps.append(texts.compare(split[place], cells.first, cells.pooled))
    return found


def _shares(
    judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], scale: float
) -> Iterator[tuple[bool, Any, Any]]:
    """Whether a caption is small, and the IoU of its map and of its selected words' union at every cut."""
    kept = select_tags(maps, "pixel", scale)
    for item, said, keep in zip(judged, maps, kept, strict=True):
        if not item.visible.any():
            continue
        side = item.picture.shape[0]
        caption = stretched(said.caption[None], side)[0]
        union = stretched(said.words[keep], side).max(axis=0, initial=0.0)
        ious = [[mask_shares(shown > cut, item.truth).iou for cut in CUTS] for shown in (caption, union)]
        yield bool(item.truth.mean() < SMALL_SHARE), np.array(ious[0]), np.array(ious[1])


def _masks(
    val: Sequence[JudgedCaption], on_val: Sequence[CaptionMaps], test: Sequence[JudgedCaption],
    on_test: Sequence[CaptionMaps], scale: float,
) -> dict[str, float]:  # fmt: skip
    known, asked = list(_shares(val, on_val, scale)), list(_shares(test, on_test, scale))
    found = {"cap": float(np.mean([caption[7] for _, caption, _ in asked]))}  # CUTS[7] is 0.4
    for name, place in (("s-cap", 1), ("s-uni", 2)):
        best = int(np.mean([each[place] for each in known if each[0]], axis=0).argmax())
        found[name] = float(np.mean([each[place][best] for each in asked if each[0]]))
    return found


def _bias(item: JudgedCaption, said: CaptionMaps, scale: float) -> dict[str, Any]:
    parts = {"pixel": said.words, "image": said.image, "text": said.text}
    scores = {name: softmax_scores(values, scale) for name, values in parts.items()}
    kept = {name: (values >= 0.5).tolist() for name, values in scores.items()}
    return bias_row(kept, scores["text"], said.caption, said.words, item.visible.tolist())


def table(results: dict[str, Any]) -> str:
    """Markdown: means over seeds, and the range of three."""
    lines = ["| row | seeds | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, by_seed in results.items():
        runs = [run["figures"] for run in by_seed.values()]
        cells = []
        for column in COLUMNS:
            values = [run[column] for run in runs if column in run]
            if not values:
                cells.append("")
                continue
            digits = 2 if column == "worst" else 1
            spread = f" ±{(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.{digits}f}{spread}")
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def collapse(bench: Bench) -> None:
    """Three trainings that must be stopped, and why they were."""
    for row in (
        Row("learning rate x100", "collapse", lr=3e-2),
        Row("captions of other pictures", "collapse", spoiled="shuffled"),
        Row("one repeated picture", "collapse", spoiled="repeated"),
    ):
        try:
            bench.train(row, 0, CollapseGuard(200))
            print(f"{row.name}: not stopped", flush=True)
        except StoppedByGuard as stop:
            print(f"{row.name}: step {stop.step}, {stop.reason}", flush=True)


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", help="a group or a part of a row's name; all by default", default="")
    parser.add_argument("--out", type=Path, default=Path("runs/ttd_ablation.json"))
    parser.add_argument("--cache", type=Path, help="keeps drawn scenes for the next call")
    parser.add_argument("--table", action="store_true", help="print what was measured, measure nothing")
    parser.add_argument("--collapse", action="store_true", help="show the guard at work")
    args = parser.parse_args()
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    if args.table:
        print(table(results))
        return
    bench = Bench(args.cache)
    if args.collapse:
        collapse(bench)
        return
    if "no training" not in results:
        results["no training"] = {"0": {"figures": bench.measure(load_scenes_backbone()), "cpu_seconds": 0}}
    chosen = [row for row in rows() if args.rows in (row.group, "") or args.rows in row.name]
    planned = [(seed, place) for place, row in enumerate(chosen) for seed in row.seeds]
    for seed, place in sorted(planned):
        row = chosen[place]
        if str(seed) in results.get(row.name, {}):
            continue
        begun = time.process_time()
        figures = bench.measure(bench.train(row, seed))
        seconds = round(time.process_time() - begun, 1)
        results.setdefault(row.name, {})[str(seed)] = {"figures": figures, "cpu_seconds": seconds}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")
        print(row.name, seed, seconds, json.dumps(figures), flush=True)
    print(table(results))


if __name__ == "__main__":
    try:
        main()
    except TtdError as error:
        sys.exit(f"error: {error}")
