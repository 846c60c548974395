"""Class-wise re-identification: candidate classes are judged again on a crop around what was found of them."""

from __future__ import annotations

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
        pictures: M×3×S×S crops of the normalised picture.
    """

    classes: torch.Tensor
    boxes: torch.Tensor
    keep: torch.Tensor
    pictures: torch.Tensor


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


def crops(
    image: torch.Tensor, refined: torch.Tensor, chosen: torch.Tensor, grid: tuple[int, int], patch: int, side: int
) -> Crops:
    """Cut the candidates out of the picture.

    A crop is the bounding box of the patches above half of the candidate's range, without the grid's last row and
    column, scaled to a square without antialiasing. The first candidate whose box is empty ends the list, as published.

    Args:
        image: 3×H×W, resized and normalised.
        refined: N×K.
        chosen: candidate classes.
        grid: h, w.
        patch: side of a patch in pixels.
        side: n, patches along a side of a crop; S = n·patch.
    """
    maps = refined[:, chosen].T.reshape(-1, *grid)
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    inside = (maps - low) / torch.where(high > low, high - low, 1.0) > CUT
    boxes, keeps, pictures = [], [], []
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
        cut = image[None, :, y1 * patch : y2 * patch, x1 * patch : x2 * patch]
        pictures.append(F.interpolate(cut, size=(side * patch, side * patch), mode="bilinear", align_corners=False)[0])
    count = len(boxes)
    return Crops(
        classes=chosen[:count],
        boxes=torch.tensor(boxes, dtype=torch.int64).reshape(count, 4),
        keep=torch.stack(keeps) if keeps else inside.new_zeros(0, side, side),
        pictures=torch.stack(pictures) if pictures else image.new_zeros(0, 3, side * patch, side * patch),
    )


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
