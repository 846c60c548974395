"""Patterns of archives -> paths: `{00000..01242}.tar`, `{a,b}/*.tar`, one file; and names for their shards."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ttd_core.data.files import show
from ttd_core.errors import DataError, UsageError

ARCHIVES = (".tar", ".tar.gz", ".tgz")
MAX_PATHS = 1_000_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def is_archive(name: str) -> bool:
    """Whether a name is that of a tar archive, or a pattern of such names."""
    return name.lower().endswith(ARCHIVES)


def archive_paths(data: str) -> list[Path]:
    """The archives that a path or pattern stands for, in the order of the pattern, wildcards sorted.

    Braces name archives whether they exist or not: a missing one shows when it is read. A path that exists is taken
    as it stands, whatever characters it holds.

    Args:
        data: a path, or a pattern with `{first..last}`, `{a,b}`, `*`, `?` and `[...]`.

    Raises:
        DataError: there is none, or with braces not a single one of them.
        UsageError: too many, or an address.
    """
    if re.match(r"[a-z][a-z0-9+.-]+:", data, re.IGNORECASE) and "://" in data or data.startswith("pipe:"):
        raise UsageError(f"--data {show(data)} is an address, expected files", "mount or copy the archives first")
    if os.path.lexists(data):
        return [Path(data)]
    paths: list[Path] = []
    for name in _expanded(data):
        if os.path.lexists(name) or not glob.has_magic(name):
            paths.append(Path(name))
        else:
            paths.extend(Path(found) for found in sorted(glob.glob(name)))
        if len(paths) > MAX_PATHS:
            raise UsageError(f"--data {show(data)} names more than {MAX_PATHS:,} archives")
    paths = list(dict.fromkeys(paths))
    if not any(path.exists() for path in paths):
        first = f", e.g. no {show(paths[0])}" if len(paths) > 1 else ""
        raise DataError(f"{show(data)}: no such archive{first}", "quote the pattern, and check its folder with ls")
    return paths


def _expanded(pattern: str) -> Iterator[str]:
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    before, after = pattern[: found.start()], pattern[found.end() :]
    for choice in _choices(found[1], pattern):
        for rest in _expanded(after):
            yield f"{before}{choice}{rest}"


def _choices(inside: str, pattern: str) -> Iterator[str]:
    limits = _RANGE.fullmatch(inside)
    if limits is None:
        yield from inside.split(",") if "," in inside else ("{" + inside + "}",)
        return
    first, last = int(limits[1]), int(limits[2])
    if last < first or last - first >= MAX_PATHS:
        raise UsageError(
            f"--data {show(pattern)}: {{{inside}}} counts from {first} to {last}, expected upwards",
            f"at most {MAX_PATHS:,} numbers, e.g. {{00000..01242}}",
        )
    width = len(limits[1]) if limits[1].startswith("0") or len(limits[1]) == len(limits[2]) else 0
    yield from (f"{number:0{width}d}" for number in range(first, last + 1))


def shard_names(paths: Sequence[Path]) -> list[str]:
    """A name for each path: its stem, where several share one with the folder before it, in safe characters."""
    stems = [_safe(_stem(path.name)) for path in paths]
    counts: dict[str, int] = {}
    for stem in stems:
        counts[stem.lower()] = counts.get(stem.lower(), 0) + 1
    names: list[str] = []
    taken: set[str] = set()
    for path, stem in zip(paths, stems, strict=True):
        name = stem if counts[stem.lower()] == 1 else _safe(f"{path.absolute().parent.name}-{stem}")
        unique, number = name, 1
        while unique.lower() in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique.lower())
        names.append(unique)
    return names


def _stem(name: str) -> str:
    lowered = name.lower()
    return next((name[: -len(ending)] for ending in reversed(ARCHIVES) if lowered.endswith(ending)), name)


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-.")[:120] or "shard"
