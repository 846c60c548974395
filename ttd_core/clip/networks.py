"""Plain CLIP networks: from a name, a tag or a file to a backbone through open_clip."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch

from ttd_core.clip.activation import Activation, decide_activation
from ttd_core.clip.architecture import (
    Architecture,
    build_network,
    fitted_to,
    inferred_architecture,
    named_architecture,
    random_network,
)
from ttd_core.clip.backbone import ClipBackbone
from ttd_core.clip.checkpoint import Checkpoint, read_checkpoint
from ttd_core.clip.dense import load_strategy
from ttd_core.clip.sources import CLIP_MEAN, CLIP_STD, Source, resolve_source
from ttd_core.errors import UsageError, WeightsError
from ttd_core.protocols import Backbone, Reporter
from ttd_core.types import ModelInfo, ModelSpec

AUTO = "auto"
RANDOM = "random"


@dataclass(frozen=True)
class LoadedNetwork:
    """An open_clip network with its weights, and what they are.

    Args:
        network: frozen, float32, on the CPU.
        architecture: its name and sizes.
        activation: the activation it computes with, and why.
        weights_name, sha256: as in `ModelInfo`.
        mean, std: picture normalisation of the weights.
    """

    network: Any  # open_clip is untyped
    architecture: Architecture
    activation: Activation
    weights_name: str
    sha256: str
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD


def load_network(model: str, given: str, activation: str | None, reporter: Reporter) -> LoadedNetwork:
    """Load a CLIP network from a tag, a file or a folder.

    Args:
        model: open_clip name, or `auto` to read the sizes off the weights.
        given: tag, file, folder, or `random`.
        activation: the user's own word, None to decide from the weights.
        reporter: told which activation is used.

    Raises:
        UsageError, WeightsError: as `load_backbone`.
    """
    architecture = None if model == AUTO else named_architecture(model)
    if given == RANDOM and not Path(given).exists():
        if architecture is None:
            raise UsageError("random weights need a named architecture", hint="--model ViT-B-16 --pretrained random")
        return _random(architecture, activation, reporter)
    source = resolve_source(given, model)
    return network_from(read_checkpoint(source.path), source, architecture, activation, reporter)


def network_from(
    checkpoint: Checkpoint,
    source: Source,
    architecture: Architecture | None,
    activation: str | None,
    reporter: Reporter,
) -> LoadedNetwork:
    """Build the network for weights already read; architecture None takes the folder's or reads it off them."""
    architecture = architecture or source.architecture or inferred_architecture(checkpoint)
    decided = decide_activation(activation, architecture, source, checkpoint)
    network = build_network(fitted_to(architecture, checkpoint), checkpoint, decided.quick, reporter)
    _announce(decided, str(source.path), reporter)
    return LoadedNetwork(network, architecture, decided, source.name, checkpoint.sha256, source.mean, source.std)


def clip_info(loaded: LoadedNetwork, dense: str) -> ModelInfo:
    """What a plain CLIP says about itself."""
    visual = loaded.network.visual
    return ModelInfo(
        name=loaded.architecture.name,
        weights_name=loaded.weights_name,
        weights_sha256=loaded.sha256,
        patch=int(visual.patch_size[0]),
        width=int(visual.output_dim),
        mean=loaded.mean,
        std=loaded.std,
        image_size=int(visual.image_size[0]),
        mask_size=2 * int(visual.image_size[0]),  # the published 448 for ViT-B/16: masks gain from a finer grid
        dense=dense,
        activation=loaded.activation.name,
        calibration="softmax",
        logit_scale=math.exp(min(float(loaded.network.logit_scale), math.log(1000.0))),
        templates="imagenet80",
    )


def load_clip(spec: ModelSpec, device: torch.device, reporter: Reporter) -> Backbone:
    """Load an open_clip vision transformer, or read its sizes off a weights file (`auto`).

    Raises:
        UsageError, WeightsError: as `load_backbone`.
    """
    strategy = load_strategy(spec.dense or "maskclip")
    if spec.weights is not None and spec.pretrained is not None:
        raise UsageError(
            f"--weights and --pretrained both name weights for {spec.model}",
            hint="give one; only tcl takes both: its own weights and those of its CLIP base",
        )
    given = spec.weights or spec.pretrained
    if given is None:
        raise UsageError(f"no weights named for {spec.model}", hint=_weights_hint(spec.model))
    if spec.model == AUTO and given != RANDOM:
        source = resolve_source(given, AUTO)
        checkpoint = read_checkpoint(source.path)
        if any(k.startswith("masker.") for k in checkpoint.tensors):
            raise UsageError(f"{source.path} is a TCL checkpoint", hint=f"--model tcl --weights {source.path}")
        loaded = network_from(checkpoint, source, None, spec.activation, reporter)
    else:
        loaded = load_network(spec.model, given, spec.activation, reporter)
    try:
        backbone = ClipBackbone(loaded.network, strategy, clip_info(loaded, strategy.name), reporter)
    except WeightsError as error:
        raise WeightsError(f"{given}: {error.message}", error.hint) from error
    return backbone.eval().to(device)


def _random(architecture: Architecture, activation: str | None, reporter: Reporter) -> LoadedNetwork:
    decided = decide_activation(activation, architecture, None, None)
    network = random_network(architecture, decided.quick)
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    reporter.warning(f"{architecture.name} has random weights: its results mean nothing")
    return LoadedNetwork(network, architecture, decided, RANDOM, digest.hexdigest())


def _announce(decided: Activation, weights: str, reporter: Reporter) -> None:
    if decided.certain:
        reporter.info(f"{weights}: activation {decided.name} ({decided.because})")
    else:
        other = "gelu" if decided.quick else "quickgelu"
        reporter.warning(
            f"{weights}: the file does not say which activation it was trained with; using {decided.name}, "
            f"because {decided.because if ' ' in decided.because else 'of ' + decided.because}",
            hint=f"--activation {decided.name} confirms this, --activation {other} changes it",
        )


def _weights_hint(model: str) -> str:
    if model == AUTO:
        return "--model auto --weights FILE"
    named_architecture(model)
    tags = open_clip.list_pretrained_tags_by_model(model.replace("/", "-"))
    shown = f" ({', '.join(tags[:4])}{', ...' if len(tags) > 4 else ''})" if tags else ""
    return f"--pretrained TAG{shown}, --pretrained FILE, or --pretrained random to try without"
