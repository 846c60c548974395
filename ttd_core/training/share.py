"""What a step is made of: equal shares of its batch, and what the losses say about each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from ttd_core.errors import UsageError


@dataclass(frozen=True)
class Share:
    """The part-th of `parts` equal slices of a step's global batch.

    Processes and gradient accumulation multiply: two processes that accumulate over four slices see eight parts. The
    loss of the step is the mean over its parts, whoever computes them.

    Args:
        part: 0-based.
        parts: how many there are in all processes together.
    """

    part: int = 0
    parts: int = 1

    def slice(self, total: int) -> slice:
        """Rows of this share in a global batch of `total` rows.

        Raises:
            UsageError: `total` cannot be cut into `parts` equal slices.
        """
        if total % self.parts or total < self.parts:
            raise UsageError(
                f"a batch of {total} cannot be cut into {self.parts} equal parts",
                hint="choose a batch size that is a multiple of processes × accumulation steps",
            )
        rows = total // self.parts
        return slice(self.part * rows, (self.part + 1) * rows)


@dataclass(frozen=True)
class StepLosses:
    """What a share of a step gives.

    Args:
        losses: scalars by name; their sum is minimised.
        monitors: figures that are watched and logged, not minimised.
        samples: pairs in this share, for the throughput; 0 where nobody counts.

    Every share of every step of a stage must name the same losses and monitors: a term that does not apply is 0, a
    monitor that does not is NaN.
    """

    losses: Mapping[str, torch.Tensor]
    monitors: Mapping[str, float] = field(default_factory=dict)
    samples: int = 0


LossFunction = Callable[[int, Share], StepLosses]
"""Computes a share of a step. What it draws at random depends on its own seed, step and share alone."""


def seed_of(seed: int, step: int, share: Share) -> int:
    """Seed of torch's own generators (dropout and the like) for a share; the same however shares fall to processes."""
    digest = hashlib.blake2b(f"{seed}/{step}/{share.part}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
