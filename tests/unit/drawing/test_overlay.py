from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ttd_core.drawing.canvas import fit, resized_labels, save_png
from ttd_core.drawing.colours import label_colours, tag_colours
from ttd_core.drawing.overlay import caption_overlay, overlay, tint


def example() -> tuple[np.ndarray, np.ndarray]:
    picture = np.full((96, 128, 3), 128, dtype=np.uint8)
    labels = np.zeros((96, 128), dtype=np.uint8)
    labels[20:60, 20:60], labels[50:90, 80:120] = 1, 2
    return picture, labels


def test_small_pictures_are_enlarged_by_whole_factors_and_large_ones_reduced() -> None:
    assert fit(96, 96) == (384, 384) and fit(100, 60) == (400, 240)
    assert fit(800, 1200) == (800, 1200)
    assert fit(8000, 4000) == (1600, 800) and fit(1, 30000) == (1, 1600)
    assert fit(1, 1) == (384, 384)


def test_labels_are_enlarged_without_inventing_any() -> None:
    labels = np.array([[0, 7], [3, 0]])
    np.testing.assert_array_equal(resized_labels(labels, (4, 6)), np.kron(labels, np.ones((2, 3), int)))


def test_regions_take_their_tags_colour_and_the_background_none() -> None:
    picture, labels = example()
    colours = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    drawn = tint(picture, labels, colours).astype(int)
    assert drawn[40, 40, 0] > drawn[40, 40, 2] + 80
    assert drawn[70, 100, 2] > drawn[70, 100, 0] + 80
    assert np.ptp(drawn[5, 5]) < 10


def test_the_tint_is_exact_up_to_the_outline() -> None:
    picture, labels = example()
    drawn = tint(picture, labels, np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)).astype(int)
    inner = np.zeros_like(labels, dtype=bool)
    inner[24:56, 24:56] = True
    assert (drawn[inner][:, 0] > drawn[inner][:, 2] + 80).all()
    assert (np.ptp(drawn[:15], axis=2) < 10).all()


def test_the_page_holds_the_picture_a_legend_and_the_title() -> None:
    picture, labels = example()
    bare = overlay(picture, labels * 0, [])
    named = overlay(picture, labels, ["dog", "cat"])
    titled = overlay(picture, labels, ["dog", "cat"], title="a dog and a cat")
    assert bare.mode == "RGB" and bare.width > 384
    assert bare.height < named.height < titled.height
    assert overlay(picture, labels, ["dog", "cat", "nowhere to be seen"]).size == named.size
    stripes = np.arange(labels.size).reshape(labels.shape) % 41
    many = overlay(picture, stripes, [f"tag number {i}" for i in range(40)])
    assert many.width == named.width and many.height > named.height + 100


def test_the_caption_picture_keeps_colours_inside_only() -> None:
    picture = np.zeros((96, 96, 3), dtype=np.uint8)
    picture[...] = (200, 40, 40)
    mask = np.zeros((96, 96), dtype=bool)
    mask[:, :48] = True
    drawn = np.asarray(caption_overlay(picture, mask, "the left half")).astype(int)
    middle = drawn.shape[0] // 2
    assert np.ptp(drawn[middle, 100]) > 100 and np.ptp(drawn[middle, 350]) < 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 3)])
def test_pictures_of_any_shape_can_be_drawn(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 120, dtype=np.uint8)
    labels = np.ones(shape, dtype=np.uint8)
    for drawn in (overlay(picture, labels, ["犬 \ud800\n"]), caption_overlay(picture, labels > 0, "x" * 9000)):
        assert 300 < drawn.width < 2000 and 20 < drawn.height < 2000


def test_hundreds_of_tags_have_colours_and_the_first_dozen_differ_clearly() -> None:
    colours = tag_colours(300)
    assert colours.shape == (300, 3) and tag_colours(0).shape == (0, 3)
    np.testing.assert_array_equal(tag_colours(5), colours[:5])
    dozen = colours[:12].astype(int)
    apart = np.abs(dozen[:, None] - dozen[None]).sum(axis=2)[~np.eye(12, dtype=bool)]
    assert apart.min() > 60
    np.testing.assert_array_equal(label_colours(3), [[0, 0, 0], *colours[:3].tolist()])
    overlay(np.zeros((40, 40, 3), np.uint8), np.full((40, 40), 300, np.uint16), [str(i) for i in range(300)])


def test_pictures_are_saved_whole(tmp_path: Path) -> None:
    picture, labels = example()
    save_png(tmp_path / "deep" / "overlay.png", overlay(picture, labels, ["dog", "cat"]))
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["overlay.png"]
    assert (tmp_path / "deep" / "overlay.png").read_bytes().startswith(b"\x89PNG")
