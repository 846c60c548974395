"""CC3M-TagMask: captions with the tags a person sees in the picture, and those tags' masks.

The layout is `cc3m_for_evaluation/{image, json_refined, mask_using_HQ-SAM}` with one file per picture in the first two.
Nobody has published what is inside the JSON files, so the obvious spellings are read (names in any case):

- the caption: `caption`, `text`, `sentence` or `title`;
- the true tags: `tags`, `true_tags`, `gt_tags`, `refined_tags`, `tag`, `gt`, `ground_truth`, `labels`, `objects`,
  `nouns` or `words`, the first that is there: a list of texts, a text with commas, a list of objects that name the tag
  (`tag`, `name`, `label`, `word`, `noun`, `text`) and may say whether it is true (`true`, `selected`, `relevant`,
  `visible`, `valid`, `gt`, `value`), or a mapping from tag to true/false or 1/0. The last two judge every candidate
  they list;
- `candidates`: further judged words, as a list of texts;
- `names`: what the values 1, 2, ... of an index mask stand for (from 0 where the first name is `background`).

Masks are, for each picture, files `<id>_<tag>.png` or `<id>/<tag>.png` (several of one tag: `<tag>_0`, `<tag>_1`), an
index mask `<id>.png` with `names`, or a binary `<id>.png`, the mask of the whole caption. In file names tags have `_`
for blanks. Anything else is an error that shows what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np

from ttd_core.data.benchmarks.cc3m_tagmask_files import MaskFiles, list_mask_files
from ttd_core.data.benchmarks.cc3m_tagmask_json import Annotation, read_annotation
from ttd_core.data.benchmarks.label_files_rows import Answers
from ttd_core.data.benchmarks.label_files_tags import TagPrediction, read_tag_predictions
from ttd_core.data.benchmarks.places import below, find_base, list_files, list_pictures, not_found
from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, OpenedBenchmark, Truth
from ttd_core.data.files import show
from ttd_core.data.label_maps import read_label_map
from ttd_core.errors import DataError, UsageError

_NESTS = ("cc3m_for_evaluation", "cc3m/cc3m_for_evaluation", "CC3M/cc3m_for_evaluation")
_MASKS = ("mask_using_HQ-SAM", "mask_using_HQ_SAM", "mask", "masks")
_MARKS = ("image", "json_refined")


@dataclass(frozen=True)
class TagMaskSource:
    """What is known about one picture before its masks are read.

    Args:
        annotation: the JSON file's content.
        masks: its mask files, None where there are none.
    """

    annotation: Annotation
    masks: MaskFiles | None = None


@dataclass(frozen=True)
class TagMasks(OpenedBenchmark):
    """CC3M-TagMask; see the module."""

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """Tags as they were read, and masks from their files.

        Raises:
            DataError: a mask cannot be read, has another size, or holds values without a name.
        """
        source: TagMaskSource = sample.source
        known = source.annotation
        truth = Truth(tags=known.tags, candidates=known.candidates)
        if source.masks is None:
            return truth
        if source.masks.whole is not None:
            return _from_one_file(truth, source.masks.whole, known.names, size)
        masks: dict[str, np.ndarray] = {}
        for tag, paths in source.masks.by_tag:
            masks[tag] = reduce(np.logical_or, [_binary(path, size) for path in paths])
        return _with_masks(truth, masks, sample.key)


def open_cc3m_tagmask(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open CC3M-TagMask.

    Args:
        name: `cc3m-tagmask`.
        split: there are none.
        root: the folder `cc3m_for_evaluation`, or one that holds it.
        truth: true tags by picture, in a form of `read_tag_predictions`, instead of the JSON files' own.

    Raises:
        UsageError: a split was named.
        DataError: folders are missing, or no JSON file could be understood.
    """
    if split is not None:
        raise UsageError(f"--data {name}:{split}: {name} has no splits", f"give --data {name}")
    base = find_base(root, _MARKS, _NESTS, lambda _: False, deeper=True)
    if base is None:
        looked_for = [f"cc3m_for_evaluation/{folder}" for folder in (*_MARKS, _MASKS[0])]
        raise not_found(
            root, "CC3M-TagMask", looked_for, "--root takes the folder cc3m_for_evaluation or the one above"
        )
    masks = next((place for each in _MASKS if (place := below(base, each)) is not None and place.is_dir()), None)
    samples, absent = _samples(base, root, masks, read_tag_predictions(truth) if truth is not None else None)
    return _opened(name, samples, absent, masks, truth)


def _samples(
    base: Path, root: Path, masks: Path | None, tags: Answers[TagPrediction] | None
) -> tuple[list[BenchmarkSample], list[tuple[str, str]]]:
    pictures = list_pictures(_folder(base, "image"), root)
    files = list_files(_folder(base, "json_refined"), frozenset((".json",)), root)
    masks_of = list_mask_files(masks, root, frozenset(files.names)) if masks is not None else {}
    samples: list[BenchmarkSample] = []
    absent: list[tuple[str, str]] = []
    failures: list[DataError] = []
    for key in sorted({*files.names, *pictures.names}):
        image, file = pictures.path(key), files.path(key)
        if image is None or file is None:
            absent.append((key, "no picture in image" if image is None else "no annotation in json_refined"))
            continue
        try:
            annotation = _with_truth(read_annotation(file), tags, key)
        except DataError as error:
            absent.append((key, error.message))
            failures.append(error)
            continue
        samples.append(BenchmarkSample(key, image, annotation.caption, TagMaskSource(annotation, masks_of.get(key))))
    if not samples:
        raise failures[0] if failures else DataError(f"{show(base)}: no picture of image has a file in json_refined")
    return samples, absent


def _opened(
    name: str, samples: list[BenchmarkSample], absent: list[tuple[str, str]], masks: Path | None, truth: Path | None
) -> TagMasks:
    notices = [f"true tags are those of {show(truth)}"] if truth is not None else []
    with_masks = sum(sample.source.masks is not None for sample in samples)
    if not with_masks:
        notices.append("no masks are there, so only tags can be scored")
    elif with_masks < len(samples):
        notices.append(
            f"{len(samples) - with_masks:,} of {len(samples):,} pictures have no masks in {show(masks or Path())}"
        )
    tasks = ("tags", "text", "bias") if with_masks else ("tags", "bias")
    return TagMasks(name, tasks, None, tuple(samples), tuple(absent), tuple(notices))


def _folder(base: Path, name: str) -> Path:
    folder = below(base, name)
    assert folder is not None
    return folder


def _with_truth(annotation: Annotation, tags: Answers[TagPrediction] | None, key: str) -> Annotation:
    if tags is None:
        if annotation.tags is None:
            raise DataError(annotation.without_tags)
        return annotation
    if key not in tags:
        raise DataError("the file of true tags does not have it")
    found = tags[key]
    judged = tuple(each.tag for each in found.candidates) if found.candidates is not None else None
    return replace(annotation, tags=found.tags, candidates=judged)


def _from_one_file(truth: Truth, path: Path, names: tuple[str, ...] | None, size: tuple[int, int] | None) -> Truth:
    labels = read_label_map(path, None, size).labels
    values = [int(value) for value in np.unique(labels) if value]
    if names is None:
        if len(values) > 1:
            shown = ", ".join(map(str, values[:6]))
            raise DataError(
                f"{show(path)}: holds the values {shown}, but its JSON file has no list `names`",
                "expected a binary mask of the caption, one file per tag, or names for the values",
            )
        return replace(truth, caption_mask=labels > 0)
    first = 0 if names and names[0] == "background" else 1
    unnamed = [value for value in values if not first <= value < first + len(names) and value != 255]
    if unnamed:
        raise DataError(f"{show(path)}: holds {unnamed[0]}, but its JSON file has {len(names)} names")
    masks = {name: labels == value for value, name in enumerate(names, first) if value}
    return _with_masks(truth, masks, path.stem)


def _with_masks(truth: Truth, masks: Mapping[str, np.ndarray], key: str) -> Truth:
    """The masks of the true tags; those of other tags are no part of the truth."""
    true = set(truth.tags or ())
    kept = {tag: mask for tag, mask in masks.items() if tag in true}
    if len({mask.shape for mask in kept.values()}) > 1:
        raise DataError(f"the masks of {key} have different sizes")
    notices = tuple(
        f"{key}: {text}"
        for text, tags in (
            ("masks of tags that are not true are left out: ", sorted(masks.keys() - true)),
            ("true tags without a mask: ", sorted(true - masks.keys())),
        )
        for text in ([text + ", ".join(tags[:5])] if tags else [])
    )
    union = reduce(np.logical_or, kept.values()) if kept else None
    return replace(truth, tag_masks=kept, caption_mask=union, notices=notices)


def _binary(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    return read_label_map(path, None, size, binary=True).labels > 0
