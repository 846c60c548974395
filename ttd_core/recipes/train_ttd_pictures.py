"""What a distillation did: the maps of a few held-out pairs before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ttd_core.drawing.canvas import save_png
from ttd_core.drawing.pair_sheet import pair_sheet
from ttd_core.drawing.tiles import Panel
from ttd_core.methods.ttd.model import TtdTraining
from ttd_core.ops.calibrate import calibrate, stretch_maps
from ttd_core.recipes.train_ttd_data import PairBatch, to_input
from ttd_core.recipes.train_ttd_probe import CaptionWords

SAMPLES = 4
WORDS = 6


@dataclass(frozen=True)
class SampleMaps:
    """What a model sees of one pair.

    Args:
        picture: S×S×3 uint8.
        caption: the sentence.
        words: its candidates.
        maps: (K+1)×h×w, each stretched to 0..1; the last one is the caption's.
        scores: K pixel scores in 0..1.
    """

    picture: np.ndarray
    caption: str
    words: Sequence[str]
    maps: np.ndarray
    scores: Sequence[float]


@torch.no_grad()
def sample_maps(training: TtdTraining, words: CaptionWords, held: PairBatch, count: int = SAMPLES) -> list[SampleMaps]:
    """The maps of the first held-out pairs with at least two candidates, by the model as it is now."""
    backbone: Any = training.backbone
    device, reading = next(training.parameters()).device, training.reading
    found: list[SampleMaps] = []
    for place, caption in enumerate(held.captions):
        texts = words.batch([caption])
        if len(texts.words) < 2 or len(found) == count:
            continue
        seen = training.look(to_input(held.pictures[place : place + 1], backbone.info, device), texts)
        scores = calibrate(
            seen.words, reading.calibration, logit_scale=reading.logit_scale, sigmoid_scale=reading.sigmoid_scale,
            sigmoid_bias=reading.sigmoid_bias,
        ).amax(dim=(2, 3))[0]  # fmt: skip
        maps = stretch_maps(torch.cat([seen.words, seen.captions[:, None]], dim=1))[0]
        picture = held.pictures[place].transpose(1, 2, 0)
        found.append(SampleMaps(picture, caption, texts.words, maps.float().cpu().numpy(), scores.tolist()))
    return found


def draw_maps(path: Path, before: Sequence[SampleMaps], after: Sequence[SampleMaps]) -> None:
    """Draw the maps before and after below each other: the caption's, then those of its best words before.

    Raises:
        RunError: the picture cannot be written.
    """
    pages = []
    for old, new in zip(before, after, strict=True):
        order = sorted(sorted(range(len(old.words)), key=lambda k: -old.scores[k])[:WORDS])
        page = pair_sheet(old.picture, _panels(old, order), _panels(new, order), title=old.caption)
        pages.append(page.resize((page.width // 2, page.height // 2), Image.Resampling.LANCZOS))
    if pages:
        save_png(path, _stacked(pages))


def _panels(seen: SampleMaps, words: Sequence[int]) -> list[Panel]:
    own = [Panel(seen.words[k], seen.maps[k], seen.scores[k], seen.scores[k] >= 0.5) for k in words]
    return [Panel("the caption", seen.maps[-1]), *own]


def _stacked(pages: Sequence[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (max(p.width for p in pages), sum(p.height for p in pages)), (255, 255, 255))
    top = 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    return whole
