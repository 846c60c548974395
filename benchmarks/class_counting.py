"""Counting a label map against its truth: one histogram over pairs against a loop over the classes, both in this run.

    python benchmarks/class_counting.py [--classes 171] [--maps 8] [--repeats 3]

The loop is the textbook form: per class three logical operations over all pixels. Goal: 10 times, equal counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from ttd_core.metrics.segmentation import class_counts, count_pixels

HEIGHT, WIDTH, IGNORED = 480, 640, 255
GOAL = 10.0

Maps = list[tuple[np.ndarray, np.ndarray]]


def make_maps(classes: int, count: int) -> Maps:
    """Predictions and truths in blocks of 20 pixels, a fifth of the blocks wrong, one in twenty ignored."""
    rng = np.random.default_rng(0)
    maps = []
    for _ in range(count):
        truth = rng.integers(0, classes, (HEIGHT // 20, WIDTH // 20))
        predicted = np.where(rng.random(truth.shape) < 0.2, rng.integers(0, classes, truth.shape), truth)
        truth[rng.random(truth.shape) < 0.05] = IGNORED
        blocks = np.ones((20, 20), dtype=np.uint8)
        maps.append((np.kron(predicted, blocks).astype(np.uint8), np.kron(truth, blocks).astype(np.uint8)))
    return maps


def per_class_loop(maps: Maps, classes: int) -> np.ndarray:
    """3×C true positives, false positives and false negatives."""
    counts = np.zeros((3, classes), dtype=np.int64)
    for predicted, truth in maps:
        counted = truth != IGNORED
        for index in range(classes):
            ours, theirs = np.logical_and(predicted == index, counted), truth == index
            counts[0, index] += np.logical_and(ours, theirs).sum()
            counts[1, index] += np.logical_and(ours, ~theirs).sum()
            counts[2, index] += np.logical_and(np.logical_and(~ours, theirs), counted).sum()
    return counts


def histogram(maps: Maps, classes: int) -> np.ndarray:
    """The same from one confusion."""
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for predicted, truth in maps:
        confusion += count_pixels(predicted, truth, classes, IGNORED)
    counts = class_counts(confusion)
    return np.stack([counts.tp, counts.fp, counts.fn])


def seconds(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> int:
    """Print both times, their ratio, and whether the counts agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=171)
    parser.add_argument("--maps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    maps = make_maps(options.classes, options.maps)
    histogram(maps[:1], options.classes)
    # in turn, so that a busy machine slows both
    runs = [
        (seconds(lambda: histogram(maps, options.classes)), seconds(lambda: per_class_loop(maps, options.classes)))
        for _ in range(options.repeats)
    ]
    ours, loop = (min(run[side][0] for run in runs) for side in (0, 1))
    equal = bool((runs[-1][0][1] == runs[-1][1][1]).all())
    print(f"{options.maps} label maps of {WIDTH}x{HEIGHT}, {options.classes} classes, counts equal: {equal}")
    print(f"per-class loop  {loop:8.3f} s")
    print(f"one histogram   {ours:8.3f} s")
    print(f"ratio {loop / ours:.1f} (goal {GOAL:.0f})")
    return 0 if equal and loop / ours >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
