"""The two towers of the built-in `scenes` model.

Written here instead of taken from open_clip because patches may look at their 3×3 neighbours only (with full attention
any patch can carry any fact and maps fall to chance), because the picture tower ends in a finer map than its
attention works on, and because loading the built-in model must need nothing but torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

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


def neighbourhood_mask(height: int, width: int, device: torch.device) -> torch.Tensor:
    """N×N boolean, N = height·width: True where two cells of a grid are 3×3 neighbours."""
    rows = torch.arange(height, device=device).repeat_interleave(width)
    columns = torch.arange(width, device=device).repeat(height)
    near_rows = (rows[:, None] - rows[None, :]).abs() <= 1
    near_columns = (columns[:, None] - columns[None, :]).abs() <= 1
    return near_rows & near_columns


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

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attend from B×N×C to itself where the boolean N×N or B×1×N×N mask is True."""
        batch, tokens, width = x.shape
        # B×N×3C -> 3×B×heads×N×C/heads
        q, k, v = self.in_proj(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, tokens, width))

    def value_path(self, x: torch.Tensor) -> torch.Tensor:
        """What each token says if it attends to itself alone: the value and output matrices, no mixing."""
        width = x.shape[-1]
        value = F.linear(x, self.in_proj.weight[2 * width :], self.in_proj.bias[2 * width :])
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

    def forward(self, x: torch.Tensor, mask: torch.Tensor, value_only: bool = False) -> torch.Tensor:
        """Map B×N×C to B×N×C; `value_only` replaces attention by its value path and keeps residual and MLP."""
        normed = self.ln_1(x)
        x = x + (self.attn.value_path(normed) if value_only else self.attn(normed, mask))
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
        fine = self.conv2(self.conv1(images))
        x = self.patch_proj(self.conv3(fine))
        height, width = x.shape[-2:]
        x = x + self._positions(height, width)
        # B×C×h×w -> B×N×C
        x = x.flatten(2).transpose(1, 2)
        mask = neighbourhood_mask(height, width, x.device)
        for index, block in enumerate(self.blocks):
            x = block(x, mask, value_only and index == len(self.blocks) - 1)
        x = x.unflatten(1, (height, width))
        if self.fine:
            x = self._fuse(x, fine)
        return self.proj(self.norm(x))

    def _positions(self, height: int, width: int) -> torch.Tensor:
        if (height, width) == tuple(self.positions.shape[-2:]):
            return self.positions
        return F.interpolate(self.positions, (height, width), mode="bicubic", align_corners=False, antialias=True)

    def _fuse(self, x: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        # B×h×w×C -> B×2h×2w×C, joined with the stem features of that grid
        coarse = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear").permute(0, 2, 3, 1)
        x = coarse + self.fine_proj(fine.permute(0, 2, 3, 1))
        return x + self.fine_out(F.gelu(self.fine_fc(self.fine_norm(x))))


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
        for block in self.blocks:
            x = block(x, mask)
        end = (tokens == END).int().argmax(dim=1)
        return self.proj(self.norm(x[torch.arange(len(x), device=x.device), end]))
