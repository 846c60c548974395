"""Awkward weights files made on the fly: what is in each, and what must come of it."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

WIDTH, DIM = 64, 32


class Marker:
    """Creates a file when a pickle that holds it is opened carelessly."""

    def __init__(self, name: str = "PICKLE_WAS_EXECUTED") -> None:
        self.name = name

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (open, (self.name, "w"))


def clip_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """OpenAI-layout CLIP of one block; big matrices are one value seen many times, so files stay small."""
    rng = np.random.RandomState(seed)

    def flat(*shape: int) -> torch.Tensor:
        return torch.full((1,), float(rng.uniform(-0.05, 0.05))).expand(*shape)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.randn(*shape).astype(np.float32) * 0.05)

    state = {
        "visual.class_embedding": drawn(WIDTH),
        "visual.positional_embedding": drawn(5, WIDTH),
        "visual.proj": drawn(WIDTH, DIM),
        "visual.conv1.weight": flat(WIDTH, 3, 16, 16),
        "positional_embedding": flat(77, WIDTH),
        "text_projection": drawn(WIDTH, DIM),
        "token_embedding.weight": flat(49408, WIDTH),
        "logit_scale": torch.tensor(4.6052),
    }
    for name in ("visual.ln_pre", "visual.ln_post", "ln_final"):
        state |= {f"{name}.weight": 1 + drawn(WIDTH), f"{name}.bias": drawn(WIDTH)}
    for tower in ("visual.", ""):
        block = f"{tower}transformer.resblocks.0."
        for name in ("ln_1", "ln_2"):
            state |= {f"{block}{name}.weight": 1 + drawn(WIDTH), f"{block}{name}.bias": drawn(WIDTH)}
        matrices = {"attn.out_proj": (WIDTH, WIDTH), "mlp.c_fc": (4 * WIDTH, WIDTH), "mlp.c_proj": (WIDTH, 4 * WIDTH)}
        for name, shape in matrices.items():
            state |= {f"{block}{name}.weight": flat(*shape), f"{block}{name}.bias": drawn(shape[0])}
        state[f"{block}attn.in_proj_weight"] = flat(3 * WIDTH, WIDTH)
        state[f"{block}attn.in_proj_bias"] = drawn(3 * WIDTH)
    return state


def saved(content: Any, **options: Any) -> bytes:
    """Bytes of `torch.save`."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def cast(state: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """All tensors in another dtype, written out."""
    return {k: v.contiguous().to(dtype) for k, v in state.items()}


def with_value(state: dict[str, torch.Tensor], name: str, value: float) -> dict[str, torch.Tensor]:
    """The same with one number of one tensor changed."""
    changed = state[name].clone()
    changed[3] = value
    return state | {name: changed}


def safetensors_file(header: Any, body: bytes, declared: int | None = None) -> bytes:
    """A safetensors file written by hand, so that it can be wrong."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head) if declared is None else declared) + head + body


def _f32(count: int, at: int = 0) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [count], "data_offsets": [at, at + 4 * count]}


def zip_of(content: Any) -> bytes:
    """A torch archive whose pickle holds anything."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(content, 2))
        archive.writestr("archive/version", b"3\n")
    return buffer.getvalue()


def scripted(module: torch.nn.Module) -> bytes:
    """A TorchScript archive of a module."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def refused_files() -> dict[str, tuple[bytes, str]]:
    """File name -> bytes, and a word that the message must hold."""
    state = clip_state()
    good = saved(state)
    body = np.arange(8, dtype="<f4").tobytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 351184183\n"
    gone = [k for k in state if "resblocks" in k][::9]
    arrays = {k: v.numpy() for k, v in state.items() if v.dim() == 1}
    return {
        "random.pt": (np.random.RandomState(1).bytes(2000), "not a weights file"),
        "zero.pt": (b"", "empty"),
        "lfs.pt": (pointer, "pointer"),
        "page.pt": (b"<!DOCTYPE html><html>404</html>", "web page"),
        "marker.pt": (pickle.dumps({"state_dict": Marker()}, 2), "run code"),
        "marker.pkl": (pickle.dumps(Marker(), 4), "run code"),
        "zip_marker.pt": (zip_of({"w": Marker()}), "open"),
        "marker_beside_weights.pt": (saved(state | {"extra": Marker()}), "open"),
        "marker.safetensors": (pickle.dumps(Marker(), 2), "safetensors"),
        "other_keys.safetensors": (safetensors_file({"a": _f32(4), "b": _f32(4, 16)}, body), "a, b"),
        "no_json.safetensors": (safetensors_file(b"{'a': 1 ", body), "safetensors"),
        "beyond.safetensors": (safetensors_file({"a": _f32(4)}, body, 5000), "safetensors"),
        "huge.safetensors": (safetensors_file({"a": _f32(4)}, body, 2**62), "safetensors"),
        "huge_tensor.safetensors": (
            safetensors_file({"a": {"dtype": "F32", "shape": [2**31, 2**8], "data_offsets": [0, 2**41]}}, body),
            "safetensors",
        ),
        "overlap.safetensors": (safetensors_file({"a": _f32(4), "b": _f32(4, 8)}, body[:24]), "safetensors"),
        "shape.safetensors": (
            safetensors_file({"a": {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}}, body[:16]),
            "safetensors",
        ),
        "dtype.safetensors": (
            safetensors_file({"a": {"dtype": "F12", "shape": [8], "data_offsets": [0, 32]}}, body),
            "F12",
        ),
        "trailing.safetensors": (safetensors_file({"a": _f32(4)}, body), "safetensors"),
        "no_tensors.safetensors": (safetensors_file({}, b""), "no tensors"),
        "cut.pt": (good[: int(len(good) * 0.6)], "cut"),
        "nan.pt": (saved(with_value(state, "ln_final.weight", float("nan"))), "ln_final.weight"),
        "inf.pt": (saved(with_value(state, "ln_final.weight", float("inf"))), "ln_final.weight"),
        "missing.pt": (saved({k: v for k, v in state.items() if k not in gone}), gone[0]),
        "unknown_block.pt": (
            saved(state | {"visual.transformer.extra.weight": torch.zeros(3)}),
            "visual.transformer.extra",
        ),
        "other_shape.pt": (saved(state | {"visual.proj": torch.zeros(64, 48)}), "visual.proj is 64×48"),
        "optimizer.pt": (saved({"optimizer": {"state": {}, "param_groups": []}, "epoch": 3}), "optimizer, epoch"),
        "arrays.pt": (saved(arrays), "no tensors"),
        "module.pt": (saved(torch.nn.Linear(3, 2)), "torch.nn"),
        "tensor.pt": (saved(torch.zeros(4)), "a single tensor"),
        "list.pt": (saved([1, 2, 3]), "a list"),
        "script.pt": (scripted(torch.nn.Linear(3, 2)), "weight, bias"),
        "huge_width.pt": (
            saved(state | {"visual.conv1.weight": torch.zeros(1).expand(1 << 30, 3, 16, 16)}),
            "not plausible",
        ),
        "escape.pt": (saved({"\x1b[31mred\n": torch.zeros(2)}), "\\x1b[31mred\\n"),
        "few_tokens.pt": (saved(state | {"token_embedding.weight": torch.zeros(100, WIDTH)}), "tokens"),
    }


def accepted_files() -> dict[str, bytes]:
    """File name -> bytes of weights that load and give what `good.pt` gives."""
    state = clip_state()
    return {
        "good.pt": saved(state),
        "legacy.pt": saved(state, _use_new_zipfile_serialization=False),
        "prefix.pt": saved({f"module.{k}": v for k, v in state.items()}),
        "nested.pt": saved({"epoch": 3, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}),
        "namespace.pt": saved({"model": state, "args": argparse.Namespace(lr=0.1, data="x")}),
        "extra.pt": saved(state | {"extra.weight": torch.zeros(3), "head.bias": torch.zeros(2)}),
    }


ADAPTER = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_fc"], "task_type": None}
STEM = "base_model.model.transformer.resblocks.0.mlp.c_fc."


def adapter_folder(
    folder: Path, config: Any = None, stem: str = STEM, rank: int = 2, value: float = 0.1, weights: bool = True
) -> Path:
    """A PEFT LoRA folder for the text tower of `clip_state`."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    text = config if isinstance(config, str) else json.dumps(ADAPTER if config is None else config)
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    if weights:
        generator = torch.Generator().manual_seed(0)
        a = torch.randn(rank, WIDTH, generator=generator)
        b = value * torch.randn(4 * WIDTH, rank, generator=generator)
        save_file({f"{stem}lora_A.weight": a, f"{stem}lora_B.weight": b}, str(folder / "adapter_model.safetensors"))
    return folder
