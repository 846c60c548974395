"""What a pruning found, as `prune.json` holds it and as tables show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ttd_core.data.kept import SCHEMA, VERSION
from ttd_core.recipes.prune.columns import Collected
from ttd_core.recipes.prune.options import PruneOptions
from ttd_core.recipes.prune.ranking import CaptionMerge, Choice, count_captions, order_statistics, shown
from ttd_core.recipes.prune.scores_run import ScoresRun

BELOW = "below the cut"
OTHER_PICTURE = "the caption has a better picture"
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_MOST_REASONS = 20
_OTHERS = "other reasons"


def outcome(
    options: PruneOptions,
    run: ScoresRun,
    digests: Sequence[str],
    collected: Collected,
    merge: CaptionMerge,
    choice: Choice,
) -> dict[str, Any]:
    """Everything but the samples around the cut; equal scores and options give equal values."""
    merged = collected.merged
    kept = int(choice.kept.sum())
    scored = int(np.isfinite(merged.scores).sum())
    ranked = int(choice.ranked.sum())
    dropped = {BELOW: ranked - kept}
    if options.per_caption == "best":
        dropped[OTHER_PICTURE] = scored - ranked
    dropped |= _few(collected.reasons)
    rule, value = options.rule
    shares = order_statistics(merged.scores, QUANTILES)
    starts = collected.starts
    per_shard = [choice.kept[begin:end].sum() for begin, end in zip(starts[:-1], starts[1:], strict=True)]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "data": run.metadata.data,
        "root": options.root if options.root is not None else run.metadata.root,
        "columns": {role: name for role in ("image", "text", "id") if (name := getattr(run.columns, role)) is not None},
        "model": run.metadata.model,
        "model_sha256": run.metadata.model_sha256,
        "settings": run.metadata.settings,
        "scores_run": run.run_id,
        "complete": run.complete,
        "rule": {"name": rule, "value": value, "per_caption": options.per_caption},
        "threshold": shown(choice.threshold),
        "counts": {
            "samples": len(merged.scores),
            "scored": scored,
            "captions": merge.captions,
            "repeated_captions": merge.repeated,
            "ranked": ranked,
            "kept": kept,
            "kept_captions": count_captions(merged.captions, choice.kept),
            "dropped": dropped,
            "dropped_at_threshold": choice.tied,
        },
        "quantiles": {f"{share:g}": shown(score) for share, score in zip(QUANTILES, shares, strict=True)},
        "notices": _notices(options, ranked),
        "shards": [
            {"shard": file.shard, "rows": file.rows, "kept": int(count), "scores_sha256": digest}
            for file, count, digest in zip(run.files, per_shard, digests, strict=True)
        ],
    }


def _few(reasons: Mapping[str, int]) -> dict[str, int]:
    """The commonest reasons, and all others as one."""
    named = dict(list(reasons.items())[:_MOST_REASONS])
    rest = sum(reasons.values()) - sum(named.values())
    return named | ({_OTHERS: rest} if rest else {})


def _notices(options: PruneOptions, ranked: int) -> list[str]:
    if options.top_k is not None and options.top_k > ranked:
        return [f"--top-k {options.top_k} is more than the {ranked} samples that are ranked: all of them are kept"]
    return []


def printed_rows(found: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, and below each names and values, for people."""
    counts = found["counts"]
    rule = found["rule"]
    best = rule["per_caption"] == "best"
    samples = [
        ("in the score files", f"{counts['samples']:,}"),
        ("with a score", f"{counts['scored']:,}"),
        ("different captions", f"{counts['captions']:,}"),
        ("captions of several pictures", f"{counts['repeated_captions']:,}"),
        *([("ranked, one per caption", f"{counts['ranked']:,}")] if best else []),
        ("kept", f"{counts['kept']:,} ({percent(counts['kept'], counts['samples'])})"),
        ("captions kept", f"{counts['kept_captions']:,}"),
    ]
    tied = counts["dropped_at_threshold"]
    dropped = [(reason, f"{count:,}") for reason, count in counts["dropped"].items()]
    scores = [
        (_QUANTILE_NAMES.get(share, f"{float(share):.0%}"), f"{score:.4f}")
        for share, score in found["quantiles"].items()
    ]
    cut = f"{found['threshold']:.4f}" + (f" ({tied:,} of this very score dropped)" if tied else "")
    return [
        ("Samples", samples),
        ("Dropped", dropped),
        (
            f"Scores (model {found['model']})",
            [("lowest kept" if rule["name"] != "min_score" else "kept from", cut), *scores],
        ),
    ]


_QUANTILE_NAMES = {"0": "lowest", "0.5": "median", "1": "highest"}


def percent(part: int, whole: int) -> str:
    """`70.0%`; of nothing, a dash."""
    return f"{100 * part / whole:.1f}%" if whole else "-"


def spelled_rule(name: str, value: float | int) -> str:
    """A rule as it is typed: `--top-k 2000000`."""
    return f"--{name.replace('_', '-')} {value if isinstance(value, int) else format(value, 'g')}"
