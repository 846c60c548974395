"""`ttd train`: its options through a configuration, its run under one name. The training itself is made up here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ttd_core.recipes.train
import ttd_core.recipes.train_ttd
from tests.cli.conftest import Ttd
from ttd_core.recipes.train import TrainConfig, TrainResult
from ttd_core.recipes.train_ttd import Distilled


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """The trainings that took place."""
    configs: list[TrainConfig] = []

    def train(config: TrainConfig, folder: Path, report: Any) -> TrainResult:
        configs.append(config)
        weights = folder / "scenes.safetensors"
        weights.write_bytes(b"")
        return TrainResult(weights, folder / "gated.pt", folder / "log.jsonl", 1, 0.0)

    monkeypatch.setattr(ttd_core.recipes.train, "train_clip", train)
    return configs


def test_the_config_of_a_training_repeats_it_under_the_same_name(
    ttd: Ttd, tmp_path: Path, trained: list[TrainConfig]
) -> None:
    first = ttd("train", "--steps", "7", "--lr", "1e-3")
    (folder,) = (tmp_path / "runs" / "train").iterdir()
    config = (folder / "run.yaml").rename(tmp_path / "mine.yaml")
    again = ttd("train", "--config", config)
    assert (first.code, again.code) == (0, 0) and again.out == first.out and "already done" in again.err
    assert len(trained) == 1
    elsewhere = ttd("train", "--config", config, "--run-root", "other")
    assert elsewhere.code == 0 and [path.name for path in (tmp_path / "other" / "train").iterdir()] == [folder.name]
    assert trained[0] == trained[1] and (trained[0].steps, trained[0].lr) == (7, 1e-3)


def test_the_folder_of_a_training_is_part_of_its_config(ttd: Ttd, tmp_path: Path, trained: list[TrainConfig]) -> None:
    ttd("train", "--out", "mine")
    assert "already done" in ttd("train", "--config", "mine/run.yaml").err
    assert len(trained) == 1 and not (tmp_path / "runs").exists()


def test_the_config_of_an_overwriting_training_does_not_overwrite(ttd: Ttd, trained: list[TrainConfig]) -> None:
    ttd("train", "--out", "mine", "--overwrite")
    ttd("train", "--out", "mine", "--overwrite")
    assert len(trained) == 2
    assert "already done" in ttd("train", "--config", "mine/run.yaml").err and len(trained) == 2


def test_options_typed_win_over_the_config(ttd: Ttd, tmp_path: Path, trained: list[TrainConfig]) -> None:
    (tmp_path / "c.yaml").write_text("steps: 5\nseed: 3\n")
    assert ttd("train", "--config", "c.yaml", "--steps", "6").code == 0
    assert (trained[0].steps, trained[0].seed, trained[0].batch) == (6, 3, 64)


def test_losses_of_the_built_in_model_can_be_left_out(ttd: Ttd, trained: list[TrainConfig]) -> None:
    assert ttd("train", "--word-weight", "0", "--align-weight", "0").code == 0
    assert (trained[0].losses.word_weight, trained[0].losses.align_weight) == (0, 0)
    answer = ttd("train", "--word-weight", "-1", "--out", "other")
    assert answer.code == 2 and "--word-weight -1 is out of range" in answer.err


def test_a_distillation_ends_with_a_table_of_before_and_after(ttd: Ttd, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = {"val_f1": 0.885, "held_loss": 0.5177}, {"val_f1": 0.8846, "held_loss": 0.342}

    def train(options: Any, folder: Path, *rest: Any) -> Distilled:
        (folder / "validation.json").write_text(json.dumps({"before": before, "after": after, "best_step": 50}))
        return Distilled(folder, before, after, 50, 1, 0.0)

    monkeypatch.setattr(ttd_core.recipes.train_ttd, "train_ttd", train)
    first, again = (ttd("train", "--method", "ttd", "--out", "mine") for _ in range(2))
    assert (first.code, again.code) == (0, 0) and first.out == again.out == "mine\n"
    for answer in (first, again):
        title, header, *rows = answer.err.splitlines()[1:]
        assert "best after step 50" in title and header.split()[:3] == ["before", "after", "change"]
        assert [row.split()[:4] for row in rows] == [
            ["val_f1", "0.885", "0.885", "+0.000"], ["held_loss", "0.518", "0.342", "-0.176"]
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("stpes: 5\n", ["c.yaml: line 1: unknown key 'stpes'", "hint: did you mean steps?"]),
        ("seed: 1\nsteps: 0\n", ["c.yaml, line 2: --steps 0", "1 or more"]),
        ("steps: many\n", ["line 1: steps: expected a whole number, got text 'many'"]),
        ("method: reclip\n", ["--method reclip is not there yet"]),
        ("rank: 4\n", ["c.yaml, line 1: --rank belongs to --method ttd", "leave --rank out"]),
        ("method: ttd\ndistance: cosine\n", ["line 2: distance: expected one of mse, l1, bce, bce-affine"]),
        ("method: ttd\ngated_steps: 3\n", ["--gated-steps belongs to --method clip"]),
        ("method: ttd\nsteps: 4\ndata: scenes:test\n", ["scenes:test", "not for training"]),
        ("method: ttd\ntag_weight: 0\ndistill_weight: 0\n", ["leave nothing to train"]),
        ("command: masks\n", ["made by `ttd masks`", "hint: ttd masks --config c.yaml"]),
    ],
)
def test_a_wrong_config_is_refused(
    ttd: Ttd, tmp_path: Path, trained: list[TrainConfig], text: str, parts: list[str]
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    answer = ttd("train", "--config", "c.yaml")
    assert answer.code == 2 and answer.out == "" and trained == []
    assert [part for part in parts if part not in answer.err] == []
    assert not (tmp_path / "runs").exists()
