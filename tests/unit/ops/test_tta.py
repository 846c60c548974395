from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.ops.resize import resize_maps, resize_pictures, resized_rows
from ttd_core.ops.tta import average_maps, group_by_shape, multi_view_maps, plan_sizes


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


def patchwise(images: torch.Tensor) -> torch.Tensor:
    """A model that sees each 4×4 patch alone, so that a mirrored picture has mirrored maps: B×3×H×W → B×2×H/4×W/4."""
    means = F.avg_pool2d(images, 4)
    return torch.stack([means[:, 0] - means[:, 1], means[:, 2].square()], dim=1)


def pictures(batch: int, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(5))


def lopsided(images: torch.Tensor) -> torch.Tensor:
    """Sees more on the left than on the right, as a real model with positions does."""
    maps = patchwise(images)
    return maps * torch.linspace(1, 0.2, maps.shape[-1])


def test_one_scale_equals_no_averaging() -> None:
    view = pictures(2)
    assert torch.equal(multi_view_maps([view], patchwise), patchwise(view))


def test_with_flips_a_mirrored_picture_gives_mirrored_maps() -> None:
    views = [pictures(2), pictures(2, 8, 12)]
    maps = multi_view_maps(views, lopsided, hflip=True)
    mirrored = multi_view_maps([v.flip(-1) for v in views], lopsided, hflip=True)
    torch.testing.assert_close(mirrored.flip(-1), maps)
    assert not torch.allclose(maps, multi_view_maps(views, lopsided))


def test_flips_cost_one_batch_per_scale() -> None:
    seen: list[int] = []

    def count(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return patchwise(images)

    multi_view_maps([pictures(3), pictures(3, 32, 48)], count, hflip=True)
    assert seen == [6, 6]


def test_a_batch_equals_its_pictures() -> None:
    views = [pictures(3), pictures(3, 32, 48)]
    together = multi_view_maps(views, lopsided, hflip=True)
    single = [multi_view_maps([v[b : b + 1] for v in views], lopsided, hflip=True) for b in range(3)]
    torch.testing.assert_close(torch.cat(single), together)


def test_maps_are_averaged_on_the_largest_grid() -> None:
    small, large = torch.rand(1, 2, 2, 3), torch.rand(1, 2, 4, 6)
    expected = (F.interpolate(small, size=(4, 6), mode="bilinear", align_corners=False) + large) / 2
    torch.testing.assert_close(average_maps([small, large]), expected)
    torch.testing.assert_close(average_maps([large, small]), expected)


def test_calibration_comes_before_the_average_unless_asked() -> None:
    views = [pictures(1), pictures(1, 32, 48)]
    late = multi_view_maps(views, patchwise, calibrate=torch.exp, average_before_calibration=True)
    early = multi_view_maps(views, patchwise, calibrate=torch.exp)
    torch.testing.assert_close(late, torch.exp(multi_view_maps(views, patchwise)))
    torch.testing.assert_close(early, average_maps([patchwise(v).exp() for v in views]))
    assert not torch.allclose(early, late)


@pytest.mark.parametrize("size", [(50, 40), (5, 6), (7, 9), (1, 1), (300, 3)])
def test_rows_of_a_resized_map_equal_the_whole_one(size: tuple[int, int]) -> None:
    maps = torch.rand(3, 7, 9, generator=torch.Generator().manual_seed(1))
    strips = [resized_rows(maps, size, first, min(first + 13, size[0])) for first in range(0, size[0], 13)]
    torch.testing.assert_close(torch.cat(strips, dim=1), resize_maps(maps[None], size)[0])


def test_pictures_are_resized_with_antialiasing() -> None:
    stripes = torch.zeros(1, 3, 8, 64)
    stripes[..., ::2] = 1.0
    torch.testing.assert_close(
        resize_pictures(stripes, (1, 8))[..., 1:-1], torch.full((1, 3, 1, 6), 0.5), rtol=0, atol=0.03
    )


def test_maps_of_no_tags_are_averaged_into_maps_of_no_tags() -> None:
    assert average_maps([torch.zeros(2, 0, 2, 3), torch.zeros(2, 0, 4, 6)]).shape == (2, 0, 4, 6)
