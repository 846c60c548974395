"""The built-in model's picture tower for the tagger and for class activation maps.

It has two blocks, attention to 3×3 neighbours, no class token, and a map finer than its patches. What the methods ask
of CLIP has these counterparts: a patch's embedding is the mean of its cells, a crop's is the mean over the cells of the
patches that are looked at, and a third of the blocks is one of two.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import torch
import torch.nn.functional as F

from ttd_core.clip.neighbours import neighbourhood_mask
from ttd_core.clip.scenes_towers import Block, PictureTower
from ttd_core.methods.clip_es.tower import Approach
from ttd_core.methods.tagclip.tower import Local


class ScenesLocalTower:
    """The picture tower for the tagger: a `LocalTower`.

    Args:
        visual: the tower.
        patch: side of a patch in pixels.
        value: patches speak for themselves in the last block, as the model's maps usually do.
    """

    def __init__(self, visual: PictureTower, patch: int, value: bool = True) -> None:
        self._visual = visual
        self._value = value
        self.patch = patch
        self.depth = len(visual.blocks)
        self.side = int(visual.positions.shape[-1])

    def local(self, images: torch.Tensor, blocks: Collection[int]) -> Local:
        """See `LocalTower`."""
        x, fine, grid = self._visual.stem(images)
        total, votes = x.new_zeros(()), torch.zeros((), dtype=torch.int16, device=x.device)
        for number, block in enumerate(_blocks(self._visual)):
            watcher = Watcher(grid, x.device)
            entering, x = x, block(x, watcher)
            attention = watcher.attention
            votes = votes + (attention > attention.mean(dim=(1, 2), keepdim=True)).to(torch.int16)
            if number in blocks:
                total = total + attention
        cells = self._visual.cells(entering, Watcher(grid, x.device), fine, value_only=self._value)
        patches = F.normalize(_patches(cells, grid), dim=-1).flatten(1, 2)
        return Local(patches, total / len(blocks), votes, grid)

    def crops(self, pictures: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """See `LocalTower`."""
        cells = _patches(self._visual(pictures), (keep.shape[1], keep.shape[2]))
        weight = keep[..., None].to(cells)
        return F.normalize((cells * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1), dim=-1)


class ScenesCamTower:
    """The picture tower for class activation maps: a `CamTower`.

    Args:
        visual: the tower.
        patch: side of a patch in pixels.
    """

    def __init__(self, visual: PictureTower, patch: int) -> None:
        self._visual = visual
        self.patch = patch
        self.depth = len(visual.blocks)

    @torch.no_grad()
    def approach(self, images: torch.Tensor, blocks: Collection[int]) -> Approach:
        """See `CamTower`."""
        x, fine, grid = self._visual.stem(images)
        chosen = []
        for number, block in enumerate(_blocks(self._visual)[:-1]):
            watcher = Watcher(grid, x.device)
            x = block(x, watcher)
            if number in blocks:
                chosen.append(watcher.attention)
        return Approach(x, torch.stack(chosen).mean(dim=0) if chosen else None, grid, fine)

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        """See `CamTower`."""
        return _blocks(self._visual)[-1].ln_1(x)

    def finish(self, x: torch.Tensor, y: torch.Tensor, approach: Approach) -> tuple[torch.Tensor, torch.Tensor]:
        """See `CamTower`."""
        assert approach.beside is not None
        watcher = Watcher(approach.grid, x.device)
        block = _blocks(self._visual)[-1]
        tokens = x + block.attn(y, watcher)
        tokens = tokens + block.c_proj(F.gelu(block.c_fc(block.ln_2(tokens))))
        cells = self._visual.head(tokens, approach.beside)
        return F.normalize(cells.flatten(1, 2).mean(dim=1), dim=-1), watcher.attention[0]


class Watcher:
    """Attention within 3×3 neighbourhoods that remembers its matrix, B×N×N, averaged over heads.

    Args:
        grid: h, w.
        device: where.
    """

    def __init__(self, grid: tuple[int, int], device: torch.device) -> None:
        self._mask = neighbourhood_mask(*grid, device)
        self.attention = torch.zeros(0)

    def __call__(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """See `ttd_core.clip.neighbours.Mix`."""
        # float32 whatever the projections are
        scores = (q.float() * q.shape[-1] ** -0.5 @ k.float().transpose(-2, -1)).masked_fill(~self._mask, -torch.inf)
        weights = scores.softmax(dim=-1)
        self.attention = weights.mean(dim=1)
        return weights.to(v.dtype) @ v


def _blocks(visual: PictureTower) -> list[Block]:
    return [cast(Block, block) for block in visual.blocks]


def _patches(cells: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """B×H×W×D cells, one or four to a patch -> B×h×w×D means."""
    return F.adaptive_avg_pool2d(cells.permute(0, 3, 1, 2), grid).permute(0, 2, 3, 1)
