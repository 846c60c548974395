"""Tagging a picture with TagCLIP: everything at once against one class and one crop at a time, both in this run.

    python benchmarks/tagclip_pictures.py [--classes 20 80] [--pictures 2] [--size 375x500] [--tiny]

The loop is the straightforward program: attention matrices of all blocks are kept, each class has its own N×N product
with its box mask, and each candidate's crop goes through the encoder alone, its mask a matrix over all pairs of tokens.
Weights are random with the geometry of ViT-B/16, so that nothing has to be downloaded; how many candidates there are,
which matters most, is printed. Goal: 3 times, equal scores. On one CPU thread it is missed: nearly all of the time goes
into the encoder, picture and crops, and that is the same work in both (1.0 times with 2 and with 19 candidates).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.clip.vit import VisionTower, block_qkv, finish_block, norm
from ttd_core.methods.tagclip.boxes import box_masks
from ttd_core.methods.tagclip.config import TagClipConfig
from ttd_core.methods.tagclip.reidentify import CUT, HIDDEN
from ttd_core.methods.tagclip.tagger import Tagger
from ttd_core.methods.tagclip.tower import ClipLocalTower

GOAL = 3.0
SCALE = 100.0
BACKGROUND = 25


def tower_of(tiny: bool) -> Any:
    """A vision transformer with random weights: 12 blocks, patches of 16 pixels."""
    import open_clip

    torch.manual_seed(0)
    if tiny:
        vision = {"image_size": 224, "layers": 12, "width": 128, "patch_size": 16, "head_width": 64}
        text = {"context_length": 8, "vocab_size": 8, "width": 64, "heads": 1, "layers": 1}
        model = open_clip.CLIP(64, vision_cfg=vision, text_cfg=text, quick_gelu=True)
    else:
        model = open_clip.create_model("ViT-B-16-quickgelu")
    return model.visual.eval().requires_grad_(False)


def attended(tower: VisionTower, x: torch.Tensor, block: Any, mask: torch.Tensor | None) -> Any:
    """A block's output with its whole attention matrix, heads averaged, beside it."""
    qkv = block_qkv(block, x, tower.variant)
    scores = qkv.q @ qkv.k.transpose(-2, -1) / qkv.q.shape[-1] ** 0.5
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return finish_block(block, x, weights @ qkv.v, tower.variant), scores.softmax(dim=-1).mean(dim=1)


def one_at_a_time(tower: VisionTower, image: torch.Tensor, texts: torch.Tensor, count: int) -> torch.Tensor:
    """Scores of one picture, class by class and crop by crop."""
    x, grid = tower.embed(image[None])
    x = norm(tower.visual.ln_pre, x)
    maps = []
    for number, block in enumerate(tower.blocks):
        alone = -SCALE * (1 - torch.eye(x.shape[1])) if number == len(tower.blocks) - 1 else None
        x, attention = attended(tower, x, block, alone)
        maps.append(attention[0, 1:, 1:])
    patches = F.normalize(tower.project(x[0, 1:]), dim=-1)
    coarse = (SCALE * patches @ texts.T).softmax(dim=-1)
    votes = sum((one > one.mean()).int() for one in maps)
    attention = torch.stack(maps[8:11]).mean(dim=0) * (votes >= 4)
    refined = attention @ coarse
    for k in range(len(texts)):
        column = refined[:, k].clone()
        column = ((column - column.min()) / (column.max() - column.min())).reshape(grid)
        inside = torch.from_numpy(box_masks(column[None].numpy(), float(column.mean()))[0]).flatten()
        refined[:, k] = (attention * inside[None]) @ coarse[:, k]
    local = refined[:, :count].amax(dim=0)
    final = local.clone()
    low, high = refined.min(), refined.max()
    for k in torch.nonzero(local > low + 0.5 * (high - low))[:, 0].tolist():
        column = refined[:, k].reshape(grid)
        inside = (column - column.min()) / (column.max() - column.min()) > CUT
        rows, columns = torch.nonzero(inside.any(dim=1))[:, 0], torch.nonzero(inside.any(dim=0))[:, 0]
        y1, y2 = int(rows[0]), min(int(rows[-1]) + 1, grid[0] - 1)
        x1, x2 = int(columns[0]), min(int(columns[-1]) + 1, grid[1] - 1)
        if y1 >= y2 or x1 >= x2:
            break
        keep = F.interpolate(inside[None, None, y1:y2, x1:x2].float(), size=(14, 14))[0, 0] > 0
        crop = F.interpolate(image[None, :, 16 * y1 : 16 * y2, 16 * x1 : 16 * x2], size=(224, 224), mode="bilinear")
        x, _ = tower.embed(crop)
        x = norm(tower.visual.ln_pre, x)
        mask = torch.zeros(197, 197)
        mask[0, 1:] = torch.where(keep.flatten(), 0.0, HIDDEN)
        for block in tower.blocks:
            x, _ = attended(tower, x, block, mask)
        seen = F.normalize(tower.project(x[0, :1]), dim=-1)
        final[k] = 0.5 * local[k] + 0.5 * (SCALE * seen @ texts.T).softmax(dim=-1)[0, k]
    return final


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, which other work on the machine does not stretch, and what came out."""
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


@torch.inference_mode()
def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[20, 80])
    parser.add_argument("--pictures", type=int, default=2)
    parser.add_argument("--size", default="375x500", help="height x width in pixels")
    parser.add_argument("--tiny", action="store_true", help="a small encoder, to try the script")
    args = parser.parse_args()
    height, width = (-(-int(side) // 16) * 16 for side in args.size.split("x"))
    tower = ClipLocalTower(tower_of(args.tiny))
    tagger = Tagger(tower, SCALE, TagClipConfig(blocks=(8, 9, 10)))
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(args.pictures, 3, height // 16, width // 16, generator=generator)
    images = F.interpolate(images, scale_factor=16, mode="bilinear")
    failed = False
    for count in args.classes:
        # texts near the patches of the pictures, so that classes differ from place to place
        patches = tower.local(images[:1], {8}).patches[0]
        rows = torch.from_numpy(np.linspace(0, len(patches) - 1, count + BACKGROUND).astype(int))
        texts = F.normalize(patches[rows] - patches.mean(dim=0), dim=-1)
        whole = torch.arange(count)
        tagger(images[:1], [texts], [whole])  # warm up
        ours, together = timed(lambda t=texts, w=whole: [tagger(image[None], [t], [w])[0] for image in images])  # type: ignore[misc]
        loop, alone = timed(
            lambda t=texts, c=count: [one_at_a_time(tower.vision, image, t, c) for image in images]  # type: ignore[misc]
        )
        crops = sum(len(one.crops.classes) for one in together) / args.pictures
        equal = all(torch.allclose(a.scores, b, atol=1e-4) for a, b in zip(together, alone, strict=True))
        failed |= not equal
        print(
            f"{count} classes, {crops:g} candidates a picture of {width}x{height}: {ours / args.pictures:.3f} s, "
            f"one at a time {loop / args.pictures:.3f} s: {loop / ours:.1f} times (goal {GOAL:g}), "
            f"scores {'equal' if equal else 'DIFFERENT'}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
