"""From maps of tags to labels, in the published half precision; with a dense CRF on request (specification, section 8).

A picture's maps are enlarged and stored as float16 before anything is decided, and so is the score of the background.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from ttd_core.methods.clip_es.maps import enlarged
from ttd_core.ops.crf import CrfConfig, dense_crf, mean_subtracted_bgr
from ttd_core.ops.masks import resize_picture
from ttd_core.ops.resize import resize_maps, resized_rows

# Pixels at which a map is enlarged whole; larger pictures are gone through in strips of as many.
MAX_PIXELS = 64 * 2**20


def decide(maps: torch.Tensor, size: tuple[int, int], background: float | None) -> np.ndarray:
    """The strongest at every pixel.

    Args:
        maps: n×h×w in 0..1; n may be 0.
        size: H and W of the picture.
        background: a constant score below 1; from 1 on the power that 1 − the strongest map is raised to (published:
            1); None for no background at all.

    Returns:
        H×W uint16: k + 1 where map k is strongest, 0 where the background is at least as strong, or without any map.
    """
    labels = np.zeros(size, dtype=np.uint16)
    if not len(maps):
        return labels
    rows = max(1, MAX_PIXELS // size[1])
    for first in range(0, size[0], rows):
        last = min(first + rows, size[0])
        labels[first:last] = _decided(_enlarged_one_by_one(maps, size, first, last), background)
    return labels


def decide_crf(
    maps: torch.Tensor, picture: np.ndarray, background: float | None, config: CrfConfig | None = None
) -> np.ndarray:
    """The same after a dense CRF over all maps, as published: the unary term in half precision, colours wrapped.

    Args:
        maps: n×h×w in 0..1; n may be 0.
        picture: H×W×3 uint8. Beyond the pixels of the settings it is refined at a smaller size.
        background: see `decide`.
        config: settings, None for the published ones.

    Raises:
        MissingPackageError: pydensecrf is not installed.
    """
    config = config or CrfConfig(every_label=True)
    size = (picture.shape[0], picture.shape[1])
    if not len(maps):
        return np.zeros(size, dtype=np.uint16)
    share = min(1.0, math.sqrt(config.max_pixels / (size[0] * size[1])))
    grid = max(1, int(size[0] * share)), max(1, int(size[1] * share))
    colours = resize_picture(picture, grid)[0].permute(1, 2, 0).contiguous().numpy()
    stack = with_background(_half(enlarged(maps.float(), grid)), background)
    marginals = dense_crf(mean_subtracted_bgr(colours), stack, config)
    if grid != size:
        marginals = resize_maps(torch.from_numpy(marginals)[None], size)[0].numpy()
    found: np.ndarray = (marginals.argmax(axis=0) + (background is None)).astype(np.uint16)
    return found


def with_background(maps: np.ndarray, background: float | None) -> np.ndarray:
    """n×H×W float16 maps with the score of the background before them, in float16 as well; see `decide`."""
    if background is None:
        return maps
    stack: np.ndarray = np.concatenate([_background_score(maps.max(axis=0, keepdims=True), background), maps])
    return stack


def _background_score(strongest: np.ndarray, background: float) -> np.ndarray:
    """The score of the background where the strongest map is this, both float16."""
    if background < 1:
        return np.full_like(strongest, background)
    score: np.ndarray = 1 - strongest
    return score if background == 1 else np.power(score, np.float16(background))


def _decided(maps: Iterator[torch.Tensor], background: float | None) -> np.ndarray:
    """H×W uint16 from n maps of that size, float16, of which two are held at a time; the earlier one among equals."""
    best = next(maps)
    labels = torch.ones(best.shape, dtype=torch.int32, device=best.device)
    for number, one in enumerate(maps, start=2):
        labels.masked_fill_(one > best, number)
        torch.maximum(best, one, out=best)
    found: np.ndarray = labels.cpu().numpy().astype(np.uint16)
    if background is not None:
        strongest = best.cpu().numpy()
        found[strongest <= _background_score(strongest, background)] = 0
    return found


def _enlarged_one_by_one(maps: torch.Tensor, size: tuple[int, int], first: int, last: int) -> Iterator[torch.Tensor]:
    """Rows first..last of every map, float16; of a whole picture as published, of strips up to rounding."""
    for one in maps[:, None]:
        whole = (first, last) == (0, size[0])
        large = enlarged(one.float(), size) if whole else resized_rows(one.float(), size, first, last)
        yield large[0].half()


def _half(maps: torch.Tensor) -> np.ndarray:
    half: np.ndarray = maps.half().cpu().numpy()
    return half
