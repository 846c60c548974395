"""One evaluation, whatever the way: batches, worker processes, and shards put together give the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc, outcome

WAYS = {
    "batches of one": ("--batch-size", 1, "--workers", 0),
    "one worker": ("--workers", 1),
    "two workers, small batches": ("--workers", 2, "--batch-size", 3),
}
SHARDS = 3


def evaluate(ttd: Ttd, folder: Path, *arguments: object) -> dict[str, Any]:
    answer = ttd("evaluate", *arguments, "--out", folder, "--no-report", "--quiet")
    assert answer.code == 0, answer.err
    return outcome(folder)


def shards(ttd: Ttd, folder: Path, arguments: tuple[object, ...]) -> list[Path]:
    parts = []
    for part in range(1, SHARDS + 1):
        parts.append(folder / f"part{part}")
        # every part on its own way
        evaluate(ttd, parts[-1], *arguments, "--shard", f"{part}/{SHARDS}", "--batch-size", part, "--workers", 0)
    return parts


def compare(ttd: Ttd, tmp_path: Path, arguments: tuple[object, ...]) -> dict[str, Any]:
    """Evaluate on all ways and return the figures, which are the same."""
    whole = evaluate(ttd, tmp_path / "whole", *arguments, "--workers", 0)
    for name, way in WAYS.items():
        assert evaluate(ttd, tmp_path / name, *arguments, *way) == whole, name
    parts = shards(ttd, tmp_path, arguments)
    for name, order in (("in order", parts), ("turned", parts[1:] + parts[:1])):
        merged = evaluate(ttd, tmp_path / name, *(word for part in order for word in ("--merge", part)))
        assert merged == whole, name
    counts = [outcome(part)["counts"]["scored"] for part in parts]
    assert sum(counts) == whole["counts"]["scored"] and len(counts) == SHARDS
    return whole


@pytest.mark.parametrize(
    ("task", "figure"), [("tags", "f1"), ("text", "caption_iou"), ("masks", "miou"), ("bias", "bias")]
)
def test_a_model_on_the_scenes(ttd: Ttd, tmp_path: Path, weights: Path, task: str, figure: str) -> None:
    whole = compare(ttd, tmp_path, ("--task", task, "--data", "scenes:test", "--limit", 7, "--weights", weights))
    assert whole["counts"]["scored"] == 7 and whole["metrics"][figure]["value"] is not None
    assert whole["complete"] is True and whole["hashes"]["weights"] is not None


def test_finished_label_maps(ttd: Ttd, tmp_path: Path) -> None:
    root, answers = draw_voc(tmp_path / "data"), draw_answers(tmp_path / "answers")
    whole = compare(ttd, tmp_path, ("--task", "masks", "--data", "voc2012", "--root", root, "--pred", answers))
    assert whole["counts"]["scored"] == 7 and 0 < whole["metrics"]["miou"]["value"] < 50


def test_classification_by_a_model(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    arguments = ("--task", "classification", "--data", "scenes:test", "--limit", 5, "--weights", weights)
    whole = evaluate(ttd, tmp_path / "whole", *arguments, "--workers", 0)
    assert evaluate(ttd, tmp_path / "one", *arguments, "--workers", 0, "--batch-size", 1) == whole


def test_more_samples_change_the_figures(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    """What is compared above is not the same for everything."""
    arguments = ("--task", "tags", "--data", "scenes:test", "--weights", weights, "--workers", 0)
    few, more = (evaluate(ttd, tmp_path / str(n), *arguments, "--limit", n) for n in (6, 7))
    assert few["metrics"] != more["metrics"] and few["hashes"]["samples"] != more["hashes"]["samples"]
