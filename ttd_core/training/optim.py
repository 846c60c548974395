"""Optimiser and schedule shared by all training runs."""

from __future__ import annotations

import math

import torch
from torch import nn


def build_adamw(
    model: nn.Module,
    lr: float,
    decay: float,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-8,
    decay_scalars: bool = False,
) -> torch.optim.AdamW:
    """AdamW over all parameters; weight decay on matrices and filters only, not on vectors and scalars.

    Frozen parameters are there too, without cost: they get no gradient, so they neither move nor decay, and one that is
    freed later is trained from then on.

    Args:
        model: whose parameters.
        lr: rate of the first step.
        decay: weight decay.
        betas: of the moving averages.
        eps: added to the denominator.
        decay_scalars: tensors of no dimension (temperatures, gates) decay, too; vectors never do.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.is_floating_point()]
    spared = {1} if decay_scalars else {0, 1}
    groups = [
        {"params": [p for p in parameters if p.ndim not in spared], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim in spared], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=True)


def warmup_cosine(step: int, steps: int, warmup: int, floor: float) -> float:
    """Factor on the peak rate at 0-based `step`: linear from 1/warmup, then a cosine down to `floor` at the end."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = lr
