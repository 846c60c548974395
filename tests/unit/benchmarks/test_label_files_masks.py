from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tiny_coco import HEIGHT, WIDTH, write_png
from ttd_core.data.benchmarks.label_files_masks import PredictedMasks, open_predicted_captions, open_predicted_masks
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.errors import DataError

PETS = ClassList("pets", ("background", "dog", "cat", "grass"), background=True)
THINGS = ClassList("things", ("dog", "cat", "grass"))
SIZE = (HEIGHT, WIDTH)


def thirds() -> np.ndarray:
    """0, 1 and 2 in three bands."""
    return np.repeat(np.arange(HEIGHT) * 3 // HEIGHT, WIDTH).reshape(SIZE)


def write_run(root: Path, **changes: Any) -> Path:
    """A run of `ttd masks` with one picture: label 1 is the cat, 2 the dog, `files` as a run records them."""
    write_png(root / "labels" / "a.png", thirds())
    write_png(root / "caption" / "a.png", (thirds() > 1) * 255)
    row = {
        "key": "pictures/a.jpg",
        "text": "a cat and a dog",
        "masks": [{"tag": "Cat", "label": 1, "score": 0.9}, {"tag": "dog", "label": 2, "score": None}],
        "files": {"labels": "labels/a.png", "caption": "caption/a.png"},
    }
    rows = [row | changes, {"key": "b.jpg", "error": "cannot be decoded"}]
    (root / "masks.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    (root / "run.yaml").write_text("model: scenes\n", encoding="utf-8")
    return root


def test_a_runs_labels_are_mapped_by_the_names_of_their_tags(tmp_path: Path) -> None:
    predicted = open_predicted_masks(write_run(tmp_path), PETS)
    assert predicted.keys == {"pictures/a.jpg"} and "a" in predicted and "b" not in predicted
    found = predicted.read("a", SIZE)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, np.array([0, 2, 1])[thirds()])


def test_without_a_background_label_0_is_no_class(tmp_path: Path) -> None:
    found = open_predicted_masks(write_run(tmp_path), THINGS).read("a", SIZE)
    np.testing.assert_array_equal(found, np.array([3, 1, 0])[thirds()])


def test_further_names_may_stand_for_a_class(tmp_path: Path) -> None:
    masks = [{"tag": "kitten", "label": 1}, {"tag": "dog", "label": 2}]
    run = write_run(tmp_path, masks=masks)
    with pytest.raises(DataError, match="masks.jsonl:1: kitten is no class of pets"):
        open_predicted_masks(run, PETS)
    found = open_predicted_masks(run, PETS, {"Kitten": 2}).read("a")
    assert set(np.unique(found)) == {0, 1, 2}


def test_a_label_that_the_row_does_not_have_is_an_error(tmp_path: Path) -> None:
    predicted = open_predicted_masks(write_run(tmp_path, masks=[{"tag": "cat", "label": 1}]), PETS)
    with pytest.raises(DataError, match="holds 2, a label that its row in masks.jsonl does not have"):
        predicted.read("a", SIZE)


@pytest.mark.parametrize("name", ["../outside.png", "/etc/outside.png", "labels\\..\\..\\outside.png"])
def test_paths_out_of_the_run_are_never_followed(tmp_path: Path, name: str) -> None:
    write_png(tmp_path / "outside.png", 0)
    run = write_run(tmp_path / "run", files={"labels": name})
    with pytest.raises(DataError, match="masks.jsonl:1: the path .* (leads out|is an absolute)"):
        open_predicted_masks(run, PETS)


def test_links_out_of_the_folder_are_never_followed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "labels" / "a.png").rename(tmp_path / "outside.png")
    (run / "labels" / "a.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match="is a link that leaves"):
        open_predicted_masks(run, PETS).read("a", SIZE)
    plain = tmp_path / "plain"
    write_png(plain / "b.png", thirds())
    (plain / "a.png").symlink_to(tmp_path / "outside.png")
    assert open_predicted_masks(plain, PETS).keys == {"b"}


@pytest.mark.parametrize("changes", [{"masks": [{"tag": "cat"}]}, {"files": {}}, {"files": None}, {"key": None}])
def test_rows_that_no_run_writes_are_errors(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="masks.jsonl:1"):
        open_predicted_masks(write_run(tmp_path, **changes), PETS)


def test_a_plain_folder_holds_class_indices(tmp_path: Path) -> None:
    values = thirds()
    values[0, 0] = 255
    write_png(tmp_path / "a.png", values)
    np.save(tmp_path / "b.npy", thirds())
    (tmp_path / "notes.md").write_text("x", encoding="utf-8")
    predicted: PredictedMasks = pickle.loads(pickle.dumps(open_predicted_masks(tmp_path, PETS)))
    assert predicted.keys == {"a", "b"} and "val/a.jpg" in predicted
    found = predicted.read("a", SIZE)
    assert found[0, 0] == 4, "no class"
    np.testing.assert_array_equal(found.ravel()[1:], thirds().ravel()[1:])
    np.testing.assert_array_equal(predicted.read("b", SIZE), thirds())
    assert "no classes.txt" in predicted.notices[0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("background", "cat", "dog", "grass"), "class 1 is cat, expected dog"),
        (("dog", "cat", "grass"), "class 0 is dog, expected background"),
        (("background", "dog", "cat", "grass", "sky"), "has 5 classes, pets has 4"),
        (("background", "dog", "cat"), "has 3 classes, pets has 4"),
    ],
)
def test_another_order_of_classes_is_an_error(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    write_png(tmp_path / "a.png", thirds())
    (tmp_path / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        open_predicted_masks(tmp_path, PETS)
    assert message in caught.value.message and "classes.txt" in caught.value.message


@pytest.mark.parametrize("names", [("Background", "dog", "cat", "grass"), ("background", "puppy", "cat", "grass")])
def test_other_spellings_in_the_same_order_are_fine(tmp_path: Path, names: tuple[str, ...]) -> None:
    write_png(tmp_path / "a.png", thirds())
    (tmp_path / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    assert open_predicted_masks(tmp_path, PETS).notices == ()


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        (thirds() + 2, np.uint8, "holds 4, expected classes 0..3"),
        (thirds() * 1000, np.uint16, "holds 1000, 2000, expected classes 0..3"),
        ((thirds() > 0) * 255, np.uint8, "is a binary mask, expected class indices"),
        (thirds() > 0, bool, "is a binary mask, expected class indices"),
        (thirds()[:8], np.uint8, "mask is 32×8 pixels but its picture is 32×24"),
        (np.dstack([thirds() * 90] * 3), np.uint8, "RGB colours that are not VOC's palette"),
    ],
)
def test_what_is_no_label_map_is_an_error(tmp_path: Path, values: np.ndarray, dtype: Any, message: str) -> None:
    write_png(tmp_path / "a.png", values, dtype)
    with pytest.raises(DataError) as caught:
        open_predicted_masks(tmp_path, PETS).read("a", SIZE)
    assert message in caught.value.message and "a.png" in caught.value.message


def test_two_files_for_one_picture_are_an_error(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", thirds())
    np.save(tmp_path / "a.npy", thirds())
    with pytest.raises(DataError, match="a comes twice"):
        open_predicted_masks(tmp_path, PETS)


def test_folders_without_label_maps_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_predicted_masks(tmp_path / "nowhere", PETS)
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match="holds no .png or .npy files, only labels"):
        open_predicted_masks(tmp_path, PETS)
    write_png(tmp_path / "a.png", 0)
    with pytest.raises(DataError, match="no prediction for b"):
        open_predicted_masks(tmp_path, PETS).read("b")


def test_masks_of_captions_come_from_runs_and_plain_folders(tmp_path: Path) -> None:
    found = open_predicted_captions(write_run(tmp_path / "run")).read("a", SIZE)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, thirds() > 1)
    np.testing.assert_array_equal(open_predicted_captions(tmp_path / "run" / "caption").read("a", SIZE), found)
    with pytest.raises(DataError, match="a run without masks of captions"):
        open_predicted_captions(write_run(tmp_path / "other", files={"labels": "labels/a.png"}))


def test_without_a_background_class_0_beside_pixels_of_no_class_is_an_answer(tmp_path: Path) -> None:
    values = np.where(thirds() > 1, 255, 0)
    write_png(tmp_path / "a.png", values)
    found = open_predicted_masks(tmp_path, THINGS).look("a", SIZE)
    np.testing.assert_array_equal(found.labels, np.where(thirds() > 1, 3, 0))
    assert found.notices == ("holds only 0 and 255: the first class and no class, or is it a binary mask?",)
    with pytest.raises(DataError, match="a.png: is a binary mask, expected class indices"):
        open_predicted_masks(tmp_path, PETS).look("a", SIZE)
    write_png(tmp_path / "a.png", thirds() > 1, bool)
    with pytest.raises(DataError, match="a.png: is a binary mask, expected class indices"):
        open_predicted_masks(tmp_path, THINGS).look("a", SIZE)


def test_files_in_sub_folders_answer_the_samples_of_their_own_folder(tmp_path: Path) -> None:
    root = tmp_path / "answers"
    write_png(root / "x" / "a.png", 1)
    write_png(root / "y" / "a.png", 2)
    write_png(root / "y" / "z" / "b.png", 3)
    predicted = open_predicted_masks(root, PETS)
    assert predicted.keys == {"x/a", "y/a", "y/z/b"}
    assert [int(predicted.read(key)[0, 0]) for key in ("x/a", "y/a", "b", "z/b.jpg")] == [1, 2, 3, 3]
    assert "a" not in predicted, "nobody knows which of the two"
    assert open_predicted_captions(root).keys == predicted.keys


def test_sub_folders_that_are_links_out_of_the_folder_are_not_read(tmp_path: Path) -> None:
    write_png(tmp_path / "outside" / "a.png", 1)
    write_png(tmp_path / "answers" / "x" / "b.png", 1)
    (tmp_path / "answers" / "away").symlink_to(tmp_path / "outside")
    (tmp_path / "answers" / "x" / "a.png").symlink_to(tmp_path / "outside" / "a.png")
    assert open_predicted_masks(tmp_path / "answers", PETS).keys == {"x/b"}
