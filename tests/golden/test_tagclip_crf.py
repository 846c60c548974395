"""The dense CRF against the published masks; needs the package that `ttd[crf]` installs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support import tiny_clip
from tests.support.golden import load_case
from ttd_core.ops.crf import CrfConfig, dense_crf, mean_subtracted_bgr, unary_energy

CASES = pytest.mark.parametrize("name", ["crf_k1", "crf_k2"])
PICTURES = {"crf_k1": (1, 37, 40), "crf_k2": (0, 48, 64)}


def test_the_default_settings_are_the_published_ones() -> None:
    published = load_case("tagclip", "crf_k1").info["parameters"]
    config = CrfConfig()
    for name in (
        "iterations",
        "gaussian_sxy",
        "gaussian_compat",
        "bilateral_sxy",
        "bilateral_srgb",
        "bilateral_compat",
    ):
        assert getattr(config, name) == published[name], name


@CASES
@pytest.mark.parametrize("stack", ["fgbg", "fgonly"])
def test_every_stage_matches_the_published_masks(name: str, stack: str) -> None:
    case = load_case("tagclip", name)
    rgb = tiny_clip.test_image(*PICTURES[name])
    np.testing.assert_array_equal(rgb, case.arrays["image_rgb"])
    picture = mean_subtracted_bgr(rgb)
    np.testing.assert_array_equal(picture, case.arrays["image_for_crf_bgr"])
    scores = case.arrays[f"{stack}_prob"]
    case.check(f"{stack}_unary", torch.from_numpy(unary_energy(scores)), rtol=0, atol=0)
    marginals = dense_crf(picture, scores, CrfConfig(every_label=True))
    case.check(f"{stack}_Q", torch.from_numpy(marginals), rtol=0, atol=1e-4)
    if stack == "fgbg":
        labels = np.array([0, *(case.arrays["keys"] + 1)])[marginals.argmax(axis=0)]
        np.testing.assert_array_equal(labels, case.arrays["fgbg_label"])


@CASES
def test_leaving_out_labels_that_win_nowhere_changes_nothing_here(name: str) -> None:
    case = load_case("tagclip", name)
    scores = case.arrays["fgbg_prob"]
    absent = np.full_like(scores[:1], 0.001)
    picture = case.arrays["image_for_crf_bgr"]
    found = dense_crf(picture, np.concatenate([scores[:1], absent, scores[1:]]))
    assert not found[1].any()
    case.check("fgbg_Q", torch.from_numpy(np.delete(found, 1, axis=0)), rtol=0, atol=1e-4)
