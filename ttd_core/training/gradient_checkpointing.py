"""Trade time for memory: let a model forget activations and compute them anew in the backward pass."""

from __future__ import annotations

from torch import nn

from ttd_core.errors import UsageError

SWITCH = "set_grad_checkpointing"
"""Method by which towers of open_clip, and ours, are told."""


def set_gradient_checkpointing(model: nn.Module, enabled: bool) -> None:
    """Tell every module of `model` that has the switch.

    Raises:
        UsageError: it should be switched on and no module has a switch.
    """
    found = [module for module in model.modules() if callable(getattr(module, SWITCH, None))]
    if enabled and not found:
        raise UsageError(
            "--checkpointing: this model cannot compute its activations anew",
            hint="leave --checkpointing out, or use --accumulate to need less memory",
        )
    for module in found:
        getattr(module, SWITCH)(enabled)
