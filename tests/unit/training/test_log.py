"""The log of a training, and the clocks whose figures stand in it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ttd_core.errors import RunError
from ttd_core.training import pace
from ttd_core.training.log import append_entry, forget_after, read_log
from ttd_core.training.pace import Pace


def test_what_json_cannot_hold_is_null_and_floats_are_short(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_entry(path, {"stage": "a", "step": 1, "losses": {"x": math.nan, "y": 1 / 3}, "lr": math.inf})
    line = path.read_text()
    assert json.loads(line) == {"stage": "a", "step": 1, "losses": {"x": None, "y": 0.333333}, "lr": None}


def test_what_a_resumed_stage_writes_again_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for stage, step in (("a", 5), ("b", 5), ("b", 6)):
        append_entry(path, {"stage": stage, "step": step})
    append_entry(path, {"stage": "b", "step": 4, "status": "failed-by-guard", "reason": "x"})
    append_entry(path, {"event": "done"})
    with path.open("a") as stream:
        stream.write('{"stage": "b", "st')
    assert len(read_log(path)) == 5
    forget_after(path, "b", 5)
    assert [(entry.get("stage"), entry.get("step")) for entry in read_log(path)] == [("a", 5), ("b", 5), (None, None)]
    assert path.read_text().endswith("\n")
    assert read_log(tmp_path / "none.jsonl") == []


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(RunError, match="log.jsonl"):
        append_entry(tmp_path / "log.jsonl", {"step": 1})


def test_measurements_do_not_count_as_time_of_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    clock = Pace(seconds=1000.0)
    for _ in range(2):
        now[0] += 2.0
        clock.count(10)
    now[0] += 50.0
    clock.pause()
    assert clock.told({"fit": 0.25}) == "fit 0.25, 5 samples/s"
    entry = clock.entry()
    assert entry["samples_per_second"] == 5.0 and entry["seconds"] == 1054.0
    assert clock.samples_per_second is None
