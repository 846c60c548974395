"""Options of CLIP-ES."""

from __future__ import annotations

from dataclasses import dataclass

from ttd_core.errors import UsageError


@dataclass(frozen=True)
class ClipEsConfig:
    """What the published settings vary from data set to data set.

    Args:
        blocks: blocks whose attention makes the affinity, counted from 0, negative ones from the end. Published: 4 to
            10 of twelve for VOC, 4 to 11 for COCO and COCO-Stuff.
        box_threshold: share of a map's maximum that its boxes lie around. Published: 0.4 for VOC, else 0.7.
    """

    blocks: tuple[int, ...] = (-8, -7, -6, -5, -4, -3, -2)
    box_threshold: float = 0.4

    def __post_init__(self) -> None:
        if not self.blocks:
            raise UsageError("no blocks named whose attention makes the affinity")
        if not 0 <= self.box_threshold <= 1:
            raise UsageError(f"box threshold is {self.box_threshold:g}, expected 0 to 1")

    def block_numbers(self, depth: int) -> frozenset[int]:
        """The named blocks of a tower with `depth` blocks; more than it has are left out where counted from the end.

        Raises:
            UsageError: the tower has no such block.
        """
        wrong = [block for block in self.blocks if block >= depth]
        if wrong:
            raise UsageError(f"there is no block {wrong[0]}: the image encoder has {depth}, numbered from 0")
        return frozenset(block % depth for block in self.blocks if block >= -depth)
