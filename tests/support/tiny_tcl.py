#!/usr/bin/env python3
"""Deterministic tiny masker weights in the key layout of a TCL checkpoint.

The golden cases in this folder pair ``tiny_clip_state_dict(seed)`` (the frozen
CLIP) with ``tiny_masker_state_dict(seed)`` (everything TCL learns).  As in
``tiny_clip.py`` each tensor has its own NumPy ``RandomState`` stream, seeded by
``crc32(key) ^ seed``, so nothing depends on the order of the draws.

    from tiny_tcl import tiny_masker_state_dict
    learned = tiny_masker_state_dict(seed=0)     # dict[str, torch.Tensor], float32
"""

from __future__ import annotations

import zlib

import numpy as np
import torch

from tests.support.tiny_clip import TINY, Geometry, _block, _draw

ENC = "masker.image_encoder"


def masker_shapes(g: Geometry = TINY, n_blocks: int = 1, n_up: int = 2) -> dict[str, tuple[int, ...]]:
    """Key -> shape; ViT-B/16: vision_width 768, vision_layers 12, embed_dim 512.

    The masker's own blocks keep their index in the CLIP trunk (11 for ViT-B/16,
    3 for the tiny geometry); they are not renumbered from 0.
    """
    c = g.vision_width
    out: dict[str, tuple[int, ...]] = {}
    for i in range(g.vision_layers - n_blocks, g.vision_layers):
        out |= _block(f"{ENC}.backbone.transformer.resblocks.{i}", c)
    for i in range(n_up):
        for conv in ("conv", "conv2"):
            p = f"{ENC}.decoder.decoder.net.{i}.{conv}"
            out[f"{p}.norm.weight"] = (c,)
            out[f"{p}.norm.bias"] = (c,)
            out[f"{p}.conv.weight"] = (c, c, 3, 3)
            out[f"{p}.conv.bias"] = (c,)
            out[f"{p}.gate.gate"] = ()
    out[f"{ENC}.decoder.image_proj.proj"] = (c, g.embed_dim)
    out[f"{ENC}.decoder.image_proj.ln.weight"] = (c,)
    out[f"{ENC}.decoder.image_proj.ln.bias"] = (c,)
    out["masker.sim2mask.w"] = ()
    out["masker.sim2mask.b"] = ()
    out["tcli_loss.logit_scale"] = ()
    out["tclf_loss.logit_scale"] = ()
    return out


def _masker_draw(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    if ".resblocks." in key:
        return _draw(key, shape, seed)
    noise = np.random.RandomState((zlib.crc32(key.encode()) ^ seed) & 0xFFFFFFFF).standard_normal(shape)
    if key == "masker.sim2mask.w":
        value = 10.0 + 0.5 * noise
    elif key == "masker.sim2mask.b":
        value = 0.25 + 0.1 * noise  # -2.5 in a real run; here it keeps tiny masks from being empty
    elif key.endswith("logit_scale"):
        value = np.log(1 / 0.07) + 0.1 * noise
    elif key.endswith("gate.gate"):
        value = 0.5 + 0.2 * noise
    elif key.endswith((".norm.weight", ".ln.weight")):
        value = 1.0 + 0.1 * noise
    elif key.endswith((".norm.bias", ".ln.bias")):
        value = 0.1 * noise
    elif key.endswith(".conv.bias"):
        value = 0.02 * noise
    elif key.endswith(".conv.weight"):
        value = noise / np.sqrt(shape[1] * shape[2] * shape[3])
    else:  # image_proj.proj
        value = noise / np.sqrt(shape[0])
    return np.asarray(value, dtype=np.float32)


def tiny_masker_state_dict(seed: int = 0, geometry: Geometry = TINY) -> dict[str, torch.Tensor]:
    """What a TCL checkpoint's ``model`` entry holds, for the tiny geometry."""
    return {k: torch.from_numpy(np.array(_masker_draw(k, s, seed))) for k, s in masker_shapes(geometry).items()}
