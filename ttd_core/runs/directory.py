"""A run's folder: opened once per command, taken up again after an interruption, never mixed with another run.

runs/<command>/<run id>/
run.yaml            every option; `--config run.yaml` repeats the run
manifest.json       versions, digests, counts, status, times, command line
<command>.jsonl     one line per finished input
log.jsonl           events with their times
...                 the products
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal

from ttd_core.atomic import make_folder, write_text
from ttd_core.config import canonical_json
from ttd_core.errors import RunError
from ttd_core.runs.index import Index, read_rows
from ttd_core.runs.manifest import now, provenance
from ttd_core.yaml_files import dump_yaml

Status = Literal["running", "done", "failed", "cancelled"]
MANIFEST = "manifest.json"


class RunDirectory:
    """An open run. Use it as a context manager: an exception marks the run `failed`, Ctrl-C `cancelled`.

    Args:
        path: the folder, which exists.
        command: the subcommand.
        manifest: what is known so far; written on every change of status.

    Attributes:
        resumed: whether rows of an earlier, unfinished run were found.
    """

    def __init__(self, path: Path, command: str, manifest: dict[str, Any]) -> None:
        self.path = path
        self.command = command
        self.manifest = manifest
        self._index = Index(path / f"{command}.jsonl")
        self._finished = {row["key"] for row in self._index.rows}
        self.resumed = bool(self._finished)

    @property
    def status(self) -> Status:
        """`running` until `finish` is called; `done` also when the run was found finished."""
        status: Status = self.manifest["status"]
        return status

    def finished_keys(self) -> frozenset[str]:
        """Keys of the inputs that need no more work."""
        return frozenset(self._finished)

    def rows(self) -> list[dict[str, Any]]:
        """The recorded rows, in the order they were finished."""
        return list(self._index.rows)

    def product(self, relative: str) -> Path:
        """Where a product goes; its folder is created.

        Args:
            relative: path below the run's folder with `/` between parts.

        Raises:
            RunError: the path leaves the run's folder, or the folder cannot be created.
        """
        pure = PurePosixPath(relative)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in relative:
            raise RunError(f"product path {relative!r} leaves the run's folder {self.path}")
        target = self.path / pure
        make_folder(target.parent)
        return target

    def record(self, key: str, row: Mapping[str, Any]) -> None:
        """Mark an input as finished, once its products are written; a key already recorded is left as it is.

        Args:
            key: the sample's key.
            row: what is known about it, JSON values only. A mapping `files` (name -> path relative to the folder) lists
                its products; `--overwrite` removes them.

        Raises:
            RunError: the row cannot be written.
        """
        if key in self._finished:
            return
        self._index.append({**row, "key": key})
        self._finished.add(key)

    def log(self, event: str, **values: Any) -> None:
        """Append an event with its time to `log.jsonl`. Best effort: a full disk is noticed by the products."""
        line = json.dumps({"time": now(), "event": event, **values}, default=str)
        try:
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError:
            return

    def note(self, **facts: Any) -> None:
        """Add facts that are known only once the work has begun (device, dtype, digest of downloaded weights)."""
        self.manifest.update(facts)
        self._write_manifest()

    def finish(self, status: Status, counts: Mapping[str, int] | None = None) -> None:
        """Write the final status, the counts and the end time."""
        self.manifest.update(status=status, counts=dict(counts or self.manifest["counts"]), ended=now())
        self._write_manifest()
        self.log(status, counts=self.manifest["counts"])

    def __enter__(self) -> RunDirectory:
        """Hand out the run itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the index; an exception that is passing through decides the status of an unfinished run."""
        try:
            if kind is not None and self.status == "running":
                self.manifest["counts"]["done"] = len(self._finished)
                self.finish("failed" if issubclass(kind, Exception) else "cancelled")
        except RunError:  # the disk that stopped the run also stops this note: the first message is the useful one
            pass
        finally:
            self._index.close()

    def _write_manifest(self) -> None:
        write_text(self.path / MANIFEST, json.dumps(self.manifest, indent=2) + "\n")


def open_run(
    root: Path,
    command: str,
    run_id: str,
    options: Mapping[str, Any],
    *,
    results: Mapping[str, Any] | None = None,
    inputs_sha256: str | None = None,
    weights_sha256: str | None = None,
    overwrite: bool = False,
    folder: Path | None = None,
    command_line: str = "",
) -> RunDirectory:
    """Begin a run, or take up the one of the same name.

    Args:
        root: where runs are kept.
        command: the subcommand.
        run_id: its name, see `ttd_core.runs.identity`.
        options: every option, as plain values; becomes `run.yaml`.
        results: those that change results; compared with the run found. None compares all.
        inputs_sha256: digest of the input list; compared too.
        weights_sha256: digest of the weights; compared too.
        overwrite: forget the run found and remove its products.
        folder: use this folder instead of `<root>/<command>/<run_id>`.
        command_line: as typed, for the manifest.

    Returns:
        A run whose status is `done` if there is nothing left to do, else `running`.

    Raises:
        RunError: the folder cannot be written, is in use, or holds a run with other options, weights or inputs.
    """
    path = make_folder(folder if folder is not None else root / command / run_id)
    identity = {
        "options": json.loads(canonical_json(options if results is None else results)),
        "weights_sha256": weights_sha256,
        "inputs_sha256": inputs_sha256,
    }
    found = _read_manifest(path, overwrite)
    if found is None and (path / "run.yaml").exists():
        raise RunError(f"{path} holds a run.yaml that ttd did not write", hint="choose another folder with --out")
    if found is not None and overwrite:
        _remove_products(path, str(found.get("command", command)))
        found = None
    if found is not None:
        _refuse_other(path, found, command, identity)
    manifest = found if found is not None else {
        "command": command, "run_id": run_id, "status": "running", "counts": {}, **identity, "started": now(),
    }  # fmt: skip
    run = RunDirectory(path, command, manifest)
    if run.status != "done":
        try:
            manifest.update(status="running", seed=options.get("seed"), command_line=command_line, **provenance())
            manifest["counts"].setdefault("done", 0)
            run.note()  # before run.yaml: a run.yaml without a manifest is somebody else's
            write_text(path / "run.yaml", dump_yaml({"command": command, **options}))
            run.log("resumed" if run.resumed else "started", command_line=command_line)
        except BaseException:
            run.__exit__(None, None, None)
            raise
    return run


def _read_manifest(path: Path, overwrite: bool) -> dict[str, Any] | None:
    file = path / MANIFEST
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if overwrite and (path / "run.yaml").exists():
            return {}
        raise RunError(f"{file}: not readable ({error})", hint="start the run anew with --overwrite") from error
    if not isinstance(found, dict) or "status" not in found or "command" not in found:
        raise RunError(f"{file}: not written by ttd", hint="choose another folder with --out, or another --run-root")
    found.setdefault("counts", {})
    return found


def _refuse_other(path: Path, found: Mapping[str, Any], command: str, identity: Mapping[str, Any]) -> None:
    hint = "start it anew with --overwrite, or choose another place with --run-root or --out"
    if found["command"] != command:
        raise RunError(f"{path} holds a run of `ttd {found['command']}`, not of `ttd {command}`", hint=hint)
    old, new = found.get("options") or {}, identity["options"]
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


def _remove_products(path: Path, command: str) -> None:
    """Remove what the index lists and ttd's own files; anything else in the folder is not ours to delete."""
    index = path / f"{command}.jsonl"
    try:
        rows = read_rows(index)
    except RunError:
        rows = []  # a damaged index is a reason to overwrite, not an obstacle
    ours = [index, path / "log.jsonl", path / "run.yaml", path / MANIFEST]
    base = path.resolve()
    for row in rows:
        files = row.get("files")
        for name in files.values() if isinstance(files, dict) else ():
            target = path / str(name)
            if target.resolve().is_relative_to(base):
                ours.insert(0, target)
    for file in ours:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"cannot remove {file}: {(error.strerror or 'refused').lower()}") from error
