"""Reading and writing the built-in model's weights: one safetensors file that also holds its word list and sizes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from ttd_core.atomic import write_bytes
from ttd_core.clip.checkpoint import check_finite
from ttd_core.clip.scenes_model import ScenesBackbone, scenes_info
from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.errors import UsageError, WeightsError
from ttd_core.protocols import Backbone, Reporter
from ttd_core.registry import SCENES_FILES
from ttd_core.types import ModelInfo, ModelSpec

FORMAT = "ttd-scenes-1"
STORED = ("logit_scale", "sigmoid_scale", "sigmoid_bias", "calibration", "dense", "image_size")
PACKAGED = Path(__file__).resolve().parent.parent / "weights" / "scenes.safetensors"


def save_scenes_weights(model: ScenesBackbone, path: Path) -> None:
    """Write the model with its sizes, words and calibration; values in float16, atomically."""
    write_scenes_file(path, FORMAT, describe_scenes(model.arch, model.tokenizer.words, model.info), model.state_dict())


def describe_scenes(arch: ScenesArchitecture, words: Sequence[str], info: ModelInfo) -> dict[str, Any]:
    """What a weights file says beside its tensors."""
    return {
        "architecture": dataclasses.asdict(arch),
        "words": list(words),
        "calibration": {name: getattr(info, name) for name in STORED},
    }


def write_scenes_file(path: Path, kind: str, description: Mapping[str, Any], state: Mapping[str, torch.Tensor]) -> None:
    """Write tensors, in float16 but for scalars, and their description, atomically.

    Raises:
        RunError: the file cannot be written.
    """
    tensors = {name: _narrow(value.detach().cpu()).contiguous() for name, value in state.items()}
    # one entry: safetensors writes several in an order that changes from process to process
    metadata = {kind: json.dumps(description, sort_keys=True)}
    write_bytes(path, save(tensors, metadata))  # as bytes: safetensors' own files are readable by their owner alone


def _narrow(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() and value.ndim else value


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
    description, tensors = read_scenes_file(file, FORMAT)
    model = empty_scenes(description, file, "builtin" if path is None else file.stem, dense)
    fill_scenes(model, tensors, file)
    return model.eval()


def empty_scenes(description: Mapping[str, Any], file: Path, name: str, dense: str | None = None) -> ScenesBackbone:
    """A model of the sizes, words and readings that a file describes, with fresh weights.

    Args:
        description: see `describe_scenes`.
        file: where it was read.
        name: what the model says its weights are called.
        dense: see `load_scenes_backbone`.

    Raises:
        WeightsError: the description is not one of a scenes model.
        UsageError: an unknown dense strategy.
    """
    try:
        sizes = description["architecture"]
        arch = ScenesArchitecture(**{**sizes, "stem": tuple(sizes["stem"])})
        words: list[str] = description["words"]
        stored: dict[str, Any] = {each: description["calibration"][each] for each in STORED}
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{file} does not describe a scenes model: {error}") from error
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    info = scenes_info(arch, name, digest, stored["logit_scale"], dense or stored["dense"])
    return ScenesBackbone(arch, words, replace(info, **{**stored, "dense": info.dense}))


def fill_scenes(model: nn.Module, tensors: Mapping[str, torch.Tensor], file: Path) -> None:
    """Copy the tensors of a file into the model it describes.

    Raises:
        WeightsError: they are not those of the model, or not finite.
    """
    check_finite(tensors, file)
    try:
        model.load_state_dict({name: _widen(value) for name, value in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"the tensors of {file} are not those of the scenes model it describes") from error


def _widen(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def scenes_file_kind(file: Path) -> str | None:
    """Which kind of scenes model a file holds: `FORMAT` or a name of `SCENES_FILES`; None for any other file."""
    try:
        with safe_open(file, framework="pt") as stream:
            metadata = stream.metadata() or {}
    except (SafetensorError, OSError):
        return None
    return next((kind for kind in (FORMAT, *SCENES_FILES.names()) if kind in metadata), None)


def read_scenes_file(file: Path, kind: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read what `write_scenes_file` wrote.

    Returns:
        The description and the tensors as stored.

    Raises:
        WeightsError: no such file, no safetensors, or one of another kind.
    """
    if not file.is_file():
        raise WeightsError(
            f"there are no weights at {file}", hint="ttd train --method clip --data scenes:train makes them"
        )
    try:
        with safe_open(file, framework="pt") as stream:
            metadata = stream.metadata() or {}
            if kind not in metadata:
                raise WeightsError(
                    f"{file} holds weights of another model, expected a scenes model",
                    hint="name the model they belong to with --model",
                )
            description: dict[str, Any] = json.loads(metadata[kind])
            return description, {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {error}") from error


def open_scenes(spec: ModelSpec, device: torch.device, reporter: Reporter) -> Backbone:
    """Load the built-in model as the registry asks for it.

    Args:
        spec: `weights` may name another file of the same format, or of a kind that grew out of it (`SCENES_FILES`); the
            other fields but `dense` do not apply.
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
    kind = None if path is None else scenes_file_kind(path)
    if kind is not None and kind in SCENES_FILES.entries:
        backbone: Backbone = SCENES_FILES.load(kind)(spec, device, reporter)
        return backbone
    return load_scenes_backbone(path, spec.dense).to(device)
