"""The tags that TagCLIP's authors publish, scored against the labels: the same counts and the same figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttd_core.data.benchmarks.stuff_ids import cocostuff_index
from ttd_core.errors import DataError
from ttd_core.metrics.classification import LabelCounts, category, count_labels, label_matrix, overall, sample

FOLDER = Path(__file__).parent / "tagclip" / "published"
CLASSES = {"voc2012": 20, "coco2017": 80, "cocostuff": 171}


def read(name: str) -> dict[str, list[int]]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return {key: [int(label) for label in labels] for key, *labels in (line.split(" ") for line in lines)}


def counts_of(data: str) -> LabelCounts:
    tags, labels = read(f"{data}_val_tagclip_example.txt"), read(f"imageset_{data}_val.txt")
    assert list(tags) == list(labels)
    index: Callable[[int], int] = cocostuff_index if data == "cocostuff" else int
    truth = [[index(label) for label in row] for row in labels.values()]
    return count_labels(label_matrix(tags.values(), CLASSES[data]), label_matrix(truth, CLASSES[data]))


@pytest.mark.parametrize("data", list(CLASSES))
def test_counts_and_figures_are_the_reference_exactly(data: str) -> None:
    want: dict[str, Any] = json.loads((FOLDER / "reference_metrics.json").read_text(encoding="utf-8"))[data]
    counts = counts_of(data)
    total = counts.total
    assert (total.tp, total.fp, total.fn) == (want["tp"], want["fp"], want["fn"])
    assert (len(counts.image_tp), counts.exact) == (want["images"], want["images_with_exact_tag_set"])
    for name, got in (("tp", counts.class_tp), ("fp", counts.class_fp), ("fn", counts.class_fn)):
        np.testing.assert_array_equal(got, want["per_class"][name], err_msg=name)
    for mode in (overall, category, sample):
        figures = mode(counts)
        for name in ("precision", "recall", "f1"):
            # the last digits of a mean depend on the order of its sum
            expected = pytest.approx(want[mode.__name__][name], rel=1e-14)
            assert getattr(figures, name) == expected, f"{mode.__name__} {name}"


@pytest.mark.parametrize("unused", [11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90, 182, -1])
def test_an_id_that_cocostuff_does_not_use_is_an_error(unused: int) -> None:
    with pytest.raises(DataError, match=f"label {unused} is no COCO-Stuff class"):
        cocostuff_index(unused)


def test_the_ids_that_remain_are_counted() -> None:
    used = [number for row in read("imageset_cocostuff_val.txt").values() for number in row]
    assert [cocostuff_index(number) for number in sorted(set(used))] == list(range(171))
