from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference

from ttd_core.data.benchmarks.coco_shapes import ShapeError, draw_shape
from ttd_core.errors import MissingPackageError

SIZE = (24, 32)


def drawn_by_cocos_tools(polygons: list[list[float]]) -> np.ndarray:
    return np.asarray(reference.decode(reference.merge(reference.frPyObjects(polygons, *SIZE))), dtype=bool)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools' own decoding under NumPy 2
def test_polygons_inside_and_slightly_outside_are_drawn_as_cocos_tools_do() -> None:
    rng = np.random.default_rng(0)
    for corners in (3, 4, 7, 12):
        polygons = [(rng.random(2 * corners) * 50 - 8).round(2).tolist() for _ in range(2)]
        np.testing.assert_array_equal(draw_shape(polygons, *SIZE), drawn_by_cocos_tools(polygons))


def test_run_lengths_go_down_the_columns_and_begin_with_background() -> None:
    mask = draw_shape({"size": [2, 3], "counts": [1, 2, 3]}, 2, 3)
    assert mask.tolist() == [[False, True, False], [True, False, False]]


def test_compressed_run_lengths_are_decoded_as_cocos_tools_encoded_them() -> None:
    rng = np.random.default_rng(1)
    for share in (0.0, 0.03, 0.5, 0.97, 1.0):
        mask = rng.random(SIZE) < share
        code = reference.encode(np.asfortranarray(mask, dtype=np.uint8))
        found = draw_shape({"size": list(SIZE), "counts": code["counts"].decode("ascii")}, *SIZE)
        np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("far", [500.0, 5e4, 5e12, 1e300])
def test_parts_far_outside_are_cut_off(far: float) -> None:
    everything = [[-far, -far, far, -far, far, far, -far, far]]
    assert draw_shape(everything, *SIZE).all()
    beside = [[40.0, 0.0, far, 0.0, far, 24.0, 40.0, 24.0]]
    assert not draw_shape(beside, *SIZE).any()
    left_half = [[-far, -far, 16.0, -far, 16.0, far, -far, far]]
    assert draw_shape(left_half, *SIZE).tolist() == [[column < 16 for column in range(32)]] * 24


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[1, 2, 3]], "at least 3 points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least 3 points"),
        ([[1, 2, 3, 4, 5, float("nan")]], "not finite"),
        ([[1, 2, 3, 4, 5, float("inf")]], "not finite"),
        ([[10**400] * 6], "not finite"),
        ([["1"] * 6], "no list of numbers"),
        ([7], "no list of numbers"),
        ([], "no polygon"),
        (None, "no polygon"),
        ("text", "no polygon"),
        ({"size": [24, 32], "counts": [5, 10, 99999]}, "add up to 100014 pixels, expected 768"),
        ({"size": [24, 32], "counts": [10**30, -(10**30), 768]}, "negative"),
        ({"size": [24, 32], "counts": [768.0]}, "neither whole numbers"),
        ({"size": [24, 31], "counts": [744]}, "expected [24, 32]"),
        ({"size": [24, 32]}, "neither whole numbers"),
        ({"size": [24, 32], "counts": "~~~"}, "cannot be decoded"),
        ({"size": [24, 32], "counts": "oooooooooooo"}, "cannot be decoded"),
        ({"size": [24, 32], "counts": "o"}, "in the middle"),
    ],
)
def test_what_is_no_shape_is_refused_before_it_is_drawn(segmentation: Any, reason: str) -> None:
    with pytest.raises(ShapeError) as caught:
        draw_shape(segmentation, *SIZE)
    assert reason in str(caught.value)


def test_without_pycocotools_polygons_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingPackageError) as caught:
        draw_shape([[0, 0, 4, 0, 4, 4]], *SIZE)
    assert caught.value.hint == "pip install pycocotools"
    assert draw_shape({"size": [2, 2], "counts": [0, 4]}, 2, 2).all(), "run lengths need no package"
