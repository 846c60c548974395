"""Which samples are kept: arrays in, a mask out. Row numbers are ranks among equals, so ties need no names here.

Memory, in bytes per row: 4 for the score, 8 for the caption, 3 masks of 1, and while ranking 4 for a copy of the
scores; captions are merged in sixteen parts, so sorting them never holds indices of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_PARTS = 16
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Merged:
    """The scores of all shards, shards by name and within each the rows by key.

    Args:
        scores: N float32, NaN where a sample has none.
        captions: N uint64, the first 64 bits of the caption's digest. That two different captions of ten million share
            them has a chance of 3 in a million.
    """

    scores: np.ndarray
    captions: np.ndarray


@dataclass(frozen=True)
class CaptionMerge:
    """Samples with a score, by caption.

    Args:
        captions: how many different ones.
        repeated: how many of them come with several samples.
        best: N bool, the best sample of every caption; of equal scores the first row.
    """

    captions: int
    repeated: int
    best: np.ndarray


@dataclass(frozen=True)
class Choice:
    """What a rule keeps.

    Args:
        kept: N bool.
        ranked: N bool, the samples that the rule was applied to.
        threshold: the lowest score that is kept, a float32; of `--min-score` the given one.
        tied: samples of that very score that are dropped, since enough others of it come first.
    """

    kept: np.ndarray
    ranked: np.ndarray
    threshold: np.float32
    tied: int


def merge_captions(merged: Merged) -> CaptionMerge:
    """Bring the samples of equal captions together.

    Returns:
        See `CaptionMerge`; samples without a score take no part.
    """
    scored = np.isfinite(merged.scores)
    best = np.zeros(len(scored), dtype=bool)
    captions = repeated = 0
    for rows in _by_caption(merged.captions, scored):
        digests = merged.captions[rows]
        order = np.lexsort((-merged.scores[rows], digests))  # stable: equals stay in the order of their rows
        digests = digests[order]
        first = np.ones(len(rows), dtype=bool)
        np.not_equal(digests[1:], digests[:-1], out=first[1:])
        best[rows[order[first]]] = True
        starts = np.flatnonzero(first)
        captions += len(starts)
        repeated += int((np.diff(starts, append=len(rows)) > 1).sum())
    return CaptionMerge(captions, repeated, best)


def count_captions(captions: np.ndarray, chosen: np.ndarray) -> int:
    """How many different captions the chosen rows have."""
    return sum(len(np.unique(captions[rows])) for rows in _by_caption(captions, chosen))


def _by_caption(captions: np.ndarray, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """The chosen rows in parts, ascending within each; equal captions are in the same one."""
    parts = np.empty(len(captions), dtype=np.uint8)
    for begin in range(0, len(captions), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        parts[block] = captions[block] >> np.uint64(60)
    for part in range(_PARTS):
        rows = np.flatnonzero((parts == part) & chosen)
        if len(rows):
            yield rows


def choose(scores: np.ndarray, ranked: np.ndarray, rule: str, value: float | int) -> Choice:
    """Apply a keep rule.

    Args:
        scores: N float32.
        ranked: N bool, the samples to rank, all of them with a score and at least one.
        rule: `keep` (a share, rounded up to whole samples), `min_score` or `top_k`.
        value: of the rule.
    """
    if rule == "min_score":
        with np.errstate(over="ignore"):  # above all float32: nothing is kept
            threshold = np.float32(value)
        return Choice(ranked & (scores >= threshold), ranked, threshold, 0)
    total = int(ranked.sum())
    # as the decimal fraction that was typed: 0.07 of 100 is 7, not the 7.000000000000001 of binary arithmetic
    wanted = math.ceil(Fraction(repr(value)) * total) if rule == "keep" else int(value)
    wanted = min(wanted, total)
    values = scores[ranked]
    values.partition(total - wanted)
    threshold = np.float32(values[total - wanted])
    kept = ranked & (scores > threshold)
    equal = np.flatnonzero(ranked & (scores == threshold))
    places = wanted - int(kept.sum())
    kept[equal[:places]] = True
    return Choice(kept, ranked, threshold, len(equal) - places)


def best_rows(scores: np.ndarray, chosen: np.ndarray, count: int, worst: bool = False) -> np.ndarray:
    """The rows of the best samples, best first; with `worst` those of the worst, the better ones first.

    Args:
        scores: N float32.
        chosen: N bool, the samples to look at, all of them with a score.
        count: how many to find at most.
        worst: look from the other end of the same order.
    """
    rows = np.flatnonzero(chosen)
    sign = np.float32(-1 if worst else 1)
    if len(rows) > count:
        values = sign * scores[rows]
        limit = np.partition(values, len(rows) - count)[len(rows) - count]
        above, equal = rows[values > limit], rows[values == limit]
        left = count - len(above)
        rows = np.concatenate([above, equal[len(equal) - left :] if worst else equal[:left]])
    return rows[np.lexsort((rows, -scores[rows]))]


def order_statistics(scores: np.ndarray, shares: tuple[float, ...]) -> list[np.float32]:
    """Scores that a share of the samples does not exceed: exact members of the data, by nearest rank.

    Args:
        scores: N float32, N ≥ 1; NaN is left out.
        shares: from 0 (the lowest score) to 1 (the highest).
    """
    values = scores[np.isfinite(scores)]
    places = [max(0, math.ceil(Fraction(repr(share)) * len(values)) - 1) for share in shares]
    values.partition(sorted(set(places)))
    return [np.float32(values[place]) for place in places]


def shown(score: np.float32) -> float:
    """A float32 as the shortest decimal that stands for it: 0.7, not 0.699999988079071."""
    return float(str(score))
