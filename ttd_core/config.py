"""Frozen dataclasses to and from plain mappings and YAML.

A field's `metadata` may say `{"result": False}`: the option changes how the work is done (device, folders, batch size)
and not what comes out, so it takes no part in a run's identity.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ttd_core.errors import UsageError
from ttd_core.registry import near_matches
from ttd_core.yaml_files import read_yaml

C = TypeVar("C")


def to_mapping(config: Any) -> dict[str, Any]:
    """All fields of a dataclass, defaults included, as plain values; tuples become lists."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def result_mapping(config: Any) -> dict[str, Any]:
    """Like `to_mapping`, without the fields that cannot change a result."""
    kept = {}
    for field in dataclasses.fields(config):
        if field.metadata.get("result", True):
            value = getattr(config, field.name)
            kept[field.name] = result_mapping(value) if dataclasses.is_dataclass(value) else _plain(value)
    return kept


def changed_results(config: Any) -> dict[str, Any]:
    """The fields that can change a result and differ from their default, nested names joined with dots."""
    return _changed(config, "")


def canonical_json(values: Mapping[str, Any]) -> str:
    """One spelling per content: sorted keys, no blanks, ASCII only.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def config_hash(values: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(values).encode("ascii")).hexdigest()


def from_mapping(cls: type[C], values: Mapping[str, Any], origin: str, lines: Mapping[str, int] | None = None) -> C:
    """Build a dataclass from plain values; absent keys and nulls take the default.

    Args:
        cls: a dataclass whose fields are bool, int, float, str, `Literal`, tuples of these, an optional one of these,
            or another such dataclass.
        values: as read from YAML.
        origin: file name for messages.
        lines: line of each key, for messages.

    Raises:
        UsageError: a key is unknown (the hint shows near matches) or a value has the wrong type; all wrong values are
            named in one message. What the dataclass itself refuses passes through.
    """
    problems: list[str] = []
    hints: list[str] = []
    result = _build(cls, values, "", lines or {}, problems, hints)
    if problems:
        raise UsageError(f"{origin}: {'; '.join(problems)}", hint="; ".join(dict.fromkeys(hints)) or None)
    assert result is not None  # `_build` gives None only together with a problem
    return result


def load_config(cls: type[C], path: Path, command: str | None = None) -> C:
    """Read a dataclass from a YAML file.

    Args:
        cls: see `from_mapping`.
        path: the file.
        command: the subcommand that reads it; a `command` key naming another one is refused.

    Raises:
        UsageError: the file or a value in it is not right.
    """
    values, lines = read_yaml(path)
    written_for = values.pop("command", None)
    if command is not None and written_for not in (None, command):
        raise UsageError(
            f"{path}: made by `ttd {written_for}`, not by `ttd {command}`", hint=f"ttd {written_for} --config {path}"
        )
    try:
        return from_mapping(cls, values, str(path), lines)
    except UsageError as error:
        if error.message.startswith(str(path)):
            raise
        flagged = [line for key, line in lines.items() if _flag(key) in error.message.split()]
        where = f"{path}, line {flagged[0]}" if flagged else str(path)
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from error


def _flag(key: str) -> str:
    return "--" + key.rpartition(".")[2].replace("_", "-")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_mapping(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _changed(config: Any, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        if not field.metadata.get("result", True):
            continue
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found.update(_changed(value, f"{prefix}{field.name}."))
        elif value != _default(field):
            found[f"{prefix}{field.name}"] = _plain(value)
    return found


def _build(
    cls: type[C],
    values: Mapping[str, Any],
    prefix: str,
    lines: Mapping[str, int],
    problems: list[str],
    hints: list[str],
) -> C | None:
    known = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    before = len(problems)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        where = f"line {lines[prefix + key]}: " if prefix + key in lines else ""
        if key not in names:
            problems.append(f"{where}unknown key {prefix + key!r}")
            close = near_matches(key, names)
            hints.append(f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names)}")
        elif value is not None:
            try:
                arguments[key] = _convert(known[key], value, f"{prefix}{key}", lines, problems, hints)
            except _WrongTypeError as wrong:
                problems.append(f"{where}{prefix}{key}: expected {wrong.expected}, got {_shown(value)}")
    return cls(**arguments) if len(problems) == before else None


class _WrongTypeError(Exception):
    """A value does not fit its field; caught by `_build`."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def _convert(kind: Any, value: Any, key: str, lines: Mapping[str, int], problems: list[str], hints: list[str]) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise _WrongTypeError("a section of `key: value` lines")
        return _build(kind, value, f"{key}.", lines, problems, hints)  # type: ignore[arg-type]
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in typing.get_args(kind) if argument is not type(None))
        return _convert(inner, value, key, lines, problems, hints)
    if origin is tuple:
        if not isinstance(value, list):
            raise _WrongTypeError("a list")
        return tuple(_convert(typing.get_args(kind)[0], item, key, lines, problems, hints) for item in value)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices or isinstance(value, bool):
            raise _WrongTypeError(f"one of {', '.join(choices)}")
        return value
    return _convert_scalar(kind, value)


def _convert_scalar(kind: Any, value: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise _WrongTypeError("true or false")
    if kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise _WrongTypeError("a whole number")
    if kind is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        raise _WrongTypeError("a finite number")
    if kind is str:
        if isinstance(value, str):
            return value
        raise _WrongTypeError("text")
    raise TypeError(f"fields of type {kind} are not supported in configurations")


def _shown(value: Any) -> str:
    names = {bool: "", int: "", float: "", str: "text ", list: "a list ", dict: "a section "}
    text = repr(value)
    return names.get(type(value), "") + (text if len(text) <= 60 else text[:57] + "...")
