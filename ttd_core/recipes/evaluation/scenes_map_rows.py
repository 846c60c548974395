"""The scenes tables about maps: pixel AUC and pointing, for all visible words and word by word. No thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ttd_core.recipes.scenes_measure import MapJudgement, Views
from ttd_core.scenes.vocabulary import ATTRIBUTES, STUFF, name_forms

_GROUND_WORDS = frozenset().union(*(name_forms(name) for name in STUFF))


@dataclass(frozen=True)
class MapRow:
    """Quality of the word maps of a split, all in 0..1.

    Args:
        split: name of the split.
        views: picture sides that were averaged.
        auc: pixel AUC, mean over all visible words of all captions.
        pointing: share of these words whose highest pixel lies in their mask.
    """

    split: str
    views: str
    auc: float
    pointing: float


@dataclass(frozen=True)
class WordRow:
    """The same for one word, or for one kind of words (mean over its words).

    Args:
        word: the word, or the kind's name.
        kind: `thing`, `ground` or `attribute`.
        count: captions in which it is visible, or words of the kind.
        auc, pointing: see `MapRow`; a word that always fills its whole picture has no AUC (NaN).
    """

    word: str
    kind: str
    count: int
    auc: float
    pointing: float


def map_row(split: str, views: Views, found: Sequence[MapJudgement]) -> MapRow:
    """The means over all judgements."""
    sizes = "+".join(f"{size}" for size in views.sizes) + " px" + (", mirrored too" if views.hflip else "")
    return MapRow(split, sizes, _mean_auc(found), _mean([one.inside for one in found]))


def word_rows(found: Sequence[MapJudgement]) -> list[WordRow]:
    """One row per word, by kind, most frequent first, then in alphabetical order."""
    words: dict[str, list[MapJudgement]] = {}
    for one in found:
        words.setdefault(one.word, []).append(one)
    rows = [
        WordRow(word, _kind(word), len(group), _mean_auc(group), _mean([one.inside for one in group]))
        for word, group in words.items()
    ]
    return sorted(rows, key=lambda row: (_KINDS.index(row.kind), -row.count, row.word))


def kind_rows(words: Sequence[WordRow]) -> list[WordRow]:
    """Means over the words of each kind, every word counting once."""
    rows = []
    for kind in _KINDS:
        group = [row for row in words if row.kind == kind]
        areas = [row.auc for row in group if not math.isnan(row.auc)]
        rows.append(WordRow(kind, kind, len(group), _mean(areas), _mean([row.pointing for row in group])))
    return rows


_KINDS = ("thing", "ground", "attribute")


def _kind(word: str) -> str:
    return "attribute" if word in ATTRIBUTES else "ground" if word in _GROUND_WORDS else "thing"


def _mean_auc(found: Sequence[MapJudgement]) -> float:
    return _mean([one.auc for one in found if not math.isnan(one.auc)])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else float("nan")
