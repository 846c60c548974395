"""A finished evaluation is recognised, and never mistaken for one of other truths, answers or weights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc, outcome, rows_of, voc_keys, write_rows
from tests.support.tiny_sets import labels, write_mask, write_picture, write_text

SCENES = ("evaluate", "--task", "tags", "--data", "scenes:test", "--limit", 4, "--workers", 0, "--format", "json")


def voc(root: Path, answers: Path, *more: object) -> tuple[object, ...]:
    return (
        "evaluate", "--task", "masks", "--data", "voc2012", "--root", root, "--pred", answers, "--no-report",
        "--workers", 0, "--format", "json", *more,
    )  # fmt: skip


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "runs" / "evaluate").iterdir())


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    return draw_voc(tmp_path / "data", 3), draw_answers(tmp_path / "answers", 3)


def test_the_same_call_is_answered_from_the_run(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    call = (*SCENES, "--weights", weights)
    first, second = ttd(*call), ttd(*call)
    assert (first.code, second.code) == (0, 0) and first.out == second.out
    assert "already done" not in first.err and "already done" in second.err
    (run,) = runs(tmp_path)
    assert len(rows_of(run)) == 4


def test_a_missed_expectation_is_missed_again(ttd: Ttd, weights: Path) -> None:
    call = (*SCENES, "--weights", weights, "--expect", "accuracy=1:0.5")
    first, second = ttd(*call), ttd(*call)
    assert (first.code, second.code) == (5, 5) and first.out == second.out
    assert ttd(*SCENES, "--weights", weights, "--expect", "accuracy=50:50").code == 0


def test_other_weights_are_another_run(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    own = tmp_path / "own.safetensors"
    own.write_bytes(weights.read_bytes())
    first = json.loads(ttd(*SCENES, "--weights", own).out)
    from safetensors import safe_open

    with safe_open(weights, "pt") as opened:
        facts = opened.metadata()
    save_file({key: torch.flip(value, (0,)) for key, value in load_file(weights).items()}, own, facts)
    second = json.loads(ttd(*SCENES, "--weights", own).out)
    assert first["run_id"] != second["run_id"] and first["hashes"]["weights"] != second["hashes"]["weights"]
    assert first["metrics"] != second["metrics"] and len(runs(tmp_path)) == 2
    kept = ttd(*SCENES, "--weights", own, "--out", runs(tmp_path)[0])
    others = ttd(*SCENES, "--weights", own, "--out", runs(tmp_path)[1])
    assert sorted((kept.code, others.code)) == [0, 3] and "weights" in kept.err + others.err


def test_a_changed_answer_is_another_run(ttd: Ttd, tmp_path: Path, data: tuple[Path, Path]) -> None:
    root, answers = data
    first = json.loads(ttd(*voc(root, answers)).out)
    write_mask(answers / f"{voc_keys(1)[0]}.png", np.ones((16, 24), np.uint8))
    second = json.loads(ttd(*voc(root, answers)).out)
    assert first["run_id"] != second["run_id"] and first["metrics"] != second["metrics"]
    assert first["hashes"]["predictions"] != second["hashes"]["predictions"]


def test_a_changed_truth_is_no_longer_the_same_run(ttd: Ttd, tmp_path: Path, data: tuple[Path, Path]) -> None:
    root, answers = data
    assert ttd(*voc(root, answers)).code == 0
    truth = root / "VOCdevkit/VOC2012/SegmentationClass" / f"{voc_keys(1)[0]}.png"
    write_mask(truth, np.ones((16, 24), np.uint8))
    answer = ttd(*voc(root, answers))
    assert answer.code == 3 and not answer.out and "inputs" in answer.err and "--overwrite" in answer.err
    again = ttd(*voc(root, answers, "--overwrite"))
    fresh = ttd(*voc(root, answers, "--out", "fresh"))
    assert again.code == fresh.code == 0
    assert json.loads(again.out)["metrics"] == json.loads(fresh.out)["metrics"]


def test_a_truth_with_another_time_only_is_not_trusted(ttd: Ttd, data: tuple[Path, Path]) -> None:
    root, answers = data
    assert ttd(*voc(root, answers)).code == 0
    truth = root / "VOCdevkit/VOC2012/SegmentationClass" / f"{voc_keys(1)[0]}.png"
    os.utime(truth, (1, 1))
    assert ttd(*voc(root, answers)).code == 3


def test_another_order_of_classes_is_no_longer_the_same_run(ttd: Ttd, tmp_path: Path) -> None:
    own = tmp_path / "own"
    write_picture(own / "images" / "a.jpg")
    write_mask(own / "masks" / "a.png", labels(0, 1))
    write_mask(tmp_path / "answers" / "a.png", labels(1, 0, 0))
    call = ("evaluate", "--data", own, "--task", "masks", "--pred", tmp_path / "answers", "--format", "json")
    write_text(own / "classes.txt", "cat\ndog\n")
    first = json.loads(ttd(*call).out)
    write_text(own / "classes.txt", "dog\ncat\n")
    again = json.loads(ttd(*call).out)
    assert [row["name"] for row in again["per_class"]] == ["dog", "cat"]
    assert first["run_id"] != again["run_id"] and len(runs(tmp_path)) == 2


def test_data_of_ones_own_are_known_by_content_however_they_are_spelled(ttd: Ttd, tmp_path: Path) -> None:
    own = tmp_path / "own"
    write_picture(own / "images" / "a.jpg")
    write_mask(own / "masks" / "a.png", labels(0, 1))
    write_mask(tmp_path / "answers" / "a.png", labels(1, 0, 0))
    write_text(own / "classes.txt", "cat\ndog\n")
    how = ("--pred", tmp_path / "answers", "--no-report", "--format", "json")
    for data, more in ((own, ()), (f"{own}/", ("--task", "masks")), (tmp_path / "answers" / ".." / "own", ())):
        assert ttd("evaluate", "--data", data, *more, *how).code == 0
    assert len(runs(tmp_path)) == 1
    write_mask(own / "masks" / "a.png", labels(1, 1))
    assert ttd("evaluate", "--data", own, *how).code == 0 and len(runs(tmp_path)) == 2


def test_a_changed_file_of_true_tags_is_another_run(ttd: Ttd, tmp_path: Path) -> None:
    listed = write_text(tmp_path / "list.jsonl", json.dumps({"image": "a.jpg", "text": "a dog on grass"}) + "\n")
    (tmp_path / "a.jpg").write_bytes(b"never looked at")
    truth = write_text(tmp_path / "true.jsonl", '{"key": "a.jpg", "tags": ["dog"]}\n')
    answers = write_rows(tmp_path / "tags.jsonl", {"a.jpg": {"tags": ["dog"]}})
    call = ("evaluate", "--task", "tags", "--data", listed, "--truth", truth, "--pred", answers, "--format", "json")
    first = ttd(*call)
    assert first.code == 0, first.err
    write_text(truth, '{"key": "a.jpg", "tags": ["grass"]}\n')
    second = ttd(*call)
    assert second.code == 0, second.err
    figures: list[dict[str, Any]] = [json.loads(answer.out) for answer in (first, second)]
    assert figures[0]["run_id"] != figures[1]["run_id"]
    assert [found["metrics"]["recall"]["value"] for found in figures] == [100.0, 0.0]


@pytest.mark.parametrize("option", [("--bg", 0.3), ("--hflip",), ("--pamr",), ("--seed", 3)])
@pytest.mark.parametrize("task", ["bias", "masks"])
def test_an_option_that_changes_figures_changes_the_name(
    ttd: Ttd, tmp_path: Path, weights: Path, task: str, option: tuple[object, ...]
) -> None:
    call = ("evaluate", "--task", task, "--data", "scenes:test", "--limit", 1, "--weights", weights, "--no-report")
    for more in ((), option):
        answer = ttd(*call, *more, "--workers", 0)
        assert answer.code == 0, answer.err
    assert len(runs(tmp_path)) == 2


def test_a_damaged_result_is_said(ttd: Ttd, tmp_path: Path, data: tuple[Path, Path]) -> None:
    root, answers = data
    assert ttd(*voc(root, answers)).code == 0
    (run,) = runs(tmp_path)
    (run / "metrics.json").write_text('{"schema": "ttd-metrics"')
    answer = ttd(*voc(root, answers))
    assert answer.code == 3 and "metrics.json" in answer.err and "--overwrite" in answer.err


def test_what_is_asked_for_later_is_written_later(ttd: Ttd, tmp_path: Path, data: tuple[Path, Path]) -> None:
    root, answers = data
    first = ttd(*voc(root, answers))
    (run,) = runs(tmp_path)
    assert not (run / "samples.jsonl").exists() and not (run / "report.html").exists()
    second = ttd(*voc(root, answers, "--per-sample"))
    assert second.out == first.out and len((run / "samples.jsonl").read_text().splitlines()) == 3
    third = ttd(*(word for word in voc(root, answers) if word != "--no-report"))
    assert third.out == first.out and (run / "report.html").is_file()
    assert outcome(run)["metrics"] == json.loads(first.out)["metrics"]


def test_the_published_row_is_the_one_asked_for_now(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    how = ("--limit", 2, "--weights", weights, "--no-report", "--format", "json")
    plain = ttd("evaluate", "--task", "tags", "--data", "scenes:test", *how)
    beside = ttd("evaluate", "--recipe", "scenes/test-tags", *how, "--expect")
    again = ttd("evaluate", "--task", "tags", "--data", "scenes:test", *how)
    assert (plain.code, beside.code, again.code) == (0, 5, 0) and again.out == plain.out
    one, other = json.loads(plain.out), json.loads(beside.out)
    assert one["run_id"] == other["run_id"]
    assert (one["recipe"], other["recipe"]) == (None, "scenes/test-tags")
    assert "published" not in one["metrics"]["f1"] and other["metrics"]["f1"]["published"]["tolerance"] > 0


@pytest.mark.parametrize("place", ["answers", "answers/deeper", "data"])
@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_run_never_goes_into_its_inputs(
    ttd: Ttd, tmp_path: Path, data: tuple[Path, Path], place: str, more: tuple[str, ...]
) -> None:
    root, answers = data
    before = sorted(tmp_path.rglob("*"))
    answer = ttd(*voc(root, answers, "--out", tmp_path / place, *more))
    assert answer.code == 2 and "--out" in answer.err and not answer.out
    assert sorted(tmp_path.rglob("*")) == before


def test_overwriting_does_not_remove_the_run_that_is_scored(ttd: Ttd, tmp_path: Path) -> None:
    """A run of `ttd tags` is named with --pred, and by mistake with --out too."""
    answers = write_rows(tmp_path / "made" / "tags.jsonl", {"test-00000": {"tags": ["dog"]}})
    write_text(
        tmp_path / "made" / "manifest.json",
        json.dumps({"command": "tags", "run_id": "x", "status": "done", "options": {}, "counts": {}}),
    )
    answer = ttd(
        "evaluate", "--data", "scenes:test", "--task", "tags", "--limit", 1, "--pred", tmp_path / "made", "--out",
        tmp_path / "made", "--overwrite",
    )  # fmt: skip
    assert answer.code == 2 and answers.is_file() and (tmp_path / "made" / "manifest.json").is_file()
