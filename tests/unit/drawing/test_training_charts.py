"""The curves of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttd_core.drawing.report import training_charts
from ttd_core.drawing.report.training_charts import write_training_chart


def entry(step: int, stage: str = "a", **more: Any) -> dict[str, Any]:
    losses = {"tag": 1 / step, "distill": 0.5}
    return {"stage": stage, "step": step, "lr": 1e-3, "losses": losses, "monitors": {"spread": 0.3}, **more}


def test_one_log_gives_one_picture_and_another_log_another(tmp_path: Path) -> None:
    log = [entry(step) for step in range(1, 100)]
    for name, entries in (("a", log), ("b", log), ("c", log[:50])):
        write_training_chart(tmp_path / f"{name}.png", entries, best_step=10)
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert pictures[0] == pictures[1] != pictures[2]
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 3 * 300  # three panels in a row


def test_lines_of_others_and_logs_without_steps_draw_nothing(tmp_path: Path) -> None:
    write_training_chart(tmp_path / "none.png", [{"event": "started", "time": "now"}])
    assert list(tmp_path.iterdir()) == []


def test_a_later_stage_follows_on_the_earlier_one_and_the_reason_of_a_stop_is_read() -> None:
    log = [entry(step) for step in (1, 2, 3)]
    log += [entry(1, "b", monitors={"spread": None}), entry(2, "b", reason="no spread", validation={"auc": 0.5})]
    course = training_charts._course([{"event": "x"}, *log])
    lines = {line.title: line for line in course.lines}
    assert lines["loss: tag"].steps == [1, 2, 3, 4, 5] and course.ends == [3]
    assert np.isnan(lines["monitor: spread"].values[3]) and lines["validation: auc"].steps == [5]
    assert course.stopped == (5, "no spread")
    assert [line.title.split(":")[0] for line in course.lines] == ["loss", "loss", "validation", "monitor", _RATE]


_RATE = "learning rate"


def test_smoothing_keeps_the_mean_of_a_line_and_skips_what_is_no_number() -> None:
    values = np.ones(200)
    values[[0, 50, 199]] = np.nan
    smoothed = training_charts._smoothed(values)
    assert np.isnan(smoothed[[0, 199]]).all() and smoothed[1:199] == pytest.approx(1)
