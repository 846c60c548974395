from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tiny_coco import HEIGHT, WIDTH, write_png, write_tree
from ttd_core.data.benchmarks.cc3m_tagmask import open_cc3m_tagmask
from ttd_core.data.benchmarks.types import Truth
from ttd_core.errors import DataError, UsageError

KEY = "00_1"
CAPTION = "a dog on green grass in the afternoon"
PLAIN = {"caption": CAPTION, "tags": ["Dog", "grass"]}


def write_set(root: Path, annotation: Any = PLAIN, key: str = KEY) -> Path:
    base = root / "cc3m_for_evaluation"
    write_tree(base, None, "image", [f"{key}.jpg"])
    (base / "json_refined").mkdir(parents=True, exist_ok=True)
    text = annotation if isinstance(annotation, str) else json.dumps(annotation)
    (base / "json_refined" / f"{key}.json").write_text(text, encoding="utf-8")
    return base


def opened(root: Path, truth: Path | None = None) -> Any:
    return open_cc3m_tagmask("cc3m-tagmask", None, root, truth)


def truth_of(root: Path) -> Truth:
    benchmark = opened(root)
    found: Truth = benchmark.truth(benchmark.samples[0], (HEIGHT, WIDTH))
    return found


def half(left: bool) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH))
    mask[:, : WIDTH // 2] = 255
    return mask if left else 255 - mask


@pytest.mark.parametrize(
    ("annotation", "tags", "candidates"),
    [
        (PLAIN, ("dog", "grass"), None),
        ([PLAIN], ("dog", "grass"), None),
        ({"Text": CAPTION, "True Tags": ["dog"]}, ("dog",), None),
        ({"text": CAPTION, "tags": "dog, grass"}, ("dog", "grass"), None),
        ({"caption": CAPTION, "nouns": ["dog", "grass"]}, ("dog", "grass"), None),
        ({"caption": CAPTION, "tags": [{"name": "dog"}, {"tag": "grass"}]}, ("dog", "grass"), None),
        ({"caption": CAPTION, "tags": {"dog": True, "afternoon": False}}, ("dog",), ("dog", "afternoon")),
        ({"caption": CAPTION, "tags": {"dog": 1, "afternoon": 0}}, ("dog",), ("dog", "afternoon")),
        (
            {"caption": CAPTION, "tags": [{"word": "dog", "visible": 1}, {"word": "afternoon", "visible": 0}]},
            ("dog",),
            ("dog", "afternoon"),
        ),
        ({"caption": CAPTION, "tags": ["dog"], "candidates": ["green", "dog"]}, ("dog",), ("green", "dog")),
        ({"caption": CAPTION, "tags": []}, (), None),
    ],
)
def test_obvious_spellings_of_tags_are_read(tmp_path: Path, annotation: Any, tags: Any, candidates: Any) -> None:
    write_set(tmp_path, annotation)
    benchmark = opened(tmp_path)
    truth = benchmark.truth(benchmark.samples[0])
    assert (benchmark.samples[0].caption, truth.tags, truth.candidates) == (CAPTION, tags, candidates)
    assert benchmark.tasks == ("tags", "bias")


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"caption": CAPTION, "regions": [1]}, "has no list of true tags; keys found: caption, regions"),
        ({"caption": CAPTION, "tags": [1, 2]}, "cannot read the tags under 'tags'; keys found: caption, tags"),
        ({"caption": CAPTION, "tags": {"dog": 0.7}}, "cannot read the tags under 'tags'"),
        ('{"caption": ', "is not JSON"),
        ("7", "is no JSON object"),
    ],
)
def test_other_schemas_show_what_was_found(tmp_path: Path, annotation: Any, message: str) -> None:
    write_set(tmp_path, annotation)
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert message in caught.value.message and f"{KEY}.json" in caught.value.message
    write_set(tmp_path, PLAIN, "00_2")
    benchmark = opened(tmp_path)
    assert [sample.key for sample in benchmark.samples] == ["00_2"], "one bad file costs one picture"
    assert message in benchmark.absent[0][1]


@pytest.mark.parametrize("name", ["00_1_{}.png", "00_1-{}.png", "00_1/{}.png"])
def test_one_mask_file_per_tag(tmp_path: Path, name: str) -> None:
    base = write_set(tmp_path, {"caption": CAPTION, "tags": ["dog", "green grass", "sky"]})
    write_set(tmp_path, PLAIN, "00")
    masks = base / "mask_using_HQ-SAM"
    write_png(masks / name.format("dog_0"), np.where(half(True) > 0, 255, 0))
    write_png(masks / name.format("dog_1"), np.eye(HEIGHT, WIDTH) * 255)
    write_png(masks / name.format("green_grass"), half(False))
    write_png(masks / name.format("car"), half(False))
    benchmark = opened(tmp_path)
    sample = next(sample for sample in benchmark.samples if sample.key == KEY)
    truth = benchmark.truth(sample, (HEIGHT, WIDTH))
    assert benchmark.tasks == ("tags", "text", "bias")
    assert truth.tag_masks is not None and set(truth.tag_masks) == {"dog", "green grass"}
    np.testing.assert_array_equal(truth.tag_masks["dog"], (half(True) > 0) | np.eye(HEIGHT, WIDTH, dtype=bool))
    assert truth.caption_mask is not None and truth.caption_mask.all()
    assert truth.notices == (
        "00_1: masks of tags that are not true are left out: car",
        "00_1: true tags without a mask: sky",
    )
    assert "1 of 2 pictures have no masks" in benchmark.notices[0]


def test_one_binary_file_is_the_captions_mask(tmp_path: Path) -> None:
    base = write_set(tmp_path)
    write_png(base / "mask_using_HQ-SAM" / f"{KEY}.png", half(True))
    truth = truth_of(tmp_path)
    assert truth.tag_masks is None
    np.testing.assert_array_equal(truth.caption_mask, half(True) > 0)


@pytest.mark.parametrize("names", [["dog", "grass"], ["background", "dog", "grass"]])
def test_an_index_mask_needs_names_for_its_values(tmp_path: Path, names: list[str]) -> None:
    values = np.zeros((HEIGHT, WIDTH))
    values[:4], values[4:8] = 1, 2
    base = write_set(tmp_path, PLAIN | {"names": names})
    write_png(base / "mask_using_HQ-SAM" / f"{KEY}.png", values)
    truth = truth_of(tmp_path)
    assert truth.tag_masks is not None
    assert [int(truth.tag_masks[tag].sum()) for tag in ("dog", "grass")] == [4 * WIDTH, 4 * WIDTH]
    assert truth.caption_mask is not None and truth.caption_mask.sum() == 8 * WIDTH
    write_set(tmp_path, PLAIN)
    with pytest.raises(DataError, match="holds the values 1, 2, but its JSON file has no list `names`"):
        truth_of(tmp_path)
    write_set(tmp_path, PLAIN | {"names": ["dog"]})
    with pytest.raises(DataError, match="holds 2, but its JSON file has 1 names"):
        truth_of(tmp_path)


def test_a_mask_of_another_size_is_an_error(tmp_path: Path) -> None:
    base = write_set(tmp_path)
    write_png(base / "mask_using_HQ-SAM" / f"{KEY}_dog.png", np.ones((4, 4)))
    with pytest.raises(DataError, match="mask is 4×4 pixels but its picture is 32×24"):
        truth_of(tmp_path)


def test_true_tags_from_a_file_take_the_place_of_the_annotation(tmp_path: Path) -> None:
    write_set(tmp_path, {"caption": CAPTION})
    tags = tmp_path / "tags.jsonl"
    tags.write_text(json.dumps({"key": f"{KEY}.jpg", "tags": ["Grass"]}), encoding="utf-8")
    benchmark = opened(tmp_path, tags)
    assert benchmark.truth(benchmark.samples[0]).tags == ("grass",)


def test_a_root_without_the_set_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no CC3M-TagMask found: looked for cc3m_for_evaluation/image"):
        opened(tmp_path)
    with pytest.raises(UsageError, match="no splits"):
        open_cc3m_tagmask("cc3m-tagmask", "val", tmp_path, None)
