"""Finished runs of `ttd preprocess`, made with its writer but without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ttd_core.data.scores import ScoreMetadata, ScoreRow, write_scores
from ttd_core.runs import open_run

METADATA = ScoreMetadata("tiny", "ab" * 32, "pictures", None, "224 px")


def scored(key: str, score: float | None, caption: str = "", status: str = "ok") -> ScoreRow:
    """A row; a caption of its own unless one is given."""
    return ScoreRow(key, caption or f"caption of {key}", score, 8, 6, status)


def scores_run(
    folder: Path,
    shards: Mapping[str, Iterable[ScoreRow]],
    metadata: ScoreMetadata | Mapping[str, ScoreMetadata] = METADATA,
    done: bool = True,
) -> Path:
    """Write a run of `ttd preprocess` and return its folder.

    Args:
        folder: of the run.
        shards: rows by shard.
        metadata: of all files, or by shard.
        done: False leaves the run as an interruption would.
    """
    with open_run(Path("runs"), "preprocess", "tiny@pictures", {"seed": 0}, folder=folder) as run:
        for name, rows in shards.items():
            relative = f"scores/{name}.parquet"
            shared = metadata if isinstance(metadata, ScoreMetadata) else metadata[name]
            counts = write_scores(run.product(relative), rows, shared)
            run.record(name, {"counts": counts, "files": {"scores": relative}})
        if done:
            run.finish("done", {"done": len(shards)})
    return folder


def numbered(shard: str, scores: Sequence[float | None]) -> list[ScoreRow]:
    """Rows with keys `<shard>-0`, `<shard>-1`, ..."""
    return [
        scored(f"{shard}-{number}", score, status="ok" if score is not None else "no picture")
        for number, score in enumerate(scores)
    ]
