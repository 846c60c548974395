from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_sets import SAMPLES, SIZE, labels, write_mask, write_picture
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.errors import DataError, UsageError


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "data" / "ADEChallengeData2016"
    for number, values in ((1, (0, 1, 150)), (2, (8,))):
        write_picture(base / "images/validation" / f"ADE_val_{number:08}.jpg")
        write_mask(base / "annotations/validation" / f"ADE_val_{number:08}.png", labels(*values), palette=False)
    return base


@pytest.mark.parametrize("up", [0, 1, 2])
def test_zero_is_ignored_and_classes_count_from_one(base: Path, up: int) -> None:
    benchmark = open_benchmark("ade20k", (base, *base.parents)[up])
    assert (benchmark.name, benchmark.absent) == ("ade20k:validation", ())
    truths = [benchmark.truth(sample, SIZE) for sample in benchmark.samples]
    assert truths[0].label_map is not None and benchmark.classes is not None
    assert np.unique(truths[0].label_map).tolist() == [0, 149, IGNORE]
    assert [truth.present for truth in truths] == [(0, 149), (7,)]
    assert benchmark.classes.names[7] == "bed"


def test_it_is_found_three_levels_below_the_root(base: Path, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "data").rename(tmp_path / "all" / "ade")
    assert len(open_benchmark("ade20k", tmp_path).samples) == 2


def test_a_genuine_mask_shows_its_classes(base: Path) -> None:
    genuine = SAMPLES / "masks" / "ADE_val_00000002.png"
    (base / "annotations/validation" / genuine.name).write_bytes(genuine.read_bytes())
    benchmark = open_benchmark("ade20k:val", base)
    present = benchmark.truth(benchmark.samples[1], (64, 64)).present
    assert present is not None and benchmark.classes is not None
    assert [benchmark.classes.names[index] for index in present] == ["wall", "building", "sky", "tree"]


def test_values_beyond_150_are_named(base: Path) -> None:
    write_mask(base / "annotations/validation/ADE_val_00000001.png", labels(151), palette=False)
    benchmark = open_benchmark("ade20k", base)
    with pytest.raises(DataError, match=r"ADE_val_00000001\.png: holds 151, expected classes 0\.\.150 or 255"):
        benchmark.truth(benchmark.samples[0])


def test_pictures_and_masks_without_each_other_are_absent(base: Path) -> None:
    (base / "annotations/validation/ADE_val_00000001.png").unlink()
    (base / "images/validation/ADE_val_00000002.jpg").unlink()
    assert open_benchmark("ade20k", base).absent == (
        ("ADE_val_00000001", "no mask in annotations/validation"),
        ("ADE_val_00000002", "no picture in images/validation"),
    )


def test_a_wrong_root_or_split_is_explained(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown split of ADE20K 'test'"):
        open_benchmark("ade20k:test", base)
    with pytest.raises(DataError, match="no ADE20K found: looked for ADEChallengeData2016/images/training"):
        open_benchmark("ade20k:train", tmp_path)
    (base / "annotations").rename(tmp_path / "away")
    with pytest.raises(
        DataError, match="no annotations of ADE20K found: looked for annotations/validation; found images"
    ):
        open_benchmark("ade20k", tmp_path / "data")
