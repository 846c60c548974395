"""Killed at any moment (SIGKILL), `ttd train` and `ttd preprocess` end as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, Ttd
from tests.support.tiny_pairs import write_tar
from tests.support.tiny_scenes import scene_pictures

CLOCKS = ("seconds", "cpu_seconds", "samples_per_second")


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[Sequence[str], Callable[[], int], int], None]:
    """Run `ttd` in a process of its own, and kill it a moment after `progress()` has reached a number."""
    dice = random.Random()

    def run(arguments: Sequence[str], progress: Callable[[], int], enough: int) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "ttd_cli", *arguments], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None and progress() < enough:
                time.sleep(0.005)
            time.sleep(dice.uniform(0, 0.05))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, said

    return run


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def without_clocks(path: Path) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [entry for entry in entries if "losses" in entry or "validation" in entry]
    return [{name: value for name, value in entry.items() if name not in CLOCKS} for entry in steps]


@pytest.mark.slow
def test_a_training_killed_twice_leaves_what_an_unbroken_one_does(
    ttd: Ttd, tmp_path: Path, killed: Callable[[Sequence[str], Callable[[], int], int], None]
) -> None:
    (tmp_path / "pics").mkdir()
    for path, caption in scene_pictures(tmp_path / "pics", 30, 96):
        path.with_suffix(".txt").write_text(caption)
    call = [
        "train", "--method", "ttd", "--data", "pics", "--batch-size", "4", "--steps", "9", "--probe-every", "3",
        "--save-every", "2", "--no-guard", "--threads", "1", "--device", "cpu",
    ]  # fmt: skip
    assert ttd(*call, "--out", "whole").code == 0
    log = tmp_path / "broken" / "log.jsonl"
    for enough in sorted(random.sample(range(1, 8), 2)):
        killed([*call, "--out", "broken"], lambda: lines(log), enough)
    end = ttd(*call, "--out", "broken")
    assert end.code == 0 and end.out == "broken\n"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for name in ("adapter_model.safetensors", "last/adapter_model.safetensors", "ttd.json", "validation.json"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name
    assert without_clocks(whole / "log.jsonl") == without_clocks(log)
    assert [path for path in broken.rglob("*") if ".part" in path.name] == []


@pytest.mark.slow
def test_a_preprocessing_killed_twice_leaves_what_an_unbroken_one_does(
    ttd: Ttd, tmp_path: Path, killed: Callable[[Sequence[str], Callable[[], int], int], None]
) -> None:
    pairs = scene_pictures(tmp_path, 8, 96)
    for shard in range(16):
        members = []
        for number, (path, caption) in enumerate(pairs):
            key = f"{shard:02d}{number:03d}"
            members += [(f"{key}.png", path.read_bytes()), (f"{key}.txt", f"{caption} {key}".encode())]
        write_tar(tmp_path / f"{shard:02d}.tar", members)
    call = ["preprocess", "--data", "{00..15}.tar", "--hflip", "--workers", "1", "--device", "cpu"]
    assert ttd(*call, "--out", "whole").code == 0
    scores = tmp_path / "broken" / "scores"
    for enough in sorted(random.sample(range(1, 9), 2)):
        killed([*call, "--out", "broken"], lambda: len(list(scores.glob("[0-9]*.parquet"))), enough)
    end = ttd(*call, "--out", "broken")
    assert end.code == 0 and "of 16 shards done before" in end.err
    files = [
        {each.name: each.read_bytes() for each in (tmp_path / run / "scores").iterdir()} for run in ("whole", "broken")
    ]
    assert len(files[0]) >= 16 and files[0] == files[1]
