"""Fully connected conditional random field over a label map; the only place that imports pydensecrf.

Source: Kraehenbuehl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NeurIPS
2011. The parameters are those of the TTD authors' toolkit, which the CLIP-ES masks of TagCLIP share.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ttd_core.errors import MissingPackageError, UsageError


@dataclass(frozen=True)
class CrfConfig:
    """Settings of the dense CRF.

    Args:
        iterations: mean-field steps.
        gaussian_sxy: reach in pixels of the smoothness kernel.
        gaussian_compat: its Potts weight.
        bilateral_sxy: reach in pixels of the appearance kernel.
        bilateral_srgb: its reach in colour steps (0..255).
        bilateral_compat: its Potts weight.
        every_label: run over all labels given; otherwise over those that win at least one pixel, which is what makes
            long class lists affordable. A label that wins nowhere beforehand is then never assigned.
        max_pixels: larger pictures are refined at a size that fits, since the lattice takes about 400 bytes a pixel.
    """

    iterations: int = 10
    gaussian_sxy: float = 1
    gaussian_compat: float = 3
    bilateral_sxy: float = 67
    bilateral_srgb: float = 3
    bilateral_compat: float = 4
    every_label: bool = False
    max_pixels: int = 2048 * 2048

    def __post_init__(self) -> None:
        reaches = (self.gaussian_sxy, self.bilateral_sxy, self.bilateral_srgb)
        if self.iterations < 0 or min(reaches) <= 0 or self.max_pixels < 1:
            raise UsageError(
                f"dense CRF settings {self} are not usable, expected 0 or more iterations and sizes above 0"
            )


def dense_crf(picture: np.ndarray, probabilities: np.ndarray, config: CrfConfig | None = None) -> np.ndarray:
    """Refine label probabilities along the colours of a picture.

    Args:
        picture: H×W×3 uint8; only differences of colours matter.
        probabilities: K×H×W float16 or float32 in 0..1, background included where there is one, not necessarily
            summing to 1. The unary term is taken in this precision, as the published figures need float16.
        config: settings; None for the published ones.

    Returns:
        K×H×W float32, summing to 1 over K at every pixel; labels that took no part are 0. With one label taking part
        it is 1 everywhere.

    Raises:
        MissingPackageError: pydensecrf is not installed.
        ValueError: shapes or types that do not fit.
    """
    config = config or CrfConfig()
    if picture.ndim != 3 or picture.dtype != np.uint8 or probabilities.shape[1:] != picture.shape[:2]:
        raise ValueError(
            f"picture {picture.shape} {picture.dtype} and probabilities {probabilities.shape}, expected H×W×3 uint8"
            " and K×H×W"
        )
    present = np.arange(len(probabilities))
    if not config.every_label:
        present = np.unique(probabilities.argmax(axis=0))
    if len(present) == len(probabilities) > 1:
        return _mean_field(picture, probabilities, config)
    result = np.zeros(probabilities.shape, dtype=np.float32)
    result[present] = 1 if len(present) == 1 else _mean_field(picture, probabilities[present], config)
    return result


def unary_energy(probabilities: np.ndarray) -> np.ndarray:
    """Negative logarithm of K×H×W probabilities clipped to 1e-5..1, in their own precision, as K×(H·W) float32."""
    clipped = np.clip(probabilities, 1e-5, 1.0).astype(probabilities.dtype, copy=False)
    return np.ascontiguousarray(-np.log(clipped).reshape(len(probabilities), -1), dtype=np.float32)


def mean_subtracted_bgr(rgb: np.ndarray) -> np.ndarray:
    """The picture CLIP-ES hands to the CRF, needed for its published figures.

    It is BGR minus the ImageNet mean, cut toward zero and wrapped into 0..255, so that colours a little below the mean
    land at the other end of the range. Use the plain picture unless you compare with those figures.

    Args:
        rgb: H×W×3 uint8.

    Returns:
        H×W×3 uint8.
    """
    shifted = rgb[..., ::-1].astype(np.float32) - np.array([104.008, 116.669, 122.675], dtype=np.float32)
    return np.ascontiguousarray(np.trunc(shifted).astype(np.int16) % 256, dtype=np.uint8)


def require_crf() -> ModuleType:
    """The pydensecrf module; raises MissingPackageError early, before any picture is read, when it is absent."""
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise MissingPackageError(
            f"the dense CRF needs the package pydensecrf2, which does not load ({error})",
            hint="pip install 'ttd[crf]' (compiles C++), or use --pamr instead",
        ) from error
    module: ModuleType = densecrf
    return module


def _mean_field(picture: np.ndarray, probabilities: np.ndarray, config: CrfConfig) -> np.ndarray:
    densecrf = require_crf()
    height, width = picture.shape[:2]
    field = densecrf.DenseCRF2D(width, height, len(probabilities))
    field.setUnaryEnergy(unary_energy(probabilities))
    field.addPairwiseGaussian(sxy=config.gaussian_sxy, compat=config.gaussian_compat)
    field.addPairwiseBilateral(
        sxy=config.bilateral_sxy,
        srgb=config.bilateral_srgb,
        rgbim=np.ascontiguousarray(picture),
        compat=config.bilateral_compat,
    )
    marginals = np.asarray(field.inference(config.iterations), dtype=np.float32)
    return marginals.reshape(probabilities.shape)
