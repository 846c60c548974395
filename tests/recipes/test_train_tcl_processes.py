"""Two processes that train TCL take the steps of one: contrasts go over the whole batch, and both stages are summed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.recipes.test_train_ttd_processes import ROOT, pairs
from tests.support.models import tiny_clip_file
from ttd_core.training.log import read_log


def train(folder: Path, out: str, count: int) -> list[subprocess.Popen[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "ttd_cli", "train", "--method", "tcl", "--data", str(folder / "pairs.tsv"), "--model",
        "auto", "--weights", tiny_clip_file(), "--activation", "quickgelu", "--batch-size", "4", "--steps", "4",
        "--frozen-steps", "2", "--warmup", "1", "--lr", "1e-3", "--threads", "1", "--device", "cpu",
        "--out", str(folder / out), "-q",
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


def test_two_processes_take_the_steps_of_one_through_both_stages(tmp_path: Path) -> None:
    pairs(tmp_path)
    together, alone = train(tmp_path, "two", 2), train(tmp_path, "one", 1)
    answers = [process.communicate(timeout=300) for process in (*together, *alone)]
    assert [process.returncode for process in (*together, *alone)] == [0, 0, 0], answers
    files = [tmp_path / name / "tcl.safetensors" for name in ("two", "one")]
    assert [out.strip() for out, _ in answers] == [str(files[0]), "", str(files[1])]
    one, two = ([e for e in read_log(tmp_path / name / "log.jsonl") if "losses" in e] for name in ("one", "two"))
    assert [entry["step"] for entry in one] == [entry["step"] for entry in two] == [1, 2, 3, 4]
    for first, second in zip(one, two, strict=True):
        assert second["losses"] == pytest.approx(first["losses"], rel=1e-3, abs=1e-5)
        assert second["grad_norm"] == pytest.approx(first["grad_norm"], rel=2e-3)
    weights, others = (load_file(tmp_path / name / "last" / "tcl.safetensors") for name in ("one", "two"))
    block = "masker.image_encoder.backbone.transformer.resblocks.3.attn.out_proj.weight"
    start = torch.load(tiny_clip_file(), weights_only=True)["visual.transformer.resblocks.3.attn.out_proj.weight"]
    # published processes never average the gradients of this block, and drift apart
    assert not torch.equal(weights[block], start)
    # the first steps of Adam are as long as the rate whatever the gradient: signs of tiny ones may differ
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=2e-2, atol=2e-3, msg=name)
