"""Checkpoints of a running training: everything needed to go on as if it had never stopped.

Of the model they hold the buffers and the parameters that were trained; frozen ones, such as the base under an adapter,
are whatever the caller builds the model from, and the fingerprint should say what that is.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ttd_core.atomic import atomic_path
from ttd_core.errors import RunError

FORMAT = 2


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values atomically: a reader finds the old file or the new one, never half of one.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def remove_halves(path: Path) -> None:
    """Remove what a killed process left of a file that it was about to write; nobody else may be writing it now."""
    for half in path.parent.glob(f".{glob.escape(path.stem)}.*.part{path.suffix}"):
        with suppress(OSError):
            half.unlink()


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none. Only tensors and plain values are read, never code.

    Raises:
        RunError: if it is damaged, of another version, or belongs to a training with other options.
    """
    if not path.exists():
        return None
    state = _read(path)
    if state.get("format") != FORMAT:
        raise RunError(f"{path} was written by another version", hint="delete it to start this stage anew")
    if state["fingerprint"] != fingerprint:
        raise RunError(
            f"{path} belongs to a training with other options",
            hint="repeat the options of that training to go on with it, or choose another output folder",
        )
    return state


def load_weights(path: Path, model: nn.Module) -> None:
    """Give the model the weights of a checkpoint, e.g. of the best one; optimiser and place in the data are ignored.

    Raises:
        RunError: the file is missing or damaged, or is of another model.
    """
    if not path.exists():
        raise RunError(f"{path} is not there", hint="it is written where a training is measured by a criterion")
    put_weights(model, _read(path)["model"], path)


def trained_weights(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Buffers, and the parameters that are trainable or were so at some step."""
    frozen = {
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if not parameter.requires_grad and parameter not in optimiser.state
    }
    return {name: value for name, value in model.state_dict().items() if name not in frozen}


def put_weights(model: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Give the model what `trained_weights` took; its frozen parameters stay as they are.

    Raises:
        RunError: it is of another model.
    """
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RunError(f"{path} is of another model: {reason}", hint="choose another output folder") from error
    lacking = set(missing) & {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if unexpected or lacking:
        name = sorted({*unexpected, *lacking})[0]
        raise RunError(f"{path} is of another model: {name} does not fit", hint="choose another output folder")


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, unpickling and operating system errors alike
        raise RunError(
            f"{path} cannot be read: {type(error).__name__}", hint="delete it to start this stage anew"
        ) from error
    return state
