"""float32 that means float32: the shortcuts that torch takes by default on some devices, switched off."""

from __future__ import annotations

from typing import Any

import torch


def reproducible() -> None:
    """Compute float32 products and convolutions in full precision, in this process from now on.

    torch lets cuDNN round the inputs of convolutions to TF32's ten bits by default, which moves scores in the third
    digit and makes a GPU disagree with a CPU. Reduced precision for matrix products is off by default; a program around
    this package may have turned it on.
    """
    torch.set_float32_matmul_precision("highest")  # also oneDNN on the CPU
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # Since 2.9 torch has settings by operator too, which win over the old flags. They are touched only where somebody
    # used them: torch refuses to read the old flags once the new ones say something of their own.
    for backend in (torch.backends.cuda.matmul, *_operators(torch.backends.cudnn), *_operators(torch.backends.mkldnn)):
        if getattr(backend, "fp32_precision", "none") in ("tf32", "bf16"):
            backend.fp32_precision = "ieee"


def _operators(backend: Any) -> list[Any]:
    names = ("matmul", "conv", "rnn")
    return [getattr(backend, name) for name in names if hasattr(backend, name)]
