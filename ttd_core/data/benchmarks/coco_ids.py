"""How COCO and COCO-Stuff number their classes, and the tables from file values to class indices."""

from __future__ import annotations

from functools import cache

import numpy as np

from ttd_core.data.benchmarks.class_lists import coarse_groups
from ttd_core.data.benchmarks.types import IGNORE

_UNUSED = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91))

OFFICIAL_IDS = tuple(number for number in range(1, 183) if number not in _UNUSED)
"""Ids of the 171 classes of COCO-Stuff in class order; label PNGs hold them less one."""

CATEGORY_IDS = tuple(number for number in OFFICIAL_IDS if number <= 90)
"""Ids of the 80 object classes in class order."""


def _table(labels: dict[int, int], inside: int) -> np.ndarray:
    """A table of 65536 labels; what is not named is `IGNORE` for 255 and `inside` for all others."""
    table = np.full(65536, inside, dtype=np.uint16)
    table[255] = IGNORE
    for value, label in labels.items():
        table[value] = label
    return table


INVALID = 65534
"""In the tables: a value that no file of this kind holds."""

RAW_TO_STUFF = _table({number - 1: rank for rank, number in enumerate(OFFICIAL_IDS)}, INVALID)
"""Value in a raw label PNG (`stuffthingmaps`) -> class 0..170."""

RAW_TO_OBJECT = _table({number - 1: 0 for number in OFFICIAL_IDS} | {255: 0}, INVALID)
RAW_TO_OBJECT[[number - 1 for number in CATEGORY_IDS]] = np.arange(1, 81)
"""Value in a raw label PNG -> 0 background, 1..80 objects; unlabelled pixels are background (TCL's conversion)."""


@cache
def raw_to_coarse() -> np.ndarray:
    """Value in a raw label PNG -> group 0..26; from 182 on ignored, as TagCLIP's evaluation does."""
    return _table(dict(enumerate(coarse_groups())), IGNORE)


@cache
def stuff_to_coarse() -> np.ndarray:
    """Class 0..170 -> group 0..26."""
    groups = coarse_groups()
    return _table({rank: groups[number - 1] for rank, number in enumerate(OFFICIAL_IDS)}, INVALID)
