"""TCL's inference: classes in blocks, indices, empty lists, and what it asks of a backbone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import ttd_core.methods.tcl.inference as inference_module
from tests.support.models import tiny_backbone, tiny_tcl
from tests.support.tiny_clip import test_image as picture_of
from ttd_core.errors import UsageError
from ttd_core.methods.tcl.inference import Steps, TclInference
from ttd_core.ops.resize import resize_maps

PIXELS = picture_of(5, 70, 96)


def small(backbone: Any, **options: Any) -> TclInference:
    return TclInference(backbone, **({"pamr": True, "size": 64, "window": 48, "stride": 32} | options))


def texts(count: int) -> torch.Tensor:
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def backbone() -> Any:
    return tiny_tcl()


@pytest.mark.parametrize("pamr", [True, False])
@pytest.mark.parametrize("classes", [35, 171])  # 35: three classes are left over, which torch resizes by another path
def test_how_many_classes_are_held_at_once_changes_no_bit(backbone: Any, pamr: bool, classes: int) -> None:
    many = texts(classes)
    all_at_once = small(backbone, pamr=pamr, classes_at_once=176)
    want_scores = all_at_once.scores(PIXELS, many)
    want_labels = all_at_once.label_map(PIXELS, many, 0.4)
    images = torch.from_numpy(PIXELS).permute(2, 0, 1)[None].float() / 255
    want_masks = all_at_once.window_masks(images, many)
    assert len(np.unique(want_labels)) > 5
    for count in (1, 32, 80):
        part = small(backbone, pamr=pamr, classes_at_once=count)
        assert torch.equal(part.scores(PIXELS, many), want_scores)
        assert torch.equal(part.window_masks(images, many), want_masks)
        np.testing.assert_array_equal(part.label_map(PIXELS, many, 0.4), want_labels)


@pytest.mark.parametrize(("largest", "group"), [(1, 1), (2, 2), (3, 2), (9, 4)])
def test_fewer_classes_are_held_at_the_size_of_a_larger_picture(
    backbone: Any, monkeypatch: pytest.MonkeyPatch, largest: int, group: int
) -> None:
    want = small(backbone).scores(PIXELS, texts(21))
    held: list[int] = []

    def resize(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        if size == PIXELS.shape[:2]:
            held.append(maps.shape[1])
        return resize_maps(maps, size)

    monkeypatch.setattr(inference_module, "_LARGEST", largest * PIXELS.shape[0] * PIXELS.shape[1])
    monkeypatch.setattr(inference_module, "resize_maps", resize)
    torch.testing.assert_close(small(backbone).scores(PIXELS, texts(21)), want, rtol=0, atol=1e-6)
    assert set(held) == {group}
    assert 21 <= sum(held) <= 24


def test_a_class_is_the_same_whoever_stands_after_it(backbone: Any) -> None:
    many = texts(40)
    whole = small(backbone).scores(PIXELS, many)
    assert torch.equal(small(backbone).scores(PIXELS, many[:16]), whole[:16])


def test_labels_are_the_arg_max_of_the_scores_at_the_pictures_own_size(backbone: Any) -> None:
    inference, few = small(backbone), texts(6)
    scores = inference.scores(PIXELS, few)
    assert scores.shape == (6, 70, 96)
    assert 0 <= float(scores.min()) < float(scores.max()) <= 1
    np.testing.assert_array_equal(inference.label_map(PIXELS, few, None), scores.argmax(0).numpy())
    background = float(scores.max(dim=0).values.median())
    labels = inference.label_map(PIXELS, few, background)
    want = torch.cat([torch.full_like(scores[:1], background), scores]).argmax(0)
    np.testing.assert_array_equal(labels, want.numpy())
    assert 0.4 < (labels == 0).mean() < 0.6


def test_equal_scores_go_to_the_background_and_to_the_lower_index(
    backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inference = small(backbone)
    # exact ties, within a group of classes and between two
    monkeypatch.setattr(inference, "_steps", lambda view, block: halves(len(block)))
    assert not inference.label_map(PIXELS, texts(20), None).any()
    assert not inference.label_map(PIXELS, texts(20), 0.5).any()
    assert (inference.label_map(PIXELS, texts(20), 0.49) == 1).all()


def halves(classes: int) -> Steps:
    return Steps(*[torch.full((1, classes, 12, 12), 0.5)] * 4)


def test_a_batch_is_its_pictures_one_by_one(backbone: Any) -> None:
    images = torch.randn(2, 3, 50, 33, generator=torch.Generator().manual_seed(2))
    inference = small(backbone)
    both = inference.window_masks(images, texts(3))
    assert both.shape == (2, 3, 50, 33)
    for i in range(2):
        torch.testing.assert_close(both[i : i + 1], inference.window_masks(images[i : i + 1], texts(3)))


def test_texts_may_have_any_length(backbone: Any) -> None:
    inference = small(backbone)
    torch.testing.assert_close(inference.scores(PIXELS, texts(3)), inference.scores(PIXELS, 7.0 * texts(3)))


def test_without_classes_everything_is_background(backbone: Any) -> None:
    inference, none = small(backbone), texts(0)
    assert not inference.label_map(PIXELS, none, 0.4).any()
    assert inference.scores(PIXELS, none).shape == (0, 70, 96)
    assert inference.window_masks(torch.zeros(1, 3, 20, 20), none).shape == (1, 0, 20, 20)
    with pytest.raises(UsageError, match="no classes and no background"):
        inference.label_map(PIXELS, none, None)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 5)])
def test_pictures_of_any_size_have_labels(backbone: Any, size: tuple[int, int]) -> None:
    labels = small(backbone, longest=256).label_map(np.full((*size, 3), 90, np.uint8), texts(2), 0.1)
    assert labels.shape == size


@pytest.mark.parametrize("wrong", [{"kp_weight": 1.1}, {"kp_weight": -0.1}, {"stride": 0}, {"stride": 49}, {"size": 0}])
def test_numbers_out_of_range_are_refused(backbone: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        small(backbone, **wrong)


def test_a_model_without_learned_masks_or_frozen_map_is_refused(backbone: Any) -> None:
    with pytest.raises(UsageError, match="no learned masks"):
        TclInference(tiny_backbone(), pamr=False)
    plain = tiny_backbone()
    plain.info = replace(plain.info, sigmoid_scale=10.0, sigmoid_bias=-2.5)
    with pytest.raises(UsageError, match="no frozen map"):
        small(plain).label_map(PIXELS, texts(2), None)
    assert small(plain, kp_weight=0.0).label_map(PIXELS, texts(2), None).shape == (70, 96)
