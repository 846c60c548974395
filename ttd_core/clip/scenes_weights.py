"""Reading and writing the built-in model's weights: one safetensors file that also holds its word list and sizes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ttd_core.atomic import write_bytes
from ttd_core.clip.checkpoint import check_finite
from ttd_core.clip.scenes_model import ScenesBackbone, scenes_info
from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.errors import UsageError, WeightsError
from ttd_core.protocols import Reporter
from ttd_core.types import ModelSpec

FORMAT = "ttd-scenes-1"
STORED = ("logit_scale", "sigmoid_scale", "sigmoid_bias", "calibration", "dense", "image_size")
PACKAGED = Path(__file__).resolve().parent.parent / "weights" / "scenes.safetensors"


def save_scenes_weights(model: ScenesBackbone, path: Path) -> None:
    """Write the model with its sizes, words and calibration; values in float16, atomically."""
    tensors = {
        name: value.detach().to(torch.float16 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    info = model.info
    description = {
        "architecture": dataclasses.asdict(model.arch),
        "words": model.tokenizer.words,
        "calibration": {name: getattr(info, name) for name in STORED},
    }
    # one entry: safetensors writes several in an order that changes from process to process
    metadata = {FORMAT: json.dumps(description, sort_keys=True)}
    write_bytes(path, save(tensors, metadata))  # as bytes: safetensors' own files are readable by their owner alone


def load_scenes_backbone(path: Path | None = None, dense: str | None = None) -> ScenesBackbone:
    """Load the built-in model, or one trained by `ttd train --method clip`.

    Args:
        path: a file written by `save_scenes_weights`; None takes the packaged one.
        dense: dense strategy (`value` or `attention`); None takes the one stored with the weights.

    Returns:
        The model in float32 and evaluation mode.

    Raises:
        WeightsError: no such file, no safetensors, or tensors that are not those of the scenes model.
        UsageError: an unknown dense strategy.
    """
    file = path or PACKAGED
    description, tensors = _read(file)
    try:
        sizes = description["architecture"]
        arch = ScenesArchitecture(**{**sizes, "stem": tuple(sizes["stem"])})
        words: list[str] = description["words"]
        stored: dict[str, Any] = {name: description["calibration"][name] for name in STORED}
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{file} does not describe a scenes model: {error}") from error
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    name = "builtin" if path is None else file.stem
    info = scenes_info(arch, name, digest, stored["logit_scale"], dense or stored["dense"])
    info = replace(info, **{**stored, "dense": info.dense})
    check_finite(tensors, file)
    model = ScenesBackbone(arch, words, info)
    try:
        model.load_state_dict({name: _widen(value) for name, value in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"the tensors of {file} are not those of the scenes model it describes") from error
    return model.eval()


def _widen(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _read(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not file.is_file():
        raise WeightsError(
            f"there are no weights at {file}", hint="ttd train --method clip --data scenes:train makes them"
        )
    try:
        with safe_open(file, framework="pt") as stream:
            metadata = stream.metadata() or {}
            if FORMAT not in metadata:
                raise WeightsError(
                    f"{file} holds weights of another model, expected a scenes model",
                    hint="name the model they belong to with --model",
                )
            description: dict[str, Any] = json.loads(metadata[FORMAT])
            return description, {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {error}") from error


def open_scenes(spec: ModelSpec, device: torch.device, reporter: Reporter) -> ScenesBackbone:
    """Load the built-in model as the registry asks for it.

    Args:
        spec: `weights` may name another file of the same format; the other fields but `dense` do not apply.
        device: where the model computes.
        reporter: not used, there is nothing to assume.

    Raises:
        UsageError: an option that only CLIP models have.
        WeightsError: see `load_scenes_backbone`.
    """
    if spec.pretrained is not None or spec.activation is not None:
        given = "--pretrained" if spec.pretrained is not None else "--activation"
        raise UsageError(
            f"{given} does not go with --model scenes", hint="--weights FILE loads a model of your own training"
        )
    path = None if spec.weights is None else Path(spec.weights)
    return load_scenes_backbone(path, spec.dense).to(device)
