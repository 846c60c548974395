"""The two towers of the built-in `scenes` model.

Written here instead of taken from open_clip because patches may look at their 3×3 neighbours only (with full attention
any patch can carry any fact and maps fall to chance), because the picture tower ends in a finer map than its
attention works on, and because loading the built-in model must need nothing but torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional as F

from ttd_core.clip.neighbours import Mix, neighbour_mix
from ttd_core.clip.word_tokenizer import END


@dataclass(frozen=True)
class ScenesArchitecture:
    """Sizes of the built-in model.

    Args:
        stem: channels after each of the three stride-2 convolutions.
        width: channels of the transformer blocks of the picture tower.
        blocks, heads: depth and heads of the picture tower.
        embed: D, width of the shared space.
        fine: fuse the stride-4 stem features into the final map, which then has two cells per patch side.
        grid: side of the learned position table in patches; other grids resample it.
        text_width, text_blocks, text_heads: the text tower.
        context: longest text in tokens.
    """

    stem: tuple[int, int, int] = (32, 64, 64)
    width: int = 64
    blocks: int = 2
    heads: int = 2
    embed: int = 64
    fine: bool = True
    grid: int = 12
    text_width: int = 64
    text_blocks: int = 2
    text_heads: int = 2
    context: int = 40

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return 8


class Attention(nn.Module):
    """Multi-head attention with one input and one output matrix.

    Args:
        width: channels.
        heads: number of heads; divides `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mix: Mix) -> torch.Tensor:
        """Map B×N×C to B×N×C; `mix` decides which tokens attend to which."""
        batch, tokens, width = x.shape
        # B×N×3C -> 3×B×heads×N×C/heads
        q, k, v = self.in_proj(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.out_proj(mix(q, k, v).transpose(1, 2).reshape(batch, tokens, width))

    def value_path(self, x: torch.Tensor) -> torch.Tensor:
        """What each token says if it attends to itself alone: the value and output matrices, no mixing."""
        width = x.shape[-1]
        if type(self.in_proj) is nn.Linear:
            value = F.linear(x, self.in_proj.weight[2 * width :], self.in_proj.bias[2 * width :])
        else:  # an adapter in training: only the module as a whole knows its product
            value = self.in_proj(x)[..., 2 * width :]
        return self.out_proj(value)


class Block(nn.Module):
    """Pre-norm transformer block, MLP ×4 with erf GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, mix: Mix, value_only: bool = False) -> torch.Tensor:
        """Map B×N×C to B×N×C; `value_only` replaces attention by its value path and keeps residual and MLP."""
        normed = self.ln_1(x)
        x = x + (self.attn.value_path(normed) if value_only else self.attn(normed, mix))
        return x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class PictureTower(nn.Module):
    """Convolution stem, local transformer blocks, and a map of D channels per cell.

    Args:
        arch: the sizes.
    """

    def __init__(self, arch: ScenesArchitecture) -> None:
        super().__init__()
        first, second, third = arch.stem
        self.conv1 = _conv(3, first)
        self.conv2 = _conv(first, second)
        self.conv3 = _conv(second, third)
        self.patch_proj = nn.Conv2d(third, arch.width, 1)
        self.positions = nn.Parameter(torch.randn(1, arch.width, arch.grid, arch.grid) * 0.02)
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.blocks))
        self.fine = arch.fine
        if arch.fine:
            self.fine_proj = nn.Linear(second, arch.width)
            self.fine_norm = nn.LayerNorm(arch.width)
            self.fine_fc = nn.Linear(arch.width, 2 * arch.width)
            self.fine_out = nn.Linear(2 * arch.width, arch.width)
        self.norm = nn.LayerNorm(arch.width)
        self.proj = nn.Linear(arch.width, arch.embed, bias=False)

    def forward(self, images: torch.Tensor, value_only: bool = False) -> torch.Tensor:
        """Map B×3×H×W normalised pictures to B×h×w×D, not normalised; h = H/8, or H/4 with the fine map."""
        return self.cells(*self.trunk(images), value_only)

    def both(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The maps of `forward` without and with `value_only`; what they share is computed once."""
        trunk = self.trunk(images)
        return self.cells(*trunk), self.cells(*trunk, value_only=True)

    def trunk(self, images: torch.Tensor) -> tuple[torch.Tensor, Mix, torch.Tensor]:
        """What the last block and the fine map are made of.

        Args:
            images: B×3×H×W, normalised.

        Returns:
            The tokens that enter the last block, B×N×C with N = h·w, how they attend, and the stem features of stride
            4, B×S×2h×2w.
        """
        x, fine, grid = self.stem(images)
        mix = neighbour_mix(*grid, x.device)
        for block in self.blocks[:-1]:
            x = block(x, mix)
        return x, mix, fine

    def stem(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
        """What the first block and the fine map are made of: B×N×C tokens, B×S×2h×2w stem features, and h, w."""
        fine = self.conv2(self.conv1(images))
        x = self.patch_proj(self.conv3(fine))
        height, width = x.shape[-2:]
        x = x + self._positions(height, width)
        # B×C×h×w -> B×N×C
        return x.flatten(2).transpose(1, 2), fine, (height, width)

    def cells(self, x: torch.Tensor, mix: Mix, fine: torch.Tensor, value_only: bool = False) -> torch.Tensor:
        """The map of `forward` from what `trunk` gave."""
        for block in self.blocks[-1:]:
            x = block(x, mix, value_only)
        return self.head(x, fine)

    def head(self, x: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """The map of `forward` from the last block's output, B×N×C, and the stem features of stride 4."""
        x = as_grid(x, fine)
        if self.fine:
            x = fuse(self, x, fine)
        return self.proj(self.norm(x))

    def _positions(self, height: int, width: int) -> torch.Tensor:
        if (height, width) == tuple(self.positions.shape[-2:]):
            return self.positions
        return F.interpolate(self.positions, (height, width), mode="bicubic", align_corners=False, antialias=True)


class FineLayers(Protocol):
    """The layers that join stem features to coarse cells."""

    fine_proj: nn.Linear
    fine_norm: nn.LayerNorm
    fine_fc: nn.Linear
    fine_out: nn.Linear


def as_grid(x: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    """Tokens B×N×C as B×h×w×C, with the stem features B×S×2h×2w of the same pictures telling h and w."""
    # rounded up, as a convolution of stride 2 does
    return x.unflatten(1, (-(-fine.shape[-2] // 2), -(-fine.shape[-1] // 2)))


def fuse(layers: FineLayers, x: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    """Join B×h×w×C cells with stem features B×S×2h×2w into B×2h×2w×C."""
    coarse = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear").permute(0, 2, 3, 1)
    x = coarse + layers.fine_proj(fine.permute(0, 2, 3, 1))
    return x + layers.fine_out(F.gelu(layers.fine_fc(layers.fine_norm(x))))


class TextTower(nn.Module):
    """Causal transformer over words; the feature is read at the end token.

    Args:
        rows: rows of the embedding table.
        arch: the sizes.
    """

    def __init__(self, rows: int, arch: ScenesArchitecture) -> None:
        super().__init__()
        self.embedding = nn.Embedding(rows, arch.text_width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.positions = nn.Parameter(torch.randn(arch.context, arch.text_width) * 0.01)
        self.blocks = nn.ModuleList(Block(arch.text_width, arch.text_heads) for _ in range(arch.text_blocks))
        self.norm = nn.LayerNorm(arch.text_width)
        self.proj = nn.Linear(arch.text_width, arch.embed, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map K×L ids to K×D, not normalised. Padding needs no mask: no token looks ahead."""
        length = tokens.shape[1]
        x = self.embedding(tokens) + self.positions[:length]
        mask = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        mix = partial(F.scaled_dot_product_attention, attn_mask=mask)
        for block in self.blocks:
            x = block(x, mix)
        end = (tokens == END).int().argmax(dim=1)
        return self.proj(self.norm(x[torch.arange(len(x), device=x.device), end]))
