"""Pruning millions of scores: arrays against a loop over rows, both in this run, with the peak of memory.

    python benchmarks/prune_scale.py [--rows 2000000] [--loop-rows 1000000] [--per-caption all|best]

Score files are generated; many captions come with several pictures, one row in fifty has no score, and scores are
rounded so that the cut goes through equal ones. The loop is what one would write first: a dictionary per row, a list
per caption, a sort. Both read the same files, choose, and must choose the same samples; the whole command, which also
identifies its inputs, writes and draws, is measured on the greater number of rows. Times are CPU seconds; each
measurement has a process of its own, so that peaks do not mix. Goals: the choice 4 times as fast, and the command below
600 MB for 10,000,000 rows.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ttd_core.data.scores import ScoreMetadata, ScoreRow, open_scores, write_scores
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.prune.columns import collect, key_order, read_keys
from ttd_core.recipes.prune.options import PruneOptions
from ttd_core.recipes.prune.prune import run_prune
from ttd_core.recipes.prune.ranking import choose, merge_captions
from ttd_core.recipes.prune.scores_run import find_scores
from ttd_core.runs import open_run

SHARD = 10_000
CAPTIONS = 200_000
GOAL = 4.0
GOAL_BYTES = 600e6
KEEP = 0.7


def make_run(folder: Path, rows: int) -> None:
    """A finished run of `ttd preprocess` over generated rows."""
    rng = np.random.default_rng(0)
    write_scores(
        folder / "vocabulary.parquet",
        (
            ScoreRow("", f"a photograph of thing {number} beside thing {number % 977}", 0.0)
            for number in range(CAPTIONS)
        ),
        ScoreMetadata("generated", None, "generated"),
    )
    vocabulary = pq.read_table(folder / "vocabulary.parquet").combine_chunks()
    (folder / "vocabulary.parquet").unlink()
    with open_run(folder, "preprocess", "generated", {}, folder=folder) as run:
        for shard in range(math.ceil(rows / SHARD)):
            count = min(SHARD, rows - shard * SHARD)
            # squaring makes the first captions common and the last ones rare
            table = vocabulary.take(pa.array((rng.random(count) ** 2 * CAPTIONS).astype(np.int64)))
            missing = rng.random(count) < 0.02
            scores = pa.array(rng.normal(0.25, 0.05, count).round(4).astype(np.float32), mask=missing)
            keys = pa.array([f"{number:09d}" for number in rng.permutation(count)])
            status = pa.array(np.where(missing, "picture cannot be decoded", "ok").tolist())
            for name, column in (("key", keys), ("score", scores), ("status", status)):
                place = table.schema.get_field_index(name)
                table = table.set_column(place, table.schema.field(place), column)
            relative = f"scores/{shard:05d}.parquet"
            pq.write_table(table, run.product(relative))
            run.record(f"{shard:05d}", {"files": {"scores": relative}})
        run.finish("done", {"done": math.ceil(rows / SHARD)})


def by_arrays(folder: Path, per_caption: str) -> list[list[str]]:
    """Shard and key of the chosen rows."""
    run = find_scores(folder, False, SilentReporter())
    collected = collect(run.files, SilentReporter())
    scores = collected.merged.scores
    ranked = merge_captions(collected.merged).best if per_caption == "best" else np.isfinite(scores)
    kept = choose(scores, ranked, "keep", KEEP).kept
    pairs = []
    for number, file in enumerate(run.files):
        keys = read_keys(file)
        chosen = key_order(keys)[kept[collected.starts[number] : collected.starts[number + 1]]]
        pairs += [[file.shard, key] for key in keys.take(pa.array(chosen)).to_pylist()]
    return pairs


def whole_command(folder: Path, per_caption: str) -> list[list[str]]:
    options = PruneOptions(
        scores=str(folder), keep=KEEP, per_caption="best" if per_caption == "best" else "all", pictures=False,
        out=str(folder / "kept"),
    )  # fmt: skip
    run_prune(options, "", SilentReporter())
    return []


def by_loop(folder: Path, per_caption: str) -> list[list[str]]:
    """The same choice, row by row."""
    captions: dict[str, list[tuple[float, str, str]]] = {}
    for path in sorted((folder / "scores").glob("*.parquet")):
        for batch in open_scores(path).batches(("key", "caption_sha256", "score", "status")):
            for row in batch.to_pylist():
                if row["status"] == "ok" and row["score"] is not None:
                    entry = (-row["score"], path.stem, row["key"])
                    captions.setdefault(row["caption_sha256"], []).append(entry)
    ranked = [entry for several in captions.values() for entry in (several if per_caption == "all" else [min(several)])]
    ranked.sort()
    return [[shard, key] for _, shard, key in ranked[: math.ceil(len(ranked) * 7 / 10)]]


WAYS = {"loop": by_loop, "arrays": by_arrays, "command": whole_command}


def measured(way: str, folder: Path, per_caption: str) -> tuple[float, int, set[tuple[str, str]]]:
    """CPU seconds, peak resident bytes and choice of one way, in a process of its own; imports are not counted."""
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        command = [sys.executable, __file__, "--child", way, str(folder), per_caption, answer.name]
        subprocess.run(command, check=True)
        seconds, peak, chosen = json.loads(Path(answer.name).read_text())
    return seconds, peak, {(shard, key) for shard, key in chosen}


def child(way: str, folder: str, per_caption: str, answer: str) -> None:
    begun = time.process_time()
    chosen = WAYS[way](Path(folder), per_caption)
    Path(answer).write_text(json.dumps([time.process_time() - begun, peak_bytes(), chosen]))


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # the other figure would include what the parent had in memory
        return 1024 * int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--loop-rows", type=int, default=1_000_000)
    parser.add_argument("--per-caption", choices=("all", "best"), default="best")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        make_run(base / "few", arguments.loop_rows)
        make_run(base / "many", arguments.rows)
        loop_seconds, loop_peak, theirs = measured("loop", base / "few", arguments.per_caption)
        few_seconds, few_peak, ours = measured("arrays", base / "few", arguments.per_caption)
        seconds, peak, _ = measured("command", base / "many", arguments.per_caption)
    for name, rows, spent, used in (
        ("loop over rows", arguments.loop_rows, loop_seconds, loop_peak),
        ("arrays", arguments.loop_rows, few_seconds, few_peak),
        ("whole command", arguments.rows, seconds, peak),
    ):
        print(
            f"{name:15} {rows:>11,} rows  {spent:7.2f} s  {1e6 * spent / rows:6.2f} s per million  {used / 1e6:6.0f} MB"
        )
    ratio = loop_seconds / few_seconds
    same = ours == theirs
    print(f"{ratio:.1f} times as fast as the loop (goal {GOAL:g}); {len(ours):,} samples kept, the same: {same}")
    small = arguments.rows < 10_000_000 or peak <= GOAL_BYTES
    return 0 if same and ratio >= GOAL and small else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(main())
