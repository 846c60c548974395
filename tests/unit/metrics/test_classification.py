import math

import numpy as np
import pytest

from ttd_core.metrics.classification import (
    binarise,
    category,
    class_average_precisions,
    count_labels,
    label_matrix,
    overall,
    sample,
)


def matrices(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((40, 6)) < 0.3
    return rng.random((40, 6)) + 0.5 * truth, truth


def test_perfect_scores_and_perfect_labels_give_one() -> None:
    _, truth = matrices()
    assert class_average_precisions(truth.astype(float), truth).tolist() == [1.0] * 6
    counts = count_labels(truth, truth)
    assert counts.exact == 40
    assert (overall(counts).precision, overall(counts).recall, overall(counts).f1) == (1.0, 1.0, 1.0)
    assert category(counts).f1 == pytest.approx(1.0, abs=1e-8)


def test_a_class_without_positives_counts_as_zero() -> None:
    truth = np.array([[1, 0], [0, 0]])
    scores = np.array([[0.9, 0.1], [0.2, 0.3]])
    assert class_average_precisions(scores, truth).tolist() == [1.0, 0.0]
    assert class_average_precisions(np.zeros((3, 0)), np.zeros((3, 0))).shape == (0,)


def test_ignored_entries_take_part_nowhere() -> None:
    scores, truth = matrices()
    ignored = np.random.default_rng(1).random(truth.shape) < 0.2
    selected = binarise(scores, "absolute", 0.8)
    without = count_labels(selected, truth, ignored)
    changed = count_labels(selected ^ ignored, truth ^ ignored, ignored)
    assert without.total == changed.total
    assert without.decisions == without.total.tp + without.total.fp + without.total.fn + without.total.tn
    assert without.decisions == (~ignored).sum()
    np.testing.assert_array_equal(
        class_average_precisions(scores, truth, ignored),
        class_average_precisions(np.where(ignored, 9.0, scores), truth ^ ignored, ignored),
    )
    assert not np.array_equal(class_average_precisions(scores, truth), class_average_precisions(scores, truth, ignored))


def test_counts_by_class_and_by_picture_have_the_same_totals() -> None:
    scores, truth = matrices()
    counts = count_labels(binarise(scores, "relative", 0.5), truth)
    for by_class, by_image in (
        (counts.class_tp, counts.image_tp),
        (counts.class_fp, counts.image_fp),
        (counts.class_fn, counts.image_fn),
    ):
        assert by_class.sum() == by_image.sum()


def test_permuting_pictures_and_classes_changes_no_mean() -> None:
    scores, truth = matrices()
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(40), rng.permutation(6)
    selected = binarise(scores, "relative", 0.5)
    plain, moved = count_labels(selected, truth), count_labels(selected[rows][:, columns], truth[rows][:, columns])
    assert (overall(plain), category(plain), sample(plain)) == (overall(moved), category(moved), sample(moved))
    np.testing.assert_array_equal(
        class_average_precisions(scores, truth)[columns],
        class_average_precisions(scores[rows][:, columns], truth[rows][:, columns]),
    )


def test_the_three_ways_to_decide() -> None:
    scores = np.array([[0.0, 0.5, 1.0], [0.4, 0.4, 0.4], [0.6, 0.6, 0.2]])
    assert binarise(scores, "relative", 0.5).tolist() == [[False, False, True], [False] * 3, [True, True, False]]
    assert binarise(scores, "absolute", 0.4).tolist() == [[False, True, True], [False] * 3, [True, True, False]]
    assert binarise(scores, "top", 1).tolist() == [[False, False, True], [True, False, False], [True, False, False]]
    assert binarise(scores, "top", 9).all()
    with pytest.raises(ValueError, match="rule 'best'"):
        binarise(scores, "best", 1)
    with pytest.raises(ValueError, match="top 0.5"):
        binarise(scores, "top", 0.5)


def test_sets_of_labels_become_rows() -> None:
    assert label_matrix([[2, 0], []], 3).tolist() == [[True, False, True], [False, False, False]]
    with pytest.raises(ValueError, match=r"picture 1: label 3, expected 0\.\.2"):
        label_matrix([[0], [3]], 3)
    with pytest.raises(ValueError, match="picture 0: a label twice"):
        label_matrix([[1, 1]], 3)


def test_averages_of_known_counts() -> None:
    truth = label_matrix([[0], [0, 1]], 2)
    counts = count_labels(label_matrix([[0, 1], [0]], 2), truth)
    assert (counts.total.tp, counts.total.fp, counts.total.fn, counts.total.tn) == (2, 1, 1, 0)
    assert counts.exact == 0
    assert overall(counts).precision == 2 / 3
    assert category(counts).precision == pytest.approx(0.5)  # class 0 right, class 1 never
    assert sample(counts).precision == pytest.approx(0.75)
    assert sample(counts).recall == pytest.approx(0.75)


def test_nothing_found_is_zero_and_nothing_to_count_is_nan() -> None:
    truth = np.ones((2, 2), dtype=bool)
    counts = count_labels(~truth, truth)
    assert (category(counts).f1, sample(counts).f1) == (0.0, 0.0)
    empty = count_labels(np.zeros((0, 2)), np.zeros((0, 2)))
    assert math.isnan(sample(empty).f1)
    assert math.isnan(overall(empty).f1)


def test_matrices_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match="expected pictures"):
        count_labels(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="expected pictures"):
        class_average_precisions(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 2)))
