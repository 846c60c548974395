"""`ttd evaluate --lora X --before`: figures before and after, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ttd

CALL = ("evaluate", "--task", "tags", "--data", "scenes:hard", "--limit", 3, "--no-report")
ADAPTED = (*CALL, "--lora", "scenes-ttd")


def test_the_table_holds_the_figures_of_two_runs_and_what_lies_between_them(ttd: Ttd) -> None:
    plain, adapted = (json.loads(ttd(*call, "--format", "json").out) for call in (CALL, ADAPTED))
    title, header, *lines = ttd(*ADAPTED, "--before").out.splitlines()
    assert "scenes before and after --lora scenes-ttd" in title
    assert header.split() == ["before", "after", "change", "unit"]
    assert [line.split()[0] for line in lines] == list(plain["metrics"])
    for key, before, after, change, _ in (line.split() for line in lines):
        shown = tuple(round(each["metrics"][key]["value"], 1) for each in (plain, adapted))
        assert (float(before), float(after)) == shown and change == f"{shown[1] - shown[0]:+.1f}"


def test_machines_are_told_the_run_and_its_figures(ttd: Ttd) -> None:
    whole = json.loads(ttd(*ADAPTED, "--before", "--format", "json").out)
    plain = json.loads(ttd(*CALL, "--format", "json").out)
    assert whole["before"]["run_id"] == plain["run_id"] != whole["run_id"]
    assert whole["before"]["figures"] == {key: metric["value"] for key, metric in plain["metrics"].items()}
    header, *lines = ttd(*ADAPTED, "--before", "--format", "tsv").out.splitlines()
    assert header.split("\t")[-1] == "before"
    assert {line.split("\t")[0]: float(line.split("\t")[-1]) for line in lines} == whole["before"]["figures"]


def test_the_run_itself_is_the_same_with_and_without_the_comparison(ttd: Ttd, tmp_path: Path) -> None:
    ttd(*ADAPTED, "--before", "--out", "mine")
    compared = (tmp_path / "mine" / "metrics.json").read_text()
    assert "already done: mine" in ttd(*ADAPTED, "--out", "mine").err and '"before"' not in compared
    ttd(*ADAPTED, "--out", "mine", "--overwrite")
    assert (tmp_path / "mine" / "metrics.json").read_text() == compared
    assert [path.name for path in (tmp_path / "runs" / "evaluate").iterdir()] == [
        json.loads(ttd(*CALL, "--format", "json").out)["run_id"]
    ]


def test_of_the_scenes_tables_the_rows_that_changed_are_shown(ttd: Ttd) -> None:
    answer = ttd("evaluate", "--data", "scenes", "--limit", 3, "--no-report", "--lora", "scenes-ttd", "--before")
    names = [line.split()[0] for line in answer.out.splitlines()[2:]]
    assert answer.code == 0 and "test.pixel.ranking" in names and len(set(names)) == len(names)
    assert [name for name in names if "keep-all" in name or "whole-picture" in name or "precision" in name] == []


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ((), "--lora is missing"),
        (("--lora", "scenes-ttd", "--pred", "x.jsonl"), "--before and --pred contradict each other"),
        (("--lora", "scenes-ttd", "--merge", "run"), "--before and --merge contradict each other"),
    ],
)
def test_what_has_no_before_is_refused(ttd: Ttd, more: tuple[str, ...], part: str) -> None:
    answer = ttd(*CALL, "--before", *more)
    assert answer.code == 2 and part in answer.err and "hint: " in answer.err and answer.out == ""
