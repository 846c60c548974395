import math

import numpy as np
import pytest

from ttd_core.metrics.segmentation import (
    AVERAGING,
    IGNORE,
    add_cells,
    cells_of,
    class_counts,
    count_pixels,
    segmentation_metrics,
    zero_shot,
)

CLASSES = 7


def maps(seed: int = 0, classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (31, 47)).astype(np.uint16)
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, classes, truth.shape)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    return predicted, truth


def by_loops(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for ours, theirs in zip(predicted.ravel().tolist(), truth.ravel().tolist(), strict=True):
        if theirs != IGNORE:
            confusion[theirs, ours] += 1
    return confusion


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64])
def test_counts_equal_a_loop_over_pixels_whatever_the_integers(dtype: type) -> None:
    predicted, truth = maps(classes=200)  # 200 · 200 fits in neither 8 nor 15 bits
    np.testing.assert_array_equal(
        count_pixels(predicted.astype(dtype), truth, 200), by_loops(predicted.astype(np.uint8), truth, 200)
    )


def test_sixteen_bit_labels_of_many_classes_do_not_overflow() -> None:
    classes = 400
    truth = np.arange(classes, dtype=np.uint16).reshape(20, 20)
    np.testing.assert_array_equal(count_pixels(truth, truth, classes), np.eye(classes, dtype=np.int64))


def test_a_perfect_prediction_is_right_in_everything() -> None:
    _, truth = maps()
    predicted = np.where(truth == IGNORE, 0, truth)
    metrics = segmentation_metrics(count_pixels(predicted, truth, CLASSES))
    assert (metrics.miou, metrics.mfpr, metrics.mfnr) == (1.0, 0.0, 0.0)
    assert (metrics.pixel_accuracy, metrics.mean_accuracy) == (1.0, 1.0)
    assert math.isclose(metrics.fwiou, 1.0)


def test_iou_fpr_and_fnr_sum_to_one_per_class_and_in_the_mean() -> None:
    metrics = segmentation_metrics(count_pixels(*maps(), CLASSES))
    np.testing.assert_allclose(metrics.iou + metrics.fpr + metrics.fnr, 1.0)
    assert math.isclose(metrics.miou + metrics.mfpr + metrics.mfnr, 1.0)


def test_permuting_the_classes_permutes_their_figures_and_keeps_the_means() -> None:
    predicted, truth = maps()
    order = np.random.default_rng(1).permutation(CLASSES)
    table = np.append(order, np.full(IGNORE + 1 - CLASSES, IGNORE))
    plain = segmentation_metrics(count_pixels(predicted, truth, CLASSES))
    moved = segmentation_metrics(count_pixels(order[predicted], table[truth], CLASSES))
    np.testing.assert_array_equal(moved.iou[order], plain.iou)
    assert moved.miou == plain.miou
    assert moved.mean_accuracy == plain.mean_accuracy


def test_exchanging_prediction_and_truth_exchanges_false_positives_and_negatives() -> None:
    predicted, truth = maps()
    truth = np.where(truth == IGNORE, 0, truth)
    counts, swapped = (class_counts(count_pixels(a, b, CLASSES)) for a, b in ((predicted, truth), (truth, predicted)))
    np.testing.assert_array_equal(counts.fp, swapped.fn)
    np.testing.assert_array_equal(counts.tp, swapped.tp)


def test_how_an_absent_class_and_one_that_is_only_predicted_enter_the_mean() -> None:
    truth = np.array([[0, 0, 0, 1]])
    predicted = np.array([[0, 0, 2, 1]])  # class 2 only predicted, class 3 nowhere
    confusion = count_pixels(predicted, truth, 4)
    means = {name: segmentation_metrics(confusion, name).miou for name in AVERAGING}
    assert means == {"present": (2 / 3 + 1 + 0) / 3, "truth": (2 / 3 + 1) / 2, "zero": (2 / 3 + 1 + 0 + 0) / 4}
    assert np.isnan(segmentation_metrics(confusion).iou).tolist() == [False, False, False, True]


@pytest.mark.parametrize("averaging", AVERAGING)
def test_nothing_counted_is_nan_or_the_convention_zero_and_never_an_error(averaging: str) -> None:
    nothing = np.full((3, 4), 255, dtype=np.uint8)
    confusion = count_pixels(nothing, nothing, CLASSES, ignore=255)
    assert not confusion.any()
    metrics = segmentation_metrics(confusion, averaging)
    assert metrics.miou == 0.0 if averaging == "zero" else math.isnan(metrics.miou)
    assert math.isnan(metrics.pixel_accuracy)
    assert math.isnan(metrics.fwiou)


def test_figures_depend_on_sums_and_not_on_pieces() -> None:
    parts = [count_pixels(*maps(seed), CLASSES) for seed in range(3)]
    together = np.zeros((CLASSES, CLASSES), dtype=np.int64)
    for part in reversed(parts):
        add_cells(together, cells_of(part))
    np.testing.assert_array_equal(together, sum(parts))


def test_cells_are_plain_sorted_integers() -> None:
    confusion = np.zeros((3, 3), dtype=np.int64)
    confusion[2, 0], confusion[0, 1] = 4, 7
    assert cells_of(confusion) == [[0, 1, 7], [2, 0, 4]]
    assert cells_of(np.zeros((3, 3), dtype=np.int64)) == []
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        add_cells(np.zeros((2, 2), dtype=np.int64), [[0, 2, 1]])


def test_values_outside_the_class_list_are_named() -> None:
    truth = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"the label map holds 7, 254, expected labels 0\.\.4"):
        count_pixels(np.array([[0, 7, 0], [254, 7, 1]], dtype=np.uint8), truth, 5)
    with pytest.raises(ValueError, match=r"the label map holds -1, expected"):
        count_pixels(np.array([[0, -1, 0], [0, 0, 1]]), truth, 5)
    with pytest.raises(ValueError, match=r"the truth holds 9, expected"):
        count_pixels(truth, truth + 9, 5)
    with pytest.raises(ValueError, match=r"holds 5, 6, 7, 8, 9 and 2 more, expected"):
        count_pixels(np.arange(12), np.zeros(12, dtype=np.uint8), 5)


def test_values_at_ignored_pixels_are_not_looked_at() -> None:
    truth = np.array([[255, 1]], dtype=np.uint8)
    confusion = count_pixels(np.array([[255, 1]], dtype=np.uint8), truth, 2, ignore=255)
    assert cells_of(confusion) == [[1, 1, 1]]


def test_other_sizes_and_float_maps_are_refused() -> None:
    labels = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="a label map of 2×3 against a truth of 3×2"):
        count_pixels(labels, labels.T, 2)
    with pytest.raises(ValueError, match="float64, expected integers"):
        count_pixels(labels.astype(float), labels, 2)
    with pytest.raises(ValueError, match="averaging 'mean', expected one of present, truth, zero"):
        segmentation_metrics(np.eye(2), "mean")
    with pytest.raises(ValueError, match="a confusion of 2×3"):
        segmentation_metrics(np.zeros((2, 3)))


def test_zero_shot_means_leave_out_absent_classes() -> None:
    means = zero_shot(np.array([0.4, np.nan, 0.6, 0.25]), [0, 1, 2], [3])
    assert (means.seen, means.unseen) == (0.5, 0.25)
    assert math.isclose(means.harmonic, 2 * 0.5 * 0.25 / 0.75)
    assert zero_shot(np.zeros(2), [0], [1]).harmonic == 0.0
    assert math.isnan(zero_shot(np.array([0.5, np.nan]), [0], [1]).harmonic)
