"""`ttd evaluate --data scenes`: the built-in benchmark as a whole, recorded like every other evaluation."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.config import changed_results
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.recorded import other_code, start_run
from ttd_core.recipes.evaluation.result import FILE, read_result, result_object, without_nan, write_result
from ttd_core.scenes.dataset import find_split
from ttd_core.types import DTYPES

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter

TASK = "tables"
MASK_THRESHOLD = 0.4
"""The fixed threshold of the tables' masks."""

_SPLITS = ("val", "test", "hard")
_ALLOWED = ("data", "limit", "seed", "recipe")


def asks_for_tables(options: EvaluateOptions) -> bool:
    """Whether the options mean the whole benchmark instead of one task on one split."""
    return options.data == "scenes" and options.task is None and options.pred is None and options.merge is None


def run_tables(
    options: EvaluateOptions, report: Reporter, command_line: str, cache: Path | None
) -> tuple[dict[str, Any], Path]:
    """Measure a model on every split, or read the result of a finished run back.

    Args:
        options: model, limit and seed; the tables fix everything else.
        report: told about progress.
        command_line: as typed.
        cache: folder for text embeddings.

    Returns:
        The content of `metrics.json`, and the run's folder.

    Raises:
        UsageError: an option that the tables do not listen to.
        WeightsError, VocabularyError, RunError: see the exit codes.
    """
    _refuse_unused(options)
    digest = _digest(options.limit)
    with start_run(options, TASK, digest, command_line) as run:
        if run.status == "done":
            report.info(f"already done: {run.path} (--overwrite starts anew)")
            made_by = other_code(run.manifest)
            if made_by is not None:
                report.warning(f"these figures were made by {made_by}", hint="--overwrite makes them anew")
            result = read_result(run.path)
            if options.report and not (run.path / "report.html").exists():
                from ttd_core.recipes.evaluation.page import write_tables_page

                write_tables_page(options, result, run)
            return result, run.path
        from ttd_core.recipes.evaluation.scenes_tables import scenes_tables
        from ttd_core.recipes.session import open_session

        session = open_session(options.answers(masks=False), report, cache, apart=True)
        run.note(
            device=str(session.device),
            dtype=DTYPES[session.info.precision],
            model_sha256=session.info.weights_sha256,
            reading=session.described(),
        )
        tables = scenes_tables(session.backbone, options.limit, report)
        count = tables.scenes * len(_SPLITS)
        counts = {"listed": sum(find_split(split).length for split in _SPLITS)}
        counts |= dict.fromkeys(("selected", "planned", "scored"), count)
        counts |= dict.fromkeys(("absent", "missing", "skipped"), 0)
        result = result_object(options, TASK, tables.summary(), counts, run, None, {"samples": digest})
        found = without_nan(tables.to_json())
        result |= {"tables": found, "figures": dict(named_figures(found))}
        write_result(run.product(FILE), result)
        if options.report:
            from ttd_core.recipes.evaluation.page import write_tables_page

            write_tables_page(options, result, run)
        run.finish("done", {"done": count, "skipped": 0})
        return result, run.path


def named_figures(tables: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Names by which `--expect` finds the figures of the tables, e.g. `hard.pixel.f1` or `small.caption.caption_iou`.

    Args:
        tables: `ScenesTables.to_json()`.
    """
    for row in tables["tags"]:
        for key in ("precision", "recall", "f1", "accuracy"):
            yield f"{row['split']}.{_word(row['row'])}.{key}", row[key]
    for row in tables["ranking"]:
        yield f"{row['split']}.{_word(row['row'])}.ranking", row["auc"]
    for number, row in enumerate(tables["maps"]):
        views = "" if number == 0 else ".views"
        yield f"{row['split']}.pixel_auc{views}", row["pixel_auc"]
        yield f"{row['split']}.pointing{views}", row["pointing"]
    for row in tables["masks"]:
        refined = "" if row["refine"] in (None, "none") else f".{row['refine']}"
        # one row stands for both where the fixed threshold is the best one
        kinds = [""] if not row["best_on_val"] else [".best", ""] if row["threshold"] == MASK_THRESHOLD else [".best"]
        for kind in kinds:
            for key in ("caption_iou", "caption_iou_pooled", "mfpr", "mfnr"):
                yield f"{row['captions']}.{_word(row['row'])}{refined}{kind}.{key}", row[key]


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _refuse_unused(options: EvaluateOptions) -> None:
    for key in (*changed_results(options), *(("per_sample",) if options.per_sample else ())):
        if key not in _ALLOWED and not key.startswith("model."):
            flag = "--" + key.replace("_", "-")
            raise UsageError(
                f"{flag} does not go with --data scenes, whose tables fix how pictures are looked at",
                hint=f"measure one split: --data scenes:test {flag} ...",
            )


def _digest(limit: int | None) -> str:
    """The scenes are a function of generator and seeds; what can differ is how many of them."""
    lengths = {split: find_split(split).length if limit is None else limit for split in _SPLITS}
    return hashlib.sha256(json.dumps(lengths, sort_keys=True).encode()).hexdigest()
