"""The splits `scenes:train`, `scenes:val`, `scenes:test` and `scenes:hard`.

Scene i of a split depends on the split's seed and i alone, so any range can be made anywhere, in any order. The hard
split shows the test scenes with test captions into which absent words were inserted.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ttd_core.errors import UsageError
from ttd_core.scenes.captions import DEFAULT_STYLE, CaptionStyle, harden, make_caption
from ttd_core.scenes.dice import Dice
from ttd_core.scenes.layouts import plan_scene
from ttd_core.scenes.scene import Entity, Scene, paint_scene
from ttd_core.scenes.stuff import BASE

CHUNK = 64


@dataclass(frozen=True)
class Split:
    """A numbered sequence of scenes.

    Args:
        seed: of every scene in the split.
        length: usual number of scenes; more may be drawn.
        captions: captions per scene.
        hard: whether absent words are inserted.
    """

    seed: int
    length: int
    captions: int
    hard: bool = False


SPLITS: MappingProxyType[str, Split] = MappingProxyType({
    "train": Split(seed=101, length=30_000, captions=4),
    "val": Split(seed=202, length=400, captions=1),
    "test": Split(seed=303, length=400, captions=1),
    "hard": Split(seed=303, length=400, captions=1, hard=True),
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """Consecutive scenes of one split, stacked.

    Args:
        start: number of the first scene.
        images: N×S×S×3 uint8 RGB.
        ids: N×S×S uint8.
        entities, captions, layouts, modes: one entry per scene.
    """

    start: int
    images: np.ndarray
    ids: np.ndarray
    entities: tuple[tuple[Entity, ...], ...]
    captions: tuple[tuple[str, ...], ...]
    layouts: tuple[str, ...]
    modes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)

    def scene(self, position: int) -> Scene:
        """The scene at a position of this batch (0 is scene number `start`)."""
        return Scene(
            self.images[position], self.ids[position], self.entities[position], self.captions[position],
            self.layouts[position], self.modes[position],
        )  # fmt: skip


def find_split(name: str) -> Split:
    """The split of a name, with or without the prefix `scenes:`.

    Raises:
        UsageError: there is no such split.
    """
    split = SPLITS.get(name.removeprefix("scenes:"))
    if split is None:
        raise UsageError(f"no scenes split '{name}'", hint="use one of " + ", ".join(f"scenes:{key}" for key in SPLITS))
    return split


def make_scene(split: str, index: int, size: int = BASE, style: CaptionStyle = DEFAULT_STYLE) -> Scene:
    """Make one scene.

    Args:
        split: `train`, `val`, `test` or `hard`.
        index: number of the scene, from 0.
        size: picture side in pixels. Captions do not depend on it.
        style: how much the captions lie.

    Returns:
        The same bytes for the same arguments.

    Raises:
        UsageError: unknown split, negative index or a size below 16.
    """
    kind = find_split(split)
    if index < 0 or size < 16:
        raise UsageError(f"scene {index} at {size} pixels cannot be made", hint="use an index from 0, a size from 16")
    plan = plan_scene(kind.seed, index, 0)
    scene = paint_scene(plan, size)
    shown = scene if size == BASE else paint_scene(plan, BASE)
    dice = Dice(kind.seed, index, 1)
    captions = tuple(make_caption(shown, dice, style) for _ in range(kind.captions))
    if kind.hard:
        dice = Dice(kind.seed, index, 2)
        captions = tuple(harden(caption, shown, dice) for caption in captions)
    return replace(scene, captions=captions)


def make_batch(split: str, start: int, stop: int, size: int = BASE, style: CaptionStyle = DEFAULT_STYLE) -> SceneBatch:
    """Make the scenes start..stop-1 in this process."""
    scenes = [make_scene(split, index, size, style) for index in range(start, stop)]
    return SceneBatch(
        start,
        np.stack([scene.image for scene in scenes]) if scenes else np.empty((0, size, size, 3), np.uint8),
        np.stack([scene.ids for scene in scenes]) if scenes else np.empty((0, size, size), np.uint8),
        tuple(scene.entities for scene in scenes),
        tuple(scene.captions for scene in scenes),
        tuple(scene.layout for scene in scenes),
        tuple(scene.mode for scene in scenes),
    )


def generate_split(
    split: str,
    size: int = BASE,
    start: int = 0,
    stop: int | None = None,
    workers: int = 1,
    style: CaptionStyle = DEFAULT_STYLE,
) -> Iterator[SceneBatch]:
    """Make scenes start..stop-1 in order, in batches of at most 64.

    Args:
        split: name of the split.
        size: picture side in pixels.
        start: number of the first scene.
        stop: number after the last scene, None for the split's usual length.
        workers: processes. With more than one, a script needs the usual `if __name__ == "__main__"` guard.
        style: how much the captions lie.

    Yields:
        Stacked scenes. The result does not depend on `workers`.

    Raises:
        UsageError: unknown split.
    """
    end = find_split(split).length if stop is None else stop
    edges = [(low, min(low + CHUNK, end)) for low in range(start, end, CHUNK)]
    if workers <= 1 or len(edges) <= 1:
        for low, high in edges:
            yield make_batch(split, low, high, size, style)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(edges)), mp_context=context) as pool:
        waiting = [pool.submit(make_batch, split, low, high, size, style) for low, high in edges[: 2 * workers]]
        for number in range(len(edges)):
            batch = waiting.pop(0).result()
            if number + 2 * workers < len(edges):
                waiting.append(pool.submit(make_batch, split, *edges[number + 2 * workers], size, style))
            yield batch
