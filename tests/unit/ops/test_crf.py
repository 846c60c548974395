from __future__ import annotations

import sys

import numpy as np
import pytest

from ttd_core.errors import MissingPackageError, UsageError
from ttd_core.ops.crf import CrfConfig, dense_crf, mean_subtracted_bgr


def example(labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    stream = np.random.default_rng(0)
    picture = np.zeros((12, 16, 3), dtype=np.uint8)
    picture[:, 8:] = 200
    scores = stream.random((labels, 12, 16), dtype=np.float32) * 0.5
    scores[0, :, :8] += 0.4
    scores[1, :, 8:] += 0.4
    return picture, scores


def test_marginals_sum_to_one_and_follow_the_edge_of_the_picture() -> None:
    picture, scores = example()
    marginals = dense_crf(picture, scores)
    np.testing.assert_allclose(marginals.sum(axis=0), 1, atol=1e-5)
    labels = marginals.argmax(axis=0)
    assert (labels[:, :8] == 0).all() and (labels[:, 8:] == 1).all()


def test_a_label_that_wins_nowhere_takes_no_part_unless_asked() -> None:
    picture, scores = example()
    scores[2] = 0.01
    assert not dense_crf(picture, scores)[2].any()
    assert dense_crf(picture, scores, CrfConfig(every_label=True))[2].any()


def test_permuting_labels_permutes_marginals() -> None:
    picture, scores = example()
    order = [2, 0, 1]
    np.testing.assert_allclose(dense_crf(picture, scores[order]), dense_crf(picture, scores)[order], atol=1e-5)


def test_one_label_is_certain_everywhere() -> None:
    picture, scores = example()
    assert (dense_crf(picture, scores[:1]) == 1).all()
    scores[1:] = 0
    np.testing.assert_array_equal(dense_crf(picture, scores).argmax(axis=0), 0)


def test_a_single_pixel_keeps_its_label() -> None:
    picture, scores = np.zeros((1, 1, 3), np.uint8), np.array([[[0.3]], [[0.7]]], np.float32)
    assert dense_crf(picture, scores, CrfConfig(every_label=True)).argmax() == 1


def test_colours_below_the_mean_wrap_round_as_published() -> None:
    rgb = np.array([[[118, 116, 100]]], dtype=np.uint8)  # B 100 - 104.008 = -4.008
    assert mean_subtracted_bgr(rgb).tolist() == [[[252, 0, 252]]]


def test_shapes_that_do_not_fit_are_a_bug_and_say_so() -> None:
    picture, scores = example()
    with pytest.raises(ValueError, match="K×H×W"):
        dense_crf(picture, scores[:, :5])


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="bilateral_srgb=0"):
        CrfConfig(bilateral_srgb=0)


def test_a_missing_package_is_named_with_a_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(MissingPackageError) as caught:
        dense_crf(*example())
    assert "pydensecrf2" in caught.value.message and "ttd[crf]" in (caught.value.hint or "")
