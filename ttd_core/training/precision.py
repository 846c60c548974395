"""Which numbers the products of a step are computed in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """`bf16`: matrix products and convolutions in bfloat16, on CPU and GPU alike; `fp32`: nothing changes.

    bfloat16 has the range of float32, so gradients need no scaling.
    """
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
