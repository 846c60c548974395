from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_sets import SAMPLES, SIZE, labels, write_mask, write_picture
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.data.benchmarks.class_lists import raw_values
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.errors import DataError, UsageError

TOWNS = ("bonn", "ulm")


def draw(root: Path, kind: str, *values: int, towns: tuple[str, ...] = TOWNS) -> Path:
    for town in towns:
        write_picture(root / f"leftImg8bit/val/{town}/{town}_000000_000001_leftImg8bit.png")
        mask = root / f"gtFine/val/{town}/{town}_000000_000001_gtFine_{kind}.png"
        write_mask(mask, labels(*values), palette=False)
    return root


def test_train_ids_are_taken_as_they_are(tmp_path: Path) -> None:
    benchmark = open_benchmark("cityscapes", draw(tmp_path, "labelTrainIds", 0, 18, 255))
    assert [sample.key for sample in benchmark.samples] == [
        f"{town}/{town}_000000_000001_leftImg8bit" for town in TOWNS
    ]
    truth = benchmark.truth(benchmark.samples[1], SIZE)
    assert truth.label_map is not None
    assert np.unique(truth.label_map).tolist() == [0, 18, IGNORE]
    assert (truth.present, benchmark.notices, benchmark.absent) == ((0, 18), (), ())
    assert benchmark.picture(benchmark.samples[0]).size == SIZE


def test_ids_are_mapped_where_train_ids_have_not_been_made(tmp_path: Path) -> None:
    draw(tmp_path, "labelIds", 7, 33, 0, 29)
    draw(tmp_path, "labelTrainIds", 1, towns=("ulm",))
    benchmark = open_benchmark("cityscapes", tmp_path)
    truth = benchmark.truth(benchmark.samples[0], SIZE)
    assert truth.label_map is not None
    assert np.unique(truth.label_map).tolist() == [0, 18, IGNORE]
    assert "labels are read from *_labelIds.png" in benchmark.notices[0]


def test_genuine_files_of_both_kinds_agree(tmp_path: Path) -> None:
    """But for a few pixels: the source has shrunk the two files one after the other."""
    maps = {}
    for kind in ("labelIds", "labelTrainIds"):
        root = draw(tmp_path / kind, kind, 0, towns=("frankfurt",))
        genuine = SAMPLES / "masks" / f"frankfurt_000000_000294_gtFine_{kind}.png"
        (root / f"gtFine/val/frankfurt/frankfurt_000000_000001_gtFine_{kind}.png").write_bytes(genuine.read_bytes())
        benchmark = open_benchmark("cityscapes", root)
        maps[kind] = benchmark.truth(benchmark.samples[0], (64, 64)).label_map
    ids, train_ids = maps["labelIds"], maps["labelTrainIds"]
    assert ids is not None and train_ids is not None
    assert np.mean(ids == train_ids) > 0.98
    assert len(np.unique(ids)) > 5


def test_the_table_has_the_19_evaluated_classes() -> None:
    assert raw_values("cityscapes19") == (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def test_archives_unpacked_side_by_side_are_found(tmp_path: Path) -> None:
    draw(tmp_path / "made", "labelTrainIds", 0)
    for part in ("leftImg8bit", "gtFine"):
        (tmp_path / "root" / f"{part}_trainvaltest").mkdir(parents=True)
        (tmp_path / "made" / part).rename(tmp_path / "root" / f"{part}_trainvaltest" / part)
    assert len(open_benchmark("cityscapes", tmp_path / "root").samples) == 2


def test_it_is_found_three_levels_below_the_root(tmp_path: Path) -> None:
    draw(tmp_path / "sets" / "street" / "scenes", "labelTrainIds", 0)
    assert len(open_benchmark("cityscapes", tmp_path).samples) == 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    draw(tmp_path, "labelTrainIds", 0)
    (tmp_path / "gtFine/val/ulm/ulm_000000_000001_gtFine_labelTrainIds.png").unlink()
    assert open_benchmark("cityscapes", tmp_path).absent == (
        ("ulm/ulm_000000_000001_leftImg8bit", "no mask in gtFine/val"),
    )
    (tmp_path / "gtFine").rename(tmp_path / "elsewhere")
    with pytest.raises(
        DataError, match="no gtFine of Cityscapes found: looked for gtFine/val; found elsewhere"
    ) as caught:
        open_benchmark("cityscapes", tmp_path)
    assert caught.value.hint is not None and "gtFine_trainvaltest.zip" in caught.value.hint
    with pytest.raises(UsageError, match="unknown split of Cityscapes 'test'"):
        open_benchmark("cityscapes:test", tmp_path)
