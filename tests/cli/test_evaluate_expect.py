"""`--expect` decides the exit code: 0 inside, 5 outside, 2 where it says nothing that can be measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc
from ttd_core.recipes.evaluation.summary import METRICS, TASK_METRICS

SCENES = ("evaluate", "--data", "scenes:test", "--limit", 3, "--workers", 0, "--no-report", "--format", "json")


@pytest.fixture
def call(weights: Path) -> tuple[object, ...]:
    return (*SCENES, "--task", "tags", "--weights", weights)


def test_met_and_missed(ttd: Ttd, call: tuple[object, ...]) -> None:
    figures = {key: metric["value"] for key, metric in json.loads(ttd(*call).out)["metrics"].items()}
    exact = ("--expect", f"accuracy={figures['accuracy']}:0", "--expect", f"map={figures['map']}:0")
    assert ttd(*call, *exact).code == 0
    missed = ttd(*call, *exact, "--expect", f"map={figures['map'] + 1}:0.5")
    assert missed.code == 5 and json.loads(missed.out)["metrics"]["map"]["value"] == figures["map"]
    assert "map: " in missed.err and "outside" in missed.err and "as expected" in missed.err


def test_short_names_and_several_in_one(ttd: Ttd, call: tuple[object, ...]) -> None:
    answer = ttd(*call, "--expect", "acc=50:50,r=50:50")
    assert answer.code == 0 and "accuracy: " in answer.err and "recall: " in answer.err


def test_what_was_not_measured_is_missed(ttd: Ttd, tmp_path: Path) -> None:
    """Nothing is kept, so there is no precision: whatever was expected, it did not come out."""
    answers = tmp_path / "tags.jsonl"
    answers.write_text("".join(f'{{"key": "test-0000{i}", "tags": []}}\n' for i in range(3)))
    answer = ttd(*SCENES, "--task", "tags", "--pred", answers, "--expect", "precision=50:50")
    assert answer.code == 5 and "nothing was measured" in answer.err
    assert json.loads(answer.out)["metrics"]["precision"]["value"] is None


@pytest.mark.parametrize("text", ["f1", "f1=", "f1=82", "f1=82:", "f1=a:1", "f1=82:-1", "f1=nan:1", "=1:1", "f1=1:inf"])
def test_malformed(ttd: Ttd, tmp_path: Path, call: tuple[object, ...], text: str) -> None:
    answer = ttd(*call, "--expect", text)
    assert answer.code == 2 and "metric=value:tolerance" in answer.err and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "hint"),
    [("recal=80:1", "did you mean recall"), ("caption_iou=50:1", "accuracy"), ("bogus=1:1", "there are")],
)
def test_a_figure_that_the_task_does_not_have_is_refused_before_anything_is_computed(
    ttd: Ttd, tmp_path: Path, call: tuple[object, ...], text: str, hint: str
) -> None:
    answer = ttd(*call, "--expect", text)
    assert answer.code == 2 and not answer.out
    assert f"--expect {text.partition('=')[0]}: no such figure here" in answer.err and hint in answer.err
    assert not (tmp_path / "runs").exists()


def test_bare_expect_needs_a_recipe(ttd: Ttd, tmp_path: Path, call: tuple[object, ...]) -> None:
    answer = ttd(*call, "--expect")
    assert answer.code == 2 and "--expect names no figure" in answer.err and not (tmp_path / "runs").exists()


def test_bare_expect_compares_with_the_published_row(ttd: Ttd, weights: Path) -> None:
    answer = ttd(
        "evaluate", "--recipe", "scenes/test-tags", "--limit", 2, "--weights", weights, "--no-report", "--expect"
    )
    assert answer.code == 5 and "f1: " in answer.err and "outside" in answer.err and "published" in answer.out


@pytest.mark.parametrize("task", ["tags", "text", "masks", "bias", "classification"])
def test_the_figures_a_task_promises_are_those_it_gives(ttd: Ttd, weights: Path, task: str) -> None:
    result: dict[str, Any] = json.loads(ttd(*SCENES, "--task", task, "--weights", weights).out)
    assert set(result["metrics"]) <= set(TASK_METRICS[task]) <= set(METRICS)


def test_zero_shot_figures_belong_to_masks(ttd: Ttd, tmp_path: Path) -> None:
    root, answers = draw_voc(tmp_path / "data", 2), draw_answers(tmp_path / "answers", 2)
    answer = ttd(
        "evaluate", "--task", "masks", "--data", "voc2012", "--root", root, "--pred", answers, "--unseen", "bird",
        "--no-report", "--format", "json", "--expect", "hiou=50:50", "--expect", "miou_seen=0:100",
    )  # fmt: skip
    assert answer.code in (0, 5) and {"hiou", "miou_seen"} <= set(json.loads(answer.out)["metrics"])
    assert set(json.loads(answer.out)["metrics"]) <= set(TASK_METRICS["masks"])
