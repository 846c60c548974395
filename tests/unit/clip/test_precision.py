"""TF32 is off once a model is loaded, whatever was set before. Settings are global, so each case has a process."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

SCRIPT = """
import torch
{before}
from ttd_core.clip.load import load_backbone
from ttd_core.protocols import SilentReporter
from ttd_core.types import ModelSpec
load_backbone(ModelSpec(model="scenes"), torch.device("cpu"), SilentReporter())
assert torch.backends.cuda.matmul.allow_tf32 is False
if {readable}:
    assert torch.backends.cudnn.allow_tf32 is False
    assert torch.get_float32_matmul_precision() == "highest"
if hasattr(torch.backends, "fp32_precision"):
    for setting in (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn):
        assert setting.fp32_precision in ("none", "ieee"), setting.fp32_precision
"""
OLD = [
    "",
    "torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True",
    "torch.set_float32_matmul_precision('medium')",
]
NEW = [
    "torch.backends.fp32_precision = 'tf32'",
    "torch.backends.cudnn.conv.fp32_precision = torch.backends.cuda.matmul.fp32_precision = 'tf32'",
]
CASES = OLD + (NEW if hasattr(torch.backends, "fp32_precision") else [])


@pytest.mark.parametrize("before", CASES)
def test_a_loaded_model_computes_without_tf32(before: str) -> None:
    script = SCRIPT.format(before=before, readable=before in OLD)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
