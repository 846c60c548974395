"""Reading training pairs from archives: views a second, with and without augmentation, against decoding alone.

    python benchmarks/augmented_reading.py [--pairs 600] [--share 64] [--rounds 3]

Makes archives as img2dataset does (pictures of 512 x 384 in JPEG, quality 90, with txt and json), and reads them as
`ttd train --method tcl` does: listing, order, decoding, view, batch; at 224 pixels. The yardstick is one process that
does nothing but decode the same bytes with Pillow. All ways are taken in turn, round after round, and the best round of
each counts, so that a busy machine disturbs them alike; what one view costs is told in processor time, which it hardly
disturbs. Starting processes is not counted. The last lines: how long listing takes, whether memory grows from pass to
pass, and what a worker needs.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import multiprocessing
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ttd_core.data.augmentation.views import CROP, NONE, PUBLISHED, Augmentation
from ttd_core.data.pair_sources import open_pairs
from ttd_core.data.pair_views import PairViews
from ttd_core.data.pairs import PairSource
from ttd_core.protocols import SilentReporter

# what imports torch is imported late: workers read this file too, and need none

ARCHIVES = 2
INSIDE = (NONE, CROP, PUBLISHED)
WORKERS = [(kind, workers) for workers in (1, 2) for kind in (NONE, PUBLISHED)]


def drawn(number: int) -> bytes:
    """A picture with large shapes and fine grain, about as long as a photograph."""
    dice = np.random.default_rng(number)
    shapes = Image.fromarray(dice.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((512, 384), 3)
    grain = dice.normal(0, 8, (384, 512, 1))
    pixels = (np.asarray(shapes) + grain).clip(0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def write_archives(folder: Path, pairs: int) -> list[bytes]:
    """Archives of drawn pictures with captions in a folder; the pictures as files hold them."""
    pictures = [drawn(number) for number in range(40)]
    for archive in range(ARCHIVES):
        with tarfile.open(folder / f"{archive:05d}.tar", "w") as tar:
            for number in range(archive, pairs, ARCHIVES):
                caption = f"picture number {number} of a dog on wet grass near a red umbrella"
                record = {"caption": caption, "key": f"{number:09d}", "status": "success", "url": "https://" + "x" * 60}
                members = (
                    ("jpg", pictures[number % 40]),
                    ("json", json.dumps(record).encode()),
                    ("txt", caption.encode()),
                )
                for ending, data in members:
                    header = tarfile.TarInfo(f"{number:09d}.{ending}")
                    header.size = len(data)
                    tar.addfile(header, io.BytesIO(data))
    return pictures


def decoding(pictures: list[bytes]) -> Iterator[int]:
    """Decodes, and nothing else."""
    while True:
        for picture in pictures:
            Image.open(io.BytesIO(picture)).convert("RGB").load()
        yield len(pictures)


def views(source: PairSource, kind: str, workers: int, share: int, stack: ExitStack) -> Iterator[int]:
    """Reads as a training does."""
    from ttd_core.recipes.augmented_pairs import AugmentedPairs
    from ttd_core.recipes.train_ttd_data import Ahead
    from ttd_core.training.share import Share

    pairs = AugmentedPairs(source, None, Augmentation(kind), share, 0, SilentReporter(), workers)
    ahead = Ahead(stack.enter_context(pairs).share, [Share()], 1 << 30)
    return (len(ahead(step, Share()).captions) for step in itertools.count())


@dataclass
class Way:
    """One way of reading, and how well it did."""

    name: str
    read: Iterator[int]
    rate: float = 0.0
    cost: float = float("inf")
    """Milliseconds of processor time in this process per view."""

    def round(self, count: int) -> None:
        next(self.read)  # whatever the way before left undone, and what is read ahead
        begun, spent, seen = time.perf_counter(), time.process_time(), 0
        while seen < count:
            seen += next(self.read)
        self.rate = max(self.rate, seen / (time.perf_counter() - begun))
        self.cost = min(self.cost, 1000 * (time.process_time() - spent) / seen)


def memory(process: int | str, what: str) -> float:
    """Memory of a process in MiB, `VmRSS` at present or `VmHWM` at most; NaN where nobody says."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--pairs", type=int, default=600)
    asked.add_argument("--share", type=int, default=64)
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pictures = write_archives(Path(folder), options.pairs)
        source = open_pairs(folder)
        alone = Way("decoding alone", decoding(pictures))
        ways = [alone] + [Way(f"{kind}, here", views(source, kind, 0, options.share, stack)) for kind in INSIDE]
        ways += [Way(f"{k}, workers {w}", views(source, k, w, options.share, stack)) for k, w in WORKERS]
        for _ in range(options.rounds):
            for way in ways:
                way.round(options.pairs // 2)
        print(f"pictures of {len(pictures[0]) / 1024:.0f} KiB")
        print(f"{'':22} per second  of decoding  ms of this process each")
        for way in ways:
            print(f"{way.name:22} {way.rate:10.0f} {way.rate / alone.rate:12.2f} {way.cost:24.2f}")
        begun = time.process_time()
        listed = sum(len(PairViews(source, None, Augmentation(), 0).pairs_of(n).pairs) for n in range(ARCHIVES))
        print(f"listing: {(time.process_time() - begun) / listed * 10_000:.1f} s of a processor per 10,000 pairs")
        before = memory("self", "VmRSS")
        for _ in range(4 * options.pairs // options.share):
            next(ways[1].read)
        print(f"memory after four more passes: {memory('self', 'VmRSS') - before:+.1f} MiB to {before:.0f}")
        workers = [memory(child.pid or 0, "VmHWM") for child in multiprocessing.active_children()]
        print(f"peak memory of the largest worker: {max(workers):.0f} MiB")


if __name__ == "__main__":
    main()
