"""A small training that resumes, runs in several processes and can be killed: shared by the tests of the loop.

Run as a program it is one process of such a training, with its place given as `torchrun` gives it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ttd_core.protocols import SilentReporter
from ttd_core.training.distributed import Place, join
from ttd_core.training.loop import Bookkeeping, LoopSettings, Share, Stage, StageResult, StepLosses, run_stage

BATCH = 8
STAGE = Stage("toy", steps=20, lr=0.05, warmup=3)
PLAIN = LoopSettings(validate_every=5, criterion="fit", larger_is_better=False)


class Toy(nn.Module):
    """Dropout makes it random, and one of its layers is frozen for the first ten steps."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.base = nn.Linear(4, 4).requires_grad_(False)
        late = nn.Conv2d(2, 4, (2, 1)).requires_grad_(False)
        self.late = late.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cells = self.base(x).relu().view(-1, 2, 2, 1)
        return self.head(self.late(cells).flatten(1))


def batch(step: int) -> torch.Tensor:
    return torch.randn(BATCH, 4, generator=torch.Generator().manual_seed(step))


def losses_of(model: Toy, before: Callable[[int, Share], None] = lambda step, share: None):  # type: ignore[no-untyped-def]
    def losses(step: int, share: Share) -> StepLosses:
        before(step, share)
        model.late.requires_grad_(step >= 10)
        x = batch(step)[share.slice(BATCH)]
        answer = model(x).float()
        fit = (answer - x[:, :2]).square().mean()
        return StepLosses({"fit": fit, "size": 0.01 * answer.square().mean()}, {"mean": float(x.mean())}, len(x))

    return losses


def measure(model: Toy) -> Callable[[int], Mapping[str, float]]:
    x = batch(10_000)
    return lambda step: {"fit": float((model(x) - x[:, :2]).square().mean().detach())}


def train(
    folder: Path,
    settings: LoopSettings = PLAIN,
    before: Callable[[int, Share], None] = lambda step, share: None,
    stage: Stage = STAGE,
    dropout: float = 0.2,
) -> tuple[Toy, StageResult]:
    model = Toy(dropout)
    books = Bookkeeping(folder, "toy", log_every=1, save_every=4)
    losses = losses_of(model, before)
    return model, run_stage(model, stage, losses, books, SilentReporter(), measure(model), settings)


def main(folder: Path, victim: int) -> None:
    """Train; process `victim` is killed at step 10 (-1: none)."""
    torch.set_num_threads(1)
    told = os.environ
    address = f"{told.get('MASTER_ADDR')}:{told.get('MASTER_PORT')}"
    place = Place(int(told.get("RANK", "0")), int(told.get("WORLD_SIZE", "1")), 0, address)

    def before(step: int, share: Share) -> None:
        if step == 10 and place.rank == victim:
            os.kill(os.getpid(), signal.SIGKILL)

    with join(place) as processes:
        settings = replace(PLAIN, accumulate=2 // place.count, processes=processes, ema=0.9)
        train(folder, settings, before, dropout=0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
