from __future__ import annotations

import numpy as np
import pytest

from ttd_core.drawing.pair_sheet import MOST_PAIRS, pair_sheet
from ttd_core.drawing.tiles import NOTE_STEP, Panel

PICTURE = np.full((60, 60, 3), 255, dtype=np.uint8)


def panels(count: int, value: float = 0.0) -> list[Panel]:
    return [Panel(str(i), np.full((2, 2), value), value) for i in range(count)]


def test_each_map_stands_below_the_one_before_it() -> None:
    page = np.asarray(pair_sheet(PICTURE, panels(1, 0.0), panels(1, 1.0))).astype(int)
    cold, hot = (page[..., 2] - page[..., 0] > 50), (page[..., 0] - page[..., 2] > 50)
    columns = [np.flatnonzero(mask[: page.shape[0] - 80].sum(axis=0) > 250) for mask in (cold, hot)]
    assert columns[0].tolist() == columns[1].tolist() and len(columns[0]) == 300
    rows = [np.flatnonzero(mask[:, columns[0]].all(axis=1)) for mask in (cold, hot)]
    assert len(rows[0]) == len(rows[1]) == 300 and rows[0].max() < rows[1].min()


def test_six_tags_stand_side_by_side_and_more_go_on_below() -> None:
    six, twelve = pair_sheet(PICTURE, panels(6), panels(6)), pair_sheet(PICTURE, panels(12), panels(12))
    assert six.width <= 1600 and six.height < 700
    assert twelve.width <= 1600 and six.height < twelve.height < 2 * six.height


def test_names_and_title_show() -> None:
    plain = np.asarray(pair_sheet(PICTURE, panels(2), panels(2)))
    named = np.asarray(pair_sheet(PICTURE, panels(2), panels(2), names=("before: scenes", "after: mine")))
    assert plain.shape == named.shape and (plain[:, :72] != named[:, :72]).any()
    assert np.array_equal(plain[:, 72:], named[:, 72:])
    assert pair_sheet(PICTURE, panels(2), panels(2), title="a dog").height > plain.shape[0]


def test_of_very_many_tags_the_first_are_drawn() -> None:
    many, first = (np.asarray(pair_sheet(PICTURE, panels(n), panels(n))) for n in (MOST_PAIRS + 40, MOST_PAIRS))
    np.testing.assert_array_equal(many[:-80], first[:-80])
    assert not np.array_equal(many, first)  # the remark at the foot


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_pictures_of_any_shape_can_be_drawn(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 120, dtype=np.uint8)
    odd = [Panel("犬" * 200, np.full((1, 1), np.nan), None, place=(0, 0))]
    drawn = pair_sheet(picture, odd, odd, names=("\ud800" * 5, "x" * 500), title="y" * 900)
    assert drawn.width <= 1600 and drawn.height <= 2400
    assert pair_sheet(picture, [], []).width > 100


def test_rows_with_thresholds_of_their_own_have_a_bar_each() -> None:
    one, two = (pair_sheet(PICTURE, panels(2, 0.4), panels(2, 0.4), threshold=at) for at in (0.4, (0.4, 0.8)))
    assert two.height == one.height + NOTE_STEP
    upper = one.height // 3
    assert np.array_equal(np.asarray(one)[:upper, 72:], np.asarray(two)[:upper, 72:])
    assert np.array_equal(
        np.asarray(one), np.asarray(pair_sheet(PICTURE, panels(2, 0.4), panels(2, 0.4), threshold=(0.4, 0.4)))
    )
