"""mIoU of ReCLIP: areas per class to the pixel, and absent classes counting as 0 in the mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.golden import load_case, without_zero
from ttd_core.metrics.segmentation import IGNORE, class_counts, count_pixels, segmentation_metrics


@pytest.mark.parametrize(("name", "maps"), [("miou_plain", 2), ("miou_reduce_zero", 3)])
def test_areas_and_means_match(name: str, maps: int, tmp_path: Path) -> None:
    case = load_case("reclip", name)
    settings, want = case.info["settings"], case.info["results"]
    classes, ignore = settings["classes"], settings["ignore_index"]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for number in range(maps):
        truth = case.arrays[f"label_{number}"]
        if settings["reduce_zero_label"]:
            truth, ignore = without_zero(truth, classes, tmp_path), IGNORE
        confusion += count_pixels(case.arrays[f"pred_{number}"], truth, classes, ignore)
    counts = class_counts(confusion)
    # the published arrays have one more bin than classes, and nothing in it
    for stage, got in {
        "intersect": counts.tp,
        "pred_area": counts.tp + counts.fp,
        "label_area": counts.tp + counts.fn,
        "union": counts.tp + counts.fp + counts.fn,
    }.items():
        np.testing.assert_array_equal(np.append(got, 0), case.arrays[stage], err_msg=stage)
    zero, present = (segmentation_metrics(confusion, averaging) for averaging in ("zero", "present"))
    atol = case.info["tolerance"]["iou"]["atol"]
    np.testing.assert_allclose(np.nan_to_num(zero.iou), case.arrays["iou"][:-1], rtol=0, atol=atol)
    np.testing.assert_allclose(np.nan_to_num(zero.recall), case.arrays["acc"][:-1], rtol=0, atol=atol)
    assert np.flatnonzero(np.isnan(zero.iou)).tolist() == settings["classes_absent_everywhere"]
    assert zero.miou == pytest.approx(want["miou"], abs=atol)
    assert present.miou == pytest.approx(want["miou_over_present_classes"], abs=atol)
    assert zero.pixel_accuracy == pytest.approx(want["aAcc"], abs=atol)
