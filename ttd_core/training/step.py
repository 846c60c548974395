"""One optimisation step: shares, gradients, clipping, and the figures of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ttd_core.training.precision import autocast
from ttd_core.training.share import LossFunction, StepLosses, seed_of
from ttd_core.training.stage import LoopSettings


@dataclass(frozen=True)
class StepFigures:
    """Figures of a step over all its shares in all processes.

    Args:
        losses: by name, means over the shares.
        monitors: by name, means over the shares.
        samples: pairs in the whole step.
        grad_norm: before clipping.
    """

    losses: Mapping[str, float]
    monitors: Mapping[str, float]
    samples: int
    grad_norm: float

    @property
    def broken(self) -> str | None:
        """Why no step can be taken with these numbers, None where it can."""
        for name, value in {**self.losses, "gradient norm": self.grad_norm}.items():
            if not math.isfinite(value):
                return f"{name} is {value}: the training has diverged"
        return None


def take_step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    losses: LossFunction,
    step: int,
    clip: float,
    settings: LoopSettings,
) -> StepFigures:
    """Compute this process's shares of a step, sum gradients over all processes, clip them and step.

    Where a loss or the gradient is not finite no step is taken: see `StepFigures.broken`.

    Args:
        model: in training mode.
        optimiser: over its parameters, with the rate of this step.
        losses: computes a share.
        step: number of the step.
        clip: largest gradient norm.
        settings: shares, precision and processes.
    """
    optimiser.zero_grad(set_to_none=True)
    device = next(model.parameters()).device
    found = []
    for share in settings.shares():
        torch.manual_seed(seed_of(settings.seed, step, share))
        with autocast(settings.precision, device):
            part = losses(step, share)
        total = torch.stack(list(part.losses.values())).sum()
        if total.requires_grad:
            (total / share.parts if share.parts > 1 else total).backward()
        found.append(_detached(part))
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings.processes.sum_gradients(trainable)
    norm = torch.nn.utils.clip_grad_norm_(trainable, clip)
    figures = _figures(found, float(norm), settings)
    if figures.broken is None:
        optimiser.step()
    return figures


def _detached(part: StepLosses) -> StepLosses:
    """Without the graph, which would keep the activations of every share."""
    return StepLosses({name: value.detach() for name, value in part.losses.items()}, part.monitors, part.samples)


def _figures(found: list[StepLosses], norm: float, settings: LoopSettings) -> StepFigures:
    names, monitors = list(found[0].losses), list(found[0].monitors)
    total = torch.zeros(len(names) + len(monitors) + 1, dtype=torch.float64)
    for part in found:
        losses = torch.stack([part.losses[name].double() for name in names]).cpu()
        others = [float(part.monitors[name]) for name in monitors] + [float(part.samples)]
        total += torch.cat([losses, torch.tensor(others, dtype=torch.float64)])
    values = settings.processes.sum(total).tolist()
    means = [value / settings.parts for value in values[:-1]]
    return StepFigures(
        dict(zip(names, means[: len(names)], strict=True)),
        dict(zip(monitors, means[len(names) :], strict=True)),
        round(values[-1]),
        norm,
    )
