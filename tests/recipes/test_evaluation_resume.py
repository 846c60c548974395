"""Evaluations that are interrupted go on, do nothing twice, and end with the same figures."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import ListReporter
from tests.support.tiny_evaluation import outcome, rows_of
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation.evaluate import run_evaluation
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.scenes_data import ScenesBenchmark
from ttd_core.recipes.options import ModelOptions

LIMIT = 9
ROOT = Path(__file__).resolve().parents[2]


class Interrupted(SilentReporter):
    """Stops the command, as Ctrl-C does or as `kill -9` does, once so many samples were taken up."""

    def __init__(self, after: int, kill: bool = False) -> None:
        self.after = after
        self.kill = kill

    def track(self, items: Iterable[Any], total: int | None, description: str) -> Iterator[Any]:
        for count, item in enumerate(items):
            if count == self.after:
                if self.kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise KeyboardInterrupt
            yield item


@pytest.fixture
def options(model: ModelOptions, tmp_path: Path) -> EvaluateOptions:
    return EvaluateOptions(
        task="tags", data="scenes:test", limit=LIMIT, model=model, batch_size=1, workers=0, report=False,
        out=str(tmp_path / "run"),
    )  # fmt: skip


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of all pictures that are looked at."""
    keys: list[str] = []
    original = ScenesBenchmark.picture

    def counted(self: ScenesBenchmark, sample: Any) -> Any:
        keys.append(sample.key)
        return original(self, sample)

    monkeypatch.setattr(ScenesBenchmark, "picture", counted)
    return keys


def whole(options: EvaluateOptions, tmp_path: Path) -> dict[str, Any]:
    run_evaluation(replace(options, out=str(tmp_path / "whole")), SilentReporter())
    return outcome(tmp_path / "whole")


def goes_on(options: EvaluateOptions, tmp_path: Path, read: list[str]) -> None:
    """Prove that the interrupted run of `options` is finished without doing anything twice."""
    folder = tmp_path / "run"
    before = (folder / "evaluate.jsonl").read_bytes()
    done = [row["key"] for row in rows_of(folder)]
    assert 0 < len(done) < LIMIT and not (folder / "metrics.json").exists()
    report = ListReporter()
    read.clear()
    result, path = run_evaluation(options, report)
    assert path == folder and f"going on with {folder}: {len(done)} done before" in report.infos
    assert (folder / "evaluate.jsonl").read_bytes().startswith(before)
    keys = [row["key"] for row in rows_of(folder)]
    assert len(keys) == len(set(keys)) == LIMIT and read == keys[len(done) :]
    assert outcome(folder) == whole(options, tmp_path)
    assert result["complete"] and json.loads((folder / "manifest.json").read_text())["status"] == "done"


def test_an_interrupted_evaluation_goes_on(options: EvaluateOptions, tmp_path: Path, read: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_evaluation(options, Interrupted(6))
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "cancelled"
    goes_on(options, tmp_path, read)


def test_a_killed_process_loses_no_row(options: EvaluateOptions, tmp_path: Path, read: list[str]) -> None:
    code = (
        "import sys, pickle; from ttd_core.recipes.evaluation.evaluate import run_evaluation;"
        "from tests.recipes.test_evaluation_resume import Interrupted;"
        "run_evaluation(pickle.load(sys.stdin.buffer), Interrupted(6, kill=True))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(options),
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "running"
    goes_on(options, tmp_path, read)


def test_a_torn_last_row_is_done_again(options: EvaluateOptions, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_evaluation(options, Interrupted(6))
    rows = tmp_path / "run" / "evaluate.jsonl"
    rows.write_bytes(rows.read_bytes()[:-9])
    run_evaluation(options, SilentReporter())
    assert outcome(tmp_path / "run") == whole(options, tmp_path)


def test_batches_and_workers_may_change_in_between(options: EvaluateOptions, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_evaluation(options, Interrupted(5))
    run_evaluation(replace(options, batch_size=4, workers=1), SilentReporter())
    assert outcome(tmp_path / "run") == whole(options, tmp_path)
