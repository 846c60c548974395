"""When what trains, and how fast: the published schedule, scaled to any number of steps and any batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

STEPS = 50_000
FROZEN_STEPS = 30_000
WARMUP = 15_000
PEAK_AT_4096 = 3e-4
FLOOR = 2 / 15
"""Last rate as a share of the peak: 4e-5 and 3e-4 at a batch of 4096."""
WARMUP_START = 1e-4
"""First rate as a share of the peak."""


def peak_rate(batch: int) -> float:
    """The published peak rate for a global batch: 3e-4 · batch / 4096."""
    return PEAK_AT_4096 * batch / 4096


def share_of_steps(published: int, steps: int) -> int:
    """A length of the published 50,000 steps in a training of `steps`, rounded."""
    return round(published * steps / STEPS)


@dataclass(frozen=True)
class TclSchedule:
    """Lengths in steps.

    Args:
        steps: all of them.
        frozen: the first stage, in which the masker's copy of CLIP's last block does not train.
        warmup: linear warm-up; then a cosine down to the floor at the last step.
        floor: last rate as a share of the peak.
    """

    steps: int = STEPS
    frozen: int = FROZEN_STEPS
    warmup: int = WARMUP
    floor: float = FLOOR

    def block_trains(self, step: int) -> bool:
        """Whether the masker's block trains at 0-based `step`: the second stage."""
        return step >= self.frozen

    def factor(self, step: int) -> float:
        """Factor on the peak rate at 0-based `step`."""
        if step < self.warmup:
            return WARMUP_START + (1 - WARMUP_START) * step / self.warmup
        progress = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * progress)) / 2
