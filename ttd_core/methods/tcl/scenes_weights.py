"""Reading and writing the built-in model with TCL's masker: one file that holds towers, masker, words and readings."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from ttd_core.clip.scenes_weights import (
    STORED,
    describe_scenes,
    empty_scenes,
    fill_scenes,
    read_scenes_file,
    write_scenes_file,
)
from ttd_core.errors import UsageError, WeightsError
from ttd_core.methods.tcl.scenes import DENSE, ScenesTcl, with_learned_reading
from ttd_core.protocols import Reporter
from ttd_core.types import ModelSpec

FORMAT = "ttd-scenes-tcl-1"


def save_scenes_tcl(network: ScenesTcl, path: Path) -> None:
    """Write a model for `--model scenes --weights FILE`; its masks are read by the learned w and b, as they now are.

    Raises:
        RunError: the file cannot be written.
    """
    info = with_learned_reading(network)
    description = describe_scenes(network.arch, network.tokenizer.words, info)
    write_scenes_file(path, FORMAT, description, network.state_dict())


def load_scenes_tcl(path: Path) -> ScenesTcl:
    """Read what `save_scenes_tcl` wrote, in float32, evaluation mode, and frozen.

    Raises:
        WeightsError: no such file, no safetensors, or tensors that are not those of the model.
    """
    description, tensors = read_scenes_file(path, FORMAT)
    base = empty_scenes(description, path, path.stem, "value")
    try:
        stored = {name: description["calibration"][name] for name in STORED}
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not describe a scenes model: {error}") from error
    network = ScenesTcl(base, base.info)
    fill_scenes(network, tensors, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    network.info = replace(with_learned_reading(network), **stored, weights_sha256=digest)
    return network.eval().requires_grad_(False)


def open_scenes_tcl(spec: ModelSpec, device: torch.device, reporter: Reporter) -> ScenesTcl:
    """Load it as the registry asks for it.

    Args:
        spec: `weights` names the file; `pretrained`, `activation` and `dense` do not apply.
        device: where the model computes.
        reporter: not used, there is nothing to assume.

    Raises:
        UsageError: a dense strategy is named.
        WeightsError: see `load_scenes_tcl`.
    """
    if spec.dense not in (None, DENSE):
        raise UsageError(
            f"--dense {spec.dense} does not apply to {spec.weights}, whose maps come from its masker",
            hint="leave --dense out",
        )
    assert spec.weights is not None
    return load_scenes_tcl(Path(spec.weights)).to(device)
