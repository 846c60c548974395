"""Score files of a run -> the figures that a person reads, one file at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ttd_core.data.scores import OK, open_scores

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_BINS = 1 << 17
"""Bins of -1..1 from which quantiles are read: exact to 0.00002."""


def summarise(files: Iterable[Path]) -> dict[str, Any]:
    """Counts by status, and mean, extremes and quantiles of the scores.

    Args:
        files: score files; their order changes nothing.

    Returns:
        `pairs`, `ok`, `bad` (status -> count, most frequent first) and `score` (name -> value, None without a score).

    Raises:
        DataError: a file is damaged.
    """
    counts: dict[str, int] = {}
    sums: list[float] = []
    histogram = np.zeros(_BINS, np.int64)
    low, high = math.inf, -math.inf
    for file in files:
        for batch in open_scores(file).batches(("status", "score")):
            for entry in batch.column("status").value_counts().to_pylist():
                counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
            scores = batch.column("score").drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
            if len(scores):
                sums.append(math.fsum(scores))
                low, high = min(low, float(scores.min())), max(high, float(scores.max()))
                bins = np.clip(((scores + 1) * (_BINS / 2)).astype(np.int64), 0, _BINS - 1)
                histogram += np.bincount(bins, minlength=_BINS)
    ok = counts.pop(OK, 0)
    bad = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    score = None if not ok else _figures(histogram, ok, math.fsum(sums) / ok, low, high)
    return {"pairs": ok + sum(bad.values()), "ok": ok, "bad": bad, "score": score}


def _figures(histogram: np.ndarray, count: int, mean: float, low: float, high: float) -> dict[str, float]:
    below = np.cumsum(histogram)
    found = {"mean": mean, "min": low}
    for share in QUANTILES:
        place = int(np.searchsorted(below, max(1, math.ceil(share * count))))
        value = (place + 0.5) * 2 / _BINS - 1
        found[f"q{round(share * 100):02d}"] = min(max(value, low), high)
    return {name: round(value, 5) for name, value in (found | {"max": high}).items()}
