"""Runs of `ttd evaluate` to compare, and data sets of a few drawn pictures with answers to score."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny_sets import write_mask, write_picture, write_text
from ttd_core.data.benchmarks.types import BenchmarkSample, OpenedBenchmark, Truth
from ttd_core.errors import DataError

ELSEWHERE = ("environment", "run_id", "shard")
"""Parts of `metrics.json` that say where and how, and not what came out."""


def outcome(folder: Path) -> dict[str, Any]:
    """What `metrics.json` says about the data and the answers, whatever the way to it."""
    result: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    result["options"].pop("shard", None)
    return {key: value for key, value in result.items() if key not in ELSEWHERE}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Every row that was recorded, in the order of writing."""
    return [json.loads(line) for line in (folder / "evaluate.jsonl").read_text().splitlines()]


def voc_keys(count: int) -> list[str]:
    """Names as VOC 2012 gives them."""
    return [f"2009_{number:06d}" for number in range(1, count + 1)]


def draw_voc(root: Path, count: int = 7, size: tuple[int, int] = (16, 24)) -> Path:
    """A VOC 2012 tree with `count` pictures; their label maps hold all of a few classes, the background and 255.

    Returns:
        the folder for `--root`.
    """
    base = root / "VOCdevkit" / "VOC2012"
    drawn = np.random.default_rng(0)
    for key in voc_keys(count):
        write_picture(base / "JPEGImages" / f"{key}.jpg", size)
        write_mask(base / "SegmentationClass" / f"{key}.png", drawn.choice([0, 1, 2, 3, 7, 255], size).astype(np.uint8))
    write_text(base / "ImageSets" / "Segmentation" / "val.txt", "\n".join(voc_keys(count)) + "\n")
    return root


def draw_answers(folder: Path, count: int = 7, size: tuple[int, int] = (16, 24)) -> Path:
    """Label maps for `draw_voc`, right by chance only."""
    drawn = np.random.default_rng(1)
    for key in voc_keys(count):
        write_mask(folder / f"{key}.png", drawn.choice([0, 1, 2, 9], size).astype(np.uint8))
    return folder


def write_rows(path: Path, rows: Mapping[str, Mapping[str, Any]]) -> Path:
    """JSON Lines with a key each."""
    return write_text(path, "".join(json.dumps({"key": key, **row}) + "\n" for key, row in rows.items()))


@dataclass(frozen=True)
class Awkward:
    """Reads numbers; some are refused, one ends the process that reads it."""

    refused: tuple[int, ...] = ()
    deadly: int | None = None

    def __call__(self, sample: BenchmarkSample) -> tuple[int, int]:
        if sample.source == self.deadly:
            os._exit(7)
        if sample.source in self.refused:
            raise DataError(f"{sample.key} cannot be read", hint="look at it")
        return sample.source, os.getpid()


@dataclass(frozen=True)
class DeadlyBenchmark(OpenedBenchmark):
    """A data set whose third truth ends the process."""

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        if sample.source == 2:
            os._exit(7)
        return Truth(tags=("dog",), notices=(f"{sample.key} looks odd",))
