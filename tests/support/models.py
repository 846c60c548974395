"""Tiny weights files, and backbones loaded from them through the product's own door."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import torch

from tests.support.tiny_clip import TINY, Geometry, tiny_clip_state_dict
from tests.support.tiny_tcl import tiny_masker_state_dict
from ttd_core.clip.load import load_backbone
from ttd_core.types import ModelSpec

# the matrices are tiny: one thread is fastest, and the same on every machine
torch.set_num_threads(1)

# twelve blocks and a 14×14 grid, as the code behind the TagCLIP cases needs them
TAGCLIP_TINY = Geometry(image_size=224, vision_layers=12)


class ListReporter:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []
        self.hints: list[str | None] = []

    def info(self, message: str) -> None:
        self.infos.append(message)

    def warning(self, message: str, hint: str | None = None) -> None:
        self.warnings.append(message)
        self.hints.append(hint)

    def track(self, items: Any, total: int | None, description: str) -> Any:
        return items


@functools.lru_cache(maxsize=4)
def tiny_state(seed: int = 0, geometry: Geometry = TINY) -> dict[str, torch.Tensor]:
    """The tiny CLIP's tensors; copy before changing them."""
    return tiny_clip_state_dict(seed, geometry)


@functools.lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ttd-tiny-")


@functools.lru_cache(maxsize=8)
def tiny_clip_file(seed: int = 0, geometry: Geometry = TINY) -> str:
    """A weights file of the tiny CLIP in OpenAI's layout."""
    path = Path(_folder().name) / f"clip-{seed}-{geometry.image_size}-{geometry.vision_layers}.pt"
    torch.save(tiny_state(seed, geometry), path)
    return str(path)


@functools.lru_cache(maxsize=4)
def tiny_tcl_file(seed: int = 0) -> str:
    """A TCL checkpoint for the tiny CLIP: learned tensors only, as `tcl.pth` is described."""
    path = Path(_folder().name) / f"tcl-{seed}.pth"
    torch.save({"model": tiny_masker_state_dict(seed)}, path)
    return str(path)


def tiny_backbone(seed: int = 0, geometry: Geometry = TINY, reporter: Any = None, **spec: Any) -> Any:
    """A fresh backbone over the tiny CLIP."""
    named = {"model": "auto", "weights": tiny_clip_file(seed, geometry), "activation": "quickgelu"} | spec
    return load_backbone(ModelSpec(**named), torch.device("cpu"), reporter or ListReporter())


def tiny_tcl(seed: int = 0, reporter: Any = None, **spec: Any) -> Any:
    """A fresh TCL backbone over the tiny CLIP."""
    named = {"model": "tcl", "weights": tiny_tcl_file(seed), "pretrained": tiny_clip_file(seed)} | spec
    return load_backbone(ModelSpec(**named), torch.device("cpu"), reporter or ListReporter())
