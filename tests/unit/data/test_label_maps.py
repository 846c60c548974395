from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttd_core.data.label_maps import read_label_map, write_label_map, write_mask, write_probabilities
from ttd_core.data.palette import colours_to_labels, voc_palette
from ttd_core.errors import DataError, RunError

SIZE = (60, 80)


def labels() -> np.ndarray:
    """Three classes and a border of ignored pixels, 60×80 uint8."""
    made = np.zeros(SIZE, dtype=np.uint8)
    made[10:30, 10:40], made[20:50, 50:70], made[40:55, 5:25] = 10, 15, 16
    made[:2] = made[-2:] = 255
    return made


def picture(tmp_path: Path, image: Image.Image, name: str = "mask.png", **options: Any) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def read(path: Path, **options: Any) -> np.ndarray:
    return read_label_map(path, classes=21, size=SIZE, **options).labels


def test_the_palette_is_vocs() -> None:
    palette = voc_palette()
    assert palette[[0, 1, 2, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert len({tuple(colour) for colour in palette.tolist()}) == 256


def test_colours_go_back_to_labels_or_not_at_all() -> None:
    everything = np.arange(256, dtype=np.uint8).reshape(16, 16)
    back = colours_to_labels(voc_palette()[everything])
    assert back is not None
    np.testing.assert_array_equal(back, everything)
    assert colours_to_labels(np.full((2, 2, 3), 7, dtype=np.uint8)) is None


def test_written_labels_are_read_back_and_shown_in_the_given_colours(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "labels.png"
    write_label_map(path, labels() % 255, np.array([[0, 0, 0], [1, 2, 3]], dtype=np.uint8))
    np.testing.assert_array_equal(read(path), labels() % 255)
    with Image.open(path) as stored:
        palette = stored.getpalette()
        assert stored.mode == "P" and palette is not None and palette[3:6] == [1, 2, 3]
        assert palette[30:33] == voc_palette()[10].tolist()


@pytest.mark.parametrize("highest", [0, 1, 3, 15, 254])
def test_indices_survive_whatever_the_number_of_labels(tmp_path: Path, highest: int) -> None:
    made = (np.arange(4800) % (highest + 1)).reshape(SIZE)
    write_label_map(tmp_path / "labels.png", made)
    np.testing.assert_array_equal(read_label_map(tmp_path / "labels.png").labels, made)


def test_long_class_lists_take_sixteen_bits(tmp_path: Path) -> None:
    made = (np.arange(4800) % 700).reshape(SIZE)
    write_label_map(tmp_path / "labels.png", made)
    found = read_label_map(tmp_path / "labels.png", classes=700).labels
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, made)
    with pytest.raises(ValueError, match="0..65534"):
        write_label_map(tmp_path / "labels.png", np.array([[70000]]))


def test_masks_are_one_bit_and_read_back(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.png", labels() == 15)
    with Image.open(tmp_path / "mask.png") as stored:
        assert stored.mode == "1"
    found = read_label_map(tmp_path / "mask.png", binary=True)
    np.testing.assert_array_equal(found.labels, labels() == 15)
    assert found.notices == ()


def test_probabilities_need_no_pickles(tmp_path: Path) -> None:
    scores = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    write_probabilities(tmp_path / "maps.npz", scores, ["dog", "犬"], (60, 80))
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as stored:
        np.testing.assert_allclose(stored["scores"], scores, atol=1e-3)
        assert stored["scores"].dtype == np.float16
        assert stored["tags"].tolist() == ["dog", "犬"] and stored["size"].tolist() == [60, 80]


def test_a_place_that_cannot_be_written_is_named_and_left_clean(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="file"):
        write_label_map(tmp_path / "file" / "labels.png", labels() % 255)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_grey_sixteen_bit_and_foreign_palettes_go_by_index(tmp_path: Path) -> None:
    made = labels()
    foreign = Image.fromarray(made)
    foreign.putpalette(np.random.default_rng(0).integers(0, 255, 768, dtype=np.uint8).tobytes())
    for image in (Image.fromarray(made), Image.fromarray(made.astype(np.uint16)), foreign):
        found = read_label_map(picture(tmp_path, image), classes=21, size=SIZE)
        np.testing.assert_array_equal(found.labels, made)
        assert found.labels.dtype == np.uint8 and found.notices == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_voc_colours_are_mapped_back_with_a_notice(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(voc_palette()[labels()]).convert(mode)
    found = read_label_map(picture(tmp_path, image), classes=21, size=SIZE)
    np.testing.assert_array_equal(found.labels, labels())
    assert mode in found.notices[0]


def test_grey_with_alpha_and_one_bit_masks_are_taken_with_a_notice(tmp_path: Path) -> None:
    grey = read_label_map(picture(tmp_path, Image.fromarray(labels()).convert("LA")), classes=21)
    np.testing.assert_array_equal(grey.labels, labels())
    bilevel = read_label_map(picture(tmp_path, Image.fromarray(labels() == 15).convert("1")), classes=21)
    np.testing.assert_array_equal(bilevel.labels, labels() == 15)
    assert "alpha" in grey.notices[0] and "1-bit" in bilevel.notices[0]


def test_a_mask_of_0_and_255_is_noticed(tmp_path: Path) -> None:
    path = picture(tmp_path, Image.fromarray(np.where(labels() == 15, 255, 0).astype(np.uint8)))
    assert "ignored" in read_label_map(path, classes=21).notices[0]
    assert read_label_map(path, binary=True).labels.max() == 1


def test_a_reordered_palette_is_noticed(tmp_path: Path) -> None:
    sorted_palette = voc_palette().copy()
    sorted_palette[[10, 12]] = sorted_palette[[12, 10]]
    image = Image.fromarray(labels())
    image.putpalette(sorted_palette.tobytes())
    assert "other indices" in read_label_map(picture(tmp_path, image), classes=21).notices[0]


def test_only_ignored_pixels_are_fine(tmp_path: Path) -> None:
    path = picture(tmp_path, Image.fromarray(np.full(SIZE, 255, dtype=np.uint8)))
    assert (read(path) == 255).all()


def test_integer_arrays_are_labels_and_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", labels())
    np.testing.assert_array_equal(read(tmp_path / "mask.npy"), labels())
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "floats.npy", np.zeros(SIZE))
    for name in ("objects.npy", "floats.npy"):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)


def bad_masks(folder: Path) -> dict[str, Path]:
    """Masks that must be refused, by the word that the message must hold."""
    made = labels()
    cut = picture(folder, Image.fromarray(made), "cut.png")
    cut.write_bytes(cut.read_bytes()[:100])
    (folder / "empty.png").touch()
    beyond = made.copy()
    beyond[30, 30] = 66
    instances = made.astype(np.uint16) * 1000 + 7
    return {
        "RGB": picture(folder, Image.fromarray(voc_palette()[made] // 3 + 9), "colours.png"),
        "JPEG": picture(folder, Image.fromarray(made), "lossy.jpg"),
        "66": picture(folder, Image.fromarray(beyond), "beyond.png"),
        "10007": picture(folder, Image.fromarray(instances), "instances.png"),
        "40×30 pixels but its picture is 80×60": picture(folder, Image.fromarray(made[::2, ::2]), "small.png"),
        "60×80 pixels": picture(folder, Image.fromarray(np.ascontiguousarray(made.T)), "turned.png"),
        "cut.png": cut,
        "empty.png": folder / "empty.png",
        "no such mask": folder / "absent.png",
    }


def test_unusable_masks_are_refused_with_their_name_and_fault(tmp_path: Path) -> None:
    for word, path in bad_masks(tmp_path).items():
        with pytest.raises(DataError) as caught:
            read(path)
        assert word in caught.value.message and path.name in caught.value.message
        assert "\n" not in caught.value.message
