"""Pixel-adaptive mask refinement (PAMR): masks flow along the colours of the picture.

Source: Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020, section 3.3, in the form
that TCL (arXiv 2212.00785) evaluates with.

The textbook form unfolds every mask into its 48 neighbours, which costs 48×K×H×W floats. Here the 48 affinities are
computed once and the sum over neighbours is accumulated in place, so the extra memory is one 48×H×W tensor however
many masks there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType

import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError

DILATIONS = (1, 2, 4, 8, 12, 24)
ITERATIONS = 10

_log = logging.getLogger(__name__)
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def neighbour_offsets(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Row and column steps to the 8 neighbours of every dilation, dilation by dilation, row by row."""
    return [(d * dy, d * dx) for d in dilations for dy, dx in _RING]


def pamr(
    image: torch.Tensor,
    masks: torch.Tensor,
    iterations: int = ITERATIONS,
    dilations: Sequence[int] = DILATIONS,
) -> torch.Tensor:
    """Refine soft masks so that pixels of like colour in a neighbourhood share their values.

    Not differentiable. float32 masks on the CPU run through compiled loops when Numba is installed (one thread per
    `torch.get_num_threads()`); everything else runs through torch on the tensors' own device. Both agree to 1e-5.

    Args:
        image: B×3×H×W float, any affine scale (the affinity is relative to the local contrast).
        masks: B×K×h×w float, any range; resized to H×W first (bilinear, corners aligned).
        iterations: how often the values flow; 0 only resizes.
        dilations: distances in pixels at which the 8 neighbours are taken; any size, borders are replicated.

    Returns:
        B×K×H×W in the masks' dtype, every value within the range of its input mask.

    Raises:
        UsageError: a negative number of iterations, no dilation, or a dilation below 1.
        ValueError: shapes that do not fit each other.
    """
    _check(image, masks, iterations, dilations)
    if not masks.shape[0] * masks.shape[1]:  # torch does not resize nothing
        return masks.new_zeros(*masks.shape[:2], *image.shape[-2:])
    work = torch.float64 if masks.dtype == torch.float64 else torch.float32
    spread = F.interpolate(masks.detach().to(work), size=image.shape[-2:], mode="bilinear", align_corners=True)
    if iterations:
        spread = Refiner(image.detach().to(work), iterations, dilations)(spread)
    return spread.to(masks.dtype)


class Refiner:
    """PAMR with the colours of one batch of pictures, for masks that come a few at a time.

    The affinities are computed once. Every mask is refined by itself: which others come along changes no bit of it.

    Args:
        image: B×3×H×W float32 or float64, any affine scale.
        iterations: how often the values flow, at least 1.
        dilations: distances in pixels.
    """

    def __init__(self, image: torch.Tensor, iterations: int = ITERATIONS, dilations: Sequence[int] = DILATIONS) -> None:
        loops = _compiled_loops() if image.dtype == torch.float32 and image.device.type == "cpu" else None
        self._spread: Callable[[torch.Tensor], torch.Tensor]
        with torch.no_grad():
            if loops is not None:
                offsets = neighbour_offsets(dilations)
                compiled = loops.affinities(image, offsets, len(dilations))
                self._spread = lambda masks: loops.spread(compiled, masks, iterations, offsets)
            else:
                weights = affinity(image, dilations)
                self._spread = lambda masks: spread_torch(weights, masks, iterations, dilations)

    def __call__(self, masks: torch.Tensor) -> torch.Tensor:
        """Refine B×K×H×W masks of the pictures' size and dtype, K at least 1. Not differentiable."""
        with torch.no_grad():
            return self._spread(masks)


def _check(image: torch.Tensor, masks: torch.Tensor, iterations: int, dilations: Sequence[int]) -> None:
    if iterations < 0:
        raise UsageError(f"PAMR iterations are {iterations}, expected 0 or more")
    if not dilations or min(dilations) < 1:
        raise UsageError(f"PAMR dilations are {list(dilations)}, expected one or more distances of at least 1 pixel")
    if image.ndim != 4 or image.shape[1] != 3 or masks.ndim != 4 or image.shape[0] != masks.shape[0]:
        raise ValueError(f"image {tuple(image.shape)} and masks {tuple(masks.shape)}, expected B×3×H×W and B×K×h×w")


@cache
def _compiled_loops() -> ModuleType | None:
    """The Numba form, or None where Numba is missing or refuses this Python; compiled on first use only."""
    try:
        from ttd_core.ops import pamr_loops
    except ImportError as error:
        _log.info("PAMR runs through torch: Numba does not load (%s)", error)
        return None
    return pamr_loops


def affinity(image: torch.Tensor, dilations: Sequence[int]) -> torch.Tensor:
    """How much each pixel takes from each neighbour.

    Args:
        image: B×3×H×W float.
        dilations: distances in pixels.

    Returns:
        B×N×H×W, N = 8 per dilation in the order of `neighbour_offsets`, positive, summing to 1 over N.
    """
    offsets = neighbour_offsets(dilations)
    pad = max(dilations)
    padded = F.pad(image, (pad,) * 4, mode="replicate")
    scale = 1e-8 + 0.1 * local_deviation(image, dilations)
    logits = image.new_empty(image.shape[0], len(offsets), *image.shape[-2:])  # B N H W
    for n, (dy, dx) in enumerate(offsets):
        logits[:, n] = -((_shifted(padded, dy, dx, pad) - image).abs_() / scale).mean(dim=1)
    return torch.softmax(logits, dim=1)


def local_deviation(image: torch.Tensor, dilations: Sequence[int]) -> torch.Tensor:
    """Unbiased standard deviation of each channel around each pixel, B×3×H×W.

    It is pooled over the 9 taps of every dilation, so the centre counts once per dilation.

    Args:
        image: B×3×H×W float.
        dilations: distances in pixels; borders are replicated.
    """
    offsets = neighbour_offsets(dilations)
    pad = max(dilations)
    padded = F.pad(image, (pad,) * 4, mode="replicate")
    # differences from the centre have the same deviation as the values and lose nothing to cancellation
    total = torch.zeros_like(image)
    for dy, dx in offsets:
        total += _shifted(padded, dy, dx, pad) - image
    taps = 9 * len(dilations)
    mean = total / taps
    squares = len(dilations) * mean.square()
    for dy, dx in offsets:
        squares += (_shifted(padded, dy, dx, pad) - image - mean).square_()
    return (squares / (taps - 1)).sqrt()


def pamr_torch(
    image: torch.Tensor, masks: torch.Tensor, iterations: int = ITERATIONS, dilations: Sequence[int] = DILATIONS
) -> torch.Tensor:
    """`pamr` in torch on any device, for masks that already have the picture's size: B×3×H×W, B×K×H×W → B×K×H×W."""
    return spread_torch(affinity(image, dilations), masks, iterations, dilations)


def spread_torch(weights: torch.Tensor, masks: torch.Tensor, iterations: int, dilations: Sequence[int]) -> torch.Tensor:
    """Let B×K×H×W masks flow along B×N×H×W affinities, `iterations` times."""
    offsets = neighbour_offsets(dilations)
    pad = max(dilations)
    for _ in range(iterations):
        padded = F.pad(masks, (pad,) * 4, mode="replicate")
        masks = torch.zeros_like(masks)
        for n, (dy, dx) in enumerate(offsets):
            masks.addcmul_(weights[:, n : n + 1], _shifted(padded, dy, dx, pad))
    return masks


def _shifted(padded: torch.Tensor, dy: int, dx: int, pad: int) -> torch.Tensor:
    """The view of a padded …×H×W tensor in which every pixel is replaced by its neighbour at (dy, dx)."""
    height, width = padded.shape[-2] - 2 * pad, padded.shape[-1] - 2 * pad
    return padded[..., pad + dy : pad + dy + height, pad + dx : pad + dx + width]
