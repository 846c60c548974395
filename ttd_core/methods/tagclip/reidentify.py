"""Class-wise re-identification: candidate classes are judged again on a crop around what was found of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ttd_core.clip.vit import VisionTower, block_qkv, finish_block, norm, plain

HIDDEN = -1000.0
"""Added to the attention logits of the class token at patches outside the candidate's mask."""

CUT = 0.5
"""A patch belongs to a candidate where its stretched score exceeds this."""


@dataclass(frozen=True)
class Crops:
    """What is looked at again.

    Args:
        classes: M candidate classes, ascending.
        boxes: M rows y1, x1, y2, x2 in patches, the ends exclusive.
        keep: M×n×n bool, the candidate's patches on the grid of its crop.
    """

    classes: torch.Tensor
    boxes: torch.Tensor
    keep: torch.Tensor


def candidates(refined: torch.Tensor, local: torch.Tensor, threshold: float) -> torch.Tensor:
    """Classes with a local score above a + τ·(b − a), where a and b are the extremes of all N×K refined scores.

    Background words count for a and b: a strong one can leave no candidate.

    Args:
        refined: N×K.
        local: C, the classes' maxima over patches.
        threshold: τ.

    Returns:
        Ascending class numbers, int64.
    """
    low, high = refined.min(), refined.max()
    return torch.nonzero(local > low + threshold * (high - low))[:, 0]


def crops(refined: torch.Tensor, chosen: torch.Tensor, grid: tuple[int, int], side: int) -> Crops:
    """Where the candidates are; `cut` makes pictures of them.

    A crop is the bounding box of the patches above half of the candidate's range, without the grid's last row and
    column. The first candidate whose box is empty ends the list, as published.

    Args:
        refined: N×K.
        chosen: candidate classes.
        grid: h, w.
        side: n, patches along a side of a crop.
    """
    maps = refined[:, chosen].T.reshape(-1, *grid)
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    inside = (maps - low) / torch.where(high > low, high - low, 1.0) > CUT
    boxes, keeps = [], []
    for mask in inside:
        rows, columns = torch.nonzero(mask.any(dim=1))[:, 0], torch.nonzero(mask.any(dim=0))[:, 0]
        if not len(rows):
            break
        y1, y2 = int(rows[0]), min(int(rows[-1]) + 1, grid[0] - 1)
        x1, x2 = int(columns[0]), min(int(columns[-1]) + 1, grid[1] - 1)
        if y1 >= y2 or x1 >= x2:
            break
        boxes.append((y1, x1, y2, x2))
        keeps.append(F.interpolate(mask[None, None, y1:y2, x1:x2].float(), size=(side, side), mode="nearest")[0, 0] > 0)
    count = len(boxes)
    return Crops(
        classes=chosen[:count],
        boxes=torch.tensor(boxes, dtype=torch.int64).reshape(count, 4),
        keep=torch.stack(keeps) if keeps else inside.new_zeros(0, side, side),
    )


def cut(image: torch.Tensor, box: Sequence[int], patch: int, side: int) -> torch.Tensor:
    """A crop scaled to a square without antialiasing, 3×S×S with S = side·patch.

    Args:
        image: 3×H×W, resized and normalised.
        box: y1, x1, y2, x2 in patches.
        patch: side of a patch in pixels.
        side: patches along a side of a crop.
    """
    y1, x1, y2, x2 = (patch * each for each in box)
    size = (side * patch, side * patch)
    return F.interpolate(image[None, :, y1:y2, x1:x2], size=size, mode="bilinear", align_corners=False)[0]


def look_again(tower: VisionTower, pictures: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """The class token of crops, its attention in every block kept to the candidates' patches.

    Args:
        tower: the vision tower, all of its attention ordinary.
        pictures: M×3×S×S.
        keep: M×n×n bool.

    Returns:
        M×D, not normalised.
    """
    x, _ = tower.embed(pictures)
    x = norm(tower.visual.ln_pre, x, tower.variant.edge_eps)
    seen = F.pad(keep.flatten(1), (1, 0), value=True)
    # M×1×1×T: the row of the class token; all other rows are free
    mask = torch.where(seen, 0.0, HIDDEN).to(x.dtype)[:, None, None]
    last = len(tower.blocks) - 1
    for number, block in enumerate(tower.blocks):
        qkv = block_qkv(block, x, tower.variant)
        first = F.scaled_dot_product_attention(qkv.q[:, :, :1], qkv.k, qkv.v, attn_mask=mask)
        if number == last:
            return tower.project(finish_block(block, x[:, :1], first, tower.variant)[:, 0])
        context = torch.cat([first, plain(qkv)[:, :, 1:]], dim=2)
        x = finish_block(block, x, context, tower.variant)
    raise AssertionError("a vision tower has at least one block")
