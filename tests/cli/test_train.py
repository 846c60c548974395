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


@pytest.mark.parametrize("named", [(), ("--out", "mine")])
def test_an_interrupted_training_goes_on_from_any_folder(
    ttd: Ttd, tmp_path: Path, trained: list[TrainConfig], monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    def killed(*_: object) -> TrainResult:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ttd_core.recipes.train, "train_clip", killed)
        assert ttd("train", "--steps", "7", *named).code == 130
    folder = tmp_path / "mine" if named else next((tmp_path / "runs" / "train").iterdir())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    answer = ttd("train", "--config", f"../{folder.relative_to(tmp_path)}/run.yaml", "--resume")
    assert answer.code == 0 and answer.out == f"{folder}/weights/scenes.safetensors\n"
    assert len(trained) == 1 and list(Path().iterdir()) == [] and Path.cwd().name == "elsewhere"


def test_a_copied_config_begins_a_training_where_one_is(
    ttd: Ttd, tmp_path: Path, trained: list[TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    ttd("train", "--steps", "7", "--out", "mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine" / "run.yaml").rename(tmp_path / "copied.yaml")
    monkeypatch.chdir(tmp_path / "elsewhere")
    answer = ttd("train", "--config", "../copied.yaml", "--resume")
    assert answer.code == 0 and answer.out == "mine/weights/scenes.safetensors\n" and len(trained) == 2


def test_contrastive_training_takes_the_options_of_the_loop(
    ttd: Ttd, tmp_path: Path, trained: list[TrainConfig]
) -> None:
    plain = ttd("train", "--steps", "7")
    loop = ("--accumulate", "4", "--ema", "0.9", "--precision", "fp32", "--save-every", "3", "--warmup", "2")
    assert (plain.code, ttd("train", "--steps", "7", *loop).code) == (0, 0)
    first, second = trained
    assert (first.accumulate, first.ema, first.bfloat16, first.save_every, first.warmup) == (1, None, True, 500, 60)
    assert (second.accumulate, second.ema, second.bfloat16, second.save_every, second.warmup) == (4, 0.9, False, 3, 2)


def test_parts_of_a_contrast_are_another_training(ttd: Ttd, tmp_path: Path, trained: list[TrainConfig]) -> None:
    ttd("train", "--steps", "7")
    ttd("train", "--steps", "7", "--accumulate", "2")
    assert len(trained) == 2 and len(list((tmp_path / "runs" / "train").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--accumulate", "3"], ["--batch-size 64 cannot be cut into --accumulate 3 equal parts"]),
        (["--ema", "1"], ["--ema 1 is out of range"]),
        (["--resume", "--overwrite"], ["--resume and --overwrite contradict each other"]),
        (["--save-every", "0"], ["--save-every 0"]),
        (["--checkpointing"], ["--checkpointing belongs to --method ttd"]),
        (["--no-guard"], ["--guard belongs to --method ttd"]),
        (["--image-column", "a"], ["--image-column belongs to --method ttd"]),
        (["--method", "ttd", "--image-column", "a"], ["--image-column does not go with --data scenes:train"]),
        (
            ["--method", "ttd", "--manifest", "m", "--text-column", "a"],
            ["--text-column and --manifest contradict each other: a pruning knows the columns"],
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    ttd: Ttd, trained: list[TrainConfig], arguments: list[str], parts: list[str]
) -> None:
    answer = ttd("train", *arguments)
    assert answer.code == 2 and answer.out == "" and trained == []
    assert [part for part in parts if part not in answer.err] == []
