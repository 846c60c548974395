"""mIoU of TCL (mmsegmentation): with an absent class, a shifted zero label, and ignored pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.golden import load_case, without_zero
from ttd_core.metrics.segmentation import IGNORE, count_pixels, segmentation_metrics


@pytest.mark.parametrize("setting", ["with_background", "reduce_zero_label"])
def test_figures_match_the_published_accumulation(setting: str, tmp_path: Path) -> None:
    case = load_case("tcl", "miou_seed0")
    options, want = case.info["settings"][setting], case.info["results"][setting]
    ignore, classes = case.info["settings"]["ignore"], options["classes"]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for number in range(3):
        truth = case.arrays[f"{setting}_gt{number}"]
        if options["reduce_zero_label"]:
            truth, ignore = without_zero(truth, classes, tmp_path), IGNORE
        confusion += count_pixels(case.arrays[f"{setting}_pred{number}"], truth, classes, ignore)
    metrics = segmentation_metrics(confusion, "present")
    np.testing.assert_allclose(metrics.iou, case.arrays[f"{setting}_iou"], rtol=1e-5)
    np.testing.assert_allclose(metrics.recall, case.arrays[f"{setting}_acc"], rtol=1e-5)
    near = case.info["tolerance"]["percent"] + 1e-5  # rounded to two digits, stored in float32
    assert 100 * metrics.miou == pytest.approx(want["mIoU_percent_rounded"], abs=near)
    assert 100 * metrics.pixel_accuracy == pytest.approx(want["aAcc_percent"], abs=near)
    assert 100 * metrics.mean_accuracy == pytest.approx(want["mAcc_percent"], abs=near)
    assert bool(np.isnan(metrics.iou).any()) == (setting == "with_background")
