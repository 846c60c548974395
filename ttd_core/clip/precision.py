"""float32 that means float32, with torch's shortcuts switched off; and bfloat16 products for those who ask for them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.clip.vit import BLOCK_LAYERS, linearise_attention


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


class HalfLinear(nn.Module):
    """A frozen linear layer with weights, input and output in bfloat16; sums are kept in float32 by the hardware.

    Args:
        layer: the layer that it stands for.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight = nn.Parameter(layer.weight.detach().bfloat16(), requires_grad=False)
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().bfloat16(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """…×in of any float dtype to …×out in bfloat16."""
        return F.linear(x.bfloat16(), self.weight, self.bias)


def halve_products(backbone: nn.Module) -> None:
    """Let the blocks of the image encoder, and of a masker, multiply in bfloat16, in place.

    What is added up along the way, norms, softmax, projection, texts and all cosines stay in float32, so that rounding
    does not pile up from block to block.

    Args:
        backbone: frozen, adapters merged.
    """
    for root in _image_towers(backbone):
        linearise_attention(root)
        for module in list(root.modules()):
            for name, child in module.named_children():
                if name in BLOCK_LAYERS and isinstance(child, nn.Linear):
                    setattr(module, name, HalfLinear(child))


def _image_towers(backbone: nn.Module) -> list[nn.Module]:
    network = getattr(backbone, "network", backbone)
    found = (getattr(network, "visual", None), getattr(backbone, "masker", None))
    return [tower for tower in found if isinstance(tower, nn.Module)]
