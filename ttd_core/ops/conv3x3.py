"""3×3 convolutions in a quarter of the products, for the CPU.

Two forms for frozen weights, both equal to `conv2d(..., padding=1)` up to rounding (about 1e-6 of the largest output):

- `winograd`: Winograd's minimal filtering F(4×4, 3×3), 36 products for 16 outputs in place of 144 (Lavin and Gray,
  "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, arXiv 1509.09308, section 4.3).
- `upsampled`: the convolution of a picture whose pixels were first doubled in both directions. Two of three taps then
  meet the same value, so 9 products for 4 outputs do in place of 36, and they are made on the small picture.

The second has a form for weights that train, `upsampled_training`; the first would cost more than it saves there.
Both keep the pictures B×h×w×C, so that every sum of products is one matrix product over the channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

_TILE = 4
# Transforms of Lavin and Gray for F(4, 3): of the input, of the weights, of the output.
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_WEIGHT = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


@dataclass(frozen=True)
class FrozenWeights:
    """The weights of one convolution, transformed.

    Args:
        source: what they were made from, see `made_from`; held, so that nothing else takes its place in memory.
        state: versions and places of `source` at the time.
        products: stack of C×C' matrices, 36 for `winograd` and 9 for `upsampled`.
        bias: C'.
    """

    source: tuple[torch.Tensor, torch.Tensor]
    state: tuple[object, ...]
    products: torch.Tensor
    bias: torch.Tensor

    def made_from(self, weight: torch.Tensor, bias: torch.Tensor) -> bool:
        """Whether these still are the transformed weights of a convolution; writing through `.data` is not seen."""
        same = self.source[0] is weight and self.source[1] is bias
        return same and self.state == _state(weight, bias)


def applies(weight: torch.Tensor, x: torch.Tensor) -> bool:
    """Whether the forms of this module may be used: frozen float32 weights on the CPU and no gradient wanted."""
    if torch.is_grad_enabled() or weight.requires_grad or weight.is_inference():
        return False
    return (
        weight.device.type == "cpu"
        and weight.dtype == x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )


def applies_in_training(weight: torch.Tensor, x: torch.Tensor) -> bool:
    """Whether `upsampled_training` may be used: float32 on the CPU."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )


def winograd_weights(weight: torch.Tensor, bias: torch.Tensor) -> FrozenWeights:
    """Transform C'×C×3×3 weights for `winograd`."""
    change = torch.tensor(_WEIGHT, dtype=torch.float64)
    products = torch.einsum("ai,bj,ocij->abco", change, change, weight.double()).flatten(0, 1)
    return FrozenWeights((weight, bias), _state(weight, bias), products.float().contiguous(), bias)


def winograd(x: torch.Tensor, weights: FrozenWeights) -> torch.Tensor:
    """3×3 convolution with zero padding of 1: B×h×w×C to B×h×w×C'."""
    batch, height, width, channels = x.shape
    rows, columns = -(-height // _TILE), -(-width // _TILE)
    padded = F.pad(x, (0, 0, 1, 1 + columns * _TILE - width, 1, 1 + rows * _TILE - height))
    # 6×6 pixels of every tile: 36×(B·rows·columns·C)
    tiles = padded.unfold(1, 6, _TILE).unfold(2, 6, _TILE).permute(4, 5, 0, 1, 2, 3).reshape(36, -1)
    tiles = (_squared(_INPUT) @ tiles).view(36, -1, channels)
    tiles = torch.bmm(tiles, weights.products)  # 36×(B·rows·columns)×C'
    pixels = _squared(_OUTPUT) @ tiles.flatten(1)  # 16×(B·rows·columns·C')
    pixels = pixels.view(_TILE, _TILE, batch, rows, columns, -1).permute(2, 3, 0, 4, 1, 5)
    result = pixels.reshape(batch, rows * _TILE, columns * _TILE, -1)[:, :height, :width]
    return result + weights.bias


def upsampled_weights(weight: torch.Tensor, bias: torch.Tensor) -> FrozenWeights:
    """Transform C'×C×3×3 weights for `upsampled`."""
    # along one direction: the tap before, all three together, minus the tap after
    change = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, -1]], dtype=torch.float64)
    products = torch.einsum("ai,bj,ocij->abco", change, change, weight.double()).flatten(0, 1)
    return FrozenWeights((weight, bias), _state(weight, bias), products.float().contiguous(), bias)


def upsampled(x: torch.Tensor, weights: FrozenWeights) -> torch.Tensor:
    """3×3 convolution, with zero padding of 1, of a picture doubled by repetition: B×h×w×C to B×2h×2w×C'.

    Along one direction, with z the pixels and t_i = z_{i-1} − z_i, outputs 2i and 2i+1 are
    w_0·t_i + (w_0+w_1+w_2)·z_i and (w_0+w_1+w_2)·z_i − w_2·t_{i+1}.
    """
    return _upsampled(x, weights.products, weights.bias)


def upsampled_training(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """`upsampled` with C'×C×3×3 weights as they now are; differentiable by all three."""
    rows = weight.permute(2, 3, 1, 0)
    rows = torch.stack([rows[0], rows.sum(dim=0), -rows[2]])
    products = torch.stack([rows[:, 0], rows.sum(dim=1), -rows[:, 2]], dim=1)
    return _upsampled(x, products.flatten(0, 1), bias)


def _upsampled(x: torch.Tensor, products: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    batch, height, width, _ = x.shape
    tall = F.pad(x, (0, 0, 0, 0, 1, 0)) - F.pad(x, (0, 0, 0, 0, 0, 1))  # h+1 differences down
    both = F.pad(tall, (0, 0, 1, 0)) - F.pad(tall, (0, 0, 0, 1))
    wide = F.pad(x, (0, 0, 1, 0)) - F.pad(x, (0, 0, 0, 1))
    matrices = products.view(3, 3, *products.shape[1:])
    result = x.new_empty(batch, height, 2, width, 2, matrices.shape[-1])
    middle = x @ matrices[1, 1] + bias
    down = [tall[:, i : i + height] @ matrices[2 * i, 1] for i in (0, 1)]
    across = [wide[:, :, j : j + width] @ matrices[1, 2 * j] for j in (0, 1)]
    for i in (0, 1):
        for j in (0, 1):
            corner = both[:, i : i + height, j : j + width] @ matrices[2 * i, 2 * j]
            result[:, :, i, :, j] = corner.add_(middle).add_(down[i]).add_(across[j])
    return result.view(batch, 2 * height, 2 * width, -1)


def _squared(transform: tuple[tuple[int, ...], ...]) -> torch.Tensor:
    """The transform along both directions at once, for pixels in one row."""
    matrix = torch.tensor(transform, dtype=torch.float32)
    return torch.kron(matrix, matrix)


def _state(*tensors: torch.Tensor) -> tuple[object, ...]:
    return tuple((tensor.data_ptr(), tensor._version, tensor.device, tensor.dtype) for tensor in tensors)
