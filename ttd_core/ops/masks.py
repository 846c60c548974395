"""From calibrated maps to a label map of the picture's own size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.ops.crf import CrfConfig, dense_crf
from ttd_core.ops.pamr import DILATIONS, ITERATIONS, pamr
from ttd_core.ops.resize import resize_maps, resized_rows

REFINERS = ("pamr", "crf")
# Scores of one strip of rows, in floats: 32 MB however large the picture and however many the tags.
_STRIP = 8_000_000


@dataclass(frozen=True)
class Masks:
    """What `label_map` decides.

    Args:
        labels: H×W uint8, or uint16 beyond 254 tags: 0 background, k + 1 the k-th map. `labels > 0` is the union of the
            tags; made from the caption's single map it is the caption mask.
        scores: K×h×w float, the maps after refinement, without the background. Their grid is bounded whatever the
            size of the picture: that of the maps given, or after a refinement that of `pamr_size`, on which marginals
            of the CRF from a finer grid are averaged. After the CRF a tag that won nowhere beforehand has 0.
    """

    labels: np.ndarray
    scores: torch.Tensor


def label_map(
    maps: torch.Tensor,
    picture: np.ndarray,
    *,
    background: float | None = 0.4,
    refine: str | None = None,
    image_size: int = 448,
    pamr_iterations: int = ITERATIONS,
    pamr_dilations: tuple[int, ...] = DILATIONS,
    crf: CrfConfig | None = None,
) -> Masks:
    """Refine maps, set them against a constant background and take the arg-max at the picture's own size.

    Args:
        maps: K×h×w float in 0..1, calibrated and averaged over scales and flips; K may be 0.
        picture: H×W×3 uint8.
        background: score of the background in 0..1; a tag must exceed it, equal scores go to the background. None where
            every pixel belongs to some tag: no label is then 0.
        refine: None, `pamr` or `crf`.
        image_size: PAMR runs where the shorter side has at most this many pixels (see `pamr_size`); the CRF runs at
            the picture's own size up to `crf.max_pixels`, and only its scores are returned at that of PAMR.
        pamr_iterations: how often PAMR lets the values flow.
        pamr_dilations: its distances in pixels.
        crf: settings of the dense CRF, None for the published ones.

    Returns:
        The decided labels and the refined maps.

    Raises:
        UsageError: an unknown refiner or a background outside 0..1.
        MissingPackageError: `crf` without pydensecrf.
    """
    if refine is not None and refine not in REFINERS:
        raise UsageError(f"unknown refinement {refine!r}, expected {' or '.join(REFINERS)}")
    if background is not None and not 0 <= background <= 1:
        raise UsageError(f"background score is {background}, expected 0..1")
    size = (picture.shape[0], picture.shape[1])
    if not len(maps):
        return Masks(np.zeros(size, dtype=np.uint8), maps)
    # 1. refine by colour, foreground only
    if refine == "pamr":
        grid = pamr_size(size, image_size)
        colours = resize_picture(picture, grid).to(maps.device, torch.float32)
        maps = pamr(colours, resize_maps(maps[None], grid).float(), pamr_iterations, pamr_dilations)[0]
    # 2. the background is one more channel of constant score; one below every similarity wins nowhere
    stack = torch.cat([torch.full_like(maps[:1], -2.0 if background is None else background), maps])
    # 3. the CRF weighs the channels that win somewhere, background included
    if refine == "crf":
        return _after_crf(stack, picture, image_size, crf or CrfConfig())
    # 4. arg-max at the picture's own size
    return Masks(argmax_at(stack, size), stack[1:])


def argmax_at(stack: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Index of the strongest channel after bilinear resampling, strip by strip of rows; the lower index among equals.

    Args:
        stack: C×h×w float on any device.
        size: H and W of the result in pixels.

    Returns:
        H×W uint8, or uint16 for more than 255 channels.
    """
    channels, height, width = len(stack), *size
    labels = np.empty(size, dtype=np.uint8 if channels <= 255 else np.uint16)
    rows = max(1, _STRIP // (channels * width))
    with torch.inference_mode():
        for first in range(0, height, rows):
            last = min(first + rows, height)
            strip = resized_rows(stack.float(), size, first, last)
            best = strip.argmax(dim=0) if channels > 2 else strip[-1] > strip[0]
            labels[first:last] = best.cpu().numpy()
    return labels


def pamr_size(size: tuple[int, int], image_size: int) -> tuple[int, int]:
    """Where PAMR runs: the picture's own size, reduced until the shorter side is at most `image_size`.

    Its reach is fixed at 24 pixels, so it belongs at about the size the model has seen; refining an 8000-pixel original
    would move borders by less than a thousandth of the picture. Very long pictures are reduced further, to at most
    4·image_size² pixels, which bounds the memory.

    Args:
        size: H and W of the picture.
        image_size: longest shorter side in pixels.

    Returns:
        Rows and columns in pixels.
    """
    height, width = size
    share = min(1.0, image_size / min(size), math.sqrt(4 * image_size**2 / (height * width)))
    return max(1, round(height * share)), max(1, round(width * share))


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """H×W×3 uint8 → 1×3×h×w uint8 on the CPU, bilinear and antialiased, without a float copy of the original."""
    writable = np.require(picture, requirements=["C", "W"])  # torch warns of read-only arrays, as Pillow makes them
    pixels = torch.from_numpy(writable).permute(2, 0, 1)[None]
    if tuple(pixels.shape[-2:]) == tuple(size):
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)


def _after_crf(stack: torch.Tensor, picture: np.ndarray, image_size: int, config: CrfConfig) -> Masks:
    """Refine C×h×w scores, background first, at the picture's own size or what `max_pixels` allows of it.

    Only channels that win a pixel are ever held at that size, so a long list of tags costs no more than a short one.
    """
    size = (picture.shape[0], picture.shape[1])
    share = min(1.0, math.sqrt(config.max_pixels / (size[0] * size[1])))
    grid = max(1, int(size[0] * share)), max(1, int(size[1] * share))
    present = np.arange(len(stack)) if config.every_label else np.unique(argmax_at(stack, grid))
    present = present.astype(np.uint8 if len(stack) <= 255 else np.uint16)
    chosen = torch.from_numpy(present.astype(np.int64)).to(stack.device)
    colours = resize_picture(picture, grid)[0].permute(1, 2, 0).contiguous().numpy()
    likely = resize_maps(stack[chosen][None].float(), grid)[0].cpu().numpy()
    marginals = torch.from_numpy(dense_crf(colours, likely, config))
    coarse = pamr_size(grid, image_size)
    averaged = marginals if coarse == grid else F.interpolate(marginals[None], coarse, mode="area")[0]
    scores = torch.zeros(len(stack), *coarse, device=stack.device)
    scores[chosen] = averaged.to(stack.device)
    return Masks(present[argmax_at(marginals, size)], scores[1:])
