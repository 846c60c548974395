"""Pairs and views for TCL's training: what a step sees is a function of seed, step and data alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ttd_core.data.augmentation.draws import draw_of
from ttd_core.data.augmentation.views import NONE, PUBLISHED, Augmentation, View
from ttd_core.data.kept import open_kept
from ttd_core.data.pair_sources import open_pairs
from ttd_core.protocols import Reporter
from ttd_core.recipes.augmented_pairs import AugmentedPairs, ViewBatch
from ttd_core.recipes.scenes_pairs import MOST_SCENES, kept_scenes, training_scenes
from ttd_core.recipes.train_options import SCENES, TrainOptions
from ttd_core.recipes.train_tcl_step import Inputs
from ttd_core.recipes.train_ttd_data import Ahead, PairBatch, ScenePairs, places_of, to_input
from ttd_core.recipes.train_ttd_probe import ScenesTruth
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.training.share import Share
from ttd_core.types import ModelInfo

HELD_SCENES = 200


class ViewSource(Protocol):
    """Pairs to train on."""

    def share(self, step: int, share: Share) -> ViewBatch:
        """A share of the batch of a step."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """What a training is given.

    Args:
        pairs: to train on.
        held_out: pairs that training never sees, their middle squares.
        digest: tells other data apart.
    """

    pairs: ViewSource
    held_out: PairBatch
    digest: str


class SceneViews:
    """Views of drawn scenes, which are square already.

    Args:
        pairs: the scenes.
        augment: draws the views; `none` leaves a scene as it is.
        batch: pairs per step.
        seed: of the draws.
    """

    def __init__(self, pairs: ScenePairs, augment: Augmentation, batch: int, seed: int) -> None:
        self._pairs, self._augment, self._batch, self._seed = pairs, augment, batch, seed

    def share(self, step: int, share: Share) -> ViewBatch:
        """A share of the batch of a step."""
        found = self._pairs.share(step, share)
        if self._augment.kind == NONE:
            return ViewBatch([View(picture) for picture in found.pictures], found.captions)
        places = places_of(step, self._batch, share)
        views = [
            self._augment(np.ascontiguousarray(picture.transpose(1, 2, 0)), draw_of("scene", self._seed, place))
            for picture, place in zip(found.pictures, places, strict=True)
        ]
        return ViewBatch(views, found.captions)


@contextmanager
def open_views(
    options: TrainOptions, info: ModelInfo, side: int, report: Reporter, truth: ScenesTruth | None
) -> Iterator[TrainingData]:
    """Open what `--data` names.

    Args:
        options: data, batch, seed, augmentation.
        info: of the model.
        side: of the views in pixels.
        report: told about progress, and of pictures that cannot be used.
        truth: its scenes are the held-out pairs of drawn data.

    Raises:
        DataError: the pairs cannot be read.
    """
    own, scenes = options.resolved(), options.data == SCENES
    augment = Augmentation(options.augment or (NONE if scenes else PUBLISHED), side, info.mean)
    if scenes:
        yield _scenes(options, augment, report, truth)
        return
    kept = None if options.manifest is None else open_kept(Path(options.manifest))
    root = None if options.root is None else Path(options.root)
    source = open_pairs(options.data, root, options.columns if kept is None else kept.columns)
    workers = options.workers if options.workers > 1 else 0
    with AugmentedPairs(source, kept, augment, own.batch_size, options.seed, report, workers) as pairs:
        yield TrainingData(pairs, pairs.held_out, pairs.digest())


def _scenes(options: TrainOptions, augment: Augmentation, report: Reporter, truth: ScenesTruth | None) -> TrainingData:
    own = options.resolved()
    kept = None if options.manifest is None else open_kept(Path(options.manifest))
    cache = None if options.cache is None else Path(options.cache)
    rows = kept_scenes(kept, options.scenes or MOST_SCENES)
    count = own.scenes if rows is None else rows[-1] + 1
    data = training_scenes(count, augment.side, CaptionStyle(), options.workers, cache, report)
    data = data if rows is None else data.chosen(rows)
    held = (truth or ScenesTruth(HELD_SCENES)).held_out(augment.side)
    pairs = ScenePairs(data, held, own.batch_size, options.seed)
    return TrainingData(SceneViews(pairs, augment, own.batch_size, options.seed), held, f"scenes {pairs.total}")


def loader(
    pairs: ViewSource, shares: Sequence[Share], steps: int, info: ModelInfo, device: torch.device
) -> Callable[[int, Share], Inputs]:
    """Shares as the model takes them; the next one is read while the present one is computed."""
    ahead = Ahead(pairs.share, shares, steps)

    def load(step: int, share: Share) -> Inputs:
        batch = ahead(step, share)
        return views_input(batch.views, info, device), list(batch.captions)

    return load


def views_input(views: Sequence[View], info: ModelInfo, device: torch.device) -> torch.Tensor:
    """Views as the normalised float input of a model, b×3×S×S on its device, boxes filled with their noise."""
    images = to_input(np.stack([view.pixels for view in views]), info, device)
    for image, view in zip(images, views, strict=True):
        if view.erased is not None:
            box, noise = view.erased, torch.from_numpy(view.erased.noise).to(device)
            image[:, box.top : box.top + noise.shape[1], box.left : box.left + noise.shape[2]] = noise
    return images
