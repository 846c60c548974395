"""Trading time for memory: activations forgotten in the forward pass and computed anew in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


def recomputed(transformer: Any, function: Callable[..., torch.Tensor], *given: Any) -> torch.Tensor:
    """The value of `function(*given)`, forgetting what is inside it where open_clip's transformer is told to.

    Args:
        transformer: has `grad_checkpointing`, set by open_clip's `set_grad_checkpointing`.
        function: computes a block.
        given: its arguments.
    """
    if getattr(transformer, "grad_checkpointing", False) and torch.is_grad_enabled():
        found: torch.Tensor = checkpoint(function, *given, use_reentrant=False)
        return found
    return function(*given)
