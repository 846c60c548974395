"""Finished answers become rows, and rows become figures: what was decided counts, and what was scored is ranked."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.tiny_evaluation import write_rows
from tests.support.tiny_sets import write_text
from ttd_core.data.benchmarks.label_files import open_label_list, read_label_predictions
from ttd_core.data.benchmarks.types import ClassList, Truth
from ttd_core.errors import DataError
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation import class_task, tag_task
from ttd_core.recipes.evaluation.file_tasks import ClassFileTask
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.task import Setting

CLASSES = ClassList("pets", ("background", "dog", "cat", "bird"), background=True)
OPTIONS = EvaluateOptions(data="pets", task="classification")


def evaluated(tmp_path: Path, answers: dict[str, dict[str, Any]], **changed: Any) -> tuple[list[dict[str, Any]], Any]:
    """Rows and summary of answers about two pictures: `a` shows dog and cat, `b` shows the bird."""
    benchmark = open_label_list("pets", CLASSES, write_text(tmp_path / "truth.txt", "a 0 1\nb 2\n"), None)
    options = EvaluateOptions(data="pets", task="classification", **changed)
    predicted = read_label_predictions(write_rows(tmp_path / "answers.jsonl", answers), CLASSES)
    task = ClassFileTask(Setting(options, benchmark, SilentReporter()), predicted)
    rows = [dict(finish()) for finish in task.answer([task.reader()(sample) for sample in benchmark.samples])]
    return rows, task.summary(rows)


BOTH = {"a": {"labels": [0, 1], "scores": [0.4, 0.3, 0.1]}, "b": {"labels": ["bird"], "scores": [0.1, 0.2, 0.4]}}


@pytest.mark.parametrize("select", ["fixed", "relative"])
def test_labels_beside_scores_are_the_decisions_and_the_scores_are_ranked(tmp_path: Path, select: str) -> None:
    rows, summary = evaluated(tmp_path, BOTH, select=select, threshold=0.9)
    assert rows[0] == {"key": "a", "present": [0, 1], "labels": [0, 1], "scores": [0.4, 0.3, 0.1]}
    assert [summary.metrics[name] for name in ("precision", "recall", "f1", "map")] == [100, 100, 100, 100]
    assert summary.counts["exact"] == 2 and summary.quality == {"a": 100, "b": 100}
    np.testing.assert_array_equal(summary.scores[:, 2], [1, 1, 0, 0, 0, 1])
    assert class_task.picture_figures(rows[1], CLASSES) == {
        "present": ["bird"],
        "labels": ["bird"],
        "scores": {"dog": 0.1, "cat": 0.2, "bird": 0.4},
    }


def test_wrong_labels_stay_wrong_whatever_their_scores_say(tmp_path: Path) -> None:
    answers = {key: answer | {"labels": []} for key, answer in BOTH.items()}
    metrics = evaluated(tmp_path, answers, threshold=0.25)[1].metrics
    assert (metrics["recall"], metrics["map"]) == (0, 100)


def test_scores_alone_are_decided_by_the_options(tmp_path: Path) -> None:
    answers = {key: {"scores": answer["scores"]} for key, answer in BOTH.items()}
    rows, summary = evaluated(tmp_path, answers, threshold=0.35)
    assert "labels" not in rows[0]
    assert (summary.counts["tp"], summary.counts["fp"], summary.counts["fn"]) == (2, 0, 1)


@pytest.mark.parametrize("lacking", ["labels", "scores"])
def test_answers_of_two_kinds_are_refused(tmp_path: Path, lacking: str) -> None:
    answers = {"a": BOTH["a"], "b": {name: value for name, value in BOTH["b"].items() if name != lacking}}
    with pytest.raises(DataError, match="some predictions hold scores or labels that others lack"):
        evaluated(tmp_path, answers)


@pytest.mark.parametrize(("difficult", "true"), [("positive", 3), ("ignore", 2), ("negative", 2)])
def test_entries_that_are_ignored_are_not_counted_as_true(difficult: str, true: int) -> None:
    rows = [
        {"key": "a", "present": [0, 1], "difficult": [1], "labels": [0]},
        {"key": "b", "present": [2], "labels": [2]},
    ]
    summary = class_task.summary(rows, CLASSES, EvaluateOptions(data="pets", difficult=difficult))
    assert summary.counts["true"] == true == summary.counts["tp"] + summary.counts["fn"]
    assert sum(row["true"] for row in summary.per_class) == true
    assert summary.counts["decisions"] == (5 if difficult == "ignore" else 6)


def test_the_scores_of_a_large_set_take_little_memory() -> None:
    pictures, classes = 2000, ClassList("many", tuple(f"class {index}" for index in range(150)))
    scores = np.round(np.random.default_rng(0).random(150), 6).tolist()

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(pictures):
            yield {"key": f"{number}", "present": [number % 150], "scores": scores}

    tracemalloc.start()
    summary = class_task.summary(rows(), classes, OPTIONS)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert summary.scores.shape == (pictures * 150, 3) and summary.scores.dtype == np.float32
    assert most < 24 * pictures * 150, "bytes per decision"


def test_figures_of_masks_find_their_tag_whatever_its_case() -> None:
    candidates = [{"tag": "Dog’s", "score": 0.9, "selected": True, "true": True}]
    rows = [
        {"key": "a", "candidates": candidates, "maps": {"Dog’s": [0.75, True]}},
        {"key": "b", "candidates": [candidates[0] | {"tag": "dog's"}], "maps": {"dog's": [0.25, False]}},
    ]
    (row,) = tag_task.summary(rows).per_class
    assert (row["name"], row["captions"], row["pixel_auc"], row["pointing"]) == ("dog's", 2, 50, 50)


def test_a_tag_finds_its_mask_whatever_its_case_and_apostrophe() -> None:
    truth = Truth(tags=("dog's",), tag_masks={"dog's": np.array([[True, False], [False, False]])})
    question = SimpleNamespace(known=[0], tags=["Dog’s"])
    looked = SimpleNamespace(cosines=torch.tensor([[[0.9, 0.1], [0.2, 0.3]]]))
    assert list(tag_task._map_figures(truth, question, looked).values()) == [[1.0, True]]
