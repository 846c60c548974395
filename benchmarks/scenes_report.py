"""Print how well the built-in model, or another weights file, does on the generated scenes.

The same tables as `ttd evaluate --data scenes`, without a run directory.

python benchmarks/scenes_report.py
python benchmarks/scenes_report.py --weights runs/scenes/scenes.safetensors --count 100 --json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation.scenes_printed import as_markdown, printed_tables
from ttd_core.recipes.evaluation.scenes_tables import scenes_tables


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="a scenes weights file; default: the packaged one")
    parser.add_argument("--dense", help="dense strategy; default: the one stored with the weights")
    parser.add_argument("--count", type=int, help="scenes of each split; default: all 400")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--words", action="store_true", help="also the table word by word")
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start = time.process_time()
    backbone = load_scenes_backbone(options.weights, options.dense)
    tables = scenes_tables(backbone, options.count, SilentReporter()).to_json()
    print(json.dumps(tables, indent=1) if options.json else as_markdown(printed_tables(tables, options.words)))
    print(f"{time.process_time() - start:.0f} CPU seconds", file=sys.stderr)


if __name__ == "__main__":
    main()
