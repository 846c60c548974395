from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_sets import SIZE, labels, write_mask, write_picture, write_text
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.folder import read_classes
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    for key, values in (("a", (0, 1)), ("deep/b", (2, 255))):
        write_picture(root / "images" / f"{key}.jpg")
        write_mask(root / "masks" / f"{key}.png", labels(*values))
    write_text(root / "classes.txt", "background\nred cup\nplate\n")
    return root


def test_a_folder_opens_by_its_path_and_by_its_name(root: Path) -> None:
    by_path, by_name = open_benchmark(str(root), None), open_benchmark("folder", root)
    assert (by_path.name, by_name.name) == (str(root), "folder")
    assert [sample.key for sample in by_path.samples] == ["a", "deep/b"] == [each.key for each in by_name.samples]
    assert by_path.tasks == ("masks", "classification")
    assert by_path.picture(by_path.samples[1]).size == SIZE


def test_the_first_line_decides_whether_there_is_a_background(root: Path) -> None:
    benchmark = open_benchmark(str(root), None)
    assert benchmark.classes is not None and benchmark.classes.things == ("red cup", "plate")
    truth = benchmark.truth(benchmark.samples[1], SIZE)
    assert truth.label_map is not None and np.unique(truth.label_map).tolist() == [2, IGNORE]
    assert truth.present == (1,)
    write_text(root / "classes.txt", "table\nred cup\nplate\r\n\n")
    benchmark = open_benchmark(str(root), None)
    assert benchmark.classes is not None and not benchmark.classes.background
    assert benchmark.truth(benchmark.samples[0], SIZE).present == (0, 1)


def test_a_value_without_a_class_is_named(root: Path) -> None:
    write_text(root / "classes.txt", "background\nred cup\n")
    benchmark = open_benchmark(str(root), None)
    with pytest.raises(DataError, match=r"b\.png: holds 2, expected classes 0\.\.1 or 255"):
        benchmark.truth(benchmark.samples[1], SIZE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds 0 names"),
        ("cup\n\nplate\n", "line 2: is empty"),
        ("cup\nplate\nCup\n", "line 3: 'Cup' stands in line 1 already"),
        ("background\n", "holds only the background"),
        ("\n".join(f"c{index}" for index in range(256)), "holds 256 names"),
    ],
)
def test_class_files_that_would_shift_labels_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_classes(write_text(tmp_path / "classes.txt", text))


def test_masks_and_pictures_without_each_other_are_absent(root: Path) -> None:
    write_picture(root / "images/c.png")
    write_mask(root / "masks/d.png", labels(0))
    assert open_benchmark(str(root), None).absent == (
        ("c", "no mask in mine/masks"),
        ("d", "no picture in mine/images"),
    )


def test_captions_stand_in_one_file_or_beside_the_pictures(root: Path) -> None:
    write_text(root / "images/deep/b.txt", "a plate\n")
    beside = open_benchmark(str(root), None)
    assert [sample.caption for sample in beside.samples] == [None, "a plate"]
    assert beside.tasks == ("masks", "classification", "bias")
    write_text(root / "captions.txt", "a.jpg\ta red cup\ndeep/b\ttwo plates\n")
    assert [sample.caption for sample in open_benchmark(str(root), None).samples] == ["a red cup", "two plates"]
    for text, message in (("a.jpg a red cup\n", "line 1: expected picture<TAB>caption"), ("z\tx\n", "no picture 'z'")):
        write_text(root / "captions.txt", text)
        with pytest.raises(DataError, match=message):
            open_benchmark(str(root), None)


def test_captioned_pictures_need_no_masks_for_the_bias_meter(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"{name}.jpg")
    write_text(tmp_path / "a.txt", "a red cup")
    benchmark = open_benchmark(str(tmp_path), None)
    assert (benchmark.tasks, benchmark.classes) == (("bias",), None)
    assert [(sample.key, sample.caption) for sample in benchmark.samples] == [("a", "a red cup")]
    assert "1 pictures without a caption are left out" in benchmark.notices[0]
    assert benchmark.truth(benchmark.samples[0], SIZE).present is None


def test_pictures_may_lie_beside_the_folder_of_masks(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    write_mask(tmp_path / "masks/a.png", labels(0, 1))
    write_text(tmp_path / "classes.txt", "cup\nplate\n")
    benchmark = open_benchmark(str(tmp_path), None)
    assert ([sample.key for sample in benchmark.samples], benchmark.absent) == (["a"], ())


def test_what_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    (root / "classes.txt").unlink()
    with pytest.raises(DataError, match=r"has masks but no classes\.txt"):
        open_benchmark(str(root), None)
    (root / "masks").rename(tmp_path / "away")
    with pytest.raises(DataError, match="no masks or captions found"):
        open_benchmark(str(root), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures found.*found nothing"):
        open_benchmark("folder", tmp_path / "empty")


def test_two_pictures_of_one_name_are_refused(root: Path) -> None:
    write_picture(root / "images/a.png")
    with pytest.raises(DataError, match="several pictures are called a"):
        open_benchmark(str(root), None)
