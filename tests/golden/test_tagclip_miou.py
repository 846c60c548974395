"""mIoU of TagCLIP: the mean over the classes of the truth, on label maps and on maps turned into them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.golden import Case, load_case
from ttd_core.data.benchmarks.coco_ids import raw_to_coarse
from ttd_core.data.benchmarks.types import IGNORE
from ttd_core.metrics.segmentation import IGNORE as IGNORE_OF_METRICS
from ttd_core.metrics.segmentation import count_pixels, segmentation_metrics


def confusion_of(case: Case, data: str, predictions: list[np.ndarray]) -> np.ndarray:
    classes = case.info["results"][data]["n_class"]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for number, predicted in enumerate(predictions):
        truth = case.arrays[f"{data}_{number}_gt"]
        if data == "cocostuff":
            confusion += count_pixels(predicted, raw_to_coarse()[truth], classes)
        else:
            confusion += count_pixels(predicted, truth, classes, ignore=255)
    return confusion


def test_ignored_pixels_have_the_value_of_the_data_sets() -> None:
    assert IGNORE == IGNORE_OF_METRICS


@pytest.mark.parametrize("data", ["voc", "coco", "cocostuff"])
def test_figures_match_to_nine_digits(data: str) -> None:
    case = load_case("tagclip", "miou")
    want: dict[str, Any] = case.info["results"][data]
    confusion = confusion_of(case, data, [case.arrays[f"{data}_{number}_pred"] for number in range(3)])
    metrics = segmentation_metrics(confusion, "truth")
    classes = np.array([np.nan if value is None else value for value in want["Class IoU"]])
    np.testing.assert_allclose(metrics.iou, classes, rtol=1e-9)
    assert metrics.miou == pytest.approx(want["Mean IoU"], rel=1e-9)
    assert metrics.pixel_accuracy == pytest.approx(want["Pixel Accuracy"], rel=1e-9)
    assert metrics.mean_accuracy == pytest.approx(want["Mean Accuracy"], rel=1e-9)
    assert metrics.fwiou == pytest.approx(want["Frequency Weighted IoU"], rel=1e-9)


@pytest.mark.parametrize("data", ["voc", "coco"])
@pytest.mark.parametrize("rule", ["0.3", "2"])
def test_figures_of_other_background_rules_match(data: str, rule: str) -> None:
    case = load_case("tagclip", "miou")
    predictions = []
    for number in range(3):
        maps, keys = case.arrays[f"{data}_{number}_cams"], case.arrays[f"{data}_{number}_keys"]
        background = np.full_like(maps[0], 0.3) if rule == "0.3" else np.power(1 - maps.max(axis=0), 2)
        winner = np.concatenate([background[None], maps]).argmax(axis=0)
        predictions.append(np.append(0, keys + 1)[winner])
    metrics = segmentation_metrics(confusion_of(case, data, predictions), "truth")
    assert metrics.miou == pytest.approx(case.info["results"][data][f"mIoU_bg_{rule}"], rel=1e-9)
