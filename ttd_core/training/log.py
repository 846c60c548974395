"""`log.jsonl` of a training: one JSON line per logged step.

Keys: `stage`, `step` (steps done), `lr`, `losses`, `monitors`, `grad_norm`, `samples_per_second`, `seconds` (wall clock
of the stage), `cpu_seconds`, and where the model was measured `validation`. A stage that a guard ended has a last line
with `status` and `reason`. Lines with `event` are other people's, and are left alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttd_core.atomic import make_folder, write_error, write_text


def append_entry(path: Path, entry: Mapping[str, Any]) -> None:
    """Write one line.

    Raises:
        RunError: it cannot be written.
    """
    make_folder(path.parent)
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(_plain(entry)) + "\n")
    except OSError as error:
        raise write_error(path, error) from error


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log in order, without a last one that was cut off by a crash; nothing where there is no log."""
    return [entry for entry in (_parsed(line) for line in _lines(path)) if entry is not None]


def forget_after(path: Path, stage: str, step: int) -> None:
    """Drop a stage's lines after `step`, which a resumed training writes again, and what a crash cut off.

    Raises:
        RunError: the file cannot be written.
    """
    lines = _lines(path)
    kept = [line for line in lines if _stays(_parsed(line), stage, step)]
    if kept != lines or (lines and not lines[-1].endswith("\n")):
        write_text(path, "".join(line.rstrip("\n") + "\n" for line in kept))


def _stays(entry: dict[str, Any] | None, stage: str, step: int) -> bool:
    if entry is None:
        return False
    if entry.get("stage") != stage:
        return True
    return "status" not in entry and int(entry["step"]) <= step


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if path.exists() else []


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _plain(value: Any) -> Any:
    """Floats with six significant digits; NaN and infinity, which JSON does not know, as null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
