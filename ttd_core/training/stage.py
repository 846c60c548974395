"""The settings of a stretch of training, and what it leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ttd_core.errors import UsageError
from ttd_core.training.distributed import Processes
from ttd_core.training.optim import warmup_cosine
from ttd_core.training.share import Share

Precision = Literal["fp32", "bf16"]
Probe = Callable[[int], Mapping[str, float]]
"""Measures the model, in evaluation mode and without gradient, after so many steps; figures by name."""
Guard = Callable[[int, Mapping[str, float]], "str | None"]
"""Looks at the figures of a step; a sentence ends the training, None lets it go on."""


@dataclass(frozen=True)
class Stage:
    """One stretch of steps with its own optimiser, warm-up and cosine.

    Args:
        name: file stem of its checkpoints and its name in the log.
        steps: number of steps.
        lr: peak rate.
        warmup: warm-up steps.
        floor: last rate as a share of the peak.
        decay: weight decay on matrices.
        clip: largest gradient norm.
        first_step: number of the first step, so that a later stage draws other batches than an earlier one.
        betas: of AdamW.
        eps: of AdamW.
        decay_scalars: tensors of no dimension decay, too.
        schedule: factor on the peak by 0-based step, in place of warm-up, cosine and floor.
    """

    name: str
    steps: int
    lr: float
    warmup: int = 60
    floor: float = 0.04
    decay: float = 0.05
    clip: float = 1.0
    first_step: int = 0
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    decay_scalars: bool = False
    schedule: Callable[[int], float] | None = None

    def rate(self, step: int) -> float:
        """Learning rate at 0-based `step`."""
        if self.schedule is not None:
            return self.lr * self.schedule(step)
        return self.lr * warmup_cosine(step, self.steps, self.warmup, self.floor)


@dataclass(frozen=True)
class Bookkeeping:
    """Where and how often a stage writes.

    Args:
        folder: receives `<stage>.pt` (the last state), `<stage>.best.pt` and `log.jsonl`.
        fingerprint: identifies the options and the weights it began with; a checkpoint with another one is refused.
        log_every, save_every: in steps.
    """

    folder: Path
    fingerprint: str
    log_every: int = 50
    save_every: int = 500

    @property
    def log(self) -> Path:
        """One JSON line per logged step."""
        return self.folder / "log.jsonl"

    def last(self, stage: Stage) -> Path:
        """Everything needed to go on."""
        return self.folder / f"{stage.name}.pt"

    def best(self, stage: Stage) -> Path:
        """The weights that measured best so far."""
        return self.folder / f"{stage.name}.best.pt"


@dataclass(frozen=True)
class LoopSettings:
    """How steps are taken.

    Args:
        seed: seeds torch's generators anew before every share, so that dropout is the same after a resume.
        accumulate: parts of the batch that a process computes one after the other before it steps.
        precision: `fp32`, or `bf16` for bfloat16 products by autocast; weights, gradients and optimiser stay float32.
        ema: decay of the moving average of the weights, inside (0, 1); None keeps none. With it the average is what is
            measured, what the best checkpoint holds and what the model is left with.
        checkpointing: compute activations anew in the backward pass: less memory, about a third more time.
        validate_every: steps between measurements; the last step is always measured.
        validate_first: measure before the first step too: the best may be where one began.
        criterion: the figure of the probe that decides what is best; None takes the last state for the best.
        larger_is_better: direction of the criterion.
        guard: asked after every step and every measurement; is given losses, monitors, `grad_norm` and, where the
            step was measured, the probe's figures. One that remembers should have `state_dict` and `load_state_dict`
            (plain values), which travel with the checkpoint.
        processes: those that train together, see `ttd_core.training.distributed.join`.
    """

    seed: int = 0
    accumulate: int = 1
    precision: Precision = "fp32"
    ema: float | None = None
    checkpointing: bool = False
    validate_every: int = 1000
    validate_first: bool = False
    criterion: str | None = None
    larger_is_better: bool = True
    guard: Guard | None = None
    processes: Processes = field(default_factory=Processes)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.accumulate < 1:
            raise UsageError(f"--accumulate {self.accumulate} is out of range, expected at least 1")
        if self.precision not in ("fp32", "bf16"):
            raise UsageError(f"--precision {self.precision!r} is unknown, expected fp32 or bf16")
        if self.ema is not None and not 0 < self.ema < 1:
            raise UsageError(f"--ema {self.ema:g} is out of range, expected a number between 0 and 1, such as 0.999")
        if self.validate_every < 1:
            raise UsageError(f"--validate-every {self.validate_every} is out of range, expected at least 1")

    @property
    def parts(self) -> int:
        """Shares of a step in all processes together."""
        return self.processes.count * self.accumulate

    def shares(self) -> Iterator[Share]:
        """The shares of a step that fall to this process."""
        first = self.processes.rank * self.accumulate
        return (Share(first + index, self.parts) for index in range(self.accumulate))

    def worth(self, figures: Mapping[str, float]) -> float | None:
        """What the criterion says, larger being better; None without a criterion, or where it is not a number."""
        if self.criterion is None or math.isnan(figures[self.criterion]):
            return None
        return figures[self.criterion] if self.larger_is_better else -figures[self.criterion]

    def measured(self, done: int, steps: int) -> bool:
        """Whether the model is measured after `done` of `steps` steps."""
        return done == steps or done % self.validate_every == 0


@dataclass(frozen=True)
class StageResult:
    """What a stage left behind.

    Args:
        cpu_seconds: of this process, those before an interruption included.
        seconds: wall clock, those before an interruption included.
        last: the checkpoint to go on from.
        best: the checkpoint of the best weights (see `ttd_core.training.checkpoint.load_weights`); None without a
            criterion.
        best_step: after how many steps they were measured.
        best_figures: what was measured there.
    """

    cpu_seconds: float
    seconds: float
    last: Path
    best: Path | None = None
    best_step: int | None = None
    best_figures: Mapping[str, float] = field(default_factory=dict)
