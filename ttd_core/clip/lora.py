"""LoRA adapters in PEFT's format. The only module that imports peft.

**Using** an adapter merges it into the weights when the model is loaded: the towers read packed projection matrices
directly, and a merged model is as fast as without. Adapters on `attn` (PEFT's own treatment of
`nn.MultiheadAttention`), on `attn.in_proj` and `attn.out_proj` (ours) and on `mlp.c_fc`, `mlp.c_proj` work alike.

**Training** one needs adapters that stay apart and receive gradients. `trainable_lora` puts them on: it first replaces
each `nn.MultiheadAttention` by `LinearAttention`, whose projections are ordinary linear layers, then lets PEFT wrap
those. `encode_images` and `encode_texts` call every projection as a module, so they run through the adapters, and
`peft_model.save_pretrained(folder)` writes what `apply_lora` reads.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ttd_core.clip.checkpoint import check_finite, read_checkpoint, summary
from ttd_core.clip.vit import linearise_attention
from ttd_core.errors import MissingPackageError, WeightsError
from ttd_core.protocols import Backbone, Reporter, SilentReporter

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
PREFIX = "base_model.model."
TARGETS = ("in_proj", "out_proj", "c_fc", "c_proj")
"""Attention input and output and both MLP matrices: every matrix of a block."""


def apply_lora(backbone: Backbone, path: Path, reporter: Reporter | None = None) -> Backbone:
    """Merge an adapter into a backbone, in place.

    Args:
        backbone: any backbone that is a module; adapters go on its `network` where it has one.
        path: adapter folder, or the weights file within it.
        reporter: told of options in the configuration that are not known.

    Returns:
        the same backbone; `info.weights_sha256` covers the adapter.

    Raises:
        WeightsError: a file of the adapter is missing, malformed or unsafe; its rank disagrees with its configuration;
            it fits no layer of the model; it holds NaN.
        MissingPackageError: peft is not installed.
    """
    reporter = reporter or SilentReporter()
    folder, weights = _locate(path)
    config = _read_config(folder / CONFIG, reporter)
    checkpoint = read_checkpoint(weights)
    check_finite(checkpoint.tensors, weights)
    _check_ranks(checkpoint.tensors, config, weights)
    name, root = _root(backbone, checkpoint.tensors, weights)
    merged = _merge(root, config, checkpoint.tensors, weights)
    merged.eval().requires_grad_(False)
    if name is not None:
        setattr(backbone, name, merged)
    digest = hashlib.sha256(f"{backbone.info.weights_sha256} lora {checkpoint.sha256}".encode())
    digest.update((folder / CONFIG).read_bytes())
    backbone.info = replace(backbone.info, weights_sha256=digest.hexdigest())
    return backbone


def trainable_lora(network: nn.Module, rank: int, alpha: float, targets: Iterable[str] = TARGETS) -> nn.Module:
    """Put fresh adapters on a network in place and return PEFT's wrapper of it; only the adapters take gradients.

    Args:
        network: a backbone's `network`.
        rank: of the adapters.
        alpha: numerator of their scale, alpha / rank.
        targets: names of the linear layers that get one.

    Raises:
        MissingPackageError: peft is not installed.
    """
    peft = _peft()
    linearise_attention(network)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets))
    return peft.get_peft_model(network, config)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingPackageError(f"adapters need the package peft ({error})", hint="pip install peft") from error
    return peft


def _locate(path: Path) -> tuple[Path, Path]:
    path = path.expanduser()
    if path.is_file() and path.name != CONFIG:
        folder, weights = path.parent, path
    elif path.is_dir() or path.name == CONFIG:
        folder = path if path.is_dir() else path.parent
        present = [folder / name for name in WEIGHTS if (folder / name).is_file()]
        if not present:
            raise WeightsError(f"{folder}: no adapter weights, {WEIGHTS[0]} is missing")
        weights = present[0]
    else:
        raise WeightsError(f"{path}: no such adapter", hint=f"a folder with {CONFIG} and {WEIGHTS[0]}")
    if not (folder / CONFIG).is_file():
        raise WeightsError(f"{folder}: {CONFIG} is missing", hint="it lies beside the weights that peft saves")
    return folder, weights


def _read_config(path: Path, reporter: Reporter) -> Any:
    """PEFT's configuration object, freed of what would make PEFT initialise from somewhere else."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON ({error})", hint="incomplete download?") from error
    kind = given.get("peft_type") if isinstance(given, dict) else None
    if kind != "LORA":
        raise WeightsError(f"{path}: peft_type is {kind!r}, supported is 'LORA'")
    lora_config = _peft().LoraConfig
    known = {f.name for f in fields(lora_config)}
    unknown = sorted(set(given) - known)
    if unknown:
        reporter.warning(f"{path}: options not known to this version of peft are ignored: {summary(unknown)}")
    kept = {k: v for k, v in given.items() if k in known}
    kept |= {"init_lora_weights": True, "inference_mode": True, "task_type": None}
    try:
        return lora_config(**kept)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path}: {str(error).splitlines()[0]}") from error


def _check_ranks(tensors: Mapping[str, torch.Tensor], config: Any, path: Path) -> None:
    for name, tensor in tensors.items():
        if ".lora_A." in f"{name}." and not config.rank_pattern and tensor.ndim == 2 and tensor.shape[0] != config.r:
            raise WeightsError(f"{path}: {name} has rank {tensor.shape[0]}, {CONFIG} says {config.r}")


def _layer(name: str) -> str:
    """The layer an adapter tensor belongs to, as named within the adapted module."""
    return name.removeprefix(PREFIX).split(".lora_")[0].replace(".base_layer", "")


def _root(backbone: Backbone, tensors: Mapping[str, torch.Tensor], path: Path) -> tuple[str | None, nn.Module]:
    """Which module the adapter was made for: the backbone's network, or the backbone as a whole."""
    layers = {_layer(name) for name in tensors}
    candidates = [("network", getattr(backbone, "network", None)), (None, backbone)]
    missing: set[str] = layers
    for name, root in candidates:
        if not isinstance(root, nn.Module):
            continue
        if any(layer.endswith(".attn.in_proj") for layer in layers):
            linearise_attention(root)
        unknown = layers - {module for module, _ in root.named_modules()}
        if not unknown:
            return name, root
        missing = min(missing, unknown, key=len)
    raise WeightsError(
        f"{path}: the adapter fits no layer of {backbone.info.name}: {summary(sorted(missing))}",
        hint="the adapter was made for another model",
    )


def _merge(root: nn.Module, config: Any, tensors: dict[str, torch.Tensor], path: Path) -> nn.Module:
    peft = _peft()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = peft.get_peft_model(root, config)
        except ValueError as error:
            targets = config.target_modules
            shown = targets if isinstance(targets, str) else summary(sorted(targets or []))
            raise WeightsError(
                f"{path.parent / CONFIG}: no layer of the model is a target module ({shown}), or cannot be adapted",
                hint="the adapter was made for another model",
            ) from error
        try:
            result = peft.set_peft_model_state_dict(model, dict(tensors))
        except RuntimeError as error:
            model.unload()
            raise WeightsError(
                f"{path}: a matrix has another size in the model: {_mismatch(error)}",
                hint="the adapter was made for another model",
            ) from error
        unexpected = list(result.unexpected_keys)
        if unexpected:
            model.unload()
            raise WeightsError(
                f"{path}: weights for layers that {CONFIG} does not name: {summary(unexpected)}",
                hint="weights and configuration belong to different adapters",
            )
        return model.merge_and_unload()


def _mismatch(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line.startswith("size mismatch")), lines[0])
