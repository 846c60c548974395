"""Several processes are one training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.unit.training import toy
from ttd_core.errors import RunError, UsageError
from ttd_core.training.distributed import Place, Processes, join
from ttd_core.training.share import Share


def torchrun(folder: Path, victim: int = -1) -> subprocess.CompletedProcess[str]:
    """Two processes that meet at a free port.

    The limit is there for processes that wait for ever, not for a slow machine: each of them imports torch first.
    """
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "tests.unit.training.toy", str(folder), str(victim)]
    return subprocess.run(command, timeout=900, check=False, capture_output=True, text=True)


def alone(folder: Path) -> None:
    """The same training in one process that accumulates two parts."""
    toy.main(folder, victim=-1)


def log_of(folder: Path) -> list[dict[str, dict[str, float]]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_even_after_one_of_them_died(tmp_path: Path) -> None:
    alone(tmp_path / "one")
    died = torchrun(tmp_path / "two", victim=1)
    assert died.returncode != 0
    assert torch.load(tmp_path / "two" / "toy.pt", weights_only=True)["step"] == 8
    finished = torchrun(tmp_path / "two")
    assert finished.returncode == 0, finished.stderr
    one, two = log_of(tmp_path / "one"), log_of(tmp_path / "two")
    assert [line["step"] for line in one] == [line["step"] for line in two]  # one writes, not both
    for line, other in zip(one, two, strict=True):
        for kind in ("losses", "monitors", "validation"):
            assert other.get(kind, {}) == pytest.approx(line.get(kind, {}), rel=1e-4, abs=1e-6)
        assert other["grad_norm"] == pytest.approx(line["grad_norm"], rel=1e-4)
    weights, others = (torch.load(tmp_path / name / "toy.pt", weights_only=True)["model"] for name in ("one", "two"))
    assert "late.weight" in weights  # frozen at the start
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-4, atol=1e-6)


def test_a_process_alone_meets_nobody() -> None:
    with join(Place()) as processes:
        assert processes == Processes() and processes.main
        assert not torch.distributed.is_initialized()
        assert processes.from_main("x") == "x"


def test_an_address_where_nobody_can_meet_is_refused() -> None:
    with pytest.raises(UsageError, match="host:port"):
        Place(0, 2, 0, "somewhere")


def test_what_goes_wrong_between_processes_is_a_run_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("[/a/b.cc:5] Connection closed by peer [127.0.0.1]:1234. See the logs.\nand a stack")

    monkeypatch.setattr(torch.distributed, "all_reduce", fails)
    with pytest.raises(RunError, match=r"another process of this training has ended: Connection closed by peer \S+$"):
        Processes(0, 2).sum(torch.zeros(1, dtype=torch.float64))


def test_parts_cover_the_batch_once_and_an_uneven_batch_is_refused() -> None:
    rows = [row for part in range(4) for row in range(8)[Share(part, 4).slice(8)]]
    assert rows == list(range(8))
    with pytest.raises(UsageError, match="10 cannot be cut into 4"):
        Share(0, 4).slice(10)
