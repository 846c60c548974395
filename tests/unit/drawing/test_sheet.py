from __future__ import annotations

import numpy as np
import pytest

from ttd_core.drawing.colours import COLD, HOT, diverging
from ttd_core.drawing.sheet import MOST_TAGS, Panel, sheet
from ttd_core.drawing.tiles import NOTE_STEP

PICTURE = np.full((60, 90, 3), 255, dtype=np.uint8)


def test_the_threshold_is_white_and_the_ends_are_blue_and_red() -> None:
    for threshold in (0.3, 0.5, 0.8):
        drawn = diverging(np.array([0.0, threshold, 1.0, -5.0, 7.0, np.nan]), 0.0, threshold, 1.0)
        np.testing.assert_allclose(drawn, [COLD, (255,) * 3, HOT, COLD, HOT, (255,) * 3], atol=0.01)


def test_colours_move_away_from_white_steadily() -> None:
    drawn = diverging(np.linspace(0, 1, 21), 0.0, 0.4, 1.0)
    away = (255 - drawn).sum(axis=1)
    assert (np.diff(away[:9]) < 0).all() and (np.diff(away[8:]) > 0).all()


def tiles(page: np.ndarray) -> list[np.ndarray]:
    """The mean colours of the two tiles of a sheet with one tag."""
    return [page[100, 60].astype(int), page[100, 60 + 340 + 22].astype(int)]


def test_picture_then_heat_map() -> None:
    hot = np.asarray(sheet(PICTURE, [Panel("dog", np.ones((3, 3)), 0.9)]))
    cold = np.asarray(sheet(PICTURE, [Panel("dog", np.zeros((3, 3)), 0.1)]))
    assert tiles(hot)[0].tolist() == [255, 255, 255]
    assert tiles(hot)[1][0] > tiles(hot)[1][2] + 50
    assert tiles(cold)[1][2] > tiles(cold)[1][0] + 50


def test_many_tags_wrap_into_rows_and_stay_within_the_width() -> None:
    few = sheet(PICTURE, [Panel(str(i), np.zeros((2, 2)), 0.1) for i in range(3)])
    many = sheet(PICTURE, [Panel(str(i), np.zeros((2, 2)), 0.1) for i in range(40)])
    assert few.width <= 1600 and many.width <= 1600 and many.height > 2 * few.height


def test_of_very_many_tags_the_best_scored_are_drawn() -> None:
    panels = [Panel(str(i), np.zeros((1, 1)), i / 1000) for i in range(1000)]
    best = [Panel(str(i), np.zeros((1, 1)), i / 1000) for i in range(1000 - MOST_TAGS, 1000)]
    all_of_them, only_best = np.asarray(sheet(PICTURE, panels)), np.asarray(sheet(PICTURE, best))
    np.testing.assert_array_equal(all_of_them[:-80], only_best[:-80])  # all but the remark at the foot
    assert not np.array_equal(all_of_them, only_best)


def test_a_selected_tag_a_place_and_a_title_show() -> None:
    plain = sheet(PICTURE, [Panel("dog", np.zeros((3, 3)), 0.9, selected=False)])
    for panel in (
        Panel("dog", np.zeros((3, 3)), 0.9, selected=True),
        Panel("dog", np.zeros((3, 3)), 0.9, selected=False, place=(45, 30)),
    ):
        assert not np.array_equal(np.asarray(plain), np.asarray(sheet(PICTURE, [panel])))
    assert sheet(PICTURE, [Panel("dog", np.zeros((3, 3)))], title="a dog").height > plain.height


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (5, 400)])
def test_pictures_of_any_shape_can_be_drawn(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 120, dtype=np.uint8)
    drawn = sheet(picture, [Panel("犬" * 200, np.full((1, 1), np.nan), None, place=(0, 0))], title="\ud800" * 5)
    assert drawn.width <= 1600 and drawn.height <= 1600
    assert sheet(picture, []).width > 100


def test_what_white_is_and_notes_stand_at_the_foot() -> None:
    panels = [Panel("dog", np.zeros((3, 3)), 0.1)]
    plain, meant = sheet(PICTURE, panels), sheet(PICTURE, panels, meaning="this picture's threshold")
    noted = sheet(PICTURE, panels, notes=["numbers: of one", "maps: of another"])
    assert meant.size == plain.size and not np.array_equal(np.asarray(meant), np.asarray(plain))
    assert noted.height == plain.height + 2 * NOTE_STEP
    assert (np.asarray(noted)[plain.height - 20 :] < 200).any()
    long = sheet(PICTURE, panels, meaning="long " * 99, notes=["long " * 99])
    assert long.width == plain.width and (np.asarray(long)[:, -28:] == 255).all()
