"""Two processes, started as `torchrun` starts them, take the steps that one process takes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.models import tiny_clip_file
from ttd_core.training.log import read_log

ROOT = Path(__file__).resolve().parents[2]


def pairs(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["image\tcaption"]
    for number in range(22):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png\t{'a dog' if number % 3 else 'two cats'} beside house {number}")
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return folder / "pairs.tsv"


def train(folder: Path, out: str, count: int) -> list[subprocess.Popen[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "ttd_cli", "train", "--method", "ttd", "--data", str(folder / "pairs.tsv"), "--model",
        "auto", "--weights", tiny_clip_file(), "--activation", "quickgelu", "--batch-size", "4", "--steps", "4",
        "--probe-every", "2", "--no-guard", "--threads", "1", "--device", "cpu", "--out", str(folder / out), "-q",
    ]  # fmt: skip
    plain = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    started = []
    for rank in range(count):
        place = {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }  # fmt: skip
        environment = plain | (place if count > 1 else {}) | {"OMP_NUM_THREADS": "1"}
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
    return started


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    pairs(tmp_path)
    together, alone = train(tmp_path, "two", 2), train(tmp_path, "one", 1)
    answers = [process.communicate(timeout=900) for process in (*together, *alone)]
    assert [process.returncode for process in (*together, *alone)] == [0, 0, 0], answers
    assert [out.strip() for out, _ in answers] == [str(tmp_path / "two"), "", str(tmp_path / "one")]
    one, two = ([e for e in read_log(tmp_path / name / "log.jsonl") if "losses" in e] for name in ("one", "two"))
    assert [entry["step"] for entry in one] == [entry["step"] for entry in two] == [1, 2, 3, 4]
    for first, second in zip(one, two, strict=True):
        assert second["losses"] == pytest.approx(first["losses"], rel=1e-4)
        assert second["grad_norm"] == pytest.approx(first["grad_norm"], rel=1e-3)
    assert (tmp_path / "two" / "adapter_model.safetensors").is_file()
