"""COCO-Stuff ids in lists of image-level labels (TagCLIP's image sets)."""

from __future__ import annotations

from ttd_core.data.benchmarks.coco_ids import OFFICIAL_IDS
from ttd_core.errors import DataError

_INDEX = {number - 1: index for index, number in enumerate(OFFICIAL_IDS)}


def cocostuff_index(id182: int) -> int:
    """From the id 0..181 of a label list to the class 0..170, by counting the ids that remain.

    TagCLIP's tag files hold classes 0..170 while its image set holds these ids (specification of TagCLIP, 2.1).

    Raises:
        DataError: one of the eleven ids that COCO-Stuff does not use, or none of 0..181.
    """
    index = _INDEX.get(id182)
    if index is None:
        raise DataError(
            f"label {id182} is no COCO-Stuff class, expected an id of 0..181 that the data set uses",
            hint="label lists hold zero-based COCO-Stuff ids; tag files hold classes 0..170 and need no conversion",
        )
    return index
