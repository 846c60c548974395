"""Options of the tagger, with the published values."""

from __future__ import annotations

from dataclasses import dataclass

from ttd_core.errors import UsageError


@dataclass(frozen=True)
class TagClipConfig:
    """What the tagger leaves open.

    Args:
        blocks: blocks whose attention refines the scores, counted from 0; negative ones from the end. Published: 8, 9
            and 10 of twelve, for COCO-Stuff 0 to 10.
        threshold: τ, relative: a class is re-identified, and at the end is a tag, where its score lies above
            min + τ·(max − min). Published: 0.5, for COCO-Stuff 0.1.
        votes: share of the blocks that must find an attention above their mean for it to be kept. Published: 4 of 12.
        reidentify: look at the crops of candidate classes again (class-wise re-identification).
        crops: most crops that are encoded together, None for 8 on a CPU and 64 elsewhere; changes memory and time only.
    """

    blocks: tuple[int, ...] = (-4, -3, -2)
    threshold: float = 0.5
    votes: float = 1 / 3
    reidentify: bool = True
    crops: int | None = None

    def __post_init__(self) -> None:
        if not self.blocks:
            raise UsageError("no blocks named whose attention refines the scores")
        if not 0 <= self.threshold < 1:
            raise UsageError(f"threshold is {self.threshold:g}, expected at least 0 and below 1")
        if not 0 <= self.votes <= 1:
            raise UsageError(f"votes is {self.votes:g}, expected a share of the blocks, 0 to 1")

    def block_numbers(self, depth: int) -> frozenset[int]:
        """The named blocks of a tower with `depth` blocks.

        Raises:
            UsageError: the tower has no such block.
        """
        wrong = [block for block in self.blocks if not -depth <= block < depth]
        if wrong:
            raise UsageError(f"there is no block {wrong[0]}: the image encoder has {depth}, numbered from 0")
        return frozenset(block % depth for block in self.blocks)
