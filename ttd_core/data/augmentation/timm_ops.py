"""The one door to timm: its RandAugment, without the rest of the package.

timm, as open_clip brings it along, is the maintained descendant of what the published trainings used (0.6.7). Its file
of operations needs Pillow and NumPy only, but importing it by name imports torch and hundreds of models first. Reading
pictures happens in processes of their own that need neither, so the file is loaded by itself where it stands.

0.6.7 and 1.0.31 were compared for `rand-m9-mstd0.5-inc1`, line by line and on 3,000 seeds, whose pictures are equal to
the byte. The same are the fifteen operations and their order, the choice of two with replacement, the probability of
one half, N(9, 0.5) clipped to 0..10, the increasing levels, the negation by halves, the fill colour and the resampling.
What differs is out of reach here: SolarizeAdd is clipped to 128 (levels up to 10 give at most 110), Solarize to 256
(level 10 gives just that), `p`, `t` and weights are new sections. The translation is 45 percent of the side in both,
100.8 pixels at 224; `translate_const` of the configuration serves operations that this policy has not got. One thing
did change around timm: see `_posterize`.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

POLICY = "rand-m9-mstd0.5-inc1"


def rand_augment(side: int, mean: tuple[float, float, float], policy: str = POLICY) -> Any:
    """RandAugment as `timm.data.create_transform` sets it up: RGB image of Pillow -> the same.

    It draws from the global generators of `random` and NumPy.

    Args:
        side: of the pictures in pixels.
        mean: of the model's pictures, 0..1; what moves in from outside has this colour.
        policy: in timm's own notation.
    """
    from PIL import Image

    fill = tuple(min(255, round(255 * value)) for value in mean)
    settings = {"translate_const": int(side * 0.45), "img_mean": fill, "interpolation": Image.Resampling.BILINEAR}
    chain = _operations().rand_augment_transform(policy, settings)
    for operation in chain.ops:
        if operation.name == "PosterizeIncreasing":
            operation.aug_fn = _posterize
    return chain


def _posterize(image: Any, bits: int, **_: Any) -> Any:
    """Level 10 keeps no bit: black with the Pillow of the published training, an exception with Pillow 13."""
    from PIL import Image, ImageOps

    return ImageOps.posterize(image, bits) if bits > 0 else Image.new("RGB", image.size)


@cache
def _operations() -> ModuleType:
    found = importlib.util.find_spec("timm")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(folder) / "data" / "auto_augment.py"
        spec = importlib.util.spec_from_file_location("ttd_core.data.augmentation._timm_auto_augment", path)
        if path.is_file() and spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    return importlib.import_module("timm.data.auto_augment")
