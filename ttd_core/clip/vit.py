"""The pieces of open_clip's transformer that dense features are made of.

open_clip's own forward pass hides queries, keys and values. The functions here walk the same modules step by step, so
that a dense strategy can change the attention of a block, skip its residual or read what is inside. Shapes: T tokens
(class token first), V width of the tower, `heads` and `d` = V / heads. open_clip is untyped, so its modules are `Any`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ttd_core.clip.positions import PositionCache, Rule
from ttd_core.clip.recomputing import recomputed
from ttd_core.errors import UsageError


class QKV(NamedTuple):
    """Projections of one block, each B×heads×T×d."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor


BLOCK_LAYERS = ("in_proj", "out_proj", "c_fc", "c_proj")
"""Linear layers of a block, attention linearised (`linearise_attention`): where nearly all of the time goes."""

Mix = Callable[[QKV], torch.Tensor]
"""What a block does in place of attention: projections -> context, B×heads×T×d."""


@dataclass(frozen=True)
class Variant:
    """Departures of a published method from the tower as it was trained.

    Args:
        block_eps: epsilon of the norms inside the blocks; None keeps the module's own (1e-5).
        edge_eps: the same for the norms before the first and after the last block.
        activation: `quickgelu` or `gelu` (erf) in place of the module's own.
        positions: how the table of positions is resized, see `resize_positions`.
    """

    block_eps: float | None = None
    edge_eps: float | None = None
    activation: Literal["quickgelu", "gelu"] | None = None
    positions: Rule = "size"


TRAINED = Variant()
"""The tower as it was trained."""


@dataclass(frozen=True)
class Stream:
    """Images on their way, just before the last block.

    Args:
        x: B×T×V tokens entering the last block, class token first.
        grid: h, w in patches; T = 1 + h·w.
        qkv: the last block's projections of its normalised input.
        hidden: block number -> B×T×V residual stream after that block, as far as asked for.
        attention: block number -> B×heads×T×T attention matrix, as far as asked for.
    """

    x: torch.Tensor
    grid: tuple[int, int]
    qkv: QKV
    hidden: Mapping[int, torch.Tensor] = field(default_factory=dict)
    attention: Mapping[int, torch.Tensor] = field(default_factory=dict)


class LinearAttention(nn.Module):
    """`nn.MultiheadAttention` with its packed projection as an `nn.Linear`, so that adapters can be put on it.

    The parameters are shared with the module it is made from, the result is the same. Only self-attention.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.in_proj = nn.Linear(attention.embed_dim, 3 * attention.embed_dim, device="meta")
        self.in_proj.weight, self.in_proj.bias = attention.in_proj_weight, attention.in_proj_bias
        self.out_proj = attention.out_proj

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, None]:
        """Self-attention of B×T×V tokens; `key` and `value` must be `query`. The weights are never returned."""
        context = F.scaled_dot_product_attention(*project_qkv(self, query), attn_mask=attn_mask)
        return project_out(self, context), None


def linearise_attention(network: nn.Module) -> nn.Module:
    """Replace every `nn.MultiheadAttention` of a network by `LinearAttention`, in place; results stay the same."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.MultiheadAttention:
                setattr(module, name, LinearAttention(child))
    return network


def norm(module: Any, x: torch.Tensor, eps: float | None = None) -> torch.Tensor:
    """LayerNorm, with another epsilon on request; computed in float32 whatever the dtype."""
    if not isinstance(module, nn.LayerNorm):
        return module(x)
    eps = module.eps if eps is None else eps
    return F.layer_norm(x.float(), module.normalized_shape, module.weight.float(), module.bias.float(), eps).to(x.dtype)


def project_qkv(attention: Any, y: torch.Tensor) -> QKV:
    """Project B×T×V normalised tokens to queries, keys and values."""
    if isinstance(attention, nn.MultiheadAttention):
        packed = F.linear(y, attention.in_proj_weight, attention.in_proj_bias)
    else:
        packed = attention.in_proj(y)
    b, t, _ = y.shape
    # B×T×3V -> 3 of B×heads×T×d
    q, k, v = packed.view(b, t, 3, int(attention.num_heads), -1).permute(2, 0, 3, 1, 4).unbind(0)
    return QKV(q, k, v)


def project_out(attention: Any, context: torch.Tensor) -> torch.Tensor:
    """Concatenate the heads of a B×heads×T×d context and apply the output projection: B×T×V."""
    return attention.out_proj(context.transpose(1, 2).flatten(2))


def mlp(block: Any, x: torch.Tensor, variant: Variant = TRAINED) -> torch.Tensor:
    """The second half of a block, norm included, residual excluded."""
    y = block.mlp.c_fc(norm(block.ln_2, x, variant.block_eps))
    if variant.activation == "quickgelu" or (
        variant.activation is None and type(block.mlp.gelu).__name__ == "QuickGELU"  # open_clip's class
    ):
        y = quick_gelu(y)
    else:
        y = F.gelu(y) if variant.activation == "gelu" else block.mlp.gelu(y)
    return block.ls_2(block.mlp.c_proj(y))


def quick_gelu(y: torch.Tensor) -> torch.Tensor:
    """y·sigmoid(1.702·y); without a gradient y is written over, which spares the widest tensors of a block."""
    if torch.is_grad_enabled():
        return y * torch.sigmoid(1.702 * y)
    return y.mul_((1.702 * y).sigmoid_())


def plain(qkv: QKV) -> torch.Tensor:
    """Ordinary attention, softmax(q·kᵀ/√d)·v."""
    return F.scaled_dot_product_attention(qkv.q, qkv.k, qkv.v)


def identity(qkv: QKV) -> torch.Tensor:
    """Every token attends to itself alone: the attention matrix is the identity."""
    return qkv.v


def block_qkv(block: Any, x: torch.Tensor, variant: Variant = TRAINED) -> QKV:
    """Projections of the tokens that enter a block."""
    return project_qkv(block.attn, norm(block.ln_1, x, variant.block_eps))


def finish_block(
    block: Any,
    x: torch.Tensor,
    context: torch.Tensor,
    variant: Variant = TRAINED,
    residual: bool = True,
) -> torch.Tensor:
    """From the context of the heads to the block's output.

    Args:
        block: a residual attention block.
        x: B×T×V tokens that entered it.
        context: B×heads×T×d.
        variant: departures from the trained tower.
        residual: keep `+ x` and the MLP after it; without it only the output projection is left.
    """
    y = block.ls_1(project_out(block.attn, context))
    if not residual:
        return y.to(x.dtype)  # products may be in half precision, what leaves a block is not
    y = x + y
    return y + mlp(block, y, variant)


def run_block(block: Any, x: torch.Tensor, mix: Mix = plain, variant: Variant = TRAINED) -> torch.Tensor:
    """One whole block with its attention replaced by `mix`."""
    return finish_block(block, x, mix(block_qkv(block, x, variant)), variant)


def pool_token(
    block: Any,
    x: torch.Tensor,
    qkv: QKV,
    index: torch.Tensor | int,
    mask: torch.Tensor | None = None,
    variant: Variant = TRAINED,
) -> torch.Tensor:
    """A block's output for one token of each sequence, with ordinary attention; the others are not computed.

    Args:
        block: a residual attention block.
        x: B×T×V tokens entering it.
        qkv: its projections.
        index: which token; one for all or one per sequence (B, int64).
        mask: additive, T×T; the row of the token is used.
        variant: departures from the trained tower.

    Returns:
        B×V.
    """
    rows = torch.arange(x.shape[0], device=x.device)
    at = torch.as_tensor(index, device=x.device).expand(x.shape[0])
    row_mask = None if mask is None else mask[at][:, None, None]
    # B×heads×1×d
    query = qkv.q[rows, :, at][:, :, None]
    context = F.scaled_dot_product_attention(query, qkv.k, qkv.v, attn_mask=row_mask)
    return finish_block(block, x[rows, at][:, None], context, variant)[:, 0]


class VisionTower:
    """open_clip's vision transformer, walked step by step.

    Args:
        visual: open_clip's `VisionTransformer`; its parameters are used, not copied.
        variant: departures from the trained tower.
    """

    def __init__(self, visual: Any, variant: Variant = TRAINED) -> None:
        self.visual = visual
        self.variant = variant
        self.patch = int(visual.patch_size[0])
        self._positions = PositionCache()

    @property
    def blocks(self) -> nn.ModuleList:
        """The residual attention blocks, 0 … L−1."""
        return self.visual.transformer.resblocks

    def positions(self, grid: tuple[int, int]) -> torch.Tensor:
        """(1+h·w)×V positions for a grid of h×w patches."""
        table, trained = self.visual.positional_embedding, self.visual.grid_size
        return self._positions.resized(table, trained, grid, self.variant.positions)

    def embed(self, images: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
        """Patches, class token and positions of B×3×H×W normalised images: B×T×V before the first norm, and the grid.

        Raises:
            UsageError: H or W is no multiple of the patch.
        """
        if images.ndim != 4 or images.shape[2] % self.patch or images.shape[3] % self.patch:
            raise UsageError(f"pictures of shape {tuple(images.shape)} do not divide into {self.patch}-pixel patches")
        patches = self.visual.conv1(images)
        grid = (patches.shape[2], patches.shape[3])
        first = self.visual.class_embedding.expand(images.shape[0], 1, -1)
        x = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
        return x + self.positions(grid), grid

    def stream(self, images: torch.Tensor, hidden: Collection[int] = (), attention: Collection[int] = ()) -> Stream:
        """Run all blocks but the last.

        Args:
            images: B×3×H×W, normalised; H and W any multiples of the patch.
            hidden: blocks whose output is kept.
            attention: blocks whose attention matrix is kept (computed explicitly for these).
        """
        x, grid = self.embed(images)
        x = norm(self.visual.ln_pre, x, self.variant.edge_eps)
        kept: dict[int, torch.Tensor] = {}
        maps: dict[int, torch.Tensor] = {}
        for i, block in enumerate(self.blocks[:-1]):
            if i in attention:
                qkv = block_qkv(block, x, self.variant)
                maps[i] = attention_matrix(qkv.q, qkv.k)
                x = finish_block(block, x, plain(qkv), self.variant)
            else:
                x = recomputed(self.visual.transformer, run_block, block, x, plain, self.variant)
            if i in hidden:
                kept[i] = x
        return Stream(x, grid, block_qkv(self.blocks[-1], x, self.variant), kept, maps)

    def last_block(self, stream: Stream, mix: Mix, residual: bool = True) -> torch.Tensor:
        """B×T×V output of the last block with its attention replaced by `mix`."""
        return finish_block(self.blocks[-1], stream.x, mix(stream.qkv), self.variant, residual)

    def project(self, tokens: torch.Tensor) -> torch.Tensor:
        """Final norm and projection of tokens to the shared space: …×V -> …×D, not normalised."""
        return norm(self.visual.ln_post, tokens, self.variant.edge_eps) @ self.visual.proj

    def pooled(self, stream: Stream) -> torch.Tensor:
        """The ordinary CLIP image embedding, B×D, not normalised."""
        if self.visual.pool_type == "tok":
            return self.project(pool_token(self.blocks[-1], stream.x, stream.qkv, 0, variant=self.variant))
        tokens = self.last_block(stream, plain)[:, 1:]
        if self.visual.final_ln_after_pool:
            return self.project(tokens.mean(dim=1))
        return norm(self.visual.ln_post, tokens, self.variant.edge_eps).mean(dim=1) @ self.visual.proj


def attention_matrix(a: torch.Tensor, b: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
    """softmax(a·bᵀ/√d + prior) over the last axis, B×heads×T×T."""
    scores = a @ b.transpose(-2, -1) / a.shape[-1] ** 0.5
    return torch.softmax(scores if prior is None else scores + prior, dim=-1)
