from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tiny_coco import HEIGHT, WIDTH, write_png, write_tree
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.coco_ids import CATEGORY_IDS, OFFICIAL_IDS, RAW_TO_OBJECT, RAW_TO_STUFF
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.errors import DataError, UsageError

KEY = "000000000001"
# person, toothbrush, the first and the last kind of stuff, unlabelled
RAW = (0, 89, 91, 181, 255)


def rows_of(values: tuple[int, ...]) -> np.ndarray:
    pixels = np.full((HEIGHT, WIDTH), values[-1])
    for row, value in enumerate(values):
        pixels[row] = value
    return pixels


def first_column(root: Path, name: str) -> Any:
    benchmark = open_benchmark(name, root)
    truth = benchmark.truth(benchmark.samples[0], (HEIGHT, WIDTH))
    assert truth.label_map is not None and truth.label_map.dtype == np.uint16
    return truth.label_map[: len(RAW), 0].tolist(), truth.present


def write_raw(root: Path) -> Path:
    write_tree(root, None, names=[f"{KEY}.jpg"])
    write_png(root / "stuffthingmaps_trainval2017" / "val2017" / f"{KEY}.png", rows_of(RAW))
    return root


def test_the_171_ids_are_those_in_use_and_80_of_them_are_objects() -> None:
    assert (len(OFFICIAL_IDS), len(CATEGORY_IDS), OFFICIAL_IDS[-1], CATEGORY_IDS[-1]) == (171, 80, 182, 90)
    names = class_list("cocostuff171").names
    assert [RAW_TO_STUFF[CATEGORY_IDS[names.index(each)] - 1] for each in ("dog", "toothbrush")] == [16, 79]
    assert sorted(set(RAW_TO_OBJECT.tolist()) - {65534}) == list(range(81)), "nothing is ignored among objects"


def test_raw_maps_become_171_classes(tmp_path: Path) -> None:
    labels, present = first_column(write_raw(tmp_path), "coco-stuff")
    assert labels == [0, 79, 80, 170, IGNORE]
    assert present == (0, 79, 80, 170)


def test_raw_maps_become_27_groups(tmp_path: Path) -> None:
    labels, _ = first_column(write_raw(tmp_path), "coco-stuff27")
    names = class_list("cocostuff27").names
    assert [names[label] for label in labels[:4]] == ["person", "indoor", "textile", "solid"]
    assert labels[4] == IGNORE


def test_converted_maps_are_taken_first_and_can_be_grouped(tmp_path: Path) -> None:
    write_raw(tmp_path)
    write_png(tmp_path / "annotations" / "val2017" / f"{KEY}_labelTrainIds.png", rows_of((0, 79, 80, 170, 255)))
    assert first_column(tmp_path, "coco-stuff")[0] == [0, 79, 80, 170, IGNORE]
    assert "_labelTrainIds.png" in open_benchmark("coco-stuff", tmp_path).notices[0]
    from_raw = first_column(tmp_path, "coco-stuff27")[0]
    (tmp_path / "stuffthingmaps_trainval2017" / "val2017" / f"{KEY}.png").unlink()
    assert first_column(tmp_path, "coco-stuff27")[0] == from_raw
    write_png(tmp_path / "annotations" / "val2017" / f"{KEY}_27labelTrainIds.png", rows_of((26, 0, 1, 2, 255)))
    assert first_column(tmp_path, "coco-stuff27")[0] == [26, 0, 1, 2, IGNORE]


def test_a_value_that_is_no_class_is_named(tmp_path: Path) -> None:
    write_raw(tmp_path)
    path = write_png(tmp_path / "stuffthingmaps_trainval2017" / "val2017" / f"{KEY}.png", rows_of((0, 11, 200)))
    benchmark = open_benchmark("coco-stuff", tmp_path)
    with pytest.raises(DataError, match="holds 11, 200, which no class of COCO-Stuff has") as caught:
        benchmark.truth(benchmark.samples[0])
    assert str(path) in caught.value.message
    with pytest.raises(DataError, match="mask is 32×24 pixels but its picture is 32×25"):
        benchmark.truth(benchmark.samples[0], (25, 32))


def test_half_a_data_set_lists_what_lacks_its_other_half(tmp_path: Path) -> None:
    write_raw(tmp_path)
    write_tree(tmp_path, None, names=["000000000002.jpg"])
    write_png(tmp_path / "stuffthingmaps_trainval2017" / "val2017" / "000000000003.png", 0)
    benchmark = open_benchmark("coco-stuff", tmp_path)
    assert [sample.key for sample in benchmark.samples] == [KEY]
    assert benchmark.absent == (
        ("000000000002", "no label map 000000000002.png"),
        ("000000000003", "no picture 000000000003.jpg"),
    )


def test_what_is_missing_altogether_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label maps of coco-stuff:val found: looked for stuffthingmaps") as caught:
        open_benchmark("coco-stuff", tmp_path)
    assert "stuffthingmaps_trainval2017.zip" in (caught.value.hint or "")
    write_png(tmp_path / "stuffthingmaps_trainval2017" / "val2017" / f"{KEY}.png", 0)
    with pytest.raises(DataError, match="no pictures of coco-stuff:val found: looked for val2017, images/val2017"):
        open_benchmark("coco-stuff", tmp_path)
    with pytest.raises(UsageError, match="coco-stuff:test: no such split"):
        open_benchmark("coco-stuff:test", tmp_path)


def test_label_lists_hold_ids_and_become_classes(tmp_path: Path) -> None:
    listed = tmp_path / "val.txt"
    listed.write_text(f"{KEY} 0 89 91 181\n", encoding="utf-8")
    benchmark = open_benchmark("coco-stuff", tmp_path, listed)
    assert benchmark.truth(benchmark.samples[0]).present == (0, 79, 80, 170)
    listed.write_text(f"{KEY} 0 11\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"val.txt:1: label 11 is no COCO-Stuff class"):
        open_benchmark("coco-stuff", tmp_path, listed)
    with pytest.raises(DataError, match="label lists are of the 171 classes"):
        open_benchmark("coco-stuff27", tmp_path, listed)
