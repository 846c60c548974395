"""Training scenes in memory, kept in a cache folder between runs."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ttd_core.protocols import Reporter
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.dataset import CHUNK, generate_split


@dataclass(frozen=True)
class CaptionedPictures:
    """Generated pictures and their captions; no tags, no masks.

    Args:
        pictures: N×3×S×S uint8.
        captions: the captions of each picture.
    """

    pictures: np.ndarray
    captions: list[list[str]]


def training_scenes(
    count: int, size: int, style: CaptionStyle, workers: int, cache: Path | None, report: Reporter
) -> CaptionedPictures:
    """Make the first `count` scenes of `scenes:train`, or read them from the cache.

    Args:
        count: number of scenes.
        size: picture side in pixels.
        style: how much the captions lie.
        workers: generating processes.
        cache: folder for `scenes-train-<options>.npy` and `.json`; None keeps nothing.
        report: told about progress.
    """
    if cache is None:
        return _generate(count, size, style, workers, report)
    lies = "-".join(f"{value:g}" for value in (style.absent_as_present, style.absent_in_phrase, style.absent_in_tail))
    stem = f"scenes-train-{count}-{size}px-{lies}-{style.inserted[0]}-{style.inserted[1]}"
    pictures_file, captions_file = cache / f"{stem}.npy", cache / f"{stem}.json"
    if not captions_file.exists():
        made = _generate(count, size, style, workers, report)
        cache.mkdir(parents=True, exist_ok=True)
        _write(pictures_file, captions_file, made, style)
    captions = json.loads(captions_file.read_text(encoding="utf-8"))["captions"]
    return CaptionedPictures(np.load(pictures_file), captions)


def _generate(count: int, size: int, style: CaptionStyle, workers: int, report: Reporter) -> CaptionedPictures:
    pictures = np.empty((count, 3, size, size), dtype=np.uint8)
    captions: list[list[str]] = []
    batches = generate_split("train", size=size, stop=count, workers=workers, style=style)
    for batch in report.track(batches, -(-count // CHUNK), "generating scenes"):
        # N×S×S×3 -> N×3×S×S
        pictures[batch.start : batch.start + len(batch)] = batch.images.transpose(0, 3, 1, 2)
        captions += [list(several) for several in batch.captions]
    return CaptionedPictures(pictures, captions)


def _write(pictures_file: Path, captions_file: Path, made: CaptionedPictures, style: CaptionStyle) -> None:
    """Write the pictures first: captions in place mean a complete pair of files."""
    temporary = pictures_file.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        np.save(stream, made.pictures)
    os.replace(temporary, pictures_file)
    temporary.write_text(json.dumps({"style": asdict(style), "captions": made.captions}), encoding="utf-8")
    os.replace(temporary, captions_file)
