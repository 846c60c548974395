"""The paper's chain in miniature: CLIP, then TCL on it, then text-tag self-distillation of that, on generated scenes.

    python benchmarks/scenes_chain.py                  # both chains; goes on where it stopped
    python benchmarks/scenes_chain.py --bases plain    # the chain from a plain CLIP alone
    python benchmarks/scenes_chain.py --bases my.safetensors     # from a model of your own training
    python benchmarks/scenes_chain.py --table          # the table of the rows measured so far

Two starting points: `plain` is trained here with the captions' InfoNCE alone (`ttd train --method clip --word-weight 0
--align-weight 0`), as CLIP is; `shipped` is the built-in model, whose training has a word term and an alignment term
besides. Every training is one of `ttd train`, whose command is printed, in a folder of its own below --out.

Columns, percent. Tags on `scenes:test`: F1 of pixel scoring by the softmax at 0.5, its scale chosen on `scenes:val`
(fix, with P and R), by the sigmoid of the model's own scale and bias at 0.5 (own), and by the cosine's threshold that
is best on `scenes:val` (best); all three on `scenes:hard`. Maps of visible words: pixel AUC, pointing. mIoU: arg-max
over the names of all 36 classes of the scenes. IoU of a caption's mask with what its words show, by the caption's map
(cap) and by the union of selected words (union), over all captions and the small ones (s-), each at the threshold that
is best on `scenes:val`; maps are stretched to 0..1 for it. The row `whole picture` takes every pixel, `dictionary`
every word that can ever be visible. 96 pixels, one view, 400 scenes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.atomic import make_folder, write_text
from ttd_core.clip.load import load_backbone
from ttd_core.errors import TtdError
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.segmentation import class_counts, count_pixels
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.protocols import Backbone, SilentReporter
from ttd_core.recipes.evaluation.scenes_tag_rows import DICTIONARY, RULES, calibrate_cosines, tag_rows
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
)
from ttd_core.recipes.train_run import TrainOptions, run_training
from ttd_core.recipes.train_ttd_probe import CUTS, stretched
from ttd_core.scenes.dataset import generate_split
from ttd_core.scenes.scene import SMALL_SHARE
from ttd_core.scenes.vocabulary import STUFF, THINGS
from ttd_core.types import ModelInfo, ModelSpec

COLUMNS = (
    "fix", "P", "R", "own", "best", "hard fix", "hard own", "hard best", "AUC", "point", "mIoU", "cap", "s-cap",
    "union", "s-union",
)  # fmt: skip
CLASSES = (*STUFF, *THINGS)
PLAIN = {"method": "clip", "word_weight": 0.0, "align_weight": 0.0, "steps": 1000, "probe_every": 0}
TCL = {"method": "tcl", "steps": 150, "lr": 1e-3, "probe_every": 50}
TTD: dict[str, dict[str, Any]] = {"plain": {"method": "ttd", "calibration": "softmax"}, "": {"method": "ttd"}}
"""On a plain base the learned sigmoid passes nearly every word, and selecting by it ends at the guard."""


@dataclass(frozen=True)
class Row:
    """One model of the table: where its weights and its adapter lie."""

    name: str
    seed: int
    weights: Path | None
    adapter: Path | None = None


class Chain:
    """The models of both chains, trained when they are asked for, in `out`; `cache` keeps drawn scenes."""

    def __init__(self, out: Path, cache: Path | None) -> None:
        self._out, self._cache = out, cache

    def rows(self, bases: Sequence[str], seeds: Sequence[int]) -> Iterator[Row]:
        """The rows of the table, first seeds first, trained on the way."""
        for seed in seeds:
            for given in bases:
                start, base = self._base(given), Path(given).stem
                if seed == seeds[0]:
                    yield Row(f"{base}: CLIP", 0, start)
                weights = self._train(f"{base}-tcl-{seed}", TCL, start, seed)
                yield Row(f"{base}: TCL", seed, weights)
                adapter = self._train(f"{base}-ttd-{seed}", TTD.get(base, TTD[""]), weights, seed)
                yield Row(f"{base}: TCL+TTD", seed, weights, adapter)

    def _base(self, name: str) -> Path | None:
        if name == "shipped":
            return None
        return self._train("plain", PLAIN, None, 0) if name == "plain" else Path(name)

    def _train(self, name: str, settings: dict[str, Any], weights: Path | None, seed: int) -> Path:
        given = {**settings, "seed": seed, "out": str(self._out / name)}
        if weights is not None:
            given["weights"] = str(weights)
        if self._cache is not None:
            given["cache"] = str(self._cache)
        flags = (f"--{key.replace('_', '-')} {shlex.quote(str(value))}" for key, value in given.items())
        command = "ttd train " + " ".join(flags)
        print(command, flush=True)
        return run_training(TrainOptions(**given), command, SilentReporter())


class Bench:
    """Scenes and truths, drawn once."""

    def __init__(self) -> None:
        self.splits = {name: judged_captions(name, 400) for name in ("val", "test", "hard")}
        self.lying = judged_captions("val", 400, LIES)
        self.labels = list(_label_maps("test", 400))

    def measure(self, row: Row) -> dict[str, float]:
        """The columns of a model."""
        spec = ModelSpec(model="scenes", weights=None if row.weights is None else str(row.weights),
                         lora=None if row.adapter is None else str(row.adapter))  # fmt: skip
        backbone = load_backbone(spec, torch.device("cpu"), SilentReporter())
        val, test, hard = (self.splits[name] for name in ("val", "test", "hard"))
        on_val, on_lying = _look(backbone, val, self.lying)
        on_test, on_hard = _look(backbone, test, hard)
        scale = max(SCALES, key=lambda s: _f1(val, on_val, s) + _f1(self.lying, on_lying, s))
        cuts = calibrate_cosines(val, on_val)
        found: dict[str, float] = {}
        for name, judged, maps in (("", test, on_test), ("hard ", hard, on_hard)):
            table = {each.row: each.metrics for each in tag_rows("", judged, maps, scale, 0.5, cuts)}
            found |= {f"{name}fix": table["pixel"].f1, f"{name}best": table["pixel, calibrated cosine"].f1}
            found[f"{name}own"] = _own_f1(judged, maps, backbone.info)
            if not name:
                found |= {"P": table["pixel"].precision, "R": table["pixel"].recall}
        shown = judge_maps(test, on_test)
        found |= {"AUC": float(np.nanmean([m.auc for m in shown])), "point": float(np.mean([m.inside for m in shown]))}
        found["mIoU"] = self._class_iou(backbone)
        found |= _masks(list(_shares(val, on_val, scale)), list(_shares(test, on_test, scale)))
        return {name: round(100 * value, 2) for name, value in found.items()} | {"scale": scale}

    def baselines(self) -> dict[str, dict[str, float]]:
        """Rows that look at no picture."""
        test, hard = self.splits["test"], self.splits["hard"]
        truths = [item.truth.mean() for item in test if item.visible.any()]
        whole = {"cap": np.mean(truths), "s-cap": np.mean([share for share in truths if share < SMALL_SHARE])}
        whole |= {"union": whole["cap"], "s-union": whole["s-cap"]}
        kept = {}
        for name, judged in (("fix", test), ("hard fix", hard)):
            chosen = [np.array([RULES[DICTIONARY](word) for word in item.words], dtype=bool) for item in judged]
            kept[name] = tag_metrics(count_selected(judged, chosen)).f1
        return {
            "whole picture": {name: round(100 * float(value), 2) for name, value in whole.items()},
            "dictionary": {name: round(100 * value, 2) for name, value in kept.items()},
        }

    @torch.inference_mode()
    def _class_iou(self, backbone: Backbone) -> float:
        texts = F.normalize(backbone.encode_texts(CLASSES), dim=-1)
        confusion = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
        pictures = [item.picture for item in self.splits["test"]]
        views = Views((backbone.info.image_size,))
        for cells, truth in zip(picture_cells(backbone, pictures, views), self.labels, strict=True):
            maps = torch.einsum("kd,dhw->khw", texts, cells.first)[None]
            chosen = F.interpolate(maps, truth.shape, mode="bilinear")[0].argmax(dim=0)
            confusion += count_pixels(chosen.numpy(), truth, len(CLASSES))
        counts = class_counts(confusion)
        union = counts.tp + counts.fp + counts.fn
        return float(np.mean(counts.tp[union > 0] / union[union > 0]))


def _label_maps(split: str, count: int) -> Iterator[np.ndarray]:
    """S×S numbers of `CLASSES`."""
    for batch in generate_split(split, stop=count):
        for ids, entities in zip(batch.ids, batch.entities, strict=True):
            yield np.array([CLASSES.index(entity.name) for entity in entities])[ids]


def _f1(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], scale: float) -> float:
    return tag_metrics(count_selected(judged, select_tags(maps, "pixel", scale))).f1


def _own_f1(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps], info: ModelInfo) -> float:
    """F1 of words whose best sigmoid reaches 0.5."""
    assert info.sigmoid_scale is not None and info.sigmoid_bias is not None
    cut = -info.sigmoid_bias / info.sigmoid_scale
    kept = [said.words.max(axis=(1, 2), initial=-1.0) >= cut for said in maps]
    return tag_metrics(count_selected(judged, kept)).f1


def _look(backbone: Backbone, *splits: Sequence[JudgedCaption]) -> list[list[CaptionMaps]]:
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
) -> Iterator[tuple[bool, np.ndarray]]:
    """Whether a caption is small, and 2×T IoU of its map and of its selected words' union at every threshold."""
    for item, said, keep in zip(judged, maps, select_tags(maps, "pixel", scale), strict=True):
        if item.visible.any():
            side = item.picture.shape[0]
            large = stretched(np.concatenate([said.caption[None], said.words[keep]]), side)
            fields = (large[0], large[1:].max(axis=0, initial=0.0))
            ious = [[mask_shares(field > cut, item.truth).iou for cut in CUTS] for field in fields]
            yield bool(item.truth.mean() < SMALL_SHARE), np.array(ious)


def _masks(val: Sequence[tuple[bool, np.ndarray]], test: Sequence[tuple[bool, np.ndarray]]) -> dict[str, float]:
    """Mean IoU at the thresholds that are best on validation."""
    found: dict[str, float] = {}
    for prefix, small in (("", False), ("s-", True)):
        known, asked = (
            np.mean([each for is_small, each in many if is_small or not small], axis=0) for many in (val, test)
        )
        found |= {f"{prefix}{name}": float(asked[k][known[k].argmax()]) for k, name in enumerate(("cap", "union"))}
    return found


def table(results: dict[str, Any]) -> str:
    """Markdown: means over seeds, and half their range."""
    lines = ["| row | seeds | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, by_seed in sorted(results.items(), key=lambda entry: _place(entry[0])):
        runs = [run["figures"] for run in by_seed.values()]
        cells = []
        for column in COLUMNS:
            values = [run[column] for run in runs if column in run]
            spread = f" ±{(max(values) - min(values)) / 2:.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}" if values else "")
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _place(name: str) -> tuple[int, int]:
    base, _, step = name.partition(": ")
    first = ("plain", "shipped", "whole picture", "dictionary")
    return first.index(base) if base in first else len(first), ("CLIP", "TCL", "TCL+TTD", step).index(step)


def main() -> None:
    """Train and measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bases", default="plain,shipped", help="plain, shipped, weights files; separated by commas")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of TCL and TTD")
    parser.add_argument("--out", type=Path, default=Path("runs/scenes_chain"))
    parser.add_argument("--cache", type=Path, help="keeps drawn scenes for the next call")
    parser.add_argument("--table", action="store_true", help="print what was measured, measure nothing")
    args = parser.parse_args()
    path = args.out / "figures.json"
    if not args.table:
        torch.set_num_threads(1)
        make_folder(args.out)
        bench = Bench()
        for name, figures in bench.baselines().items():
            _keep(path, name, 0, {"figures": figures})
        for row in Chain(args.out, args.cache).rows(args.bases.split(","), [int(s) for s in args.seeds.split(",")]):
            if str(row.seed) not in _kept(path).get(row.name, {}):
                begun = time.process_time()
                entry = {"figures": bench.measure(row), "cpu_seconds": round(time.process_time() - begun, 1)}
                _keep(path, row.name, row.seed, entry)
                print(row.name, row.seed, json.dumps(entry), flush=True)
    print(table(_kept(path)))


def _kept(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _keep(path: Path, name: str, seed: int, entry: dict[str, Any]) -> None:
    """Add an entry to what lies there now: several calls may measure side by side."""
    results = _kept(path)
    results.setdefault(name, {})[str(seed)] = entry
    write_text(path, json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except TtdError as error:
        sys.exit(f"error: {error}")
