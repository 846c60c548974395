"""Finished answers in the forms that people have them give the figures that they deserve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import write_rows
from tests.support.tiny_sets import draw_split, labels, write_mask, write_picture, write_text

PLAIN = ("--no-report", "--workers", 0, "--format", "json")


def measured(ttd: Ttd, *arguments: object) -> tuple[dict[str, float], str]:
    """The figures of a call that succeeds, and what was said beside them."""
    answer = ttd("evaluate", *arguments, *PLAIN)
    assert answer.code == 0, answer.err
    metrics: dict[str, Any] = json.loads(answer.out)["metrics"]
    return {name: each["value"] for name, each in metrics.items()}, answer.err


@pytest.mark.parametrize(
    ("name", "data"), [("voc2012-20", "VOC2012"), ("context59", "PascalContext"), ("ade20k", "ADE2016")]
)
def test_original_label_files_in_the_shared_layout_are_not_shifted(
    ttd: Ttd, tmp_path: Path, name: str, data: str
) -> None:
    split = draw_split(tmp_path / data / "validation", {"a": labels(0, 3), "b": labels(4, 255)}, {})
    assert (split / "mask" / "a.png").is_file()
    write_mask(tmp_path / "answers" / "a.png", labels(2))
    write_mask(tmp_path / "answers" / "b.png", labels(3))
    figures, said = measured(ttd, "--task", "masks", "--data", name, "--root", tmp_path, "--pred", tmp_path / "answers")
    assert (figures["miou"], figures["pixel_accuracy"]) == (100, 100)
    assert "label 0 is taken as ignored and 1 as" in said


def own_set(root: Path, names: str, masks: dict[str, np.ndarray]) -> Path:
    """A folder of one's own: pictures and label maps by key, and `classes.txt`."""
    for key, values in masks.items():
        write_picture(root / "images" / f"{key}.jpg")
        write_mask(root / "masks" / f"{key}.png", values)
    write_text(root / "classes.txt", names)
    return root


def test_pictures_and_answers_in_sub_folders_are_kept_apart(ttd: Ttd, tmp_path: Path) -> None:
    masks = {"x/a": labels(0, 1), "y/a": labels(2)}
    root = own_set(tmp_path / "own", "background\ndog\ncat\n", masks)
    for key, values in masks.items():
        write_mask(tmp_path / "answers" / f"{key}.png", values)
    call = ("--task", "masks", "--data", root, "--pred", tmp_path / "answers")
    assert measured(ttd, *call)[0]["miou"] == 100
    write_mask(tmp_path / "answers" / "y" / "a.png", labels(1))
    assert measured(ttd, *call)[0]["miou"] < 100


def test_an_answer_of_the_first_class_and_no_class_counts_in_a_list_without_background(
    ttd: Ttd, tmp_path: Path
) -> None:
    root = own_set(tmp_path / "own", "dog\ncat\ngrass\n", {"a": labels(0), "b": labels(1)})
    write_mask(tmp_path / "answers" / "a.png", labels(0, 255))
    write_mask(tmp_path / "answers" / "b.png", labels(1))
    figures, said = measured(ttd, "--task", "masks", "--data", root, "--pred", tmp_path / "answers")
    assert (figures["miou"], figures["pixel_accuracy"]) == (75, 75)
    assert "holds only 0 and 255: the first class and no class" in said


def test_tags_with_candidates_that_say_nothing_of_their_own_count(ttd: Ttd, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    data = write_text(
        tmp_path / "list.jsonl", '{"key": "a", "image": "a.jpg", "caption": "dog on grass", "truth": "dog"}\n'
    )
    answers = write_rows(tmp_path / "tags.jsonl", {"a": {"tags": ["dog"], "candidates": ["dog", "grass"]}})
    call = ("--task", "tags", "--data", data, "--pred", answers)
    assert measured(ttd, *call)[0]["f1"] == 100
    write_rows(answers, {"a": {"tags": ["dog"], "candidates": [{"tag": "dog", "selected": False}]}})
    refused = ttd("evaluate", *call, *PLAIN)
    assert refused.code == 3 and "tags.jsonl:1: dog is among its tags but not selected" in refused.err


def test_labels_beside_scores_are_what_was_decided(ttd: Ttd, tmp_path: Path) -> None:
    truth = write_text(tmp_path / "truth.txt", "a 0 1\nb 2\n")
    scores = {
        key: [0.4 if index in shown else 0.1 for index in range(20)] for key, shown in {"a": (0, 1), "b": (2,)}.items()
    }
    rows = {"a": {"labels": [0, 1], "scores": scores["a"]}, "b": {"labels": [2], "scores": scores["b"]}}
    call = ("--task", "classification", "--data", "voc2007", "--truth", truth, "--pred")
    figures, _ = measured(ttd, *call, write_rows(tmp_path / "both.jsonl", rows))
    assert (figures["precision"], figures["recall"], figures["f1"]) == (100, 100, 100)
    assert figures["map"] == 15, "three of twenty classes occur"
