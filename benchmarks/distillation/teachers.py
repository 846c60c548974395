"""How good the selection and the targets are that a base would teach itself, on `scenes:val`: no training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from distillation.bench import Bench, look

from ttd_core.methods.ttd.config import TtdConfig
from ttd_core.methods.ttd.model import TtdTraining, map_reading
from ttd_core.methods.ttd.select import MapReading, select_words
from ttd_core.methods.ttd.targets import caption_target, word_targets
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.recipes.scenes_measure import JudgedCaption, count_selected, enlarge
from ttd_core.recipes.train_ttd_data import PairBatch, to_input
from ttd_core.recipes.train_ttd_probe import CUTS, CaptionWords
from ttd_core.scenes.scene import SMALL_SHARE

VIEWS: dict[str, tuple[tuple[float, ...], bool]] = {
    "96": ((1.0,), False), "96 mirrored": ((1.0,), True), "128": ((4 / 3,), False),
    "96+128 mirrored": ((1.0, 4 / 3), True), "96+128+192 mirrored": ((1.0, 4 / 3, 2.0), True),
}  # fmt: skip
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def spread_lines(bench: Bench, count: int = 200) -> Iterator[str]:
    """Cosines of captions at all places, and of words at their best place: how far apart one sigmoid must reach."""
    backbone = bench.base()
    reading = map_reading(backbone.info)
    (maps,) = look(backbone, [bench.val[:count]])
    best: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for said in maps:
        words = torch.from_numpy(said.words)
        kept = _selected(words, reading, 0.5)[0]
        for selected in (True, False):
            best[selected].append(words[kept == selected].amax(dim=(1, 2)).numpy())
    captions = np.concatenate([said.caption.ravel() for said in maps])
    yield f"sigmoid({reading.sigmoid_scale:.1f} cos {reading.sigmoid_bias:+.1f}); 5, 50 and 95 % of cosines:"
    for name, values in (
        ("captions, all places", captions), ("selected words, best place", np.concatenate(best[True])),
        ("rejected words, best place", np.concatenate(best[False])),
    ):  # fmt: skip
        yield f"{name}: " + ", ".join(f"{value:.2f}" for value in np.percentile(values, (5, 50, 95)))


def teacher_lines(bench: Bench, count: int = 200) -> Iterator[str]:
    """A table: F1 of the selection with and without lies, and IoU of unions on small captions, by views and reading."""
    yield "| views | selected by | threshold | P | R | F1 | F1 with lies | union | union squared |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, (scales, hflip) in VIEWS.items():
        plain, lying = (_teacher_maps(bench, judged[:count], scales, hflip) for judged in (bench.val, bench.lying))
        for how in ("sigmoid", "softmax"):
            for threshold in THRESHOLDS:
                yield f"| {name} | {how} | {threshold} | " + _figures(bench, count, plain, lying, how, threshold)


Looked = Sequence[tuple[JudgedCaption, torch.Tensor]]


def _teacher_maps(bench: Bench, judged: Sequence[JudgedCaption], scales: tuple[float, ...], hflip: bool) -> Looked:
    """Every caption with its words' K×h×w maps, words in its own order."""
    backbone = bench.base()
    training = TtdTraining(backbone, TtdConfig(scales=scales, hflip=hflip), map_reading(backbone.info))
    words = CaptionWords(backbone)
    found = []
    for start in range(0, len(judged), 25):
        part = judged[start : start + 25]
        shown = np.stack([item.picture for item in part]).transpose(0, 3, 1, 2)
        batch = PairBatch(shown, tuple(item.caption for item in part))
        texts = words.batch(batch.captions)
        with torch.no_grad():
            pictures = to_input(batch.pictures, backbone.info, torch.device("cpu"))
            maps = training.averaged(pictures, training.look(pictures, texts))
        for item, rows, each, valid in zip(part, texts.word_rows, maps, texts.valid, strict=True):
            known = {texts.words[row]: place for place, row in enumerate(rows[valid].tolist())}
            kept = [place for place, word in enumerate(item.words) if word in known]
            same = replace(
                item, words=tuple(item.words[k] for k in kept), visible=item.visible[kept], masks=item.masks[kept]
            )
            found.append((same, each[[known[word] for word in same.words]]))
    return found


def _figures(bench: Bench, count: int, plain: Looked, lying: Looked, how: str, threshold: float) -> str:
    reading = map_reading(bench.base().info, how)
    reading = replace(reading, maps="sigmoid")
    metrics, ious = [], []
    for looked in (plain, lying):
        kept = [_selected(maps, reading, threshold) for _, maps in looked]
        metrics.append(tag_metrics(count_selected([item for item, _ in looked], [k.numpy()[0] for k in kept])))
    for item, maps in plain:
        if item.visible.any() and item.truth.mean() < SMALL_SHARE:
            targets = word_targets(reading.read(maps[None]), _selected(maps, reading, threshold))
            unions = [caption_target(targets.pow(power))[0].numpy() for power in (1, 2)]
            shown = enlarge(np.stack(unions), item.truth.shape[0])
            ious.append([[mask_shares(each > cut, item.truth).iou for cut in CUTS] for each in shown])
    best = np.mean(ious, axis=0).max(axis=1)
    shares = (metrics[0].precision, metrics[0].recall, metrics[0].f1, metrics[1].f1, *best)
    return " | ".join(f"{100 * share:.1f}" for share in shares) + " |"


def _selected(maps: torch.Tensor, reading: MapReading, threshold: float) -> torch.Tensor:
    return select_words(maps[None], torch.ones(1, len(maps), dtype=torch.bool), reading, threshold)
