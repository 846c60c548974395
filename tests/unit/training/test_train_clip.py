import json
from dataclasses import replace
from pathlib import Path

import pytest

from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.errors import RunError, UsageError
from ttd_core.methods.clip.config import ClipLossConfig
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation.scenes_tables import scenes_tables
from ttd_core.recipes.train import TrainConfig, train_clip

TINY = TrainConfig(
    scenes=32,
    steps=3,
    gated_steps=2,
    batch=8,
    save_every=1,
    probe_every=0,
    calibration_scenes=8,
    architecture=ScenesArchitecture(stem=(4, 8, 8), width=8, heads=2, embed=8, text_width=8),
)


def test_two_trainings_with_one_seed_give_the_same_file(tmp_path: Path) -> None:
    first = train_clip(TINY, tmp_path / "a", SilentReporter())
    second = train_clip(TINY, tmp_path / "b", SilentReporter())
    assert first.weights.read_bytes() == second.weights.read_bytes()
    other = train_clip(replace(TINY, seed=1), tmp_path / "c", SilentReporter())
    assert other.weights.read_bytes() != first.weights.read_bytes()


def test_the_trained_file_loads_is_calibrated_and_can_be_reported(tmp_path: Path) -> None:
    result = train_clip(replace(TINY, cache=tmp_path / "cache"), tmp_path / "run", SilentReporter())
    backbone = load_scenes_backbone(result.weights)
    assert backbone.info.sigmoid_scale is not None and backbone.info.sigmoid_bias is not None
    report = scenes_tables(backbone, 8, SilentReporter())
    assert {(row.split, row.row) for row in report.tags} >= {("test", "pixel"), ("hard", "dictionary of visible words")}
    assert all(abs(row.iou + row.fpr + row.fnr - 1) < 1e-6 for row in report.masks)
    assert {row.row for row in report.masks} == {"whole picture", "caption", "union of selected", "union of visible"}
    # a second training reads its scenes from the cache and ends in the same file
    again = train_clip(replace(TINY, cache=tmp_path / "cache"), tmp_path / "again", SilentReporter())
    assert again.weights.read_bytes() == result.weights.read_bytes()


def test_a_folder_with_another_training_is_refused(tmp_path: Path) -> None:
    train_clip(TINY, tmp_path, SilentReporter())
    with pytest.raises(RunError, match="other options"):
        train_clip(replace(TINY, lr=1e-3), tmp_path, SilentReporter())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "scenes:test"}, "scenes:test cannot be trained on"),
        ({"steps": 0}, "steps is 0"),
        ({"batch": 64}, "batch is 64"),
    ],
)
def test_impossible_options_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(TINY, **change)  # type: ignore[arg-type]


def test_losses_without_weight_are_left_out_of_the_steps(tmp_path: Path) -> None:
    plain = replace(TINY, losses=ClipLossConfig(word_weight=0.0, align_weight=0.0))
    train_clip(plain, tmp_path, SilentReporter())
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {name for entry in entries for name in entry["losses"]} == {"caption", "area"}
