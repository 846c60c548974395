"""Seen, unseen and harmonic mean IoU of trusty, with classes that never occur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.golden import load_case, without_zero
from ttd_core.metrics.segmentation import IGNORE, count_pixels, segmentation_metrics, zero_shot


@pytest.mark.parametrize("name", ["metrics_voc", "metrics_coco"])
def test_every_figure_matches(name: str, tmp_path: Path) -> None:
    case = load_case("trusty", name)
    settings, want = case.info["settings"], case.arrays
    classes, rtol = settings["num_classes"], case.info["tolerance"]["rtol"]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for number in range(5):
        truth, ignore = want[f"label_{number}"], 255
        if name == "metrics_voc":
            truth, ignore = without_zero(truth, classes, tmp_path), IGNORE
        confusion += count_pixels(want[f"pred_{number}"], truth, classes, ignore)
    metrics = segmentation_metrics(confusion, "present")
    means = zero_shot(metrics.iou, settings["base"], settings["novel"])
    for stage, got in {
        "iou": metrics.iou,
        "acc": metrics.recall,
        "aacc": metrics.pixel_accuracy,
        "miou": metrics.miou,
        "macc": metrics.mean_accuracy,
        "miou_seen": means.seen,
        "miou_unseen": means.unseen,
        "hiou": means.harmonic,
    }.items():
        np.testing.assert_allclose(got, want[stage], rtol=rtol, err_msg=stage)
    assert np.isnan(metrics.iou).any()
