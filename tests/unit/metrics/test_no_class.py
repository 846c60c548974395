import numpy as np
import pytest

from ttd_core.metrics.segmentation import segmentation_metrics


def test_pixels_given_to_no_class_are_misses_and_nothing_else() -> None:
    confusion = np.array([[6, 2, 2], [1, 9, 0], [0, 0, 0]])
    found = segmentation_metrics(confusion, classes=2)
    assert found.iou.tolist() == [6 / 11, 9 / 12]
    assert found.miou == pytest.approx((6 / 11 + 9 / 12) / 2)
    assert found.pixel_accuracy == 15 / 20
