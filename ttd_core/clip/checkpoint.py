"""Weights files of every format the project reads, as tables of tensors. Nothing in a file is ever executed.

Formats: safetensors; `torch.save` archives, bare or with the weights below `state_dict` or `model`; torch's old format;
TorchScript archives as OpenAI publishes CLIP (tensors only).
"""

from __future__ import annotations

import hashlib
import pickle
import struct
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ttd_core.clip.pickles import printable, read_zip
from ttd_core.errors import WeightsError

FORMATS = "read are safetensors, torch.save files, open_clip checkpoints and OpenAI's TorchScript archives"
_LEGACY_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
# what torch's reader of the old format lets through on damaged bytes
_LEGACY_DAMAGE = (
    *(EOFError, RuntimeError, OSError, ValueError, TypeError, LookupError),
    *(AttributeError, AssertionError, struct.error, MemoryError),
)
_NESTED = ("state_dict", "model", "model_state_dict", "module")
# what OpenAI's archives hold beside the weights
_CONSTANTS = ("input_resolution", "context_length", "vocab_size")


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a weights file.

    Args:
        path: the file.
        tensors: name -> tensor as stored (any dtype, on the CPU); `module.` prefixes are removed.
        sha256: digest of the whole file.
        container: `safetensors`, `torch`, `torch-legacy` or `torchscript`.
        nested: the key the tensors lay below (`state_dict`), None for a bare table.
        openai_constants: the file holds `input_resolution` and its companions, which only OpenAI writes.
        foreign: classes of other packages whose objects the file holds too; they were neither imported nor run.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    sha256: str
    container: str
    nested: str | None = None
    openai_constants: bool = False
    foreign: tuple[str, ...] = ()

    def below(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors whose names begin with `prefix`, without it."""
        return {k[len(prefix) :]: v for k, v in self.tensors.items() if k.startswith(prefix)}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a weights file.

    Raises:
        WeightsError: the file is missing, no weights file, cut, would run code when opened, or holds no tensors.
    """
    head = _head(path)
    foreign: tuple[str, ...] = ()
    if path.suffix == ".safetensors" or _looks_like_safetensors(head):
        tree: Any = _read_safetensors(path)
        container = "safetensors"
    elif head.startswith(b"PK"):
        tree, script, foreign = read_zip(path)
        container = "torchscript" if script else "torch"
    elif head.startswith(_LEGACY_MAGIC):
        tree, container = _read_legacy(path), "torch-legacy"
    elif head.startswith(b"\x80"):
        raise WeightsError(
            f"{path}: refused, a plain Python pickle can run code when it is opened", hint=f"convert it; {FORMATS}"
        )
    else:
        raise WeightsError(f"{path}: not a weights file", hint=FORMATS)
    table, nested = _unwrap(tree, path)
    constants = container == "torchscript" or any(k in table for k in _CONSTANTS)
    tensors = {k: v for k, v in table.items() if k not in _CONSTANTS}
    openai = constants and "visual.proj" in tensors
    return Checkpoint(path, tensors, file_sha256(path), container, nested, openai, foreign)


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def check_finite(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise `WeightsError` naming the first tensor that holds NaN or an infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            kind = "NaN" if bool(torch.isnan(tensor).any()) else "an infinity"
            raise WeightsError(f"{path}: tensor {name} holds {kind}", hint="the file is damaged or training diverged")


def check_fit(
    found: Mapping[str, torch.Tensor],
    wanted: Mapping[str, Iterable[int]],
    path: Path,
    model: str,
    hint: str | None = None,
) -> None:
    """Compare names and shapes with what a model needs; names the first that differ.

    Args:
        found: tensors of the file.
        wanted: name -> shape.
        path: for the message.
        model: for the message.
        hint: how to mend it.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """
    shapes = {k: tuple(s) for k, s in wanted.items()}
    problems = [
        f"{k} is {_shape(found[k].shape)} in the file and {_shape(s)} in the model"
        for k, s in shapes.items()
        if k in found and tuple(found[k].shape) != s
    ]
    missing = [k for k in shapes if k not in found]
    if missing:
        problems.append(f"missing: {summary(missing)}")
        unknown = [k for k in found if k not in shapes]
        if unknown:
            problems.append(f"not known to the model: {summary(unknown)}")
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise WeightsError(f"{path} does not fit {model}: {'; '.join(problems[:3])}{more}", hint=hint)


def summary(names: Iterable[str], limit: int = 4) -> str:
    """The first few names and how many more there are, for messages."""
    names = [printable(name) for name in names]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _shape(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _head(path: Path) -> bytes:
    if not path.exists():
        raise WeightsError(f"{path}: no such weights file")
    if not path.is_file():
        raise WeightsError(f"{path}: not a regular file")
    try:
        with path.open("rb") as stream:
            head = stream.read(256)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    if not head:
        raise WeightsError(f"{path}: the file is empty", hint="incomplete download?")
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: a git-lfs pointer, not the weights themselves", hint="fetch them: git lfs pull")
    if head.lstrip()[:9].lower() in (b"<!doctype", b"<html>") or head.lstrip()[:5].lower() == b"<html":
        raise WeightsError(f"{path}: a web page, not weights", hint="the download answered with a page; try again")
    return head


def _looks_like_safetensors(head: bytes) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100 << 20


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(str(path))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = printable(str(error).removeprefix("Error while deserializing header: ") or type(error).__name__)
        raise WeightsError(f"{path}: not a valid safetensors file ({reason})", hint="incomplete download?") from error


def _read_legacy(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: refused, it holds Python objects that could run code when opened",
            hint="save the tensors alone, from a trusted machine: torch.save(model.state_dict(), 'weights.pt')",
        ) from error
    except _LEGACY_DAMAGE as error:
        raise WeightsError(f"{path}: cut or damaged", hint="incomplete download?") from error


def _unwrap(tree: Any, path: Path) -> tuple[dict[str, torch.Tensor], str | None]:
    """Find the table of tensors in what a file holds."""
    if not isinstance(tree, Mapping):
        found = "a single tensor" if isinstance(tree, torch.Tensor) else f"a {type(tree).__name__}"
        raise WeightsError(f"{path}: holds {found}, not a table of named tensors", hint=FORMATS)
    nested = next((k for k in _NESTED if isinstance(tree.get(k), Mapping) and _tensors(tree[k])), None)
    table = _tensors(tree if nested is None else tree[nested])
    if not table:
        keys = f"; it holds {summary([str(k) for k in tree])}" if tree else ""
        raise WeightsError(f"{path}: no tensors in this file{keys}", hint="a checkpoint without its weights?")
    if all(k.startswith("module.") for k in table):
        table = {k[len("module.") :]: v for k, v in table.items()}
    return table, nested


def _tensors(table: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    return {str(k): v for k, v in table.items() if isinstance(v, torch.Tensor)}
