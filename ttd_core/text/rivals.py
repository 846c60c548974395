"""Texts that a lone tag has to beat.

Softmax shares each place out among the texts it is given. A caption's own words are good company, but a single listed
tag would win everywhere, whatever the picture shows. The published training-free methods (CLIP-ES, TagCLIP) therefore
let their classes compete with words for grounds and surroundings; these are the 25 that both use with PASCAL VOC.
"""

from __future__ import annotations

from collections.abc import Iterable

from ttd_core.text.tokens import fold

RIVALS = (
    "ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea", "railway",
    "railroad", "keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road", "rock", "street", "valley",
    "bridge", "sign",
)  # fmt: skip


def rivals_of(tags: Iterable[str], rivals: Iterable[str] = RIVALS) -> tuple[str, ...]:
    """The rivals that are no word of any of the tags: nobody competes with himself."""
    words = {fold(word) for tag in tags for word in tag.split()}
    return tuple(rival for rival in rivals if rival not in words and f"{rival}s" not in words)
