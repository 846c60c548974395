"""Dense strategies: ways to read patch features out of the vision tower, by name.

A strategy is one small function from the tower and a `Stream` (the tokens that enter the last block, its projections,
and whatever inner states it asked for) to patch tokens B×h×w×V before the final norm and projection. Those that only
change the attention of the last block differ in one argument of `VisionTower.last_block`. To add one: write the
function here, decorate it with what it needs, and add its name to `ttd_core.registry.DENSE`.

Notation: x is the input of the last block, y = ln_1(x), v = W_v·y + b_v per head, O(·) the output projection with bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ttd_core.clip.vit import TRAINED, Stream, Variant, VisionTower, identity, plain
from ttd_core.registry import DENSE

Read = Callable[[VisionTower, Stream], torch.Tensor]


@dataclass(frozen=True)
class Strategy:
    """A dense strategy and what it needs from the blocks before the last.

    Args:
        name: as in `--dense`.
        read: tower, stream -> B×h×w×V patch tokens; the grid may be finer than the stream's.
        hidden: blocks whose output it reads, negative counts from the end of the tower.
        attention: blocks whose attention matrices it reads, counted likewise.
        variant: departures from the trained tower that it needs everywhere.
    """

    name: str
    read: Read
    hidden: tuple[int, ...] = ()
    attention: tuple[int, ...] = ()
    variant: Variant = TRAINED

    def stream(self, tower: VisionTower, images: torch.Tensor) -> Stream:
        """Run the tower up to its last block, keeping what this strategy reads."""
        depth = len(tower.blocks)
        return tower.stream(images, {i % depth for i in self.hidden}, {i % depth for i in self.attention})


def strategy(
    name: str, hidden: tuple[int, ...] = (), attention: tuple[int, ...] = (), variant: Variant = TRAINED
) -> Callable[[Read], Strategy]:
    """Turn a function into a `Strategy`; see there for the arguments."""

    def wrap(read: Read) -> Strategy:
        return Strategy(name, read, hidden, attention, variant)

    return wrap


def load_strategy(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        UsageError: the name is unknown.
    """
    found: Strategy = DENSE.load(name)
    return found


def patches(tokens: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """B×(1+h·w)×V tokens without the class token, laid out as B×h×w×V."""
    return tokens[:, 1:].reshape(tokens.shape[0], *grid, -1)


@strategy("clip")
def dense_clip(tower: VisionTower, stream: Stream) -> torch.Tensor:
    """The plain last block: softmax(q·kᵀ/√d)·v, residual and MLP kept; patch tokens."""
    return patches(tower.last_block(stream, plain), stream.grid)


@strategy("maskclip")
def dense_maskclip(tower: VisionTower, stream: Stream) -> torch.Tensor:
    """MaskCLIP's value path: O(v) of the last block for every patch, without residual and without MLP.

    Each token attends to itself alone, so the last block's output is O(v) = W_o·(W_v·ln_1(x) + b_v) + b_o; then the
    final norm and the projection. Zhou et al., "Extract Free Dense Labels from CLIP" (ECCV 2022), as in ClearCLIP's
    kind "MaskCLIP".
    """
    return patches(tower.last_block(stream, identity, residual=False), stream.grid)


@strategy("maskclip-full")
def dense_maskclip_full(tower: VisionTower, stream: Stream) -> torch.Tensor:
    """The value path with everything else of the block kept: z = x + O(v), then z + MLP(ln_2(z)).

    What the released MaskCLIP, TCL, ReCLIP and TagCLIP compute, here with the tower as it was trained: norm epsilon and
    activation are the model's own. The released MaskCLIP runs with epsilon 1e-6 and erf GELU instead; for its numbers
    build the tower with `RELEASED_MASKCLIP`.
    """
    return patches(tower.last_block(stream, identity), stream.grid)


RELEASED_MASKCLIP = Variant(block_eps=1e-6, edge_eps=1e-6, activation="gelu")
"""The tower of chongzhou96/MaskCLIP, `maskclip-full` only."""

RECLIP = Variant(block_eps=1e-6)
"""The tower of ReCLIP and ReCLIP++ as currently released: 1e-6 inside the blocks, 1e-5 around them."""

RECLIP_2024 = Variant(block_eps=1e-6, activation="gelu")
"""The tower of ReCLIP's first release: as `RECLIP`, with erf GELU."""
