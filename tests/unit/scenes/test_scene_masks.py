"""Pictures and id maps agree, and visibility follows the 0.3 % rule."""

from __future__ import annotations

import numpy as np
import pytest

from ttd_core.scenes.dice import Dice
from ttd_core.scenes.draw import Canvas, Pen
from ttd_core.scenes.layouts import LAYOUTS, plan_scene
from ttd_core.scenes.scene import (
    Entity,
    Scene,
    caption_mask,
    is_small,
    paint_scene,
    true_entities,
    visible,
    visible_flags,
    word_mask,
    word_masks,
)
from ttd_core.scenes.things import KINDS


def _synthetic(dog_pixels: int) -> Scene:
    ids = np.zeros((100, 100), dtype=np.uint8)
    ids[50:] = 1
    ids.ravel()[:dog_pixels] = 2
    entities = (Entity("sky", ("blue",), 0.5), Entity("snow", ("white",), 0.5), Entity("dog", ("white",), 0.0, 0))
    return Scene(np.zeros((100, 100, 3), np.uint8), ids, entities)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_thing_is_painted_exactly_where_its_mask_is(name: str) -> None:
    ids = np.zeros((96, 96), dtype=np.uint8)
    canvas = Canvas(np.full((96, 96, 3), (1, 255, 3), np.uint8), ids)
    pen = Pen(canvas, 7, (0.2, 0.2, 0.5, 0.5), pattern="striped", grounded=False)
    pen.glow = lambda *_: None  # type: ignore[method-assign]
    KINDS[name].paint(pen, (200, 30, 40), 1)
    painted = (np.asarray(canvas.image) != (1, 255, 3)).any(axis=-1)
    np.testing.assert_array_equal(painted, np.asarray(canvas.ids) == 7)
    assert 0.03 < painted.mean() < 0.3


def test_shadow_and_glow_are_not_part_of_the_thing() -> None:
    canvas = Canvas(np.full((96, 96, 3), 128, np.uint8), np.zeros((96, 96), np.uint8))
    pen = Pen(canvas, 7, (0.2, 0.2, 0.5, 0.5))
    pen.shadow(0.5, 0.9, 0.4, 0.1)
    pen.glow(0.5, 0.5, 0.2, (255, 255, 0), 80)
    picture, ids = canvas.finish()
    assert (picture != 128).any() and not ids.any()


def test_a_flying_thing_throws_no_shadow() -> None:
    canvas = Canvas(np.full((96, 96, 3), 128, np.uint8), np.zeros((96, 96), np.uint8))
    Pen(canvas, 7, (0.2, 0.2, 0.5, 0.5), grounded=False).shadow(0.5, 0.9, 0.4, 0.1)
    assert (canvas.finish()[0] == 128).all()


def test_entities_carry_their_share_of_the_id_map() -> None:
    for index in range(20):
        scene = paint_scene(plan_scene(5, index))
        assert scene.image.shape == (96, 96, 3) and scene.image.dtype == scene.ids.dtype == np.uint8
        assert scene.ids.max() < len(scene.entities)
        shares = [float((scene.ids == number).mean()) for number in range(len(scene.entities))]
        np.testing.assert_allclose([entity.area for entity in scene.entities], shares)
        assert tuple(entity.name for entity in scene.entities if entity.group is None) == LAYOUTS[scene.layout].stuff


def test_there_is_no_sun_at_night() -> None:
    plans = [plan_scene(6, index) for index in range(300)]
    nights = [plan for plan in plans if plan.mode == "night"]
    assert len(nights) > 10
    assert not any(thing.name == "sun" for plan in nights for thing in plan.things)


@pytest.mark.parametrize("index", range(12))
def test_a_scene_keeps_its_look_and_ids_at_four_times_the_size(index: int) -> None:
    plan = plan_scene(9, index)
    small, large = paint_scene(plan, 96), paint_scene(plan, 384)
    shrunk = large.image.reshape(96, 4, 96, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small.image).mean() < 6
    assert (large.ids[2::4, 2::4] == small.ids).mean() > 0.95


def test_word_mask_is_the_union_of_all_true_entities() -> None:
    scene = _synthetic(400)
    np.testing.assert_array_equal(word_mask(scene, "white"), scene.ids >= 1)
    assert true_entities("white", scene) == (1, 2)
    masks = word_masks(scene, ["puppies", "blue", "music"])
    assert masks.shape == (3, 100, 100) and masks.dtype == bool
    assert [int(mask.sum()) for mask in masks] == [400, 4600, 0]


@pytest.mark.parametrize(("pixels", "expected"), [(29, False), (30, True)])
def test_a_word_is_visible_from_three_thousandths_of_the_pixels(pixels: int, expected: bool) -> None:
    scene = _synthetic(pixels)
    assert visible(scene, "dog") is expected
    assert visible_flags(scene, ["dog", "sky", "car"]).tolist() == [expected, True, False]


def test_caption_mask_covers_visible_words_only() -> None:
    scene = _synthetic(400)
    assert caption_mask(scene, "a dog without a car").sum() == 400
    assert is_small(scene, "a dog without a car")
    assert not is_small(scene, "a dog under the blue sky")
    assert not caption_mask(scene, "music of the world").any()


def test_dice_repeat_and_differ_by_seed() -> None:
    assert [Dice(1, 2).uniform() for _ in range(2)] == [Dice(1, 2).uniform()] * 2
    assert Dice(1, 2).uniform() != Dice(1, 3).uniform()
    assert sorted(Dice(4).shuffled(range(9))) == list(range(9))
    assert {Dice(5, n).weighted((0.0, 1.0, 0.0)) for n in range(50)} == {1}
