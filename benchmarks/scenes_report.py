"""Print how well the built-in model, or another weights file, does on the generated scenes.

python benchmarks/scenes_report.py
python benchmarks/scenes_report.py --weights runs/scenes/scenes.safetensors --count 100 --json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.scenes_report import ScenesReport, scenes_report


def as_markdown(report: ScenesReport) -> str:
    """The three tables of a report, percent with one decimal."""
    lines = ["| split | row | P | R | F1 | Acc |", "|---|---|---|---|---|---|"]
    for tag in report.tags:
        m = tag.metrics
        cells = " | ".join(f"{100 * value:.1f}" for value in (m.precision, m.recall, m.f1, m.accuracy))
        lines.append(f"| {tag.split} | {tag.row} | {cells} |")
    lines += ["", "| split | views | pixel AUC | pointing |", "|---|---|---|---|"]
    for row in report.maps:
        lines.append(f"| {row.split} | {row.views} | {100 * row.auc:.1f} | {100 * row.pointing:.1f} |")
    lines += ["", "| captions | mask | refined | threshold | IoU | FPR | FNR |", "|---|---|---|---|---|---|---|"]
    for mask in report.masks:
        cut = "" if math.isnan(mask.threshold) else f"{mask.threshold:.2f}"
        shares = " | ".join(f"{100 * value:.1f}" for value in (mask.shares.iou, mask.shares.fpr, mask.shares.fnr))
        lines.append(f"| {mask.captions} ({mask.count}) | {mask.row} | {mask.refine} | {cut} | {shares} |")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="a scenes weights file; default: the packaged one")
    parser.add_argument("--dense", help="dense strategy; default: the one stored with the weights")
    parser.add_argument("--count", type=int, help="scenes of each split; default: all 400")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start = time.process_time()
    report = scenes_report(load_scenes_backbone(options.weights, options.dense), options.count, SilentReporter())
    print(json.dumps(asdict(report), indent=1) if options.json else as_markdown(report))
    print(f"{time.process_time() - start:.0f} CPU seconds", file=sys.stderr)


if __name__ == "__main__":
    main()
