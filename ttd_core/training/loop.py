"""The training loop: steps, schedule, log and checkpoints. What a step computes is handed in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ttd_core.protocols import Reporter
from ttd_core.training.checkpoint import load_checkpoint, save_checkpoint
from ttd_core.training.optim import build_adamw, set_rate, warmup_cosine

LossFunction = Callable[[int], Mapping[str, torch.Tensor]]
Probe = Callable[[int], Mapping[str, float]]


@dataclass(frozen=True)
class Stage:
    """One stretch of steps with its own warm-up and cosine.

    Args:
        name: file stem of its checkpoint and its name in the log.
        steps: number of steps.
        lr: peak rate.
        warmup: warm-up steps.
        floor: last rate as a share of the peak.
        decay: weight decay on matrices.
        clip: largest gradient norm.
        first_step: number of the first step, so that a later stage draws other batches than an earlier one.
    """

    name: str
    steps: int
    lr: float
    warmup: int = 60
    floor: float = 0.04
    decay: float = 0.05
    clip: float = 1.0
    first_step: int = 0


@dataclass(frozen=True)
class Bookkeeping:
    """Where and how often a stage writes.

    Args:
        folder: receives `<stage>.pt` and `log.jsonl`.
        fingerprint: identifies the options; a checkpoint with another one is refused.
        log_every, save_every, probe_every: in steps.
    """

    folder: Path
    fingerprint: str
    log_every: int = 50
    save_every: int = 500
    probe_every: int = 1000


def run_stage(
    model: nn.Module,
    stage: Stage,
    losses: LossFunction,
    books: Bookkeeping,
    report: Reporter,
    probe: Probe | None = None,
) -> float:
    """Train `model` in place, going on from the stage's checkpoint if there is one.

    Args:
        model: its trainable parameters are optimised; it is left in evaluation mode.
        stage: how long and how fast.
        losses: computes the named losses of a step; their sum is minimised. It must draw its randomness from the
            step's number alone, or a resumed run differs from an unbroken one.
        books: files and intervals.
        report: told about progress.
        probe: measures the model now and then; its values go to the log.

    Returns:
        CPU seconds of this process spent in the stage, those before an interruption included.
    """
    optimiser = build_adamw(model, stage.lr, stage.decay)
    path = books.folder / f"{stage.name}.pt"
    state = load_checkpoint(path, books.fingerprint)
    start, spent = 0, 0.0
    if state is not None:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start, spent = state["step"], state["cpu_seconds"]
        if start < stage.steps:
            report.info(f"going on with stage {stage.name} at step {start} of {stage.steps}")
    clock = time.process_time() - spent
    for step in report.track(range(start, stage.steps), stage.steps - start, f"stage {stage.name}"):
        model.train()
        lr = stage.lr * warmup_cosine(step, stage.steps, stage.warmup, stage.floor)
        set_rate(optimiser, lr)
        values = _one_step(model, optimiser, losses(stage.first_step + step), stage.clip)
        done = step + 1
        if done % books.log_every == 0 or done == stage.steps:
            entry = {"stage": stage.name, "step": done, "lr": lr, "cpu_seconds": time.process_time() - clock, **values}
            if probe is not None and (done % books.probe_every == 0 or done == stage.steps):
                # In training mode the probe's pictures would move the running statistics of batch norm.
                model.eval()
                entry |= probe(done)
            _append(books.folder / "log.jsonl", entry)
        if done % books.save_every == 0 or done == stage.steps:
            _save(path, books.fingerprint, model, optimiser, done, time.process_time() - clock)
    model.eval()
    return time.process_time() - clock


def _one_step(
    model: nn.Module, optimiser: torch.optim.Optimizer, parts: Mapping[str, torch.Tensor], clip: float
) -> dict[str, float]:
    optimiser.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], clip)
    optimiser.step()
    return {name: round(float(value.detach()), 5) for name, value in parts.items()}


def _save(
    path: Path, fingerprint: str, model: nn.Module, optimiser: torch.optim.Optimizer, step: int, seconds: float
) -> None:
    save_checkpoint(
        path,
        {
            "fingerprint": fingerprint,
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
            "cpu_seconds": seconds,
        },
    )


def _append(path: Path, entry: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")
