"""The benchmark of a training step runs where there is no GPU, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_step.py"


def test_a_tiny_step_is_measured_against_the_ceiling_of_the_same_run() -> None:
    command = [sys.executable, str(SCRIPT), "--tiny", "--json", "--device", "cpu", "--batch", "2", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--variants", "fp32", "bf16"], capture_output=True, text=True, timeout=180, check=True
    )
    found = json.loads(done.stdout)
    assert found["tiny"] and [row["variant"] for row in found["rows"]] == ["fp32", "bf16"]
    for row in found["rows"]:
        assert row["images_per_second"] > 0 and row["ceiling_tflops"] > 0
        assert abs(row["share_of_ceiling"] - row["tflops"] / row["ceiling_tflops"]) < 1e-9
        assert row["memory_gib"] is None
