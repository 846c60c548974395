"""A run's folder: opened once per command, taken up again after an interruption, never mixed with another run.

runs/<command>/<run id>/
run.yaml            every option; `--config run.yaml` repeats the run
manifest.json       versions, digests, counts, status, times, command line
<command>.jsonl     one line per input, as they were finished
log.jsonl           events with their times
.lock, .begun       who is at work, and on which products
...                 the products
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Literal

from ttd_core.atomic import make_folder, write_error, write_text
from ttd_core.config import canonical_json
from ttd_core.errors import RunError
from ttd_core.runs.found import (
    BEGUN,
    MANIFEST,
    begun,
    is_product,
    left_nothing,
    read_manifest,
    refuse_other,
    remove_run,
)
from ttd_core.runs.index import Index
from ttd_core.runs.lock import lock_folder
from ttd_core.runs.manifest import now, provenance
from ttd_core.yaml_files import dump_yaml

Status = Literal["running", "done", "failed", "cancelled"]


class RunDirectory:
    """An open run. Use it as a context manager: an exception marks the run `failed`, Ctrl-C `cancelled`.

    Args:
        path: the folder, which exists.
        command: the subcommand.
        manifest: what is known so far; written on every change of status.
        lock: closed together with the run.

    Attributes:
        resumed: whether rows of an earlier, unfinished run were found.
    """

    def __init__(self, path: Path, command: str, manifest: dict[str, Any], lock: IO[bytes]) -> None:
        self.path = path
        self.command = command
        self.manifest = manifest
        self._lock = lock
        self._index = Index(path / f"{command}.jsonl")
        self._begun = set(begun(path))
        self.resumed = self._index.done > 0

    @property
    def status(self) -> Status:
        """`running` until `finish` is called; `done` also when the run was found finished."""
        status: Status = self.manifest["status"]
        return status

    @property
    def done(self) -> int:
        """How many inputs are finished."""
        return self._index.done

    def finished_keys(self) -> frozenset[str]:
        """Keys of the inputs that need no more work; reads every row, where `row` reads one."""
        return frozenset(row["key"] for row in self.rows())

    def row(self, key: str) -> dict[str, Any] | None:
        """The recorded row of an input, None while it is not finished."""
        return self._index.find(key)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The recorded rows in the order of the input, read one by one."""
        return self._index.rows()

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """Like `rows`, and in their places the inputs that were skipped: `key`, `error` and perhaps `hint`."""
        return self._index.rows(skipped=True)

    def product(self, relative: str) -> Path:
        """Where a product goes; its folder is created, and until its row is recorded it is known as begun.

        Args:
            relative: path below the run's folder with `/` between parts.

        Raises:
            RunError: the path leaves the run's folder, or the folder cannot be created.
        """
        if not is_product(relative):
            raise RunError(f"product path {relative!r} leaves the run's folder {self.path}")
        target = self.path / PurePosixPath(relative)
        make_folder(target.parent)
        if relative not in self._begun:
            self._write_begun(json.dumps(relative) + "\n", "a")
            self._begun.add(relative)
        return target

    def record(self, key: str, row: Mapping[str, Any], position: int | None = None) -> None:
        """Mark an input as finished, once its products are written; a key already recorded is left as it is.

        Args:
            key: the sample's key.
            row: what is known about it, JSON values only. A mapping `files` (name -> path relative to the folder) lists
                its products; `--overwrite` removes them.
            position: its place in the input, by default after all others.

        Raises:
            RunError: the row cannot be written.
        """
        if self._index.find(key) is not None:
            return
        self._index.append({**row, "key": key}, position)
        files = row.get("files")
        if self._begun and isinstance(files, Mapping):
            self._begun.difference_update(files.values())
            if not self._begun:
                self._write_begun("", "w")

    def record_skipped(self, key: str, error: str, hint: str | None, position: int) -> None:
        """Note that an input could not be answered, so that a finished run can say so again.

        Raises:
            RunError: the row cannot be written.
        """
        row = {"key": key, "error": error} | ({"hint": hint} if hint is not None else {})
        self._index.append(row, position)

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
        """Write the final status, the counts and the end time, once every row is on disk."""
        self._index.sync()
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
                self.manifest["counts"]["done"] = self.done
                self.finish("failed" if issubclass(kind, Exception) else "cancelled")
        except RunError:  # the disk that stopped the run also stops this note: the first message is the useful one
            pass
        finally:
            self._index.close()
            if not self._begun:
                with suppress(OSError):
                    (self.path / BEGUN).unlink(missing_ok=True)
            self._lock.close()

    def _write_begun(self, text: str, mode: str) -> None:
        path = self.path / BEGUN
        try:
            with path.open(mode, encoding="ascii") as stream:
                stream.write(text)
        except OSError as error:
            raise write_error(path, error) from error

    def _write_manifest(self) -> None:
        write_manifest(self.path, self.manifest)


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write `manifest.json`, whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    write_text(path / MANIFEST, json.dumps(manifest, indent=2) + "\n")


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
    """Begin a run, or take up the one of the same name. Another one that failed with nothing to show makes way.

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
    read_manifest(path, command, overwrite)  # before the lock: nothing is left in a folder that is not ours
    lock = lock_folder(path)
    try:
        found = read_manifest(path, command, overwrite)
        if found is not None and overwrite:
            remove_run(path, found["command"])
            found = None
        if found is not None:
            try:
                refuse_other(path, found, command, identity)
            except RunError:
                if not left_nothing(path, found):
                    raise
                remove_run(path, found["command"])
                found = None
        manifest = found if found is not None else {
            "command": command, "run_id": run_id, "status": "running", "counts": {}, **identity, "started": now(),
        }  # fmt: skip
        if manifest["status"] != "done":
            manifest.update(status="running", seed=options.get("seed"), command_line=command_line, **provenance())
            manifest["counts"].setdefault("done", 0)
            write_manifest(path, manifest)  # before all others: without a manifest they are somebody else's
        run = RunDirectory(path, command, manifest, lock)
    except BaseException:
        lock.close()
        raise
    if run.status != "done":
        try:
            write_text(path / "run.yaml", dump_yaml({"command": command, **options}))
        except BaseException:
            run.__exit__(None, None, None)
            raise
        run.log("resumed" if run.resumed else "started", command_line=command_line)
    return run
