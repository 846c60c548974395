"""The score files of a run of `ttd preprocess`: found, complete, and of one model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttd_core.data.files import show
from ttd_core.data.rows import Columns
from ttd_core.data.scores import SUFFIX, ScoreFile, ScoreMetadata, open_scores
from ttd_core.errors import DataError, UsageError
from ttd_core.protocols import Reporter
from ttd_core.runs import digest_files
from ttd_core.runs.found import MANIFEST
from ttd_core.runs.index import read_lines
from ttd_core.text.clean import printable

FOLDER = "scores"
_SHARD_NAME = re.compile(r"[A-Za-z0-9._-]+")
_WORDS = {"model": "model", "model_sha256": "weights", "data": "data", "root": "root", "settings": "settings"}


@dataclass(frozen=True)
class ScoresRun:
    """Score files that belong together.

    Args:
        path: folder of the run.
        run_id: its name.
        files: by the name of their shards.
        metadata: what they share.
        complete: whether the run has ended well.
        columns: those of the list that was scored, where they have names of their own.
    """

    path: Path
    run_id: str
    files: tuple[ScoreFile, ...]
    metadata: ScoreMetadata
    complete: bool
    columns: Columns = field(default_factory=Columns)

    def digests(self, report: Reporter) -> list[str]:
        """SHA-256 of every file, in their order.

        Raises:
            DataError: a file cannot be read.
        """
        files = report.track(self.files, len(self.files), "identifying scores")
        return [str(digest_files([file.path])) for file in files]


def find_scores(folder: Path, allow_incomplete: bool, report: Reporter) -> ScoresRun:
    """Find the score files of a run and check that they can be merged.

    Args:
        folder: of the run, or the folder `scores` in it.
        allow_incomplete: take what a run has that is at work, interrupted or failed.
        report: told about progress, and warned of an incomplete run.

    Raises:
        DataError: there is no such run, it is incomplete, or its files are damaged, absent, or differ in what they say
            about model, data or settings.
        UsageError: it is a run of another command.
    """
    run = folder.parent if folder.name == FOLDER and (folder.parent / MANIFEST).exists() else folder
    manifest = _manifest(run)
    status = manifest.get("status")
    if status != "done" and not allow_incomplete:
        raise DataError(
            f"{show(run)}: ttd preprocess has not ended well here (status {printable(str(status))})",
            f"go on with ttd preprocess --config {show(run / 'run.yaml')}, or take what is there: --allow-incomplete",
        )
    paths = _score_files(run, complete=status == "done")
    files = tuple(open_scores(path) for path in report.track(paths, len(paths), "opening scores"))
    metadata = _shared(files)
    if status != "done":
        report.warning(f"{run.name} has not ended well: only the {len(files)} shards scored so far are looked at")
    return ScoresRun(run, str(manifest.get("run_id", run.name)), files, metadata, status == "done", _columns(manifest))


def _manifest(run: Path) -> dict[str, Any]:
    try:
        found = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "holds no run of ttd preprocess" if run.is_dir() else "no such folder"
        raise DataError(f"{show(run)}: {what}", "--scores takes a folder like runs/preprocess/RUN") from None
    except (OSError, ValueError) as error:
        reason = printable(str(getattr(error, "strerror", None) or error))
        raise DataError(f"{show(run / MANIFEST)}: not readable ({reason})") from error
    if not isinstance(found, dict):
        raise DataError(f"{show(run / MANIFEST)}: not written by ttd")
    if found.get("command") != "preprocess":
        raise UsageError(
            f"--scores {show(run)} holds a run of `ttd {printable(str(found.get('command')))}`",
            hint="it takes the folder of a run of ttd preprocess",
        )
    return found


def _columns(manifest: dict[str, Any]) -> Columns:
    options = manifest.get("options")
    named = (
        {role: options.get(f"{role}_column") for role in ("image", "text", "id")} if isinstance(options, dict) else {}
    )
    return Columns(**{role: name for role, name in named.items() if isinstance(name, str)})


def _score_files(run: Path, complete: bool) -> list[Path]:
    """The files by name; those of a complete run must be all that it recorded."""
    folder = run / FOLDER
    there = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if not path.name.startswith("."):  # half-written files of a run at work
            there[path.stem] = path
    for name in there:
        if not _SHARD_NAME.fullmatch(name):
            raise DataError(f"{show(there[name])}: the name holds more than letters, digits, `.`, `_` and `-`")
    if complete:
        missing = [name for name in _recorded(run) if name not in there]
        if missing:
            raise DataError(
                f"{show(folder)}: {len(missing)} of the files that the run wrote are gone, "
                f"the first is {printable(missing[0])}{SUFFIX}",
                "score again with ttd preprocess --overwrite",
            )
    if not there:
        raise DataError(f"{show(folder)}: no score files", "no shard has been scored yet")
    return [there[name] for name in sorted(there)]


def _recorded(run: Path) -> Iterator[str]:
    for _, _, row in read_lines(run / "preprocess.jsonl"):
        files = row.get("files")
        for name in files.values() if isinstance(files, dict) else ():
            if isinstance(name, str) and name.startswith(f"{FOLDER}/") and name.endswith(SUFFIX):
                yield name[len(FOLDER) + 1 : -len(SUFFIX)]


def _shared(files: tuple[ScoreFile, ...]) -> ScoreMetadata:
    first = files[0]
    for file in files[1:]:
        if file.metadata != first.metadata:
            differing = [
                f"{word} {_word(file.metadata, name)}, not {_word(first.metadata, name)}"
                for name, word in _WORDS.items()
                if getattr(file.metadata, name) != getattr(first.metadata, name)
            ]
            raise DataError(
                f"{show(file.path)}: scored with {'; '.join(differing)} as in {first.path.name}",
                "scores of different models or settings cannot be ranked together: one run of ttd preprocess for each",
            )
    return first.metadata


def _word(metadata: ScoreMetadata, name: str) -> str:
    value = getattr(metadata, name)
    if value is None:
        return "none"
    return str(value)[:12] if name.endswith("sha256") else printable(value)[:80] or "none"
