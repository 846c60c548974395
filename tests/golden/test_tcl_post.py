"""From embeddings to label maps as TCL is evaluated: a padded picture stage by stage, sliding windows, full size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import Case, load_case, normalised
from tests.support.models import tiny_tcl
from tests.support.tiny_clip import test_image as picture_of
from ttd_core.methods.tcl.inference import TclInference
from ttd_core.methods.tcl.model import IMAGENET_MEAN, IMAGENET_STD
from ttd_core.methods.tcl.windows import coverage, pad, padding, resized_size, sliding_windows
from ttd_core.ops.opencv_resize import resize_bilinear

CASES = {seed: load_case("tcl", f"post_seed{seed}") for seed in (0, 2)}
REAL = load_case("tcl", "post_real_geometry_seed0")
CONFIGS = sorted(CASES[0].info["configs"])
SEEDS = pytest.mark.parametrize("seed", sorted(CASES))


def settings(config: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
    """Arguments of the inference, and the background."""
    background = config["bg_thresh"] if config["with_bg"] else None
    return {"pamr": config["pamr"], "kp_weight": config["kp_w"]}, background


def assert_labels(case: Case, name: str, got: np.ndarray) -> None:
    """Equal wherever the two best scores are not within a thousandth of each other."""
    want = case.arrays[f"{name}_label"]
    tie = np.unpackbits(case.arrays[f"{name}_near_tie"])[: want.size].reshape(want.shape).astype(bool)
    assert got.dtype == np.uint16
    assert tie.mean() < 0.02
    np.testing.assert_array_equal(got[~tie], want[~tie], err_msg=f"{case.name} {name}")


def check(case: Case, stage: str, got: torch.Tensor) -> None:
    tolerance = case.info["tolerance"][str(case.arrays[stage].dtype)]
    case.check(stage, got, rtol=tolerance.get("rtol", 0.0), atol=tolerance["atol"])


@SEEDS
def test_every_stage_of_a_padded_picture_matches_the_published_code(seed: int) -> None:
    case = CASES[seed]
    entry, texts = case.info["whole"]["image"]["test_image"], torch.from_numpy(case.arrays["whole_text"])
    number, height, width = entry
    image = normalised(number, height, width, IMAGENET_MEAN, IMAGENET_STD)
    assert list(padding((height, width), 16)) == case.info["whole"]["pad_left_right_top_bottom"]
    backbone = tiny_tcl(seed)
    inference = TclInference(backbone, pamr=True)
    steps = inference.steps(image, texts)
    check(case, "whole_sim", steps.cosines)
    check(case, "whole_soft", steps.soft)
    colours = F.interpolate(pad(image, 16)[0], steps.soft.shape[-2:], mode="bilinear", align_corners=True)
    check(case, "whole_image_for_pamr", colours)
    check(case, "whole_after_pamr", steps.refined)
    check(case, "whole_after_kp", steps.mixed)
    check(case, "whole_final", inference.window_masks(image, texts))
    plain = TclInference(backbone, pamr=False)
    check(case, "whole_nopamr_after_kp", plain.steps(image, texts).mixed)
    check(case, "whole_nopamr_final", plain.window_masks(image, texts))


@SEEDS
@pytest.mark.parametrize("name", CONFIGS)
def test_labels_of_a_whole_picture_match_the_published_code(seed: int, name: str) -> None:
    case = CASES[seed]
    pixels = picture_of(*case.info["whole"]["image"]["test_image"])
    options, background = settings(case.info["configs"][name])
    inference = TclInference(tiny_tcl(seed), size=min(pixels.shape[:2]), **options)
    labels = inference.label_map(pixels, torch.from_numpy(case.arrays["whole_text"]), background)
    assert_labels(case, f"whole_{name}", labels)


def sliding(case: Case, seed: int, **options: Any) -> TclInference:
    geometry = case.info["slide"]
    longest, shorter = geometry["img_scale"]
    return TclInference(
        tiny_tcl(seed),
        size=shorter,
        longest=longest,
        window=geometry["crop"],
        stride=geometry["stride"],
        **options,
    )


@SEEDS
@pytest.mark.parametrize("name", CONFIGS)
def test_labels_of_sliding_windows_match_the_published_code(seed: int, name: str) -> None:
    case = CASES[seed]
    options, background = settings(case.info["configs"][name])
    pixels = picture_of(*case.info["slide"]["image"]["test_image"])
    texts = torch.from_numpy(case.arrays["slide_text"])
    assert_labels(case, f"slide_{name}", sliding(case, seed, **options).label_map(pixels, texts, background))


@SEEDS
def test_scores_of_sliding_windows_match_before_and_after_the_last_resize(seed: int) -> None:
    case = CASES[seed]
    options, _ = settings(case.info["configs"]["bg_pamr"])
    inference = sliding(case, seed, **options)
    pixels = picture_of(*case.info["slide"]["image"]["test_image"])
    texts = torch.from_numpy(case.arrays["slide_text"])
    native = case.arrays["slide_resized_rgb"]
    size = resized_size((pixels.shape[0], pixels.shape[1]), inference.size, inference.longest)
    assert list(size) == case.info["slide"]["resized_hw"]
    np.testing.assert_array_equal(resize_bilinear(pixels, size), native)
    # a picture that has the size already is not resized, so its scores are those on the network's own grid
    for stage, source in (("native", native), ("ori", pixels)):
        scores = inference.scores(source, texts)
        constant = torch.full_like(scores[:1], case.info["configs"]["bg_pamr"]["bg_thresh"])
        check(case, f"slide_bg_pamr_scores_{stage}", torch.cat([constant, scores])[None])


@pytest.mark.parametrize("name", sorted(REAL.info["configs"]))
def test_labels_at_the_published_geometry_match_the_published_code(name: str) -> None:
    options, background = settings(REAL.info["configs"][name])
    pixels = picture_of(*REAL.info["image"]["test_image"])
    inference = TclInference(tiny_tcl(0), **options)
    size = resized_size((pixels.shape[0], pixels.shape[1]))
    assert [inference.longest, inference.size] == REAL.info["img_scale"]
    assert list(size) == REAL.info["resized_hw"]
    windows = sliding_windows(size, inference.window, inference.stride)
    assert [(w.left, w.right) for w in windows] == [(0, 448), (224, 672), (225, 673)]
    assert coverage(size, windows).min() == 1
    labels = inference.label_map(pixels, torch.from_numpy(REAL.arrays["text"]), background)
    assert_labels(REAL, name, labels)
