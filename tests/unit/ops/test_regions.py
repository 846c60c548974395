from __future__ import annotations

import numpy as np
import pytest

from ttd_core.ops.regions import area_shares, bounding_box, regions


def flooded(mask: np.ndarray) -> list[tuple[tuple[int, int, int, int], int]]:
    """Connected parts by flood fill, pixel by pixel: slow and plain."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    parts = []
    while left:
        part = [left.pop()]
        for y, x in part:
            for neighbour in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if neighbour in left:
                    left.remove(neighbour)
                    part.append(neighbour)
        rows, columns = [y for y, _ in part], [x for _, x in part]
        parts.append(((min(columns), min(rows), max(columns) + 1, max(rows) + 1), len(part)))
    return sorted(parts)


@pytest.mark.parametrize("density", [0.2, 0.4, 0.6, 0.9])
def test_parts_equal_those_of_a_flood_fill(density: float) -> None:
    stream = np.random.default_rng(int(density * 10))
    for _ in range(40):
        mask = stream.random((stream.integers(1, 14), stream.integers(1, 14))) < density
        assert sorted((part.box, part.area) for part in regions(mask)) == flooded(mask)


def test_a_spiral_is_one_part() -> None:
    mask = np.ones((9, 9), dtype=bool)
    mask[1, :8] = mask[1:8, 7] = mask[7, 1:8] = mask[3:8, 1] = mask[3, 1:6] = False
    (part,) = regions(mask)
    assert part.box == (0, 0, 9, 9) and part.area == mask.sum()


def test_parts_come_largest_first_and_specks_can_be_left_out() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[0, 0] = True
    mask[5:10, 5:10] = True
    assert [part.area for part in regions(mask)] == [25, 1]
    assert [part.box for part in regions(mask, min_share=0.01)] == [(5, 5, 10, 10)]


def test_empty_and_full_masks() -> None:
    assert regions(np.zeros((3, 4), dtype=bool)) == [] and bounding_box(np.zeros((3, 4), dtype=bool)) is None
    assert regions(np.ones((3, 4), dtype=bool))[0].box == bounding_box(np.ones((3, 4), dtype=bool)) == (0, 0, 4, 3)


def test_area_shares_count_every_tag_also_absent_ones() -> None:
    labels = np.array([[0, 1, 1, 3], [0, 0, 1, 3]], dtype=np.uint8)
    np.testing.assert_allclose(area_shares(labels, 4), [3 / 8, 0, 2 / 8, 0])
    assert area_shares(labels * 0, 0).shape == (0,)
