"""What an earlier call left in a folder: whether it is a run, which one, and how it is removed."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from ttd_core.errors import RunError
from ttd_core.runs.index import read_lines

MANIFEST = "manifest.json"
BEGUN = ".begun"
"""Products handed out whose rows are not recorded yet, one JSON string a line."""

COMMANDS = frozenset(("tags", "masks", "demo", "train", "preprocess", "prune", "evaluate"))
_STATES = frozenset(("running", "done", "failed", "cancelled"))
_OURS = ("run.yaml", "log.jsonl")
"""Names that, without a manifest, mean somebody else's folder."""


def read_manifest(path: Path, command: str, overwrite: bool) -> dict[str, Any] | None:
    """The manifest of the run in a folder, None where there is no run.

    Args:
        path: the folder.
        command: the subcommand that asks.
        overwrite: take a damaged manifest beside a `run.yaml` for that of a run of this subcommand.

    Raises:
        RunError: the folder is somebody else's, or the manifest is damaged.
    """
    file = path / MANIFEST
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _refuse_foreign(path, (*_OURS, f"{command}.jsonl"))
        return None
    except (OSError, ValueError) as error:
        if overwrite and (path / "run.yaml").exists():
            return {"command": command}
        raise RunError(f"{file}: not readable ({error})", hint="start the run anew with --overwrite") from error
    if not _is_ours(found):
        raise RunError(f"{file}: not written by ttd", hint="choose another folder with --out, or another --run-root")
    if found["command"] != command:
        _refuse_foreign(path, (f"{command}.jsonl",))
    return {"counts": {}, **found}


def _is_ours(found: object) -> bool:
    """Nothing in a manifest becomes part of a path, or is removed, before it has passed here."""
    if not isinstance(found, dict) or not isinstance(found.get("run_id"), str):
        return False
    command, status, counts = found.get("command"), found.get("status"), found.get("counts", {})
    named = isinstance(command, str) and command in COMMANDS and isinstance(status, str) and status in _STATES
    whole = isinstance(counts, dict) and all(type(count) is int for count in counts.values())
    return named and whole and isinstance(found.get("options"), dict)


def _refuse_foreign(path: Path, names: Iterable[str]) -> None:
    for name in names:
        if (path / name).exists():
            raise RunError(f"{path} holds a {name} that ttd did not write", hint="choose another folder with --out")


def refuse_other(path: Path, found: Mapping[str, Any], command: str, identity: Mapping[str, Any]) -> None:
    """Refuse to go on with a run of other settings, weights or inputs.

    Raises:
        RunError: naming what differs.
    """
    hint = "choose another place with --run-root or --out, or start it anew with --overwrite, which removes that run"
    if found["command"] != command:
        raise RunError(f"{path} holds a run of `ttd {found['command']}`, not of `ttd {command}`", hint=hint)
    old, new = found["options"], identity["options"]
    differing = [
        f"{key}: {json.dumps(old.get(key))} there, {json.dumps(new.get(key))} now"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    for key, what in (("weights_sha256", "weights"), ("inputs_sha256", "inputs")):
        if found.get(key) != identity[key]:
            differing.append(f"{what}: sha256 {_short(found.get(key))} there, {_short(identity[key])} now")
    if differing:
        raise RunError(f"{path} holds a run with other settings ({'; '.join(differing)})", hint=hint)


def _short(digest: object) -> str:
    return str(digest)[:12] if digest else "none"


def left_nothing(path: Path, found: Mapping[str, Any]) -> bool:
    """Whether a run failed before it had anything to show, e.g. at a wrong option: nobody needs it any more."""
    if found.get("status") != "failed" or any(read_lines(path / f"{found['command']}.jsonl")):
        return False
    return not any((path / name).exists() for name in begun(path))


def is_product(relative: str) -> bool:
    """Whether a path, `/` between its parts, stays below a folder it is joined to."""
    pure = PurePosixPath(relative)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and "\0" not in relative


def begun(path: Path) -> list[str]:
    """The products that an interrupted run may have left without a row."""
    names = []
    with suppress(OSError, ValueError):  # the last line may be torn
        for line in (path / BEGUN).read_text(encoding="ascii").splitlines():
            names.append(str(json.loads(line)))
    return [name for name in names if is_product(name)]


def remove_run(path: Path, command: str) -> None:
    """Remove what the index lists, what was begun, and ttd's own files; the rest of the folder is not ours to delete.

    Args:
        path: the folder, locked.
        command: the subcommand of the run in it, out of `COMMANDS`.

    Raises:
        RunError: a file cannot be removed.
    """
    index = path / f"{command}.jsonl"
    base = path.resolve()
    for name in _listed(index):
        target = path / name
        if is_product(name) and target.parent.resolve().is_relative_to(base):
            _unlink(target)
    for name in begun(path):
        target = path / name
        if target.parent.resolve().is_relative_to(base):
            _unlink(target)
            for part in target.parent.glob(f".{glob.escape(target.stem[:80])}.*.part{glob.escape(target.suffix)}"):
                _unlink(part)
    # the manifest last: as long as it is there, the removal can be taken up again
    for file in (index, path / BEGUN, *(path / name for name in _OURS), path / MANIFEST):
        _unlink(file)


def _listed(index: Path) -> Iterator[str]:
    try:
        for _, _, row in read_lines(index):
            files = row.get("files")
            yield from map(str, files.values()) if isinstance(files, dict) else ()
    except RunError:
        return  # a damaged index is a reason to overwrite, not an obstacle


def _unlink(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot remove {file}: {(error.strerror or 'refused').lower()}") from error
