"""Where weights come from: a published tag, a file, or a folder as open_clip and its hub lay it out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import get_pretrained_cfg

from ttd_core.clip.architecture import Architecture, configured_architecture
from ttd_core.clip.downloads import published_weights
from ttd_core.errors import UsageError, WeightsError
from ttd_core.registry import unknown_name

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
# within a folder, in the order in which open_clip's own files are preferred
_PREFERRED = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.bin",
)


@dataclass(frozen=True)
class Source:
    """A weights file and what is known about it apart from its tensors.

    Args:
        path: the file.
        name: short name of the weights: the tag or the file's stem.
        quick_gelu: the activation the publisher declares, None where nobody does.
        declared_by: who declares it, for messages.
        architecture: what the folder's configuration describes, None without one.
        mean, std: picture normalisation the weights were trained with.
    """

    path: Path
    name: str
    quick_gelu: bool | None = None
    declared_by: str = ""
    architecture: Architecture | None = None
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD


def resolve_source(given: str, model: str) -> Source:
    """Find the weights a user named.

    Args:
        given: a tag of open_clip's table for `model`, a file, or a folder.
        model: open_clip name of the architecture; `auto` has no tags.

    Raises:
        UsageError: neither a tag nor an existing path.
        WeightsError: the folder holds no single weights file, or a tag cannot be downloaded.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        return _folder(path)
    tag = None if model == "auto" else get_pretrained_cfg(model.replace("/", "-"), given)
    if tag and not path.is_file():
        return _tagged(model, given, tag)
    if path.exists():
        return _file(path, model)
    tags = [] if model == "auto" else open_clip.list_pretrained_tags_by_model(model.replace("/", "-"))
    if "/" in given or "\\" in given or path.suffix in _SUFFIXES or not tags:
        raise WeightsError(f"{given}: no such weights file or folder")
    raise unknown_name(f"weights tag of {model}", given, tags, listing=f"or a file; tags: {', '.join(tags)}")


def _tagged(model: str, tag: str, config: Mapping[str, Any]) -> Source:
    try:
        path = published_weights(config)
    except WeightsError as error:
        raise WeightsError(
            f"weights {tag} of {model} are not on this machine and cannot be downloaded ({error.message})",
            hint=f"copy the file here and name it: --model {model} --pretrained FILE",
        ) from error
    declared = f"the published weights {tag}"
    return Source(
        path, tag, bool(config.get("quick_gelu", False)), declared, mean=_rgb(config, "mean"), std=_rgb(config, "std")
    )


def _file(path: Path, model: str) -> Source:
    """A file; one that still bears its published name is known by it."""
    for tag in [] if model == "auto" else open_clip.list_pretrained_tags_by_model(model.replace("/", "-")):
        config = get_pretrained_cfg(model.replace("/", "-"), tag)
        if path.name and path.name == str(config.get("url", "")).rsplit("/", 1)[-1]:
            declared = f"the file name, that of the published weights {tag}"
            quick = bool(config.get("quick_gelu", False))
            return Source(path, path.stem, quick, declared, mean=_rgb(config, "mean"), std=_rgb(config, "std"))
    if (path.parent / "open_clip_config.json").is_file() and path.name in _PREFERRED:
        return _folder(path.parent, path)
    return Source(path, path.stem)


def _folder(folder: Path, weights: Path | None = None) -> Source:
    weights = weights or _weights_in(folder)
    name = f"{folder.resolve().name or folder.name}"
    config_path = folder / "open_clip_config.json"
    if not config_path.is_file():
        return Source(weights, name)
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{config_path}: cannot be read as JSON ({error})") from error
    model = config.get("model_cfg", config) if isinstance(config, dict) else {}
    architecture = configured_architecture(name, model if isinstance(model, dict) else {}, config_path)
    preprocess = config.get("preprocess_cfg") or {}
    return Source(
        weights,
        name,
        architecture.quick_gelu,
        str(config_path),
        architecture,
        _rgb(preprocess, "mean"),
        _rgb(preprocess, "std"),
    )


def _weights_in(folder: Path) -> Path:
    files = sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES and p.is_file())
    named = {p.name: p for p in files}
    for preferred in _PREFERRED:
        if preferred in named:
            return named[preferred]
    if len(files) == 1:
        return files[0]
    if not files:
        raise WeightsError(f"{folder}: no weights file in this folder", hint=f"looked for {', '.join(_SUFFIXES)}")
    raise UsageError(
        f"{folder}: {len(files)} weights files in this folder", hint=f"name one: {', '.join(sorted(named)[:6])}"
    )


def _rgb(config: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    default = CLIP_MEAN if key == "mean" else CLIP_STD
    values = config.get(key) or default
    return (float(values[0]), float(values[1]), float(values[2]))
