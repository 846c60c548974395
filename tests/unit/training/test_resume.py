"""An interrupted and resumed training equals an unbroken one bit for bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.training import toy
from ttd_core.errors import RunError
from ttd_core.training.checkpoint import load_weights
from ttd_core.training.share import Share

CLOCKS = ("seconds", "cpu_seconds", "samples_per_second")


class Stopped(Exception):
    """Stands for a machine that goes down."""


def stop_at(number: int):  # type: ignore[no-untyped-def]
    def before(step: int, share: Share) -> None:
        if step == number and share.part == share.parts - 1:
            raise Stopped

    return before


def what_was_left(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    log = [{name: value for name, value in line.items() if name not in CLOCKS} for line in lines]
    last, best = (torch.load(folder / name, weights_only=True) for name in ("toy.pt", "toy.best.pt"))
    return log, {name: value for name, value in last.items() if name not in CLOCKS}, best


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("stops", [(2,), (13,), (6, 7, 15, 19)])
def test_wherever_it_stops_weights_optimiser_average_best_and_log_end_the_same(
    tmp_path: Path, stops: tuple[int, ...], ema: float | None
) -> None:
    settings = replace(toy.PLAIN, ema=ema, accumulate=2)
    whole, _ = toy.train(tmp_path / "whole", settings)
    for stop in stops:
        with pytest.raises(Stopped):
            toy.train(tmp_path / "broken", settings, stop_at(stop))
    resumed, _ = toy.train(tmp_path / "broken", settings)
    assert same(whole.state_dict(), resumed.state_dict())
    for one, other in zip(what_was_left(tmp_path / "whole"), what_was_left(tmp_path / "broken"), strict=True):
        assert same(one, other)


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_end(tmp_path: Path) -> None:
    def run(folder: str, victim: int) -> int:
        command = [sys.executable, "-m", "tests.unit.training.toy", str(tmp_path / folder), str(victim)]
        return subprocess.run(command, timeout=120, check=False).returncode

    assert run("whole", -1) == 0
    assert run("broken", 0) == -signal.SIGKILL
    with (tmp_path / "broken" / "log.jsonl").open("a") as stream:
        stream.write('{"stage": "toy", "step": 11, "los')  # it was killed while writing
    (tmp_path / "broken" / ".toy.best.123.part.pt").write_bytes(b"half")
    assert run("broken", -1) == 0
    assert sorted(path.name for path in (tmp_path / "broken").iterdir()) == ["log.jsonl", "toy.best.pt", "toy.pt"]
    for one, other in zip(what_was_left(tmp_path / "whole"), what_was_left(tmp_path / "broken"), strict=True):
        assert same(one, other)


def test_the_measured_best_is_kept_and_frozen_weights_are_not_written(tmp_path: Path) -> None:
    _, result = toy.train(tmp_path)
    log, last, best = what_was_left(tmp_path)
    measured = {line["step"]: line["validation"]["fit"] for line in log if "validation" in line}
    assert result.best_step == min(measured, key=lambda step: measured[step])
    assert abs(result.best_figures["fit"] - min(measured.values())) < 1e-5
    assert not any(name.startswith("base.") for name in last["model"]) and "head.1.weight" in last["model"]
    model = toy.Toy()
    assert result.best is not None
    load_weights(result.best, model)
    assert torch.equal(model.head[1].weight, best["model"]["head.1.weight"])
    assert abs(toy.measure(model.eval())(0)["fit"] - result.best_figures["fit"]) < 1e-6  # type: ignore[arg-type]


def test_lines_of_others_in_the_log_stay(tmp_path: Path) -> None:
    event = json.dumps({"event": "started"}) + "\n"
    (tmp_path / "log.jsonl").write_text(event)
    with pytest.raises(Stopped):
        toy.train(tmp_path, before=stop_at(6))
    toy.train(tmp_path)
    assert (tmp_path / "log.jsonl").read_text().startswith(event)


@pytest.mark.parametrize(
    ("content", "message"), [(b"PK\x03\x04 cut off", "cannot be read"), (b"", "cannot be read"), (None, "not there")]
)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "toy.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=f"toy.pt.*{message}|toy.pt is {message}"):
        load_weights(path, toy.Toy())


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    _, result = toy.train(tmp_path)
    with pytest.raises(RunError, match="is of another model"):
        load_weights(result.last, torch.nn.Linear(3, 3))
