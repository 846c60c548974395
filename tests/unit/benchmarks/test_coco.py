from __future__ import annotations

import json
import pickle
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tiny_coco import (
    DOG,
    HEIGHT,
    PERSON,
    TOOTHBRUSH,
    WIDTH,
    annotation,
    document,
    picture,
    square,
    write_png,
    write_tree,
)
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.coco import CocoObjects, open_coco_objects
from ttd_core.data.benchmarks.coco_ids import CATEGORY_IDS
from ttd_core.errors import DataError, MissingPackageError, UsageError

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FIRST, SECOND = "000000000001", "000000000002"


def opened(root: Path, name: str = "coco2017", truth: Path | None = None) -> Any:
    return open_coco_objects(name, None, root, truth)


def label_map(root: Path, key: str = FIRST) -> np.ndarray:
    benchmark = opened(root)
    sample = next(sample for sample in benchmark.samples if sample.key == key)
    found = benchmark.truth(sample, (HEIGHT, WIDTH)).label_map
    assert found is not None and found.dtype == np.uint16
    return np.asarray(found)


def test_labels_are_the_ranks_of_the_category_ids_and_the_rest_is_background(tmp_path: Path) -> None:
    shapes = [annotation(1, 1, DOG, square(2, 3, 5)), annotation(2, 2, TOOTHBRUSH, square(0, 0, 4))]
    write_tree(tmp_path, document(shapes))
    benchmark = opened(tmp_path)
    assert [sample.key for sample in benchmark.samples] == [FIRST, SECOND]
    assert benchmark.classes.names[17] == "dog" and len(benchmark.classes.names) == 81
    expected = np.zeros((HEIGHT, WIDTH))
    expected[3:8, 2:7] = 17
    np.testing.assert_array_equal(label_map(tmp_path), expected)
    assert set(np.unique(label_map(tmp_path, SECOND))) == {0, 80}
    assert [benchmark.truth(sample).present for sample in benchmark.samples] == [(16,), (79,)]


@pytest.mark.parametrize("small_first", [True, False])
def test_of_two_instances_the_smaller_one_is_seen(tmp_path: Path, small_first: bool) -> None:
    small, large = annotation(1, 1, PERSON, square(4, 4, 4)), annotation(2, 1, DOG, square(0, 0, 20))
    write_tree(tmp_path, document([small, large] if small_first else [large, small]))
    found = label_map(tmp_path)
    assert (found == 1).sum() == 16 and (found == 17).sum() == 400 - 16


def test_crowds_count_as_their_class_and_lie_below_single_instances(tmp_path: Path) -> None:
    first_rows = {"size": [HEIGHT, WIDTH], "counts": [0] + [2, HEIGHT - 2] * WIDTH}
    crowd = annotation(1, 1, PERSON, first_rows, iscrowd=1)
    write_tree(tmp_path, document([crowd, annotation(2, 1, DOG, square(0, 0, 20))]))
    found = label_map(tmp_path)
    assert (found == 17).sum() == 400
    assert (found == 1).sum() == 2 * (WIDTH - 20)


def test_pictures_without_objects_are_background_but_leave_classification(tmp_path: Path) -> None:
    write_tree(tmp_path, document([annotation(1, 1, DOG, square(2, 3, 5))]))
    benchmark = opened(tmp_path)
    assert not label_map(tmp_path, SECOND).any()
    assert benchmark.for_task("masks") is benchmark
    kept = benchmark.for_task("classification")
    assert [sample.key for sample in kept.samples] == [FIRST]
    assert "1 without objects left out of 2 pictures" in kept.notices[-1]


def test_classification_draws_nothing_and_needs_no_package_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, document([annotation(1, 1, DOG, square(2, 3, 5)), annotation(2, 2, PERSON, square(0, 0, 4))]))
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    benchmark = opened(tmp_path)
    with pytest.raises(MissingPackageError, match="pycocotools"):
        benchmark.truth(benchmark.samples[0])
    kept = benchmark.for_task("classification")
    truths = [kept.truth(sample, (HEIGHT, WIDTH)) for sample in kept.samples]
    assert [(truth.label_map, truth.present) for truth in truths] == [(None, (16,)), (None, (0,))]
    assert (benchmark.notices[-1].startswith("label maps are drawn"), kept.notices) == (True, ())


def test_classification_reads_the_label_maps_where_there_are_no_annotations(tmp_path: Path) -> None:
    write_tree(tmp_path, None, names=[f"{FIRST}.jpg"])
    write_png(tmp_path / "stuffthingmaps_trainval2017" / "val2017" / f"{FIRST}.png", np.full((HEIGHT, WIDTH), 17))
    kept = opened(tmp_path).for_task("classification")
    assert kept.truth(kept.samples[0]).present == (16,) and "label maps are the objects" in kept.notices[0]


@pytest.mark.parametrize(("prefix", "folder"), [("", "val2014"), ("images", "val2014"), ("coco", "val2014")])
def test_the_2014_pictures_are_found_where_people_have_them(tmp_path: Path, prefix: str, folder: str) -> None:
    name = "COCO_val2014_000000000042.jpg"
    content = document([annotation(1, 42, DOG, square(2, 3, 5))], [picture(42, file_name=name)])
    write_tree(tmp_path / "coco" if prefix == "coco" else tmp_path, content, folder)
    if prefix == "images":
        (tmp_path / "images").mkdir()
        (tmp_path / folder).rename(tmp_path / "images" / folder)
    benchmark = open_benchmark("coco2014", tmp_path)
    assert benchmark.name == "coco2014:val"
    assert [sample.key for sample in benchmark.samples] == ["COCO_val2014_000000000042"]
    assert benchmark.picture(benchmark.samples[0]).size == (HEIGHT, WIDTH)


def test_converted_label_maps_come_before_the_annotations(tmp_path: Path) -> None:
    write_tree(tmp_path, document([annotation(1, 1, DOG, square(2, 3, 5)), annotation(2, 2, DOG, square(0, 0, 4))]))
    write_png(tmp_path / "annotations" / "val2017" / f"{FIRST}_instanceTrainIds.png", 80)
    benchmark = opened(tmp_path)
    assert [sample.key for sample in benchmark.samples] == [FIRST]
    assert benchmark.absent == ((SECOND, f"no label map {SECOND}_instanceTrainIds.png"),)
    assert "not drawn from the instance annotations" in benchmark.notices[0]
    truth = benchmark.truth(benchmark.samples[0])
    assert (truth.label_map == 80).all() and truth.present == (16,)


def test_raw_stuff_maps_do_where_there_are_no_annotations(tmp_path: Path) -> None:
    write_tree(tmp_path, None, names=[f"{FIRST}.jpg"])
    values = np.full((HEIGHT, WIDTH), 255)
    values[:4], values[4:8], values[8:12] = 17, 89, 150
    write_png(tmp_path / "stuffthingmaps_trainval2017" / "val2017" / f"{FIRST}.png", values)
    benchmark = opened(tmp_path)
    truth = benchmark.truth(benchmark.samples[0])
    assert truth.label_map is not None
    assert truth.label_map[[0, 4, 8, 20], 0].tolist() == [17, 80, 0, 0]
    assert truth.present == (16, 79)


def test_a_bad_outline_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    shapes = [
        annotation(5, 1, PERSON, {"size": [HEIGHT, WIDTH], "counts": [5, 10, 99999]}, iscrowd=1),
        annotation(6, 1, DOG, [[1, 2, 3]]),
        annotation(7, 1, TOOTHBRUSH, [[-50, -50, 500, -50, 500, 500, -50, 500]]),
    ]
    write_tree(tmp_path, document(shapes))
    benchmark = opened(tmp_path)
    truth = benchmark.truth(benchmark.samples[0])
    assert (truth.label_map == 80).all()
    assert [" annotation 5 " in truth.notices[0], " annotation 6 " in truth.notices[1], len(truth.notices)] == [1, 1, 2]
    assert truth.present == (0, 16, 79), "what the picture shows does not depend on outlines"


def test_annotations_of_unknown_things_are_named_and_passed_over(tmp_path: Path) -> None:
    shapes = [
        annotation(1, 1, DOG, square(2, 3, 5)),
        annotation(2, 1, 12, square(2, 3, 5)),
        annotation(3, 99, DOG, square(2, 3, 5)),
        annotation(4, 1, [1], square(2, 3, 5)),
        "nonsense",
    ]
    write_tree(tmp_path, document(shapes))
    benchmark = opened(tmp_path)
    text = "\n".join(benchmark.notices)
    assert "annotation 2 has the unknown category 12" in text
    assert "annotation 3 is for a picture that is not listed" in text
    assert "annotation 4 has the unknown category [1]" in text
    assert "annotation number 5 is no JSON object" in text
    assert benchmark.truth(benchmark.samples[0]).present == (16,)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../secret.jpg", "leads out of the folder"),
        ("/etc/secret.jpg", "leads out of the folder"),
        ("..\\secret.jpg", "leads out of the folder"),
        ("gone.jpg", "no picture gone.jpg"),
    ],
)
def test_pictures_that_are_elsewhere_or_nowhere_are_absent(tmp_path: Path, name: str, reason: str) -> None:
    write_tree(tmp_path / "set", document([], [picture(1, file_name=name), picture(2)]), names=[f"{SECOND}.jpg"])
    (tmp_path / "secret.jpg").write_bytes(b"")
    benchmark = opened(tmp_path / "set")
    assert [sample.key for sample in benchmark.samples] == [SECOND]
    assert len(benchmark.absent) == 1 and reason in benchmark.absent[0][1]


def test_a_link_out_of_the_root_is_no_picture(tmp_path: Path) -> None:
    write_tree(tmp_path / "set", document([], [picture(1), picture(2)]))
    inside = tmp_path / "set" / "val2017" / f"{FIRST}.jpg"
    inside.rename(tmp_path / "outside.jpg")
    inside.symlink_to(tmp_path / "outside.jpg")
    assert [sample.key for sample in opened(tmp_path / "set").samples] == [SECOND]


def test_a_picture_of_another_size_than_annotated_is_an_error(tmp_path: Path) -> None:
    write_tree(tmp_path, document([annotation(1, 1, DOG, square(2, 3, 5))]))
    benchmark = opened(tmp_path)
    with pytest.raises(DataError, match="the picture is 16×12 pixels but its annotations are for 32×24"):
        benchmark.truth(benchmark.samples[0], (12, 16))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-60], "is not JSON or was cut"),
        (
            lambda text: text.replace('"categories"', '"kinds"'),
            "has no list 'categories' .keys: images, annotations, kinds",
        ),
        (lambda text: text.replace('"dog"', '"cat"'), "category 18 is cat, expected dog"),
        (lambda text: text.replace('"id": 2, "file', '"id": 1, "file'), "lists picture 1 twice"),
        (lambda text: "[1, 2]", "is no JSON object"),
        (lambda text: "[" * 100_000, "is not JSON"),
        (lambda text: "", "is not JSON or was cut"),
    ],
)
def test_a_damaged_file_of_annotations_is_one_clear_error(tmp_path: Path, change: Any, message: str) -> None:
    content = document([annotation(1, 1, DOG, square(2, 3, 5))])
    write_tree(tmp_path, change(json.dumps(content)), names=[f"{FIRST}.jpg"])
    with pytest.raises(DataError, match=message) as caught:
        opened(tmp_path)
    assert "instances_val2017.json" in caught.value.message and "\n" not in caught.value.message


def test_missing_pictures_are_counted_before_anything_is_computed(tmp_path: Path) -> None:
    write_tree(tmp_path, document([]), names=[])
    with pytest.raises(DataError, match="2 of 2 pictures of coco2017:val cannot be used .first: no picture 0+1.jpg"):
        opened(tmp_path)
    (tmp_path / "val2017").rmdir()
    with pytest.raises(DataError, match="2 of 2 are missing.*looked for val2017.*found annotations"):
        opened(tmp_path)


def test_an_empty_root_and_no_root_say_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="looked for val2017.*found nothing") as caught:
        opened(tmp_path)
    assert "annotations_trainval2017.zip" in (caught.value.hint or "")
    with pytest.raises(DataError, match="no such folder"):
        opened(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="coco2017:test"):
        open_coco_objects("coco2017", "test", tmp_path, None)


def test_a_list_of_labels_or_other_annotations_can_take_the_place_of_the_truth(tmp_path: Path) -> None:
    write_tree(tmp_path, document([annotation(1, 1, DOG, square(2, 3, 5))]))
    listed = tmp_path / "labels.txt"
    listed.write_text(f"{SECOND} 0 16\n", encoding="utf-8")
    benchmark = opened(tmp_path, truth=listed)
    assert benchmark.tasks == ("classification",)
    assert [(sample.key, benchmark.truth(sample).present) for sample in benchmark.samples] == [(SECOND, (0, 16))]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document([annotation(1, 1, PERSON, square(2, 3, 5))])), encoding="utf-8")
    benchmark = opened(tmp_path, truth=other)
    assert benchmark.truth(benchmark.samples[0]).present == (0,)


def test_it_travels_to_worker_processes_and_stays_small(tmp_path: Path) -> None:
    circle = [round(12 + 9 * f(k / 100), 2) for k in range(628) for f in (np.cos, np.sin)]
    write_tree(tmp_path, document([annotation(k, 1, DOG, [circle]) for k in range(20)]))
    benchmark = opened(tmp_path)
    sent = pickle.dumps(benchmark)
    copy: CocoObjects = pickle.loads(sent)
    assert len(sent) < 20_000
    np.testing.assert_array_equal(
        copy.truth(copy.samples[0]).label_map, benchmark.truth(benchmark.samples[0]).label_map
    )


def test_genuine_annotations_load_and_cover_what_they_say(tmp_path: Path) -> None:
    content = json.loads((SAMPLES / "coco" / "annotations" / "instances_val2017.json").read_text(encoding="utf-8"))
    write_tree(tmp_path, content)
    benchmark = opened(tmp_path)
    assert len(benchmark.samples) == 5 and not benchmark.absent
    areas: Counter[tuple[int, int]] = Counter()
    for entry in content["annotations"]:
        label = CATEGORY_IDS.index(entry["category_id"]) + 1
        areas[entry["image_id"], label] += entry["area"]
    for sample in benchmark.samples:
        truth = benchmark.truth(sample)
        assert not truth.notices
        counts = np.bincount(truth.label_map.ravel(), minlength=81)
        expected = {label: area for (picture, label), area in areas.items() if picture == int(sample.key)}
        assert set(np.flatnonzero(counts[1:]) + 1) == set(expected)
        for label, area in expected.items():
            # `area` is that of the polygon: outlines and overlaps make a few percent.
            assert counts[label] == pytest.approx(area, rel=0.08)
