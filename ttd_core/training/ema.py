"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """The average of the trained parameters over the steps.

    The decay starts low, (1 + n) / (10 + n) after n steps at most, so that short trainings do not remember their
    first weights.

    Args:
        model: its trainable parameters are averaged, from their present values on; buffers are not.
        decay: inside (0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.average = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module, done: int) -> None:
        """Take in the weights after `done` steps; a parameter that became trainable since is averaged from now on."""
        decay = min(self.decay, (1 + done) / (10 + done))
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if name in self.average:
                self.average[name].lerp_(parameter.detach(), 1 - decay)
            else:
                self.average[name] = parameter.detach().clone()

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Give the model the averaged weights."""
        parameters = dict(model.named_parameters())
        for name, value in self.average.items():
            parameters[name].copy_(value)

    @contextmanager
    def lent_to(self, model: nn.Module) -> Iterator[None]:
        """Let the model have the averaged weights for a while."""
        parameters = dict(model.named_parameters())
        own = {name: parameters[name].detach().clone() for name in self.average}
        self.copy_to(model)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in own.items():
                    parameters[name].copy_(value)

    def load(self, average: Mapping[str, torch.Tensor]) -> None:
        """Take up an average from a checkpoint."""
        device = next(iter(self.average.values())).device if self.average else None
        self.average = {name: value.to(device) for name, value in average.items()}
