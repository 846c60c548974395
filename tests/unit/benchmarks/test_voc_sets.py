from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_sets import (
    IDS,
    SAMPLES,
    SIZE,
    draw_devkit,
    draw_split,
    labels,
    write_mask,
    write_picture,
    write_text,
    write_xml,
)
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.raw_labels import plain_labels, zero_ignored
from ttd_core.data.benchmarks.types import IGNORE, Benchmark
from ttd_core.data.benchmarks.voc_xml import VocObject, read_voc_xml
from ttd_core.errors import DataError

VAL = "ImageSets/Segmentation/val.txt"


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    return draw_devkit(tmp_path / "VOCdevkit" / "VOC2012")


def keys(benchmark: Benchmark) -> list[str]:
    return [sample.key for sample in benchmark.samples]


def values(label_map: np.ndarray | None) -> list[int]:
    assert label_map is not None
    assert label_map.dtype == np.uint16
    return np.unique(label_map).tolist()


@pytest.mark.parametrize("up", [0, 1, 2])
def test_the_set_is_found_from_any_folder_of_the_devkit(devkit: Path, up: int) -> None:
    root = (devkit, *devkit.parents)[up]
    benchmark = open_benchmark("voc2012", root)
    assert (benchmark.name, keys(benchmark), benchmark.absent) == ("voc2012:val", list(IDS), ())


def test_it_is_also_found_below_folders_with_names_of_ones_own(tmp_path: Path) -> None:
    draw_devkit(tmp_path / "data" / "pascal")
    assert keys(open_benchmark("voc2012", tmp_path)) == list(IDS)
    draw_devkit(tmp_path / "copy")
    with pytest.raises(DataError, match=r"2 folders look like the data set: .*copy.*pascal"):
        open_benchmark("voc2012", tmp_path)


def test_it_is_found_in_a_folder_of_its_own_among_other_data_sets(tmp_path: Path) -> None:
    """Unpacked as `data/voc2012/VOCdevkit/VOC2012`, three levels below the root."""
    draw_devkit(tmp_path / "voc2012" / "VOCdevkit" / "VOC2012")
    draw_devkit(tmp_path / "voc2010" / "VOCdevkit" / "VOC2010")
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    assert keys(open_benchmark("voc2012", tmp_path)) == list(IDS)
    draw_devkit(tmp_path / "old" / "VOCdevkit" / "VOC2012")
    with pytest.raises(DataError, match=r"2 folders look like the data set: .*old.*voc2012"):
        open_benchmark("voc2012", tmp_path)


def test_what_lies_nearer_comes_before_what_lies_deeper(tmp_path: Path) -> None:
    draw_devkit(tmp_path / "old" / "VOCdevkit" / "VOC2012")
    draw_split(tmp_path / "VOC2012" / "validation", {"kept": labels(0, 1)}, {})
    assert keys(open_benchmark("voc2012", tmp_path)) == ["kept"]


def test_another_year_is_not_taken_for_it(tmp_path: Path) -> None:
    draw_devkit(tmp_path / "VOCdevkit" / "VOC2007")
    with pytest.raises(DataError, match="no PASCAL VOC 2012 found"):
        open_benchmark("voc2012", tmp_path)
    with pytest.raises(DataError, match="no PASCAL VOC 2012 found"):
        open_benchmark("voc2012", tmp_path / "VOCdevkit" / "VOC2007")


def test_masks_give_labels_with_and_without_the_background(devkit: Path) -> None:
    with_background, without = open_benchmark("voc2012", devkit), open_benchmark("voc20", devkit)
    truths = [with_background.truth(sample, SIZE) for sample in with_background.samples]
    assert [values(truth.label_map) for truth in truths] == [[0, 1, 2], [3, IGNORE], [0]]
    assert [truth.present for truth in truths] == [(0, 1), (2,), ()]
    assert with_background.classes is not None and with_background.classes.things[2] == "bird"
    truths = [without.truth(sample, SIZE) for sample in without.samples]
    assert without.name == "voc2012-20:val"
    assert [values(truth.label_map) for truth in truths] == [[0, 1, IGNORE], [2, IGNORE], [IGNORE]]
    assert [truth.present for truth in truths] == [(0, 1), (2,), ()]


def test_a_genuine_mask_shows_its_classes() -> None:
    label_map, notices = plain_labels(21).read(SAMPLES / "masks" / "voc2012_2010_005582.png", (64, 64))
    assert (values(label_map), notices) == ([0, 5, 15, IGNORE], ())
    shifted, _ = zero_ignored(20).read(SAMPLES / "masks" / "voc2012_2010_005582.png")
    assert values(shifted) == [4, 14, IGNORE]
    np.testing.assert_array_equal(shifted == IGNORE, (label_map == 0) | (label_map == IGNORE))


def test_samples_are_pictures_that_can_be_decoded_in_other_processes(devkit: Path) -> None:
    benchmark = pickle.loads(pickle.dumps(open_benchmark("voc2012:train", devkit)))
    (sample,) = benchmark.samples
    assert (sample.key, sample.caption) == (IDS[1], None)
    assert benchmark.picture(sample).size == SIZE


def test_values_beyond_the_classes_and_other_sizes_are_named(devkit: Path) -> None:
    write_mask(devkit / "SegmentationClass" / f"{IDS[0]}.png", labels(0, 66))
    write_mask(devkit / "SegmentationClass" / f"{IDS[1]}.png", labels(0, 1, size=(8, 12)))
    benchmark = open_benchmark("voc2012", devkit)
    with pytest.raises(DataError, match=r"2009_000001\.png: holds 66, expected classes 0\.\.20 or 255"):
        benchmark.truth(benchmark.samples[0], SIZE)
    with pytest.raises(DataError, match=r"2009_000002\.png: mask is 12×8 pixels but its picture is 24×16"):
        benchmark.truth(benchmark.samples[1], SIZE)


def test_what_is_listed_but_not_there_is_absent(devkit: Path) -> None:
    (devkit / "JPEGImages" / f"{IDS[0]}.jpg").rename(devkit / "JPEGImages" / f"{IDS[0]}.jpg.part")
    (devkit / "SegmentationClass" / f"{IDS[1]}.png").unlink()
    benchmark = open_benchmark("voc2012", devkit)
    assert keys(benchmark) == [IDS[2]]
    assert benchmark.absent == (
        (IDS[0], "no picture in VOC2012/JPEGImages"),
        (IDS[1], "no mask in VOC2012/SegmentationClass"),
    )


def test_a_messy_list_is_read_as_it_is_meant(devkit: Path) -> None:
    write_text(devkit / VAL, f"{IDS[0]}  \r\n\r\n{IDS[1]} -1\r\n{IDS[2]}.jpg\r\n{IDS[0]}\r\n# end\r\n")
    benchmark = open_benchmark("voc2012", devkit)
    assert (keys(benchmark), benchmark.absent) == (list(IDS), ())
    assert benchmark.notices == (f"{devkit / VAL}: names {IDS[0]} more than once, counted once",)


def test_ids_never_leave_the_data_set(devkit: Path) -> None:
    write_text(devkit / VAL, f"{IDS[0]}\n../../secret\n/etc/passwd\n")
    benchmark = open_benchmark("voc2012", devkit)
    assert keys(benchmark) == [IDS[0]]
    assert [(key, reason.split(",")[0]) for key, reason in benchmark.absent] == [
        ("../../secret", "leads out of its folder with .."),
        ("/etc/passwd", "is an absolute path"),
    ]


def test_links_stay_inside(devkit: Path, tmp_path: Path) -> None:
    outside = write_picture(tmp_path / "elsewhere" / "secret.jpg")
    inside = devkit / "JPEGImages" / f"{IDS[0]}.jpg"
    inside.rename(devkit / "moved.jpg")
    inside.symlink_to(devkit / "moved.jpg")
    second = devkit / "JPEGImages" / f"{IDS[1]}.jpg"
    second.unlink()
    second.symlink_to(outside)
    benchmark = open_benchmark("voc2012", devkit)
    assert keys(benchmark) == [IDS[0], IDS[2]]
    assert benchmark.absent == ((IDS[1], f"{IDS[1]}.jpg is a link that leaves the data set"),)


def test_a_folder_that_is_a_link_to_elsewhere_is_refused(devkit: Path, tmp_path: Path) -> None:
    (devkit / "JPEGImages").rename(tmp_path / "elsewhere")
    (devkit / "JPEGImages").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is a link that leaves"):
        open_benchmark("voc2012", devkit)
    assert keys(open_benchmark("voc2012", tmp_path)) == list(IDS)


def test_an_empty_list_is_an_error(devkit: Path) -> None:
    write_text(devkit / VAL, "\n# nothing\n")
    with pytest.raises(DataError, match=r"no ids in .*val\.txt"):
        open_benchmark("voc2012", devkit)


def test_a_list_that_is_no_text_is_named(devkit: Path) -> None:
    (devkit / VAL).write_bytes(b"2009_000001\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"val\.txt line 2: byte 0xff at position 1 is not UTF-8"):
        open_benchmark("voc2012", devkit)


def test_without_lists_all_masks_count_after_a_notice(devkit: Path) -> None:
    shutil.rmtree(devkit / "ImageSets")
    benchmark = open_benchmark("voc2012", devkit)
    assert keys(benchmark) == list(IDS)
    assert "so all 3 pictures with a mask are taken" in benchmark.notices[0]


def test_an_unknown_split_shows_those_that_are_there(devkit: Path) -> None:
    with pytest.raises(DataError, match=r"no trian\.txt; found train, val") as caught:
        open_benchmark("voc2012:trian", devkit)
    assert caught.value.hint is not None and ":train" in caught.value.hint


def test_augmented_lists_take_the_augmented_masks(devkit: Path) -> None:
    write_text(devkit / "ImageSets/Segmentation/trainaug.txt", f"{IDS[0]}\n")
    write_mask(devkit / "SegmentationClassAug" / f"{IDS[0]}.png", labels(7))
    benchmark = open_benchmark("voc2012:trainaug", devkit)
    assert benchmark.truth(benchmark.samples[0]).present == (6,)


def test_folders_in_lower_case_are_accepted(tmp_path: Path) -> None:
    devkit = draw_devkit(tmp_path / "made")
    for path in ("ImageSets/Segmentation", "ImageSets", "JPEGImages", "SegmentationClass"):
        (devkit / path).rename(devkit / path.rpartition("/")[0] / path.rpartition("/")[2].lower())
    assert keys(open_benchmark("voc2012", devkit)) == list(IDS)


def test_a_wrong_root_is_explained_in_one_message(tmp_path: Path, devkit: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        open_benchmark("voc2012", tmp_path / "empty")
    assert "looked for VOCdevkit/VOC2012/JPEGImages" in caught.value.message
    assert caught.value.message.endswith("found nothing")
    assert caught.value.hint is not None and "VOCtrainval_11-May-2012.tar" in caught.value.hint
    with pytest.raises(DataError) as caught:
        open_benchmark("voc2012", devkit / "JPEGImages")
    assert caught.value.hint == f"give the folder above: --root {devkit}"
    with pytest.raises(DataError, match="nowhere: no such folder"):
        open_benchmark("voc2012", tmp_path / "nowhere")
    shutil.rmtree(devkit / "SegmentationClass")
    with pytest.raises(DataError, match="no SegmentationClass of PASCAL VOC 2012 found.*found ImageSets, JPEGImages"):
        open_benchmark("voc2012", tmp_path)


def test_the_annotation_says_what_is_present_where_there_is_one(devkit: Path) -> None:
    write_xml(devkit / "Annotations" / f"{IDS[0]}.xml", [("dog", 1), ("Person", 0), ("person", 1)])
    write_xml(devkit / "Annotations" / f"{IDS[1]}.xml", [("unicorn", 0)])
    benchmark = open_benchmark("voc2012", devkit)
    first, second, third = (benchmark.truth(sample) for sample in benchmark.samples)
    assert (first.present, first.difficult) == ((11, 14), (11,))
    assert (second.present, third.present) == ((2,), ())
    assert "names unicorn, no class of voc21" in second.notices[0]


class TestVoc2007:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        base = tmp_path / "VOCdevkit" / "VOC2007"
        for key, objects in {"000001": [("dog", 0), ("dog", 1)], "000002": [("cat", 1)], "000003": []}.items():
            write_picture(base / "JPEGImages" / f"{key}.jpg")
            write_xml(base / "Annotations" / f"{key}.xml", objects)
        write_text(base / "ImageSets/Main/test.txt", "000003\n000001\n000002\n000004\n")
        return tmp_path

    def test_objects_say_what_is_present_and_what_is_difficult_each_time(self, root: Path) -> None:
        benchmark = open_benchmark("voc2007", root)
        assert (benchmark.name, benchmark.tasks, keys(benchmark)) == (
            "voc2007:test",
            ("classification",),
            ["000003", "000001", "000002"],
        )
        truths = [benchmark.truth(sample, SIZE) for sample in benchmark.samples]
        assert [(truth.present, truth.difficult) for truth in truths] == [((), ()), ((11,), ()), ((7,), (7,))]
        assert truths[0].label_map is None
        assert benchmark.absent == (
            ("000004", "no picture in VOC2007/JPEGImages and no annotation in VOC2007/Annotations"),
        )

    def test_a_list_of_labels_can_stand_for_the_annotations(self, root: Path) -> None:
        truth = write_text(root / "test_cls.txt", "000001 11 14\n000003 17 8\n")
        benchmark = open_benchmark("voc2007", root, truth)
        assert [benchmark.truth(sample).present for sample in benchmark.samples] == [(11, 14), (8, 17)]
        assert all(sample.image is not None for sample in benchmark.samples)
        alone = open_benchmark("voc2007", None, write_text(root / "far" / "labels.txt", "000009 3\n"))
        assert [(sample.key, sample.image) for sample in alone.samples] == [("000009", None)]

    def test_folders_called_annotations_are_not_taken_for_a_part_of_it(self, tmp_path: Path) -> None:
        for other in ("coco/annotations", "ade20k/ADEChallengeData2016/annotations"):
            (tmp_path / other).mkdir(parents=True)
        for root in (tmp_path, tmp_path / "coco"):
            with pytest.raises(DataError, match="no PASCAL VOC 2007 found: looked for VOCdevkit/VOC2007/JPEGImages"):
                open_benchmark("voc2007", root)

    @pytest.mark.parametrize("up", [0, 1, 2])
    def test_its_annotations_without_pictures_are_still_named(self, root: Path, up: int) -> None:
        base = root / "VOCdevkit" / "VOC2007"
        shutil.rmtree(base / "JPEGImages")
        with pytest.raises(DataError, match=r"VOC2007: no JPEGImages of PASCAL VOC 2007 found"):
            open_benchmark("voc2007", (base, *base.parents)[up])

    def test_its_pictures_are_found_beside_other_data_sets(self, root: Path, tmp_path: Path) -> None:
        (root / "VOCdevkit").rename(root / "moved")
        (root / "data" / "voc2007").mkdir(parents=True)
        (root / "moved").rename(root / "data" / "voc2007" / "VOCdevkit")
        truth = write_text(root / "test_cls.txt", "000001 11 14\n")
        (sample,) = open_benchmark("voc2007", root / "data", truth).samples
        assert sample.image is not None

    def test_an_unknown_class_is_an_error_where_nothing_else_says_what_is_present(self, root: Path) -> None:
        write_xml(root / "VOCdevkit/VOC2007/Annotations/000001.xml", [("unicorn", 0)])
        benchmark = open_benchmark("voc2007", root)
        with pytest.raises(DataError, match=r"000001\.xml: names unicorn, no class of voc20"):
            benchmark.truth(benchmark.samples[1])


class TestXml:
    def test_genuine_annotations_are_read(self) -> None:
        assert read_voc_xml(SAMPLES / "xml" / "voc2007_000001.xml") == (
            VocObject("dog", False),
            VocObject("person", False),
        )
        assert read_voc_xml(SAMPLES / "xml" / "annotation_tool_2011_000006.xml") == (VocObject("person", False),) * 4

    def test_parts_of_an_object_are_no_objects(self, tmp_path: Path) -> None:
        part = "<part><name>head</name><difficult>1</difficult></part>"
        path = write_text(tmp_path / "a.xml", f"<annotation><object>{part}<name> person\n</name></object></annotation>")
        assert read_voc_xml(path) == (VocObject("person", False),)

    def test_entities_are_refused_before_they_expand(self, tmp_path: Path) -> None:
        entity = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        path = write_text(tmp_path / "a.xml", f"{entity}<annotation><object><name>&f;</name></object></annotation>")
        with pytest.raises(DataError, match="declares a document type"):
            read_voc_xml(path)
        wide = tmp_path / "wide.xml"
        wide.write_bytes(f'<?xml version="1.0" encoding="utf-16"?>{entity}<annotation/>'.encode("utf-16"))
        with pytest.raises(DataError, match="declares a document type"):
            read_voc_xml(wide)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("<annotation><object>", "is no readable XML"),
            ("", "is no readable XML"),
            ('<?xml version="1.0" encoding="none-such"?><annotation/>', "is no readable XML"),
            ("<html></html>", "outermost element is 'html'"),
            ("<annotation><object><pose/></object></annotation>", "object 1 has no name"),
            ("<annotation>" + " " * (4 << 20) + "</annotation>", "is longer than 4 MiB"),
        ],
    )
    def test_broken_annotations_are_named(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(DataError, match=message):
            read_voc_xml(write_text(tmp_path / "a.xml", text))
