"""Checkpoints of a running training: everything needed to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ttd_core.atomic import atomic_path
from ttd_core.errors import RunError


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values atomically: a reader finds the old file or the new one, never half of one.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        torch.save(dict(state), temporary)


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none. Only tensors and plain values are read, never code.

    Raises:
        RunError: if it belongs to a training with other options.
    """
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["fingerprint"] != fingerprint:
        raise RunError(
            f"{path} belongs to a training with other options",
            hint="repeat the options of that training to go on with it, or choose another output folder",
        )
    return state
