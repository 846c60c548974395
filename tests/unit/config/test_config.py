from __future__ import annotations

from pathlib import Path

import pytest

from ttd_core.config import (
    canonical_json,
    changed_results,
    config_hash,
    load_config,
    result_mapping,
    to_mapping,
)
from ttd_core.errors import UsageError
from ttd_core.recipes.options import DemoOptions, MaskOptions, ModelOptions, TagOptions
from ttd_core.yaml_files import dump_yaml


@pytest.mark.parametrize(
    "options",
    [
        TagOptions(text="a dog"),
        TagOptions(image="a b.png", text="no \udcff \n 😀", scorer="list:x.jsonl", threshold=0.25, stopwords=False),
        MaskOptions(image="a.png", tags=("1e-4", "no", "red ball"), scales=(0.5, 1.0), crf=True, bg=0.0),
        DemoOptions(),
        TagOptions(text="x", model=ModelOptions(model="ViT-B-16", pretrained="openai", activation="quickgelu")),
    ],
)
def test_options_survive_the_way_through_yaml(options: TagOptions | MaskOptions | DemoOptions, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(dump_yaml({"command": "x", **to_mapping(options)}), encoding="utf-8")
    assert load_config(type(options), path, "x") == options


def test_a_file_of_another_command_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(dump_yaml({"command": "tags", **to_mapping(TagOptions(text="x"))}))
    with pytest.raises(UsageError, match="ttd tags"):
        load_config(MaskOptions, path, "masks")


def test_every_option_is_written_defaults_included() -> None:
    mapping = to_mapping(TagOptions(text="x"))
    assert mapping["scales"] == [1.0] and mapping["threshold"] is None and mapping["model"]["model"] == "scenes"


def test_what_cannot_change_a_result_is_left_out_of_the_identity() -> None:
    slow = TagOptions(text="x", batch_size=1, run_root="a", model=ModelOptions(device="cpu", threads=1))
    fast = TagOptions(text="x", batch_size=64, run_root="b", keep_going=True, format="jsonl")
    assert result_mapping(slow) == result_mapping(fast)
    assert result_mapping(slow) != result_mapping(TagOptions(text="x", hflip=True))


def test_only_changed_options_are_named_as_changed() -> None:
    options = TagOptions(text="x", threshold=0.6, model=ModelOptions(dense="attention", device="cpu"))
    assert changed_results(options) == {"text": "x", "threshold": 0.6, "model.dense": "attention"}


def test_the_hash_is_that_of_the_content_not_of_its_order() -> None:
    assert config_hash({"a": 1, "b": [1.0]}) == config_hash({"b": [1.0], "a": 1}) != config_hash({"a": 1, "b": [2.0]})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"\\u00e9","b":1}'


def test_nan_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"a": float("nan")})


def test_each_key_of_a_written_configuration_stands_on_a_line_of_its_own() -> None:
    text = dump_yaml({"command": "train", "steps": 3, "model": {"model": "tcl", "lora": None}, "scales": [1.0, 0.5]})
    assert text.splitlines() == [
        "command: train", "steps: 3", "model:", "  model: tcl", "  lora: null", "scales: [1.0, 0.5]",
    ]  # fmt: skip
