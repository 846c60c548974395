"""The generated scenes as a data set: drawn when asked for, nothing on disk, every word and pixel judged exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ttd_core.data.benchmarks.types import BenchmarkSample, ClassList, OpenedBenchmark, Truth
from ttd_core.errors import DataError
from ttd_core.scenes.dataset import find_split, make_scene
from ttd_core.scenes.scene import Scene, visible_flags, word_masks
from ttd_core.scenes.vocabulary import STUFF, THINGS, content_words
from ttd_core.types import Picture

CLASSES = ClassList("scenes", STUFF + THINGS)
"""The 9 grounds and 27 things a scene is made of. There is no background: every pixel shows one of them."""

TASKS = ("tags", "text", "masks", "bias", "classification")


@dataclass(frozen=True)
class ScenesBenchmark(OpenedBenchmark):
    """One split of the scenes; see `Benchmark`. It holds captions only, so it travels to other processes cheaply.

    Args:
        split: `test`, `hard`, `val` or `train`.
    """

    split: str = "test"

    def picture(self, sample: BenchmarkSample) -> Picture:
        """Draw the picture: 96×96, the same bytes every time and everywhere."""
        return Picture(_scene(self.split, sample.source).image, sample.key)

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """What the drawing says about a caption and its picture.

        The candidates are the caption's words without the stop words of the scenes (`content_words`), which differ
        from the general list: with that one `near` would be a candidate and `here` none. A word is true when its mask
        holds at least 0.3 % of the picture. `present` follows the same rule for classes, while the label map names
        the topmost ground or thing at every pixel, however small.

        Raises:
            DataError: the picture is said to have another size.
        """
        scene = _scene(self.split, sample.source)
        if size is not None and tuple(size) != scene.ids.shape:
            height, width = scene.ids.shape
            raise DataError(f"{sample.key}: a picture of {size[1]}x{size[0]} pixels, the scene has {width}x{height}")
        words = content_words(sample.caption or "")
        flags = visible_flags(scene, words)
        tags = tuple(word for word, seen in zip(words, flags, strict=True) if seen)
        masks = word_masks(scene, tags)
        return Truth(
            label_map=_label_map(scene),
            present=tuple(np.flatnonzero(visible_flags(scene, CLASSES.names)).tolist()),
            tags=tags,
            candidates=words,
            tag_masks=dict(zip(tags, masks, strict=True)),
            caption_mask=np.asarray(masks.any(axis=0)),
        )


def open_scenes(name: str, split: str, limit: int | None = None) -> ScenesBenchmark:
    """Open a split: every scene is drawn once for its caption (about 2 ms each) and forgotten.

    Args:
        name: as the user typed it.
        split: `test`, `hard` (the test scenes, 1 to 3 absent words inserted into each caption), `val` or `train` (the
            first of each scene's four captions).
        limit: open the first so many samples only; None opens the split's usual length.

    Raises:
        UsageError: there is no such split.
    """
    length = find_split(split).length
    samples = tuple(
        BenchmarkSample(f"{split}-{index:05d}", caption=make_scene(split, index).captions[0], source=index)
        for index in range(length if limit is None else min(limit, length))
    )
    return ScenesBenchmark(name, TASKS, CLASSES, samples, split=split)


@lru_cache(maxsize=2)
def _scene(split: str, index: int) -> Scene:
    """A picture and its truth are asked for one after the other: draw once."""
    return make_scene(split, index)


def _label_map(scene: Scene) -> np.ndarray:
    """S×S uint16: the class of the topmost entity."""
    labels: np.ndarray = np.array([CLASSES.names.index(entity.name) for entity in scene.entities], np.uint16)[scene.ids]
    return labels
