"""What each part of text-tag self-distillation does to the built-in model, on the generated scenes.

    python benchmarks/ttd_ablation.py                 # every row, about 35 CPU-seconds each; goes on where it stopped
    python benchmarks/ttd_ablation.py --rows main     # losses, three seeds
    python benchmarks/ttd_ablation.py --table         # the table of the rows measured so far
    python benchmarks/ttd_ablation.py --teachers      # how good selection and targets are before any training
    python benchmarks/ttd_ablation.py --search        # settings beyond the table, judged on `scenes:val` alone
    python benchmarks/ttd_ablation.py --choose        # the best of them on all bases searched so far
    python benchmarks/ttd_ablation.py --changes --rows chosen     # what rows of the table change, on all bases
    python benchmarks/ttd_ablation.py --collapse      # three trainings that the guard ends

Every one of them takes another base, whose results are kept in a file of its own. The second base of the tables:

    ttd train --method clip --data scenes:train --seed 1 --steps 3000 --out runs/base2
    python benchmarks/ttd_ablation.py --weights runs/base2/weights/scenes.safetensors --name base2

Columns, percent: pixel F1 at softmax 0.5 on `scenes:test` with precision and recall (fix, P, R), with the cosine
threshold that is best on `scenes:val` (cos); both on `scenes:hard`; F1 of the image's calibrated cosine (image); pixel
AUC and pointing of visible words (AUC, point); caption IoU at 0.4 of all captions (cap) and, of small captions, with
thresholds from `scenes:val`, of the caption's map and the union of selected words (s-cap, s-uni); correlation of the
caption's map with its worst visible word (worst); the single tag bias (bias, lower is better); the
mean of F1 with and without lies and of pixel AUC on `scenes:val` (val); the softmax scale that is best
there (scale), and pixel F1 with it (s-fix, s-hard). Maps are stretched to 0..1 for masks, as in the measurements on the
prototype, so that no stored calibration takes part. 96 pixels, one view, 400 scenes each.

Columns of the search, all on `scenes:val`: pixel F1 as it is and with 1 to 3 absent words inserted into each caption
(v-fix, v-hard), IoU on small captions of the caption's map and of the union of selected words, at the best threshold
(v-cap, v-uni), pixel AUC of 100 scenes (v-AUC), the best softmax scale and v-hard with it (refit, v-hard refit).
`--choose` ranks settings by the lesser of their gains in v-hard and v-cap, over all bases the least.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from itertools import chain, product
from pathlib import Path
from typing import Any

from distillation.bench import Bench
from distillation.rows import Row, collapse_rows, search_rows, table_rows
from distillation.teachers import spread_lines, teacher_lines

from ttd_core.errors import TtdError
from ttd_core.recipes.train_ttd_guard import CollapseGuard
from ttd_core.training.loop import StoppedByGuard

COLUMNS = (
    "fix", "P", "R", "cos", "hard fix", "hard cos", "image", "AUC", "point", "cap", "s-cap", "s-uni", "worst", "bias",
    "val", "scale", "s-fix", "s-hard",
)  # fmt: skip
CHANGED = ("fix", "hard fix", "s-cap", "s-uni", "cap", "AUC", "point", "cos", "hard cos", "image", "worst", "bias")
JUDGED = ("v-fix", "v-hard", "v-cap", "v-uni", "v-AUC", "refit", "v-hard refit")
BASE = "no training"
Results = dict[str, Any]


def table(results: Results, columns: tuple[str, ...]) -> str:
    """Markdown: means over seeds, and half the range of three."""
    lines = ["| row | seeds | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for name, by_seed in results.items():
        runs = [run["figures"] for run in by_seed.values()]
        cells = []
        for column in columns:
            values = [run[column] for run in runs if column in run]
            if not values:
                cells.append("")
                continue
            digits = 2 if column == "worst" else 1
            spread = f" ±{(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.{digits}f}{spread}")
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def choose(searched: dict[str, Results]) -> str:
    """Settings that every base has, by their least gain in what is looked for."""
    lines = ["| setting | base | seeds | v-hard | v-cap | lesser |", "|---|---|---|---|---|---|"]
    shared = set.intersection(*(set(results) for results in searched.values())) - {BASE}
    ranked = []
    for name in shared:
        rows, least = [], []
        for base, results in searched.items():
            start = results[BASE]["0"]["figures"]
            runs = [run["figures"] for run in results[name].values()]
            gains = [statistics.mean(run[column] for run in runs) - start[column] for column in ("v-hard", "v-cap")]
            least.append(min(gains))
            rows.append(f"| {name} | {base} | {len(runs)} | {gains[0]:+.1f} | {gains[1]:+.1f} | {min(gains):+.1f} |")
        ranked.append((-min(least), name, rows))
    return "\n".join([*lines, *(line for _, _, rows in sorted(ranked) for line in rows)])


def changes(measured: dict[str, Results], rows: list[Row]) -> str:
    """Differences from the base: means over seeds, for the F1 with the least and the greatest."""
    lines = ["| row | base | seeds | " + " | ".join(CHANGED) + " |", "|---" * (len(CHANGED) + 3) + "|"]
    for row, (base, results) in product(rows, measured.items()):
        if row.name not in results:
            continue
        start, runs = results[BASE]["0"]["figures"], [run["figures"] for run in results[row.name].values()]
        cells = []
        for column in CHANGED:
            digits = 2 if column == "worst" else 1
            gains = [run[column] - start[column] for run in runs]
            spread = f" ({min(gains):+.1f} to {max(gains):+.1f})" if column in CHANGED[:2] and len(gains) > 1 else ""
            cells.append(f"{statistics.mean(gains):+.{digits}f}{spread}")
        lines.append(f"| {row.name} | {base} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def collapse(bench: Bench) -> None:
    """Three trainings that must be stopped, and why they were."""
    for row in collapse_rows():
        try:
            bench.train(row, 0, CollapseGuard(200))
            print(f"{row.name}: not stopped", flush=True)
        except StoppedByGuard as stop:
            print(f"{row.name}: step {stop.step}, {stop.reason}", flush=True)


def run_rows(bench: Bench, rows: list[Row], results: Results, out: Path, search: bool) -> None:
    """Train and measure what is missing; seeds in turn, so that every row has one soon."""

    def measured(row: Row | None, seed: int) -> dict[str, Any]:
        begun = time.process_time()
        backbone = bench.base() if row is None else bench.train(row, seed)
        figures = bench.judge(backbone, row is None or row.towers == "text") if search else bench.measure(backbone)
        return {"figures": figures, "cpu_seconds": round(time.process_time() - begun, 1)}

    planned: list[tuple[int, int]] = sorted((seed, place) for place, row in enumerate(rows) for seed in row.seeds)
    for seed, row in [(0, None), *((seed, rows[place]) for seed, place in planned)]:
        name = BASE if row is None else row.name
        if str(seed) in results.get(name, {}):
            continue
        results.setdefault(name, {})[str(seed)] = found = measured(row, seed)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(results, indent=1) + "\n")
        print(name, seed, json.dumps(found), flush=True)


def chosen(rows: list[Row], asked: list[str]) -> list[Row]:
    """The rows of these names; what is no name is a group or a part of names."""
    names = {row.name for row in rows} & set(asked)
    parts = [each for each in asked if each not in names]
    return [r for r in rows if not asked or r.name in names or any(p == r.group or p in r.name for p in parts)]


def read(path: Path) -> Results:
    """What was measured before."""
    found: Results = json.loads(path.read_text()) if path.exists() else {}
    return found


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", nargs="*", help="names of rows, parts of names, or groups; all by default", default=[]
    )
    parser.add_argument("--weights", type=Path, help="of the base; the ones that ship by default")
    parser.add_argument("--name", help="of the base, in the names of its files", default="shipped")
    parser.add_argument("--runs", type=Path, help="folder of the results", default=Path("runs/ttd_ablation"))
    parser.add_argument("--cache", type=Path, help="keeps drawn scenes for the next call")
    parser.add_argument("--table", action="store_true", help="print what was measured, measure nothing")
    parser.add_argument("--search", action="store_true", help="the settings that were searched, on scenes:val")
    parser.add_argument("--choose", action="store_true", help="rank what was searched, on all bases together")
    parser.add_argument("--changes", action="store_true", help="what rows changed, on all bases together")
    parser.add_argument("--teachers", action="store_true", help="quality of selection and targets, on scenes:val")
    parser.add_argument("--collapse", action="store_true", help="show the guard at work")
    return parser.parse_args()


def main() -> None:
    """Measure what is missing, and print the table."""
    args = options()
    if args.choose:
        print(choose({file.stem: read(file) for file in sorted((args.runs / "search").glob("*.json"))}))
        return
    if args.changes:
        print(
            changes(
                {file.stem: read(file) for file in sorted(args.runs.glob("*.json"))}, chosen(table_rows(), args.rows)
            )
        )
        return
    out = args.runs / ("search" if args.search else "") / f"{args.name}.json"
    results, columns = read(out), JUDGED if args.search else COLUMNS
    if args.table:
        print(table(results, columns))
        return
    bench = Bench(args.cache, args.weights)
    if args.collapse:
        collapse(bench)
    elif args.teachers:
        for line in chain(spread_lines(bench), teacher_lines(bench)):
            print(line, flush=True)
    else:
        rows = search_rows() if args.search else table_rows()
        run_rows(bench, chosen(rows, args.rows), results, out, args.search)
        print(table(results, columns))


if __name__ == "__main__":
    try:
        main()
    except TtdError as error:
        sys.exit(f"error: {error}")
