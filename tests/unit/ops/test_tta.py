from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.ops.resize import resize_maps, resized_rows
from ttd_core.ops.tta import average_maps, group_by_shape, plan_sizes


def test_the_shorter_side_is_scaled_to_the_nearest_patch_and_the_aspect_kept() -> None:
    assert plan_sizes((480, 640), 16, 448, (1.0, 0.5, 1.5, 2.0)) == [(448, 592), (224, 304), (672, 896), (896, 1200)]
    assert plan_sizes((640, 480), 16, 448) == [(592, 448)]
    assert plan_sizes((96, 96), 16, 440) == [(448, 448)]  # 27.5 patches, halves go up


def test_no_side_falls_below_a_patch_and_no_strip_gets_out_of_hand() -> None:
    assert plan_sizes((1, 1), 16, 224, (0.01,)) == [(16, 16)]
    assert plan_sizes((1, 30000), 16, 224) == [(224, 896)]
    assert plan_sizes((30000, 1), 16, 224, max_aspect=2) == [(448, 224)]


@pytest.mark.parametrize("scales", [(), (0.0,), (-1.0,), (float("nan"),), (float("inf"),)])
def test_scales_that_are_no_positive_numbers_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="scales"):
        plan_sizes((10, 10), 16, 224, scales)


def test_equal_shapes_are_grouped_in_order_of_appearance() -> None:
    assert group_by_shape([(2, 3), (4, 4), (2, 3), (5, 5), (4, 4)]) == [[0, 2], [1, 4], [3]]


def test_maps_are_averaged_on_the_largest_grid() -> None:
    small, large = torch.rand(1, 2, 2, 3), torch.rand(1, 2, 4, 6)
    expected = (F.interpolate(small, size=(4, 6), mode="bilinear", align_corners=False) + large) / 2
    torch.testing.assert_close(average_maps([small, large]), expected)
    torch.testing.assert_close(average_maps([large, small]), expected)


@pytest.mark.parametrize("size", [(50, 40), (5, 6), (7, 9), (1, 1), (300, 3)])
def test_rows_of_a_resized_map_equal_the_whole_one(size: tuple[int, int]) -> None:
    maps = torch.rand(3, 7, 9, generator=torch.Generator().manual_seed(1))
    strips = [resized_rows(maps, size, first, min(first + 13, size[0])) for first in range(0, size[0], 13)]
    torch.testing.assert_close(torch.cat(strips, dim=1), resize_maps(maps[None], size)[0])


def test_maps_of_no_tags_are_averaged_into_maps_of_no_tags() -> None:
    assert average_maps([torch.zeros(2, 0, 2, 3), torch.zeros(2, 0, 4, 6)]).shape == (2, 0, 4, 6)
