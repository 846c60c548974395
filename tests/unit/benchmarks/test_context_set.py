from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_sets import IDS, SAMPLES, SIZE, draw_devkit, labels, write_mask, write_text
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.errors import DataError, UsageError


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    return draw_devkit(tmp_path / "VOCdevkit" / "VOC2010", "SegmentationClassContext", "SegmentationContext")


def test_both_class_lists_read_the_same_files(devkit: Path) -> None:
    write_mask(devkit / "SegmentationClassContext" / f"{IDS[0]}.png", labels(0, 59, 255), palette=False)
    for name, expected in (("context", [0, 59, IGNORE]), ("context59", [58, IGNORE])):
        benchmark = open_benchmark(name, devkit.parent)
        truth = benchmark.truth(benchmark.samples[0], SIZE)
        assert truth.label_map is not None and benchmark.classes is not None
        assert np.unique(truth.label_map).tolist() == expected
        assert truth.present == (58,)
        assert benchmark.classes.things[58] == "wood"
        assert [sample.key for sample in benchmark.samples] == list(IDS)


def test_a_genuine_mask_shows_its_classes(devkit: Path) -> None:
    genuine = SAMPLES / "masks" / "context_2010_000682.png"
    (devkit / "SegmentationClassContext" / "2010_000682.png").write_bytes(genuine.read_bytes())
    (devkit / "JPEGImages" / f"{IDS[0]}.jpg").rename(devkit / "JPEGImages" / "2010_000682.jpg")
    write_text(devkit / "ImageSets/SegmentationContext/val.txt", "2010_000682\n")
    benchmark = open_benchmark("context", devkit)
    present = benchmark.truth(benchmark.samples[0], (64, 64)).present
    assert present is not None and benchmark.classes is not None
    assert [benchmark.classes.things[index] for index in present] == ["building", "bus", "car", "grass", "road", "tree"]


def test_masks_of_the_full_annotation_are_refused(devkit: Path) -> None:
    write_mask(devkit / "SegmentationClassContext" / f"{IDS[0]}.png", labels(2, 113), palette=False)
    benchmark = open_benchmark("context", devkit)
    with pytest.raises(DataError, match=r"holds 113, expected classes 0\.\.59"):
        benchmark.truth(benchmark.samples[0])


def test_pictures_without_the_context_masks_are_explained(tmp_path: Path) -> None:
    draw_devkit(tmp_path / "VOCdevkit" / "VOC2010")
    with pytest.raises(
        DataError, match="no SegmentationClassContext of PASCAL Context found.*SegmentationClass"
    ) as caught:
        open_benchmark("context", tmp_path)
    assert caught.value.hint is not None and "VOCtrainval_03-May-2010.tar" in caught.value.hint


def test_a_truth_file_is_refused(devkit: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--truth does nothing for context"):
        open_benchmark("context", devkit, tmp_path / "labels.txt")
