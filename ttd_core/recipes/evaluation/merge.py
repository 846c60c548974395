"""Shards put together: their rows side by side are those of the whole run, and so are the figures made from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.config import changed_results, load_config
from ttd_core.errors import DataError, RunError, UsageError
from ttd_core.recipes.evaluation.options import EvaluateOptions, parse_shard
from ttd_core.runs.found import read_manifest
from ttd_core.runs.index import read_lines

if TYPE_CHECKING:
    from ttd_core.runs import RunDirectory

_COMMAND = "evaluate"
# Where and how a shard was computed may differ; what was computed may not.
_OWN = ("shard", "merge", "out", "run_root", "overwrite", "expect", "format", "workers", "batch_size", "keep_going",
        "report", "per_sample", "root")  # fmt: skip


@dataclass(frozen=True)
class Shard:
    """A finished shard.

    Args:
        path: its folder.
        part: from 1.
        options: as recorded.
        manifest: as recorded.
    """

    path: Path
    part: int
    options: EvaluateOptions
    manifest: dict[str, Any]


def open_shards(folders: Sequence[str]) -> list[Shard]:
    """Read the shards of one evaluation.

    Args:
        folders: their run directories, in any order.

    Returns:
        All n of them, by part.

    Raises:
        DataError: a folder is no finished shard.
        UsageError: they do not belong together, one is missing or one comes twice.
    """
    shards = sorted((_shard(Path(folder)) for folder in folders), key=lambda shard: shard.part)
    first = shards[0]
    _, parts = parse_shard(first.options.shard or "1/1")
    for other in shards[1:]:
        _refuse_other(first, other)
    found = [shard.part for shard in shards]
    missing = [str(part) for part in range(1, parts + 1) if part not in found]
    twice = sorted({part for part in found if found.count(part) > 1})
    if twice:
        raise UsageError(f"--merge names shard {twice[0]}/{parts} twice", hint="name every shard once")
    if missing:
        raise UsageError(
            f"--merge lacks shard {', '.join(missing)} of {parts}", hint="name the run of every shard with --merge"
        )
    return shards


def merged_options(options: EvaluateOptions, shards: Sequence[Shard]) -> EvaluateOptions:
    """The options of the whole: those of the shards, with the place and the outputs asked for now.

    Raises:
        UsageError: the result would go into a shard, and with `--overwrite` take its place.
    """
    for shard in shards:
        if options.out is not None and Path(options.out).resolve() == shard.path.resolve():
            raise UsageError(
                f"--out {options.out} is the folder of shard {shard.options.shard}",
                hint="choose a folder of its own for the whole",
            )
    now = {name: getattr(options, name) for name in _OWN if name not in ("shard", "merge", "root")}
    now["root"] = options.root if options.root is not None else shards[0].options.root
    return replace(shards[0].options, shard=None, merge=None, **now)


def copy_rows(shards: Sequence[Shard], run: RunDirectory) -> int:
    """Record the rows of all shards in the run of the whole.

    Returns:
        How many samples were skipped in the shards.

    Raises:
        DataError: data, answers or weights are no longer those of the shards.
        RunError: a row cannot be read or written.
    """
    _refuse_changed(shards[0], run)
    skipped = 0
    for shard in shards:
        for row in _rows(shard):
            place = row.pop("position")
            if "error" in row:
                skipped += 1
                run.record_skipped(row["key"], row["error"], row.get("hint"), place)
            elif run.row(row["key"]) is None:
                run.record(row["key"], row, place)
    facts = ("device", "dtype", "threads", "model_sha256", "reading")
    run.note(**{name: shards[0].manifest[name] for name in facts if name in shards[0].manifest})
    return skipped


def _shard(path: Path) -> Shard:
    manifest = None
    with suppress(RunError):
        manifest = read_manifest(path, _COMMAND, overwrite=False)
    if manifest is None or manifest.get("command") != _COMMAND:
        raise DataError(f"--merge {path}: no run of ttd evaluate", hint="name the run folders that the shards printed")
    options = load_config(EvaluateOptions, path / "run.yaml", _COMMAND)
    if options.shard is None:
        raise DataError(f"--merge {path}: that run is no shard", hint="shards are made with --shard 1/4, 2/4, ...")
    if "skipped" not in manifest["counts"]:  # written once every sample has been tried
        raise DataError(f"--merge {path}: shard {options.shard} is not finished", hint="repeat its command first")
    return Shard(path, parse_shard(options.shard)[0], options, manifest)


def _refuse_other(first: Shard, other: Shard) -> None:
    theirs, ours = (_settings(shard) for shard in (other, first))
    for key in sorted({*theirs, *ours}):
        if theirs.get(key) != ours.get(key):
            raise UsageError(
                f"--merge {other.path} has {key} {theirs.get(key, 'as usual')}, {first.path} has "
                f"{ours.get(key, 'as usual')}",
                hint="only shards of one evaluation can be put together",
            )


def _refuse_changed(shard: Shard, run: RunDirectory) -> None:
    """The whole is described by what lies on disk now, so that has to be what the shards have seen."""
    then, now = ({**m, **m["options"]} for m in (shard.manifest, run.manifest))
    contents = {"inputs_sha256": "the data set", "weights_sha256": "the weights"}
    contents |= {"pred": "--pred", "truth": "--truth", "class_names": "--class-names"}
    for key, what in contents.items():
        if then.get(key) != now.get(key):
            raise DataError(
                f"--merge {shard.path}: {what} changed after this shard was scored",
                hint="repeat the commands of all shards with --overwrite",
            )


def _settings(shard: Shard) -> dict[str, Any]:
    """All that has to agree: settings, samples and weights."""
    changed = {key: value for key, value in changed_results(shard.options).items() if key not in _OWN}
    parts = parse_shard(shard.options.shard or "1/1")[1]
    hashes = {key: shard.manifest.get(key) for key in ("inputs_sha256", "weights_sha256", "model_sha256")}
    return {**changed, **hashes, "number of shards": parts}


def _rows(shard: Shard) -> Iterator[dict[str, Any]]:
    """The last word on every sample: a row that was skipped and later done counts as done."""
    latest: dict[int, dict[str, Any]] = {}
    for _, _, row in read_lines(shard.path / f"{_COMMAND}.jsonl"):
        latest[int(row["position"])] = row
    for place in sorted(latest):
        yield latest[place]
