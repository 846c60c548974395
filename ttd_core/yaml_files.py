"""YAML as configurations need it: plain values, every problem named by file, line and key.

The rules are those of YAML 1.2's core schema, so that `1e-4` is a number and `no`, `012` and dates are text. Refused:
a key given twice, aliases (an alias of aliases grows without bound when written out), tags, several documents, deep
nesting, and anything that is not UTF-8.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import yaml

from ttd_core.errors import UsageError

MAX_BYTES = 1_000_000
MAX_DEPTH = 16

_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})$")
_FLOAT = re.compile(
    r"""^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+
        |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_CORE_SCHEMA = [
    ("tag:yaml.org,2002:bool", _BOOL, "tTfF"),
    ("tag:yaml.org,2002:int", _INT, "-+0123456789"),
    ("tag:yaml.org,2002:float", _FLOAT, "-+.0123456789"),
    ("tag:yaml.org,2002:null", _NULL, "~nN\0"),
]


class Lines(dict[str, int]):
    """Line number (1-based) of every key, nested keys joined with dots."""


class _Loader(yaml.SafeLoader):
    """Safe values only, under the core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or the core schema would read as something else than text."""

    yaml_implicit_resolvers = {key: list(rows) for key, rows in yaml.SafeDumper.yaml_implicit_resolvers.items()}

    def ignore_aliases(self, data: Any) -> bool:
        """Write repeated values out, since readers refuse aliases."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quote text with Unicode line ends, which plain and single-quoted style fold away."""
    style = '"' if any(end in text for end in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _section(dumper: yaml.SafeDumper, values: dict[str, Any]) -> yaml.MappingNode:
    """One key a line, so that a message about a key can name its line."""
    return dumper.represent_mapping("tag:yaml.org,2002:map", values, flow_style=False)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _section)
for _tag, _pattern, _first in _CORE_SCHEMA:
    _Loader.add_implicit_resolver(_tag, _pattern, [c if c != "\0" else "" for c in _first])
    _Dumper.add_implicit_resolver(_tag, _pattern, [c if c != "\0" else "" for c in _first])


def read_yaml(path: Path) -> tuple[dict[str, Any], Lines]:
    """Read a mapping and where its keys stand.

    Returns:
        The values as plain dicts, lists, numbers, booleans, text and None; and the line of each key.

    Raises:
        UsageError: the file is missing, empty, no mapping, or breaks one of this module's rules.
    """
    return parse_yaml(_read_text(path), str(path))


def parse_yaml(text: str, name: str) -> tuple[dict[str, Any], Lines]:
    """Like `read_yaml`, for text already read; `name` stands in messages for the file.

    Raises:
        UsageError: as for `read_yaml`.
    """
    try:
        _check_events(text, name)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise UsageError(f"{name}: no settings in it", hint="expected a run.yaml, or `key: value` lines")
            if not isinstance(node, yaml.MappingNode):
                kind = "list" if isinstance(node, yaml.SequenceNode) else "single value"
                raise UsageError(f"{name}, line 1: expected `key: value` lines, got a {kind}")
            lines = Lines()
            _check_keys(node, name, "", lines)
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _yaml_error(error, name) from error
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: not readable as YAML ({_first_line(error)})") from error


def dump_yaml(values: dict[str, Any]) -> str:
    """Write a mapping in its own order; `read_yaml` gives back equal values."""
    text: str = yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    return text


def _read_text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path}: expected a file", hint="give the run.yaml itself")
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: larger than {MAX_BYTES} bytes, which no configuration is")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({_first_line(error)})") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: not UTF-8 text", hint="save the file as UTF-8") from error
    if "\0" in text:
        raise UsageError(f"{path}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: NUL byte")
    return text


def _check_events(text: str, name: str) -> None:
    """Refuse what is dangerous to build, before anything is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(f"{name}, line {line}: alias *{event.anchor} is not accepted, write the value out")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise UsageError(f"{name}, line {line}: a second document begins, expected one")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise UsageError(f"{name}, line {line}: nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_keys(node: yaml.MappingNode, name: str, prefix: str, lines: Lines) -> None:
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise UsageError(f"{name}, line {line}: a key must be a word")
        key = f"{prefix}{key_node.value}"
        if key in lines:
            raise UsageError(f"{name}, line {line}: key {key!r} is given twice, first on line {lines[key]}")
        lines[key] = line
        if not value_node.tag.startswith("tag:yaml.org,2002:") or "python" in value_node.tag:
            raise UsageError(
                f"{name}, line {line}: key {key!r}: tag {value_node.tag!r} is not accepted, write a plain value"
            )
        key_node.tag = "tag:yaml.org,2002:str"
        if isinstance(value_node, yaml.MappingNode):
            _check_keys(value_node, name, f"{key}.", lines)


def _yaml_error(error: yaml.MarkedYAMLError, name: str) -> UsageError:
    mark = error.problem_mark or error.context_mark
    where = f"{name}, line {mark.line + 1}" if mark else name
    return UsageError(f"{where}: not readable as YAML ({error.problem or error.context or 'malformed'})")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
