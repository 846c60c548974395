"""`ttd train --method tcl` on the command line. The training itself is made up here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ttd_core.recipes.train_tcl
from tests.cli.conftest import Ttd
from ttd_core.recipes.train_options import TrainOptions
from ttd_core.recipes.train_tcl import TrainedMasker


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainOptions]:
    """The trainings that took place."""
    seen: list[TrainOptions] = []

    def train(options: TrainOptions, folder: Path, report: Any, processes: Any) -> TrainedMasker:
        seen.append(options)
        weights = folder / "tcl.safetensors"
        weights.write_bytes(b"")
        before, after = {"held_loss": 1.5}, {"held_loss": 1.25}
        record = {"before": before, "after": after, "best_step": 4}
        (folder / "validation.json").write_text(json.dumps(record))
        return TrainedMasker(weights, f"--model tcl --weights {weights}", before, after, 4, 39, 1.0)

    monkeypatch.setattr(ttd_core.recipes.train_tcl, "train_tcl", train)
    return seen


def test_standard_output_is_the_weights_and_the_table_stands_beside_it(
    ttd: Ttd, tmp_path: Path, trained: list[TrainOptions]
) -> None:
    answer = ttd("train", "--method", "tcl", "--steps", "7", "--frozen-steps", "3", "--augment", "crop", "--out", "run")
    assert answer.code == 0, answer.err
    assert Path(answer.out.strip()) == Path("run/tcl.safetensors")
    assert "-0.250" in answer.err and "sum of the losses" in answer.err
    assert "use it: ttd masks --model tcl --weights" in answer.err
    assert (trained[0].frozen_steps, trained[0].augment, trained[0].resolved().warmup) == (3, "crop", 2)
    row = json.loads((tmp_path / "run" / "train.jsonl").read_text().splitlines()[-1])
    assert row["files"]["weights"] == "tcl.safetensors" and row["after"] == {"held_loss": 1.25}
    again = ttd("train", "--config", "run/run.yaml")
    assert again.code == 0 and "already done" in again.err and len(trained) == 1
    assert Path(again.out.strip()).resolve() == tmp_path / "run" / "tcl.safetensors"


def test_runs_are_named_by_model_data_and_method(ttd: Ttd, tmp_path: Path, trained: list[TrainOptions]) -> None:
    assert ttd("train", "--method", "tcl", "--steps", "7").code == 0
    (folder,) = (tmp_path / "runs" / "train").iterdir()
    assert folder.name.startswith("scenes@scenes-train+tcl@")
    assert ttd("train", "--method", "tcl", "--steps", "8").code == 0
    assert len(list((tmp_path / "runs" / "train").iterdir())) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--batch-size", "1"], "area loss of other captions undefined"),
        (["--lora-targets", "c_fc"], "--lora-targets belongs to --method ttd"),
        (["--batch-size", "10", "--accumulate", "4"], "cannot be cut into"),
        (["--model", "ViT-B-16"], "no weights named for ViT-B-16"),
    ],
)
def test_wrong_usage_is_refused_in_one_line(ttd: Ttd, wrong: list[str], said: str) -> None:
    answer = ttd("train", "--method", "tcl", *wrong)
    assert answer.code == 2 and said in answer.err, answer.err
    assert answer.out == "" and "Traceback" not in answer.err
