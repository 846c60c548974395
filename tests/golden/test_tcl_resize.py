"""The resize of 8-bit pictures is OpenCV's own to the last bit: shrinking, enlarging, halving, one axis, tiny ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.golden import load_case
from ttd_core.ops.opencv_resize import resize_bilinear

CASE = load_case("tcl", "opencv_resize")


@pytest.mark.parametrize("index", range(len(CASE.info["sizes"])))
def test_resized_pictures_have_opencv_s_bytes(index: int) -> None:
    size = CASE.info["sizes"][index]
    pixels = CASE.arrays[f"c{index}_in"]
    assert list(pixels.shape[:2]) == size["from"]
    resized = resize_bilinear(pixels, (size["to"][0], size["to"][1]))
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, CASE.arrays[f"c{index}_out"])


def test_a_picture_of_that_size_is_left_as_it_is() -> None:
    pixels = CASE.arrays["c0_in"]
    assert resize_bilinear(pixels, (pixels.shape[0], pixels.shape[1])) is pixels
