"""What an evaluation prints and leaves behind: the documented keys, and nothing but data on standard output."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc, voc_keys
from ttd_core.recipes.evaluation.summary import METRICS, TASK_METRICS

KEYS = {
    "schema", "version", "task", "data", "recipe", "run_id", "complete", "metrics", "baselines", "counts", "per_class",
    "options", "reading", "seed", "shard", "hashes", "environment",
}  # fmt: skip
SAMPLES = {"listed", "absent", "selected", "missing", "planned", "scored", "skipped"}
COUNTED = {
    "tags": {"captions", "decisions", "true"},
    "text": {"captions", "pixels"},
    "masks": {"pictures", "pixels"},
    "bias": {"captions", "measured", "undefined"},
    "classification": {"pictures", "decisions", "tp", "fp", "fn", "exact", "true"},
}
PER_SAMPLE = {
    "tags": {"f1", "wrong", "missed"},
    "text": {"caption", "union of the selected tags", "whole picture"},
    "masks": {"miou", "iou"},
    "classification": {"present", "scores"},
}
TASKS = tuple(COUNTED)


def call(task: str, weights: Path, *more: object) -> tuple[object, ...]:
    return (
        "evaluate",
        "--task",
        task,
        "--data",
        "scenes:test",
        "--limit",
        3,
        "--workers",
        0,
        "--weights",
        weights,
        *more,
    )


@pytest.mark.parametrize("task", TASKS)
def test_metrics_json_holds_the_documented_keys(ttd: Ttd, tmp_path: Path, weights: Path, task: str) -> None:
    answer = ttd(*call(task, weights, "--out", "run", "--format", "json", "--per-sample"))
    assert answer.code == 0, answer.err
    result: dict[str, Any] = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="ascii"))
    assert json.loads(answer.out) == result
    assert set(result) == KEYS and (result["schema"], result["version"]) == ("ttd-metrics", 1)
    assert set(result["counts"]) == SAMPLES | COUNTED[task] and result["counts"]["scored"] == 3
    assert (result["counts"]["listed"], result["counts"]["selected"]) == (400, 3), "before and after the limit"
    assert all(type(count) is int for count in result["counts"].values())
    assert set(result["hashes"]) == {"samples", "predictions", "weights", "model"}
    assert set(result["environment"]) == {"ttd", "commit", "python", "platform", "packages", "device", "dtype"}
    assert set(result["metrics"]) <= set(TASK_METRICS[task])
    for key, metric in result["metrics"].items():
        assert set(metric) == {"value", "unit", "higher_is_better"}
        assert (metric["unit"], metric["higher_is_better"]) == METRICS[key][:2]
        top = {"percent": 100, "fraction": 1}.get(metric["unit"], math.inf)
        assert metric["value"] is None or -top <= metric["value"] <= top
    for name, baseline in result["baselines"].items():
        assert name and set(baseline) <= set(METRICS)
    assert all("name" in row for row in result["per_class"])
    lines = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == [f"test-0000{place}" for place in range(3)]
    assert all(PER_SAMPLE.get(task, set()) <= set(line) for line in lines)
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_report_and_the_rows_of_samples_are_only_there_on_demand(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    assert ttd(*call("tags", weights, "--out", "run", "--no-report")).code == 0
    assert {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith(".")} == {
        "metrics.json", "manifest.json", "run.yaml", "evaluate.jsonl", "log.jsonl",
    }  # fmt: skip


def test_a_run_can_be_repeated_from_its_settings(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    first = ttd(*call("tags", weights, "--out", "run", "--no-report", "--format", "json"))
    again = ttd("evaluate", "--config", tmp_path / "run" / "run.yaml", "--out", "again", "--format", "json")
    assert again.code == 0 and json.loads(again.out) == json.loads(first.out)


@pytest.mark.parametrize("arguments", [("--data", "scenes:test", "--task", "tags"), ("--data", "scenes")])
def test_only_data_on_standard_output(ttd: Ttd, weights: Path, arguments: tuple[str, ...]) -> None:
    how = (*arguments, "--limit", 2, "--weights", weights, "--no-report")
    shown = {style: ttd("evaluate", *how, "--format", style) for style in ("json", "jsonl", "tsv", "text")}
    assert [answer.code for answer in shown.values()] == [0] * 4
    assert json.loads(shown["json"].out) == json.loads(shown["jsonl"].out)
    assert shown["jsonl"].out.count("\n") == 1
    table = [line.split("\t") for line in shown["tsv"].out.splitlines()]
    assert table[0] == ["metric", "value", "unit", "published"] and {len(line) for line in table} == {4}
    metrics = json.loads(shown["json"].out)["metrics"]
    values = {line[0]: float(line[1]) if line[1] else None for line in table[1:]}
    assert values == {key: metric["value"] for key, metric in metrics.items()}
    assert all("metrics.json" in answer.err and "samples" in answer.err for answer in shown.values())


def test_quiet_says_nothing(ttd: Ttd, weights: Path) -> None:
    answer = ttd(*call("tags", weights, "--quiet", "--no-report"))
    assert answer.code == 0 and not answer.err and "accuracy" in answer.out


def test_nothing_undefined_is_printed_as_a_number(ttd: Ttd, tmp_path: Path) -> None:
    """Classes that occur nowhere have no figures: null, not 0, and no NaN, which is no JSON."""
    root, answers = draw_voc(tmp_path / "data", 2), draw_answers(tmp_path / "answers", 2)
    answer = ttd("evaluate", "--task", "masks", "--data", "voc2012", "--root", root, "--pred", answers, "--format",
                 "json", "--per-sample", "--out", "run", "--no-report")  # fmt: skip
    assert answer.code == 0 and "NaN" not in answer.out
    found = {row["name"]: row for row in json.loads(answer.out)["per_class"]}
    assert found["person"]["iou"] is None and found["person"]["pixels"] == 0
    assert found["aeroplane"]["iou"] is not None
    rows = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert [row["key"] for row in rows] == voc_keys(2) and all("person" not in row["iou"] for row in rows)


def test_scoring_finished_label_maps_loads_no_torch(process: Any, tmp_path: Path) -> None:
    root, answers = draw_voc(tmp_path / "data", 2), draw_answers(tmp_path / "answers", 2)
    code = (
        "import sys; from ttd_cli.app import main; code = main(sys.argv[1:]);"
        "print('LOADED', sorted({'torch', 'open_clip', 'nltk', 'numba'} & set(sys.modules)), file=sys.stderr);"
        "sys.exit(code)"
    )
    done = process("evaluate", "--task", "masks", "--data", "voc2012", "--root", str(root), "--pred", str(answers),
                   code=code)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stderr
