"""Memory of `ttd preprocess` over generated rows: the peak after N rows and after 10 N rows of one run.

    python benchmarks/preprocess_memory.py [--rows 30000] [--shard 10000]

Everything but the network is the real thing: pairs come as encoded pictures, are decoded ahead of a stand-in for the
model that only weighs the caption's letters, and go into one parquet file per shard, a row of the run's index each, and
the closing figures. Peak memory must not grow with the number of rows: the second figure is at most 1.1 times the
first. What does grow is small and counted here too: the list of shards and the index, some 500 bytes a shard. From the
growth between the two the program extrapolates to 10 million rows.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from ttd_core.data.pairs import Pair, PairShard
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.recipes.preprocess.preprocess import run_preprocess
from ttd_core.types import Picture

T = TypeVar("T")
GOAL = 1.1
WHOLE = 10_000_000


class GeneratedPairs:
    """So many rows, made when they are read."""

    def __init__(self, rows: int, per_shard: int) -> None:
        self.name, self.rows = f"generated-{rows}", rows
        cuts = range(0, rows, per_shard)
        self.shards = tuple(PairShard(f"{n:06d}", (at, min(at + per_shard, rows))) for n, at in enumerate(cuts))
        stream = io.BytesIO()
        Image.new("RGB", (16, 16), (200, 30, 40)).save(stream, "PNG")
        self._picture = stream.getvalue()

    def read(self, shard: PairShard) -> Iterator[Pair]:
        for number in range(*shard.source):
            caption = f"picture number {number} of a dog on wet grass near a red umbrella"
            yield Pair(f"{number:09d}", caption, self._picture, f"generated:{number}")


class Weigher:
    """Stands for the model."""

    model, model_sha256, settings, device, window = "weigher", "0" * 64, "{}", "cpu", 256

    def prepare(self, picture: Picture) -> Any:
        return picture.size

    def score(self, prepared: Sequence[Any], captions: Sequence[str]) -> list[float | str]:
        return [sum(map(ord, caption)) % 1000 / 1000 for caption in captions]


def peak() -> float:
    """Peak memory of this process so far, in MiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 2**10


class Watch(SilentReporter):
    """Takes the time and the peak after so many pairs."""

    def __init__(self, after: int) -> None:
        self.after, self.begin = after, time.perf_counter()
        self.seen = (0.0, 0.0)

    def track(self, items: Iterable[T], total: int | None, description: str) -> Iterator[T]:
        for number, item in enumerate(items, 1):
            if number == self.after:
                self.seen = (time.perf_counter() - self.begin, peak())
            yield item


def score(rows: int, per_shard: int, folder: Path, watch: Watch) -> None:
    """Score generated rows."""
    options = PreprocessOptions(data="generated", out=str(folder / str(rows)), workers=1)
    source = GeneratedPairs(rows, per_shard)
    result, _ = run_preprocess(options, watch, "", source, lambda device, report: Weigher())
    assert result["ok"] == rows, result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--shard", type=int, default=10_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        score(chosen.shard, chosen.shard, Path(folder), Watch(1))  # imports, and the buffers of one whole shard
        watch = Watch(chosen.rows)
        score(10 * chosen.rows, chosen.shard, Path(folder), watch)
    found = (watch.seen, (time.perf_counter() - watch.begin, peak()))
    for rows, (seconds, mebibytes) in zip((chosen.rows, 10 * chosen.rows), found, strict=True):
        print(f"{rows:>10,} rows  {seconds:7.1f} s  {rows / seconds:7.0f} rows/s  peak {mebibytes:7.1f} MiB")
    few, many = found[0][1], found[1][1]
    whole = few + (many - few) / (9 * chosen.rows) * WHOLE
    print(f"ratio {many / few:.3f} (goal: at most {GOAL}); {WHOLE:,} rows with this growth: {whole:.0f} MiB")
    return 0 if many / few <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
