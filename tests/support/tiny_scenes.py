"""A scenes model of a few thousand random weights, for tests of what happens around a model."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from ttd_core.clip.scenes_model import ScenesBackbone, scenes_info
from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.clip.scenes_weights import save_scenes_weights
from ttd_core.scenes.dataset import make_scene
from ttd_core.scenes.vocabulary import WORDS


def tiny_scenes_weights(folder: Path) -> Path:
    """Write the weights and return their path."""
    arch = ScenesArchitecture(
        stem=(8, 8, 8), width=16, blocks=1, heads=1, embed=16, grid=4, text_width=16, text_blocks=1, text_heads=1
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ScenesBackbone(arch, WORDS, scenes_info(arch, "tiny", "0" * 64, 20.0, "value"))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    path = folder / "tiny.safetensors"
    save_scenes_weights(model.eval(), path)
    return path


def scene_pictures(folder: Path, count: int = 3, size: int = 64) -> list[tuple[Path, str]]:
    """Draw a few validation scenes as PNG and return them with their captions."""
    pairs = []
    for index in range(count):
        scene = make_scene("val", index, size)
        path = folder / f"scene{index}.png"
        Image.fromarray(scene.image).save(path)
        pairs.append((path, scene.captions[0]))
    return pairs
