"""Read the tensors of a torch zip archive without running anything it asks for.

`torch.save` files and TorchScript archives are zip files: `data.pkl` describes a tree of objects, `data/<n>` are the
raw numbers. A pickle is a small program; this reader lets it name only what is needed to rebuild tensors. Objects of a
few harmless families (training options, configurations) become inert placeholders, everything else is refused by name,
and the code records of TorchScript archives are never opened.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ttd_core.errors import WeightsError

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

# Objects of these packages accompany weights in training checkpoints. They are neither imported nor called.
_INERT_PACKAGES = frozenset(
    ("argparse", "omegaconf", "typing", "numpy", "pathlib", "enum", "datetime", "collections")
    + ("yacs", "easydict", "addict", "ml_collections")
)
_PLAIN = (
    *("set", "frozenset", "dict", "list", "tuple", "int", "float", "str", "bytes", "bool", "complex", "object"),
    *("long", "unicode"),  # what protocol 2 calls int and str
)
_INERT_NAMES = frozenset(
    {("_operator", "getitem"), ("_codecs", "encode"), ("torch", "device"), ("torch", "Size"), ("torch", "dtype")}
    | {(module, name) for module in ("builtins", "__builtin__") for name in _PLAIN}
)
# Their objects hold nothing that anybody would miss.
_STANDARD = frozenset(("typing", "enum", "collections", "builtins", "__builtin__", "_operator", "_codecs", "torch"))


class Inert:
    """Stands where an object of a foreign class was; swallows its arguments, state and items.

    TorchScript modules are read through it as well: their state is the table of attributes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def append(self, value: Any) -> None:
        """Swallow a list item."""

    def extend(self, values: Any) -> None:
        """Swallow list items."""

    def add(self, value: Any) -> None:
        """Swallow a set item."""


class _ScriptModule(Inert):
    """A TorchScript object; `state` maps attribute names to tensors, objects and plain values."""


class _Storage:
    """The raw numbers of one tensor or several."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values


class ForbiddenError(Exception):
    """The pickle names something that is not needed to rebuild tensors."""


def read_zip(path: Path) -> tuple[Any, bool, tuple[str, ...]]:
    """Read the object tree of a torch zip archive.

    Returns:
        the tree (plain containers, tensors, `Inert`); whether the file is a TorchScript archive; and the foreign
        classes whose objects were left closed, such as `omegaconf.dictconfig.DictConfig`. A TorchScript module is
        returned as the flat table of its tensors, as its `state_dict()` would name them.

    Raises:
        WeightsError: the archive is cut, compressed, inconsistent, or its pickle asks for foreign code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            prefix = _prefix(archive, path)
            script = f"{prefix}constants.pkl" in archive.namelist()
            reader = _Reader(archive, prefix, path)
            tree = reader.load()
    except (zipfile.BadZipFile, EOFError, OSError, struct.error) as error:
        raise WeightsError(f"{path}: the archive is cut or damaged ({error})", hint="incomplete download?") from error
    except ForbiddenError as error:
        raise WeightsError(str(error), hint=_RESAVE) from error
    except (pickle.UnpicklingError, *_MALFORMED) as error:
        raise WeightsError(f"{path}: the pickle inside is malformed ({error})", hint="incomplete download?") from error
    if isinstance(tree, _ScriptModule):
        table: dict[str, torch.Tensor] = {}
        _collect(tree, "", table, 0)
        tree = table
    return tree, script, tuple(sorted(reader.foreign))


_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError)
_RESAVE = "save the tensors alone, from a trusted machine: torch.save(model.state_dict(), 'weights.pt')"


def printable(text: str, limit: int = 120) -> str:
    """Text from a foreign file for a one-line message: control characters escaped, cut to `limit`."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _prefix(archive: zipfile.ZipFile, path: Path) -> str:
    for name in archive.namelist():
        if name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1):
            return name[: -len("data.pkl")]
    raise WeightsError(f"{path}: a zip file without torch data inside")


def _collect(module: _ScriptModule, prefix: str, into: dict[str, torch.Tensor], depth: int) -> None:
    if depth > 64 or not isinstance(module.state, dict):
        return
    for name, value in module.state.items():
        if isinstance(value, torch.Tensor):
            # a scripted block stores its causal mask as an attribute; state_dict() would not list it
            if name != "attn_mask":
                into[f"{prefix}{name}"] = value
        elif isinstance(value, _ScriptModule):
            _collect(value, f"{prefix}{name}.", into, depth + 1)


class _Reader(pickle.Unpickler):
    """An unpickler whose only reachable callables are defined in this file."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str, path: Path) -> None:
        super().__init__(io.BytesIO(_record(archive, f"{prefix}data.pkl", path)), encoding="utf-8")
        self._archive = archive
        self._prefix = prefix
        self._path = path
        self._storages: dict[str, _Storage] = {}
        self.foreign: set[str] = set()
        if f"{prefix}byteorder" in archive.namelist() and b"big" in _record(archive, f"{prefix}byteorder", path):
            raise WeightsError(f"{path}: written on a big-endian machine, which is not supported")

    def find_class(self, module: str, name: str) -> Any:
        """Map a global of the pickle to a function of ours, an inert class, or refuse it."""
        known = _KNOWN.get((module, name))
        if known is not None:
            return known
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        package = module.split(".")[0]
        if package == "__torch__":
            return type(name.split(".")[-1], (_ScriptModule,), {})
        if package in _INERT_PACKAGES or (module, name) in _INERT_NAMES or module.startswith("torch.optim"):
            if package not in _STANDARD:
                self.foreign.add(printable(f"{module}.{name}"))
            return type(name.split(".")[-1], (Inert,), {})
        if module.startswith("torch.nn"):
            raise ForbiddenError(f"{self._path}: holds a whole pickled module ({module}.{name}), not a state dict")
        wanted = printable(f"{module}.{name}")
        raise ForbiddenError(f"{self._path}: refused, its pickle asks for {wanted}, which could run code")

    def persistent_load(self, pid: Any) -> _Storage:
        """Read `data/<key>` for a storage reference ('storage', dtype, key, device, count)."""
        if not isinstance(pid, tuple) or len(pid) < 3 or pid[0] != "storage" or not isinstance(pid[1], torch.dtype):
            raise ForbiddenError(f"{self._path}: unknown storage reference in the pickle")
        dtype, key = pid[1], str(pid[2])
        if key not in self._storages:
            raw = bytearray(_record(self._archive, f"{self._prefix}data/{key}", self._path))
            count = len(raw) // dtype.itemsize
            values = torch.frombuffer(raw, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)
            self._storages[key] = _Storage(values)
        return self._storages[key]


def _record(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Bytes of one record. Torch stores records uncompressed, so a compressed one is a trap for memory."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > path.stat().st_size:
        raise WeightsError(f"{path}: record {name} is compressed or larger than the file")
    return archive.read(info)


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> torch.Tensor:
    # as_strided refuses what lies outside the storage, where Tensor.set_ would allocate it
    return storage.values.as_strided(size, stride, offset)


def _parameter(data: torch.Tensor, *rest: Any) -> torch.Tensor:
    return data


def _same(value: Any, *rest: Any) -> Any:
    return value


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.jit._pickle", "restore_type_tag"): _same,
    ("torch.jit._pickle", "build_intlist"): _same,
    ("torch.jit._pickle", "build_tensorlist"): _same,
    ("torch.jit._pickle", "build_doublelist"): _same,
    ("torch.jit._pickle", "build_boollist"): _same,
}
