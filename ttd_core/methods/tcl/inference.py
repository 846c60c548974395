"""TCL's published inference: from a picture to masks of class texts, and to a label map.

The order of the steps decides the figures: learned masks on a quarter of the window's grid, PAMR there, then the mix
with the frozen CLIP's ("kp") masks, upsampling, the mean over windows, and last of all the background and the arg-max
at the picture's own size.

Classes are gone through in blocks, so memory is bounded however many there are and however large the picture; the size
of the blocks changes no bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.methods.tcl.masks import KP_WEIGHT, kp_masks, mix_kp, similarity, soft_masks
from ttd_core.methods.tcl.windows import (
    LONGEST,
    SIZE,
    STRIDE,
    WINDOW,
    Window,
    coverage,
    pad,
    resized_size,
    sliding_windows,
)
from ttd_core.ops.opencv_resize import resize_bilinear
from ttd_core.ops.pamr import Refiner
from ttd_core.ops.resize import resize_maps
from ttd_core.protocols import Backbone

# Matrix products and resizes of other shapes round differently, so each is made with one number of classes, zeros where
# there are fewer: comparisons with _BLOCK, resizes with _GROUP, of which fewer only where the picture is very large.
_BLOCK = 16
_GROUP = 4
# Floats of a group at the picture's own size: 128 MB.
_LARGEST = 1 << 25


@dataclass(frozen=True)
class Steps:
    """Masks of some classes in one window, step by step; each B×K×u×v on the grid of the masker, a quarter of a patch.

    Args:
        cosines: with the learned embedding, −1..1.
        soft: after the learned scale and bias, 0..1.
        refined: after PAMR, or `soft`.
        mixed: with the frozen CLIP's masks, or `refined`.
    """

    cosines: torch.Tensor
    soft: torch.Tensor
    refined: torch.Tensor
    mixed: torch.Tensor


@dataclass(frozen=True)
class _View:
    """A window after the network: everything that classes are compared with.

    Args:
        dense: B×D×u×v.
        kp: B×D×h×w, None where it is not mixed in.
        refine: PAMR with the window's colours, None where it is not used.
        padded: rows and columns after padding.
        inner: where the window lies in that.
    """

    dense: torch.Tensor
    kp: torch.Tensor | None
    refine: Refiner | None
    padded: tuple[int, int]
    inner: Window


class TclInference:
    """Published TCL inference over a loaded backbone.

    Args:
        backbone: gives `dense` embeddings, a learned scale and bias, and the frozen CLIP's embedding `extra["kp"]`.
        pamr: refine the learned masks by the colours of the window.
        kp_weight: share of the frozen CLIP's masks, 0..1.
        size: shorter side in pixels at which pictures are read.
        window: side of the sliding windows in pixels.
        stride: distance between windows in pixels, 1..window.
        longest: longer side in pixels that reading does not exceed.
        classes_at_once: how many classes are held on the grid of the masks; rounded up to a multiple of 16. Results do
            not depend on it.

    Raises:
        UsageError: the backbone has no learned scale and bias, or a number is out of its range.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        pamr: bool,
        kp_weight: float = KP_WEIGHT,
        size: int = SIZE,
        window: int = WINDOW,
        stride: int = STRIDE,
        longest: int = LONGEST,
        classes_at_once: int = 64,
    ) -> None:
        info = backbone.info
        if info.sigmoid_scale is None or info.sigmoid_bias is None:
            raise UsageError(f"{info.name} has no learned masks, which tcl needs", hint="--model tcl --weights tcl.pth")
        if not 0.0 <= kp_weight <= 1.0:
            raise UsageError(f"kp weight is {kp_weight}, expected 0..1")
        if min(size, longest, classes_at_once) < 1 or not 1 <= stride <= window:
            raise UsageError(f"windows of {window} pixels every {stride} at {size}, expected 1 <= stride <= window")
        self.backbone = backbone
        self.pamr = pamr
        self.kp_weight = kp_weight
        self.size, self.longest = size, longest
        self.window, self.stride = window, stride
        self._scale, self._bias = info.sigmoid_scale, info.sigmoid_bias
        self._at_once = -(-classes_at_once // _BLOCK) * _BLOCK

    @torch.inference_mode()
    def window_masks(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Masks of whole images, each as one window (`generate_masks` of the published code).

        Args:
            images: B×3×H×W, normalised with `info.mean` and `info.std`, on the backbone's device; any H and W.
            texts: K×D class embeddings, of any length: means over the unnormalised embeddings of a template set.

        Returns:
            B×K×H×W in 0..1.
        """
        view = self._view(images)
        parts = [images.new_zeros(len(images), 0, *images.shape[-2:])]
        for block in self._blocks(len(texts)):
            masks = _whole(self._steps(view, texts[block]).mixed, _GROUP)
            parts += [self._upsampled(view, group) for group in masks.split(_GROUP, dim=1)]
        return torch.cat(parts, dim=1)[:, : len(texts)]

    @torch.inference_mode()
    def steps(self, images: torch.Tensor, texts: torch.Tensor) -> Steps:
        """What `window_masks` goes through before it upsamples, for the same arguments, all classes at once."""
        return self._steps(self._view(images), texts)

    @torch.inference_mode()
    def scores(self, pixels: np.ndarray, texts: torch.Tensor) -> torch.Tensor:
        """Masks of a picture at its own size, averaged over windows; all K of them are held at once.

        Args:
            pixels: H×W×3 uint8 RGB.
            texts: K×D class embeddings as in `window_masks`.

        Returns:
            K×H×W in 0..1, on the backbone's device.
        """
        parts = [part for _, part in self._groups(pixels, texts)]
        return torch.cat(parts) if parts else texts.new_zeros(0, *pixels.shape[:2])

    @torch.inference_mode()
    def label_map(self, pixels: np.ndarray, texts: torch.Tensor, background: float | None) -> np.ndarray:
        """The strongest class of every pixel; the lower index among equals, the background before all.

        Args:
            pixels: H×W×3 uint8 RGB.
            texts: K×D class embeddings as in `window_masks`, K at most 65535, without the background.
            background: constant score of the background in 0..1, None where there is none.

        Returns:
            H×W uint16. With a background 0 is it and class k is k + 1, without one class k is k.

        Raises:
            UsageError: neither a class nor a background.
        """
        if not len(texts) and background is None:
            raise UsageError("no classes and no background, so no pixel can have a label")
        size = (pixels.shape[0], pixels.shape[1])
        first = 0 if background is None else 1
        lowest = float("-inf") if background is None else background
        best = torch.full(size, lowest, device=texts.device)
        labels = torch.zeros(size, dtype=torch.int32, device=texts.device)
        for start, part in self._groups(pixels, texts):
            strongest, index = part.max(dim=0)
            index = index.to(torch.int32) + (first + start)
            labels = torch.where(strongest > best, index, labels)
            best = torch.maximum(best, strongest)
        return labels.cpu().numpy().astype(np.uint16)

    def _blocks(self, classes: int) -> Iterator[slice]:
        for start in range(0, classes, self._at_once):
            yield slice(start, min(start + self._at_once, classes))

    def _groups(self, pixels: np.ndarray, texts: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """First class and g×H×W averaged scores of one group of classes after the other."""
        original = (pixels.shape[0], pixels.shape[1])
        size = resized_size(original, self.size, self.longest)
        image = self._normalised(resize_bilinear(pixels, size), texts.device)
        windows = sliding_windows(size, self.window, self.stride)
        count = coverage(size, windows).to(texts.device)
        views = [self._view(window.of(image)) for window in windows] if len(texts) else []
        group = _GROUP
        while group > 1 and group * max(original[0] * original[1], size[0] * size[1]) > _LARGEST:
            group //= 2
        for block in self._blocks(len(texts)):
            coarse = [_whole(self._steps(view, texts[block]).mixed, group) for view in views]
            for start in range(0, block.stop - block.start, group):
                total = image.new_zeros(group, *size)
                for window, view, masks in zip(windows, views, coarse, strict=True):
                    window.of(total).add_(self._upsampled(view, masks[:, start : start + group])[0])
                part = resize_maps((total / count)[None], original)[0]
                yield block.start + start, part[: block.stop - block.start - start]

    def _normalised(self, pixels: np.ndarray, device: torch.device) -> torch.Tensor:
        """H×W×3 uint8 → 1×3×H×W float32."""
        image = torch.tensor(pixels, device=device).permute(2, 0, 1)[None].float() / 255
        info = self.backbone.info
        mean, std = (torch.tensor(colour, device=device).view(3, 1, 1) for colour in (info.mean, info.std))
        return (image - mean) / std

    def _view(self, images: torch.Tensor) -> _View:
        """Run the network on B×3×H×W normalised windows."""
        padded, inner = pad(images, self.backbone.info.patch)
        encoded = self.backbone.encode_images(padded)
        kp = encoded.extra.get("kp") if self.kp_weight else None
        if self.kp_weight and kp is None:
            raise UsageError(f"{self.backbone.info.name} gives no frozen map to mix in, expected kp weight 0")
        refine = None
        if self.pamr:
            grid = (encoded.dense.shape[-2], encoded.dense.shape[-1])
            refine = Refiner(F.interpolate(padded, size=grid, mode="bilinear", align_corners=True))
        return _View(encoded.dense, kp, refine, (padded.shape[-2], padded.shape[-1]), inner)

    def _steps(self, view: _View, texts: torch.Tensor) -> Steps:
        """What classes make of a window, on the grid of the masker."""
        # 1. cosines with the learned embedding
        cosines = _in_blocks(similarity, view.dense, texts)
        # 2. learned scale and bias
        soft = soft_masks(cosines, self._scale, self._bias)
        # 3. colours
        refined = soft if view.refine is None else view.refine(soft)
        # 4. the frozen CLIP, untouched by the colours
        if view.kp is None:
            return Steps(cosines, soft, refined, refined)
        grid = (soft.shape[-2], soft.shape[-1])
        kp = _in_blocks(lambda embedding, block: resize_maps(kp_masks(embedding, block), grid), view.kp, texts)
        return Steps(cosines, soft, refined, mix_kp(refined, kp, self.kp_weight))

    def _upsampled(self, view: _View, masks: torch.Tensor) -> torch.Tensor:
        """Masks at the window's own size, B×K×H×W."""
        return view.inner.of(F.interpolate(masks, size=view.padded, mode="bilinear", align_corners=False))


def _in_blocks(
    compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], embedding: torch.Tensor, texts: torch.Tensor
) -> torch.Tensor:
    """`compare` B×D×h×w embeddings with K×D texts, always `_BLOCK` of them, zeros at the end: B×K×h×w."""
    blocks = F.pad(texts, (0, 0, 0, -len(texts) % _BLOCK)).split(_BLOCK)
    return torch.cat([compare(embedding, block).contiguous() for block in blocks], dim=1)[:, : len(texts)]


def _whole(masks: torch.Tensor, group: int) -> torch.Tensor:
    """B×K×u×v masks with zeros added until K is a multiple of `group`."""
    return F.pad(masks, (0, 0, 0, 0, 0, -masks.shape[1] % group))
