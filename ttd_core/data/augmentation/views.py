"""Training pictures as TCL was trained on them: random crop, mirror, RandAugment, and a box of noise.

The published training takes timm 0.6.7's `create_transform` at 224 pixels with `rand-m9-mstd0.5-inc1` and random
erasing (TCL, section 7.3 of its specification). Here the pixels stay bytes until they are on the device, so that
processes hand over a quarter of the data: a view is a uint8 picture and perhaps a box, drawn after normalising.

`color_jitter: 0.4` of the published configuration does nothing: timm drops it where RandAugment is on. It is no option.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from ttd_core.data.augmentation.draws import seeded
from ttd_core.data.augmentation.timm_ops import rand_augment
from ttd_core.errors import UsageError

PUBLISHED, CROP, NONE = "published", "crop", "none"
KINDS = {
    PUBLISHED: "crop, mirror, RandAugment, erasing: as TCL was trained",
    CROP: "crop and mirror",
    NONE: "the middle square, always the same",
}
IMAGENET_MEAN = (0.485, 0.456, 0.406)
_AREA, _RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
_ERASED, _ERASED_AREA, _ERASED_RATIO = 0.25, (0.02, 1 / 3), (0.3, 1 / 0.3)
_ATTEMPTS = 10


@dataclass(frozen=True)
class Erased:
    """A box of a normalised picture that noise stands in.

    Args:
        top, left: of the box in pixels.
        noise: 3×h×w float32, standard normal.
    """

    top: int
    left: int
    noise: np.ndarray


@dataclass(frozen=True)
class View:
    """What training sees of a picture.

    Args:
        pixels: 3×S×S uint8 RGB.
        erased: a box to be filled after normalising, or None.
    """

    pixels: np.ndarray
    erased: Erased | None = None


@dataclass(frozen=True)
class Augmentation:
    """Draws views of pictures; picklable.

    Args:
        kind: one of `KINDS`.
        side: S of the views in pixels.
        mean: of the model's pictures, 0..1: the colour that moves in from outside.

    Raises:
        UsageError: there is no such kind.
    """

    kind: str = PUBLISHED
    side: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN

    def __post_init__(self) -> None:
        """Refuse unknown kinds."""
        if self.kind not in KINDS:
            raise UsageError(f"augmentation {self.kind!r} is unknown", f"one of {', '.join(KINDS)}")

    def __call__(self, pixels: np.ndarray, draw: int) -> View:
        """A view of a picture; the same draw gives the same view, whatever was drawn before.

        Args:
            pixels: H×W×3 uint8 RGB.
            draw: 64 bits, see `draw_of`.
        """
        image = Image.fromarray(pixels)
        if self.kind == NONE:
            return View(_planes(middle_square(image, self.side)))
        with seeded(draw):
            image = _random_crop(image, self.side)
            if random.random() < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            if self.kind == CROP:
                return View(_planes(image))
            image = _policy(self.side, self.mean)(image)
            box = _erased_box(self.side)
        return View(_planes(image), None if box is None else _noise(box, draw))


def middle_square(image: Image.Image, side: int) -> Image.Image:
    """The middle square of a picture at side×side pixels, bicubic as CLIP's own preprocessing."""
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    square = image.crop((left, top, left + short, top + short))
    return square.resize((side, side), Image.Resampling.BICUBIC)


def _planes(image: Image.Image) -> np.ndarray:
    # S×S×3 -> 3×S×S
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


@lru_cache(maxsize=8)
def _policy(side: int, mean: tuple[float, float, float]) -> Any:
    return rand_augment(side, mean)


def _random_crop(image: Image.Image, side: int) -> Image.Image:
    top, left, height, width = _crop_box(*image.size)
    cropped = image.crop((left, top, left + width, top + height))
    return cropped.resize((side, side), Image.Resampling.BILINEAR)


def _crop_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop; draws in timm's order."""
    for _ in range(_ATTEMPTS):
        area = random.uniform(*_AREA) * (width * height)
        ratio = math.exp(random.uniform(math.log(_RATIO[0]), math.log(_RATIO[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        # timm tries crops without a pixel, which fail when they are resized: pictures of one or two pixels meet that
        if 0 < wide <= width and 0 < high <= height:
            top = random.randint(0, height - high)
            return top, random.randint(0, width - wide), high, wide
    wide, high = min(width, round(height * _RATIO[1])), min(height, round(width / _RATIO[0]))
    return (height - high) // 2, (width - wide) // 2, max(1, high), max(1, wide)


def _erased_box(side: int) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of what is erased, or None; draws in timm's order."""
    if random.random() > _ERASED:
        return None
    for _ in range(_ATTEMPTS):
        area = random.uniform(*_ERASED_AREA) * (side * side)
        ratio = math.exp(random.uniform(math.log(_ERASED_RATIO[0]), math.log(_ERASED_RATIO[1])))
        high, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if wide < side and high < side:
            top = random.randint(0, side - high)
            return top, random.randint(0, side - wide), high, wide
    return None


def _noise(box: tuple[int, int, int, int], draw: int) -> Erased:
    top, left, high, wide = box
    return Erased(top, left, np.random.default_rng(draw).standard_normal((3, high, wide), dtype=np.float32))
