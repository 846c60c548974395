"""The layout `<root>/<DATA>/validation/{image,mask,xml}`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_sets import SIZE, draw_split, labels, write_picture, write_text
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.errors import DataError

SETS = {
    "voc2012": "VOC2012",
    "voc2012-20": "VOC2012",
    "context": "PascalContext",
    "ade20k": "ADE2016",
    "cityscapes": "Cityscapes",
}


def draw(root: Path, data: str = "VOC2012", **about: object) -> Path:
    draw_split(root / data / "validation", {"a": labels(0, 1, 255), "b": labels(2)}, {})
    if about:
        write_text(root / data / f"{data}.json", json.dumps(about))
    return root


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_set_is_found_from_each_folder(tmp_path: Path, name: str) -> None:
    draw(tmp_path, SETS[name])
    for root in (tmp_path, tmp_path / SETS[name], tmp_path / SETS[name] / "validation"):
        benchmark = open_benchmark(name, root)
        assert [sample.key for sample in benchmark.samples] == ["a", "b"]
        assert (benchmark.tasks, benchmark.absent) == (("masks", "classification"), ())
        truth = benchmark.truth(benchmark.samples[0], SIZE)
        assert truth.label_map is not None
        without_zero = name in ("voc2012-20", "ade20k")
        assert np.unique(truth.label_map).tolist() == ([0, IGNORE] if without_zero else [0, 1, IGNORE])
        assert "no JSON file with names" in benchmark.notices[0]


@pytest.mark.parametrize(
    ("name", "data", "first"),
    [
        ("voc2012-20", "VOC2012", "aeroplane"),
        ("context59", "PascalContext", "aeroplane"),
        ("ade20k", "ADE2016", "wall"),
    ],
)
def test_without_names_the_0_of_original_files_is_no_class(tmp_path: Path, name: str, data: str, first: str) -> None:
    values = labels(0, 1, 3, 255)
    draw_split(tmp_path / data / "validation", {"a": values}, {})
    benchmark = open_benchmark(name, tmp_path)
    truth = benchmark.truth(benchmark.samples[0], SIZE)
    expected = np.array([IGNORE, 0, IGNORE, 2])[np.where(values == 255, 0, values)]
    np.testing.assert_array_equal(truth.label_map, expected)
    assert truth.present == (0, 2)
    assert f"label 0 is taken as ignored and 1 as {first}" in benchmark.notices[0]


def test_a_file_of_names_without_the_background_says_that_0_is_a_class(tmp_path: Path) -> None:
    benchmark = open_benchmark("voc2012-20", draw(tmp_path, names=list(class_list("voc20").names)))
    assert benchmark.truth(benchmark.samples[0], SIZE).present == (0, 1)
    benchmark = open_benchmark("voc2012-20", draw(tmp_path, ignore=2))
    assert [benchmark.truth(sample, SIZE).present for sample in benchmark.samples] == [(0,), ()]


def test_a_background_that_our_list_lacks_is_ignored(tmp_path: Path) -> None:
    names = ["background", *class_list("ade150").names]
    benchmark = open_benchmark("ade20k", draw(tmp_path, "ADE2016", names=names))
    truth = benchmark.truth(benchmark.samples[0], SIZE)
    assert truth.label_map is not None
    assert (np.unique(truth.label_map).tolist(), truth.present) == ([0, IGNORE], (0,))
    assert benchmark.notices == ()


def test_names_may_be_a_mapping_and_lie_beside_the_folder_and_ignore_another_value(tmp_path: Path) -> None:
    draw(tmp_path)
    names = {str(index): name.upper() for index, name in enumerate(class_list("voc21").names)}
    write_text(tmp_path / "VOC2012.json", json.dumps({"names": names, "ignore": 1}))
    benchmark = open_benchmark("voc2012", tmp_path)
    truth = benchmark.truth(benchmark.samples[0], SIZE)
    assert truth.label_map is not None
    assert np.unique(truth.label_map).tolist() == [0, IGNORE]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"names": ["background", "bicycle", "aeroplane", *class_list("voc21").names[3:]]}, "class 1 is 'bicycle'"),
        ({"names": ["background", "dog"]}, "has 2 names, but voc21 has 21 classes"),
        ({"names": 3}, "names is no list of names"),
        ({"ignore": -1}, "ignore is -1"),
    ],
)
def test_another_order_of_classes_is_an_error(tmp_path: Path, about: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_benchmark("voc2012", draw(tmp_path, **about))


def test_a_file_of_names_that_is_no_json_is_named(tmp_path: Path) -> None:
    write_text(draw(tmp_path) / "VOC2012.json", "{")
    with pytest.raises(DataError, match=r"VOC2012\.json: is no JSON"):
        open_benchmark("voc2012", tmp_path)


def test_annotations_alone_make_a_classification_set(tmp_path: Path) -> None:
    draw_split(tmp_path / "VOC2007/validation", {}, {"a": [("dog", 0)], "b": [("cat", 1)]})
    write_picture(tmp_path / "VOC2007/validation/image/c.jpg")
    benchmark = open_benchmark("voc2007", tmp_path)
    truths = [benchmark.truth(sample, SIZE) for sample in benchmark.samples]
    assert [(truth.present, truth.difficult) for truth in truths] == [((11,), ()), ((7,), (7,))]
    assert (benchmark.tasks, benchmark.absent) == (("classification",), (("c", "no annotation in validation/xml"),))


def test_pictures_alone_are_explained(tmp_path: Path) -> None:
    write_picture(tmp_path / "ADE2016/validation/image/a.jpg")
    with pytest.raises(DataError, match=r"ADE2016/validation: has image, but no mask"):
        open_benchmark("ade20k", tmp_path)


def test_the_training_split_is_a_folder_of_its_own(tmp_path: Path) -> None:
    draw_split(tmp_path / "VOC2012/train", {"t": labels(5)}, {"t": [("bottle", 1)]})
    benchmark = open_benchmark("voc2012:train", tmp_path)
    (sample,) = benchmark.samples
    truth = benchmark.truth(sample, SIZE)
    assert (sample.key, truth.present, truth.difficult) == ("t", (4,), (4,))
