"""`ttd prune` from the score files to the manifest: read, merge, rank, write, show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.atomic import write_text
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.data.kept import FOLDER, MANIFEST, write_kept
from ttd_core.data.scores import SUFFIX
from ttd_core.errors import DataError, RunError
from ttd_core.protocols import Reporter
from ttd_core.recipes.prune.columns import Collected, collect, key_order, read_keys
from ttd_core.recipes.prune.near_cut import NearSample, near_cut, pictures_of, to_json
from ttd_core.recipes.prune.options import PruneOptions
from ttd_core.recipes.prune.outcome import outcome, percent, spelled_rule
from ttd_core.recipes.prune.ranking import CaptionMerge, Choice, choose, merge_captions, shown
from ttd_core.recipes.prune.scores_run import ScoresRun, find_scores
from ttd_core.runs import RunDirectory, RunName, combined, input_name, open_run, run_id

if TYPE_CHECKING:
    import pyarrow

HISTOGRAM = "histogram.png"
CUT = "cut.png"
_RESULT = "prune"
"""Key of the row that lists what belongs to no shard; a shard's row has its file as the key."""


@dataclass(frozen=True)
class Pruned:
    """What a pruning left.

    Args:
        folder: of the run.
        found: the contents of `prune.json`.
        repeated: whether it had been done before.
    """

    folder: Path
    found: dict[str, Any]
    repeated: bool


@dataclass(frozen=True)
class _Chosen:
    """What is kept, before anything is written."""

    collected: Collected
    merge: CaptionMerge
    choice: Choice


def run_prune(options: PruneOptions, command_line: str, report: Reporter) -> Pruned:
    """Choose the samples to train on, in a run directory; one that is finished is only read.

    Args:
        options: the settings.
        command_line: for the run's manifest.
        report: told about progress.

    Raises:
        DataError: the scores are absent, damaged, incomplete or of several models, or none of them is kept.
        RunError: the run's folder cannot be written or holds another run.
    """
    scores = find_scores(Path(options.scores), options.allow_incomplete, report)
    digests = scores.digests(report)
    name = _name(options, scores, combined(digests))
    kept = to_mapping(replace(options, overwrite=False))  # a repeated run must not erase itself
    folder = Path(options.out) if options.out is not None else Path(options.run_root) / "prune" / name
    # chosen before the run begins, so that what is refused leaves no run behind
    chosen = None if (folder / MANIFEST).exists() and not options.overwrite else _choose(options, scores, report)
    with open_run(
        Path(options.run_root), "prune", name, kept, results=result_mapping(options), inputs_sha256=combined(digests),
        overwrite=options.overwrite, folder=folder, command_line=command_line,
    ) as run:  # fmt: skip
        if run.status == "done":
            return Pruned(run.path, _read(run.path / MANIFEST), True)
        found = _prune(options, scores, digests, chosen or _choose(options, scores, report), run, report)
        for notice in found["notices"]:
            run.log("notice", message=notice)
        counts = found["counts"]
        run.finish("done", {"done": run.done, "kept": counts["kept"], "dropped": counts["samples"] - counts["kept"]})
        return Pruned(run.path, found, False)


def _name(options: PruneOptions, scores: ScoresRun, digest: str | None) -> str:
    data = scores.metadata.data
    short = input_name(None, data) if "/" in data else data.replace(":", "-")
    return run_id(
        RunName(
            model=scores.metadata.model,
            data=short,
            task=spelled_rule(*options.rule).removeprefix("--").replace(" ", "-"),
            other=changed_results(options),
            data_sha256=digest,
        )
    )


def _choose(options: PruneOptions, scores: ScoresRun, report: Reporter) -> _Chosen:
    collected = collect(scores.files, report)
    _refuse_empty(scores, collected)
    merged = collected.merged
    merge = merge_captions(merged)
    ranked = merge.best if options.per_caption == "best" else np.isfinite(merged.scores)
    choice = choose(merged.scores, ranked, *options.rule)
    if not choice.kept.any():
        highest = shown(np.nanmax(merged.scores))
        raise DataError(
            f"--min-score {options.min_score:g} keeps none of the {int(ranked.sum())} samples: the highest score is "
            f"{highest:.4f}",
            f"e.g. --min-score {np.floor(highest * 1000) / 1000:g}, or a share with --keep 0.7",
        )
    return _Chosen(collected, merge, choice)


def _prune(
    options: PruneOptions, scores: ScoresRun, digests: list[str], chosen: _Chosen, run: RunDirectory, report: Reporter
) -> dict[str, Any]:
    collected, choice = chosen.collected, chosen.choice
    found = outcome(options, scores, digests, collected, chosen.merge, choice)
    near = near_cut(scores, collected, choice)
    found["near_cut"] = to_json(near)
    _write_shards(scores, collected, choice, run, report)
    pictures = pictures_of(near, found["data"], found["root"], scores.columns, report) if options.pictures else {}
    _draw(run, found, collected, choice, near, pictures)
    write_text(run.product(MANIFEST), json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False) + "\n")
    run.record(_RESULT, {"files": {"manifest": MANIFEST, "histogram": HISTOGRAM, "cut": CUT}})
    return found


def _refuse_empty(scores: ScoresRun, collected: Collected) -> None:
    if np.isfinite(collected.merged.scores).any():
        return
    total = len(collected.merged.scores)
    reasons = ", ".join(f"{count} {reason}" for reason, count in list(collected.reasons.items())[:3])
    why = f"none of the {total} samples has a score ({reasons})" if total else "the score files hold no samples"
    raise DataError(f"{scores.path}: {why}", "look at the log of that run of ttd preprocess")


def _write_shards(scores: ScoresRun, collected: Collected, choice: Choice, run: RunDirectory, report: Reporter) -> None:
    """Write `kept/<shard>.parquet` for every shard; those that an interrupted run finished are there already."""
    for number, file in enumerate(report.track(scores.files, len(scores.files), "writing kept keys")):
        relative = f"{FOLDER}/{file.shard}{SUFFIX}"
        if run.row(relative) is not None:
            continue
        begin, end = int(collected.starts[number]), int(collected.starts[number + 1])
        order = key_order(read_keys(file))
        kept = np.zeros(end - begin, dtype=bool)
        kept[order] = choice.kept[begin:end]  # from the order of keys to that of reading
        write_kept(run.product(relative), _kept_batches(file.batches(("key", "score")), kept))
        run.record(relative, {"kept": int(kept.sum()), "files": {"kept": relative}}, position=number)


def _kept_batches(batches: Iterator[pyarrow.RecordBatch], kept: np.ndarray) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow as pa

    begin = 0
    for batch in batches:
        yield batch.filter(pa.array(kept[begin : begin + len(batch)]))
        begin += len(batch)


def _draw(
    run: RunDirectory,
    found: dict[str, Any],
    collected: Collected,
    choice: Choice,
    near: list[NearSample],
    pictures: dict[tuple[str, str], np.ndarray],
) -> None:
    from ttd_core.drawing.canvas import save_png
    from ttd_core.drawing.cut_sheet import Neighbour, cut_sheet
    from ttd_core.drawing.report.prune_charts import score_bins, write_score_histogram

    counts, rule = found["counts"], found["rule"]
    share = percent(counts["kept"], counts["samples"])
    data = "/".join(found["data"].rstrip("/").split("/")[-2:])  # of a long path the end tells more, and it has to fit
    headline = f"{data}, scored by {found['model']}: {counts['kept']:,} of {counts['samples']:,} kept ({share})"
    said = spelled_rule(rule["name"], rule["value"])
    unscored = counts["samples"] - counts["scored"]
    detail = said + (f"; without a score and not drawn: {unscored:,}" if unscored else "")
    bins = score_bins(collected.merged.scores, choice.ranked, choice.kept, float(choice.threshold))
    write_score_histogram(run.product(HISTOGRAM), bins, headline, (detail,))
    neighbours = [Neighbour(each.caption, each.score, each.kept, pictures.get((each.shard, each.key))) for each in near]
    save_png(run.product(CUT), cut_sheet(neighbours, float(choice.threshold), f"{headline}, {said}"))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not readable ({error})", hint="start the run anew with --overwrite") from error
    if not isinstance(found, dict) or "counts" not in found:
        raise RunError(f"{path}: damaged", hint="start the run anew with --overwrite")
    return found
