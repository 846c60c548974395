"""LoRA adapters in PEFT's format. The only module that imports peft.

**Using** an adapter merges it into the weights when the model is loaded: the towers read packed projection matrices
directly, and a merged model is as fast as without. Adapters on `attn` (PEFT's own treatment of
`nn.MultiheadAttention`), on `attn.in_proj` and `attn.out_proj` (ours) and on `mlp.c_fc`, `mlp.c_proj` work alike.

**Training** one needs adapters that stay apart and receive gradients. `trainable_lora` puts them on: it first replaces
each `nn.MultiheadAttention` by `LinearAttention`, whose projections are ordinary linear layers, then lets PEFT wrap
those. `encode_images` and `encode_texts` call every projection as a module, so they run through the adapters, and
`save_lora(model, folder)`, like PEFT's own `save_pretrained`, writes what `apply_lora` reads. `adapt` does it for a
whole backbone.
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

from ttd_core.atomic import make_folder, write_bytes, write_text
from ttd_core.clip.adapter_card import CARD, adapted_info, read_card
from ttd_core.clip.checkpoint import check_finite, read_checkpoint, summary
from ttd_core.clip.vit import BLOCK_LAYERS, linearise_attention
from ttd_core.errors import MissingPackageError, UsageError, WeightsError
from ttd_core.packaged import adapter_names, shipped_adapter
from ttd_core.protocols import Backbone, Reporter, SilentReporter

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
PREFIX = "base_model.model."
TARGETS = BLOCK_LAYERS
"""Attention input and output and both MLP matrices: every matrix of a block."""
TOWERS = ("both", "image", "text")
_IMAGE_TOWER = r"(network\.)?(visual|masker)\."


def apply_lora(backbone: Backbone, path: Path, reporter: Reporter | None = None) -> Backbone:
    """Merge an adapter into a backbone, in place.

    Args:
        backbone: any backbone that is a module; adapters go on its `network` where it has one.
        path: adapter folder, or the weights file within it, or the name of one that ships with the program.
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
    card = read_card(folder)
    if card is not None:
        digest.update((folder / CARD).read_bytes())
        backbone.info = adapted_info(backbone.info, card, folder, reporter)
    backbone.info = replace(backbone.info, weights_sha256=digest.hexdigest())
    return backbone


def trainable_lora(network: nn.Module, rank: int, alpha: float, targets: Iterable[str] | str = TARGETS) -> nn.Module:
    """Put fresh adapters on a network in place and return PEFT's wrapper of it; only the adapters take gradients.

    Args:
        network: a backbone's `network`, or a backbone.
        rank: of the adapters.
        alpha: numerator of their scale, alpha / rank.
        targets: names of the linear layers that get one, or a regular expression for their full names.

    Raises:
        UsageError: no layer of the network is named so.
        MissingPackageError: peft is not installed.
    """
    peft = _peft()
    linearise_attention(network)
    chosen = targets if isinstance(targets, str) else list(targets)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=chosen)
    try:
        return peft.get_peft_model(network, config)
    except ValueError as error:
        linear = {name.rpartition(".")[2] for name, module in network.named_modules() if type(module) is nn.Linear}
        shown = chosen if isinstance(chosen, str) else ", ".join(chosen)
        raise UsageError(
            f"no linear layer of the model is named {shown}", hint=f"its linear layers: {', '.join(sorted(linear))}"
        ) from error


def adapt(
    backbone: Backbone, rank: int, scale: float = 1.0, targets: Iterable[str] = TARGETS, towers: str = "both"
) -> nn.Module:
    """Put fresh adapters on a backbone in place, freeze all else, and return PEFT's wrapper for `save_lora`.

    Adapters go on the `network` of a plain CLIP, on the built-in model as a whole, and for TCL on the CLIP below and on
    the block that its masker learned. A fresh adapter changes nothing; its random half is drawn from torch's generator.

    Args:
        backbone: any backbone that is a module.
        rank: of the adapters.
        scale: factor of their product.
        targets: names of the linear layers that get one.
        towers: `both`, or only the `image` or the `text` encoder.

    Raises:
        UsageError: an unknown tower, or no layer is named so.
        MissingPackageError: peft is not installed.
    """
    if towers not in TOWERS:
        raise UsageError(f"unknown encoder {towers!r}", hint=f"one of {', '.join(TOWERS)}")
    if not isinstance(backbone, nn.Module):
        raise TypeError("a backbone is a module")
    network = getattr(backbone, "network", None)
    own = hasattr(backbone, "masker") or not isinstance(network, nn.Module)
    backbone.requires_grad_(False)
    names: Iterable[str] | str = tuple(targets)
    if towers != "both":
        inside = "" if towers == "image" else "!"
        names = f"(?{inside or '='}{_IMAGE_TOWER}).*\\.({'|'.join(names)})"
    root: nn.Module = backbone if own else network  # type: ignore[assignment]
    return trainable_lora(root, rank, scale * rank, names)


def save_lora(model: nn.Module, folder: Path) -> None:
    """Write an adapter as PEFT does, with files that are whole or absent and do not change from process to process.

    Args:
        model: what `trainable_lora` or `adapt` returned.
        folder: receives `adapter_model.safetensors` and `adapter_config.json`.

    Raises:
        RunError: a file cannot be written.
    """
    from safetensors.torch import save

    wrapper: Any = model
    make_folder(folder)
    tensors = _peft().get_peft_model_state_dict(model)
    plain = {name: value.detach().cpu().contiguous() for name, value in sorted(tensors.items())}
    # as bytes: safetensors writes files that nobody but their owner may read
    write_bytes(folder / WEIGHTS[0], save(plain, metadata={"format": "pt"}))
    config = wrapper.peft_config["default"].to_dict()
    config |= {"inference_mode": True, "peft_type": "LORA"}
    # PEFT keeps names as sets, whose order changes from process to process
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    write_text(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True, default=str) + "\n")


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingPackageError(f"adapters need the package peft ({error})", hint="pip install peft") from error
    return peft


def _locate(path: Path) -> tuple[Path, Path]:
    path = shipped_adapter(path.expanduser())
    if path.is_file() and path.name != CONFIG:
        folder, weights = path.parent, path
    elif path.is_dir() or path.name == CONFIG:
        folder = path if path.is_dir() else path.parent
        present = [folder / name for name in WEIGHTS if (folder / name).is_file()]
        if not present:
            raise WeightsError(f"{folder}: no adapter weights, {WEIGHTS[0]} is missing")
        weights = present[0]
    else:
        shipped = ", ".join(adapter_names())
        known = f", or one that ships: {shipped}" if shipped else ""
        raise WeightsError(f"{path}: no such adapter", hint=f"a folder with {CONFIG} and {WEIGHTS[0]}{known}")
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
