"""Memory of `ttd preprocess` over generated rows: the peak after N rows and after 11 N rows, in one process.

    python benchmarks/preprocess_memory.py [--rows 20000] [--shard 10000]

Everything but the network is the real thing: pairs come as encoded pictures, are decoded ahead of a stand-in for the
model that only weighs the caption's letters, and go into one parquet file per shard, a row of the run's index each, and
the closing figures. Peak memory must not grow with the number of rows: the second figure is at most 1.1 times the
first. What does grow is small and counted here too: the list of shards and the index, some 500 bytes a shard. From the
two peaks the program extrapolates to 10 million rows.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ttd_core.data.pairs import Pair, PairShard
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.recipes.preprocess.preprocess import run_preprocess
from ttd_core.types import Picture

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


def score(rows: int, per_shard: int, folder: Path) -> float:
    """Score generated rows and return the seconds it took."""
    begin = time.perf_counter()
    options = PreprocessOptions(data="generated", out=str(folder / str(rows)), workers=1)
    source = GeneratedPairs(rows, per_shard)
    result, _ = run_preprocess(options, SilentReporter(), "", source, lambda device, report: Weigher())
    assert result["ok"] == rows, result
    return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--shard", type=int, default=10_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        score(min(1000, chosen.rows), chosen.shard, Path(folder))  # what is imported once
        peaks = []
        for rows in (chosen.rows, 10 * chosen.rows):
            seconds = score(rows, chosen.shard, Path(folder))
            peaks.append(peak())
            print(f"{rows:>10,} rows  {seconds:7.1f} s  {rows / seconds:7.0f} rows/s  peak {peaks[-1]:7.1f} MiB")
    ratio = peaks[1] / peaks[0]
    growth = (peaks[1] - peaks[0]) / (9 * chosen.rows)
    at_most = peaks[0] + growth * WHOLE
    print(f"ratio {ratio:.3f} (goal: at most {GOAL}); {WHOLE:,} rows at this rate of growth: {at_most:.0f} MiB")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
