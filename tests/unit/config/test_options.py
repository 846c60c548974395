"""Contradictions and values out of range, each naming the flags."""

from __future__ import annotations

from typing import Any

import pytest

from ttd_core.errors import UsageError
from ttd_core.recipes.options import DemoOptions, MaskOptions, ModelOptions, TagOptions

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({}, ["--image", "--text", "--input"]),
        ({"image": "a.png"}, ["--image"]),
        ({"image": "a.png", "input": "b"}, ["--input", "--image"]),
        ({"text": "a", "input": "b"}, ["--input", "--text"]),
        ({"text": "a", "tags": ("b",), "tags_file": "c"}, ["--tags", "--tags-file"]),
        ({"text": "a", "tags": ()}, ["--tags"]),
        ({"text": "a", "tags": (" ",)}, ["--tags"]),
        ({"image": "-", "text": "a"}, ["--image"]),
        ({"image": "", "text": "a"}, ["--image"]),
        ({"input": ""}, ["--input"]),
        ({"text": "a", "save": False, "out": "x"}, ["--no-save", "--out"]),
        ({"text": "a", "scales": ()}, ["--scales"]),
        ({"text": "a", "scales": (1.0, 0.0)}, ["--scales", "0"]),
        ({"text": "a", "scales": (NAN,)}, ["--scales", "nan"]),
        ({"text": "a", "scales": (17.0,)}, ["--scales", "17"]),
        ({"text": "a", "threshold": NAN}, ["--threshold", "nan"]),
        ({"text": "a", "threshold": -0.1}, ["--threshold", "-0.1"]),
        ({"text": "a", "threshold": 1.5, "select": "relative"}, ["--threshold", "1.5"]),
        ({"text": "a", "threshold": 0.5, "select": "top"}, ["--threshold", "--select"]),
        ({"text": "a", "batch_size": 0}, ["--batch-size", "0"]),
        ({"text": "a", "seed": -1}, ["--seed", "-1"]),
        ({"text": "a", "limit": 0}, ["--limit", "0"]),
        ({"text": "a", "image_size": 0}, ["--image-size", "0"]),
        ({"text": "a", "image_size": 100_000}, ["--image-size", "100000"]),
        ({"text": "a", "logit_scale": 0.0}, ["--logit-scale", "0"]),
        ({"text": "a", "logit_scale": INF}, ["--logit-scale", "inf"]),
        ({"text": "a", "logit_scale": 50.0, "calibration": "sigmoid"}, ["--logit-scale", "--calibration"]),
        ({"text": "a", "scorer": "pixels"}, ["--scorer", "pixels"]),
        ({"text": "a", "scorer": "list:"}, ["--scorer"]),
    ],
)
def test_tags_refuses(values: dict[str, Any], flags: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        TagOptions(**values)
    assert [flag for flag in flags if flag not in caught.value.message] == []


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"image": "a.png", "text": "b", "pamr": True, "crf": True}, ["--pamr", "--crf"]),
        ({"image": "a.png", "text": "b", "bg": 1.1}, ["--bg", "1.1"]),
        ({"image": "a.png", "text": "b", "bg": NAN}, ["--bg", "nan"]),
    ],
)
def test_masks_refuses(values: dict[str, Any], flags: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        MaskOptions(**values)
    assert [flag for flag in flags if flag not in caught.value.message] == []


@pytest.mark.parametrize(
    ("values", "flags"), [({"text": "a"}, ["--image", "--input"]), ({"image": "a.png"}, ["--image"])]
)
@pytest.mark.parametrize("kind", [MaskOptions, DemoOptions])
def test_masks_and_demo_need_a_picture_and_words(kind: type[Any], values: dict[str, Any], flags: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        kind(**values)
    assert [flag for flag in flags if flag not in caught.value.message] == []


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"pretrained": "openai", "model": "scenes"}, ["--pretrained", "--model scenes"]),
        ({"pretrained": "openai", "weights": "a.pt", "model": "ViT-B-16"}, ["--pretrained", "--weights"]),
        ({"device": "gpu"}, ["--device", "gpu"]),
        ({"device": "cuda:x"}, ["--device"]),
        ({"threads": 0}, ["--threads", "0"]),
        ({"model": " "}, ["--model"]),
    ],
)
def test_models_refuse(values: dict[str, Any], flags: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        ModelOptions(**values)
    assert [flag for flag in flags if flag not in caught.value.message] == []


def test_what_belongs_together_is_accepted() -> None:
    assert TagOptions(text="a", threshold=-0.2, calibration="none").threshold == -0.2
    assert TagOptions(text="a", threshold=3, select="top").select == "top"
    assert MaskOptions(input="photos", tags_file="classes.txt", crf=True).crf
    assert not DemoOptions().source
    assert ModelOptions(model="ViT-B-16", pretrained="openai", device="cuda:1").spec().pretrained == "openai"
