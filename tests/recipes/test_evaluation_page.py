"""Report pages of whole evaluations, on a handful of scenes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.pages import PageReader, assert_self_contained
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.drawing.colours import tag_colours
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation.evaluate import run_evaluation
from ttd_core.recipes.evaluation.mask_task import label_example
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.page_examples import (
    bias_remarks,
    caption_remarks,
    class_remarks,
    label_remarks,
    ranked_ends,
    tag_remarks,
)
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.scenes_data import open_scenes
from ttd_core.recipes.options import ModelOptions

COUNT = 5
SECTIONS = {
    "tags": ["figures", "classes", "scores", "worst", "best", "facts"],
    "text": ["figures", "worst", "best", "facts"],
    "masks": ["figures", "classes", "confusion", "worst", "best", "facts"],
    "classification": ["figures", "classes", "scores", "worst", "best", "facts"],
    "bias": ["figures", "bias", "worst", "best", "facts"],
}
OPTIONS = EvaluateOptions(data="scenes:test")
CLASSES = ClassList("three", ("background", "cat", "dog"), background=True)


def evaluated(folder: Path, model: ModelOptions, **changed: Any) -> tuple[Path, str]:
    """Evaluate on a few scenes; the run's folder and its page."""
    settings = {"data": "scenes:test", "limit": COUNT, "workers": 0, "out": str(folder)}
    _, run = run_evaluation(EvaluateOptions(model=model, **(settings | changed)), SilentReporter(), "ttd evaluate")
    return run, (run / "report.html").read_text(encoding="utf-8")


def before_facts(html: str) -> str:
    head, found, _ = html.partition('<section id="facts"')
    assert found
    return head


def text_of(page: PageReader) -> str:
    return " ".join("".join(page.text).split())


@pytest.mark.parametrize("task", list(SECTIONS))
def test_the_page_of_every_task_is_whole_and_the_same_again(task: str, model: ModelOptions, tmp_path: Path) -> None:
    run, html = evaluated(tmp_path / "a", model, task=task)
    page = assert_self_contained(html)
    assert [section["id"] for section in page.named("section")] == SECTIONS[task]
    pictures = 3 if task in ("text", "masks") else 1
    assert len(page.named("img")) == COUNT * pictures and len(page.named("article")) == COUNT
    text = text_of(page)
    assert f"Only the first {COUNT} samples were looked at" in text
    result = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert all(name in text for name in result["metrics"])
    again, _ = evaluated(tmp_path / "b", model, task=task)
    # which commit it was stands in the facts, and may be another one by now
    assert before_facts((again / "report.html").read_text(encoding="utf-8")) == before_facts(html)
    assert (run / "bias.png").exists() == (task == "bias")


def test_classes_that_occur_nowhere_are_no_bars(model: ModelOptions, tmp_path: Path) -> None:
    run, html = evaluated(tmp_path, model, task="classification", limit=2)
    classes = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["per_class"]
    known = [row["name"] for row in classes if row["true"]]
    page = PageReader(html)
    assert sorted(found["title"] or "" for found in page.named("span") if found.get("class") == "name") == sorted(known)
    text = text_of(page)
    assert f"Occurs nowhere ({len(classes) - len(known)})" in text and "that occur nowhere as 0" in text


def test_every_sample_says_what_was_kept_and_missed(model: ModelOptions, tmp_path: Path) -> None:
    run, html = evaluated(tmp_path, model, task="tags", per_sample=True)
    text = text_of(PageReader(html))
    samples = [json.loads(line) for line in (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(samples) == COUNT
    for sample in samples:
        assert f"{sample['key']} F1 {sample['f1']:.1f}" in text
        assert all(tag in text for tag in sample["wrong"] + sample["missed"])


def test_the_tables_page_has_the_trivial_rows_and_every_word(model: ModelOptions, tmp_path: Path) -> None:
    _, html = evaluated(tmp_path, model, data="scenes", workers=None, limit=3)
    page = assert_self_contained(html)
    assert [section["id"] for section in page.named("section")] == ["figures", "tables", "classes", "facts"]
    text = text_of(page)
    for row in ("whole picture", "keep all non-stop words", "dictionary of visible words", "pixel, calibrated cosine"):
        assert row in text
    assert text.count("whole picture") >= 3  # beside the headline, and in the table for all captions and for small ones
    assert "Only the first 3 scenes of every split" in text
    assert "Masks of captions on test, percent" in text and "pixel AUC, percent, best first" in text


def test_predicted_label_maps_show_what_was_left_without_a_class(tmp_path: Path) -> None:
    benchmark = open_scenes("scenes:test", "test", 3)
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "classes.txt").write_text("\n".join(benchmark.classes.names) + "\n", encoding="utf-8")
    for sample in benchmark.samples:
        labels = benchmark.truth(sample).label_map
        assert labels is not None
        labels = labels.astype(np.uint8)
        labels[:30] = 255
        Image.fromarray(labels).save(masks / f"{sample.key}.png")
    _, html = evaluated(tmp_path / "run", ModelOptions(), task="masks", pred=str(masks), limit=3)
    page = assert_self_contained(html)
    assert len(page.named("img")) == 9
    text = text_of(page)
    assert text.count("The commonest mistake: sky left without a class") == 3
    columns = text[text.index("truthshare") :].partition("others")[2]
    assert columns.startswith("no class")


def test_a_report_can_be_declined(model: ModelOptions, tmp_path: Path) -> None:
    settings = EvaluateOptions(
        model=model, data="scenes:test", task="tags", limit=2, workers=0, out=str(tmp_path), report=False
    )
    _, run = run_evaluation(settings, SilentReporter())
    assert (run / "metrics.json").exists() and not (run / "report.html").exists()


def test_the_ends_of_a_ranking_share_no_sample() -> None:
    quality = {f"k{i}": float(i // 2) for i in range(12)}
    assert ranked_ends(quality) == (["k0", "k1", "k2", "k3"], ["k10", "k11", "k8", "k9"])
    assert ranked_ends({"a": 1.0, "b": 0.0, "c": 1.0}) == (["b", "a"], ["c"])
    assert ranked_ends({"a": 1.0}) == (["a"], []) and ranked_ends({}) == ([], [])


def candidate(tag: str, score: float | None, selected: bool, true: bool) -> Mapping[str, Any]:
    return {"tag": tag, "score": score, "selected": selected, "true": true}


def test_decisions_are_sorted_into_right_wrong_and_missed() -> None:
    row = {"candidates": [
        candidate("cat", 0.91, True, True), candidate("sky", 0.97, True, True), candidate("art", 0.6, True, False),
        candidate("moon", None, False, True), candidate("the", 0.1, False, False),
    ]}  # fmt: skip
    found = tag_remarks(row, OPTIONS, None)
    assert found.reason == "Finds 2 of 3 true tags and keeps 1 that is not."
    assert found.lines == (("right", "sky 0.97, cat 0.91"), ("wrong", "art 0.60"), ("missed", "moon"))
    assert tag_remarks({"candidates": []}, OPTIONS, None).reason == "No tag is true, and none is kept."


def test_labels_are_kept_by_the_rule_of_the_run() -> None:
    row = {"present": [0], "scores": [0.4, 0.45]}
    assert label_remarks(row, OPTIONS, CLASSES).lines == (("missed", "cat 0.40"),)
    relative = replace(OPTIONS, select="relative")
    assert label_remarks(row, relative, CLASSES).lines == (("wrong", "dog 0.45"), ("missed", "cat 0.40"))
    assert label_remarks({"present": [1], "labels": [1]}, OPTIONS, CLASSES).reason == "Keeps exactly the true classes."
    ignoring = replace(OPTIONS, difficult="ignore")
    assert label_remarks({"present": [0], "difficult": [0], "labels": []}, ignoring, CLASSES).lines == ()


def test_a_caption_mask_stands_beside_the_trivial_ones() -> None:
    found = caption_remarks({"masks": {"caption": [30, 10, 20], "whole picture": [50, 50, 0]}}, OPTIONS, None)
    assert found.reason == "The mask covers 60 % of the true one, and 25 % of it lies outside."
    assert found.lines == (("IoU, whole picture", "50.0"),)
    nearly = caption_remarks({"masks": {"caption": [999, 1, 0]}}, OPTIONS, None)
    assert nearly.reason == "The mask covers 100 % of the true one, and less than 1 % of it lies outside."
    empty = caption_remarks({"masks": {"caption": [0, 0, 9]}}, OPTIONS, None)
    assert empty.reason == "The mask covers 0 % of the true one, and none of it lies outside."


def test_the_legend_has_the_colours_that_are_drawn() -> None:
    truth = np.zeros((40, 40), dtype=np.uint16)
    truth[:20], truth[20:, :20] = 1, 2
    answer = np.where(truth == 2, 1, truth).astype(np.uint16)
    cells = [[0, 0, 400], [1, 1, 800], [2, 1, 400]]
    found = class_remarks({"cells": cells}, OPTIONS, replace(CLASSES, colours=None))
    colours = tag_colours(2).tolist()
    assert found.legend == (
        ("cat", tuple(colours[0]), "66.7"), ("background", None, "100.0"), ("dog", tuple(colours[1]), "0.0"),
    )  # fmt: skip
    assert found.reason == "The commonest mistake: dog taken for cat, 25 % of the pixels."
    scene = open_scenes("scenes:test", "test", 1)
    read = Reader(scene)(scene.samples[0])
    pixels = np.full((40, 40, 3), 90, dtype=np.uint8)
    shown = label_example(
        Read(read.sample, replace(read.picture, pixels=pixels), replace(read.truth, label_map=truth)), answer, CLASSES
    )
    for drawn, expected in ((shown.truth, {0, 1}), (shown.answer, {0})):
        seen = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
        assert {place for place, colour in enumerate(colours) if tuple(colour) in seen} == expected


def test_the_meter_reads_a_caption_in_words() -> None:
    row = {"reference": 2, "pixel": 2, "image": 1, "text": 0, "follow": [0.9, -0.1], "even": [0.7, 0.5], "bias": 88.0}
    found = bias_remarks(row, OPTIONS, None)
    assert "0.90 with its strongest tag and -0.10 with its weakest" in found.reason
    assert found.lines == (("kept", "pixel 2, image 1, text 0 of 2 reference tags"),)
    assert "fewer than two" in bias_remarks({"reference": 1}, OPTIONS, None).reason
