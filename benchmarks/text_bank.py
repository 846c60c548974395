"""Class embeddings: the text bank against open_clip's zero-shot builder, on one thread, both measured in this run.

    python benchmarks/text_bank.py [--model ViT-B-16] [--classes 4] [--templates imagenet80] [--repeats 2]

Random weights: the time does not depend on them. Both sides get the same network, prompts and thread; the bank starts
empty and keeps nothing on disk. Goal: a ratio of at least 3, results at most 1e-5 apart.
"""

from __future__ import annotations

# first: it lets open_clip import beside a CPU build of torch
import ttd_core.clip  # noqa: F401  # isort: skip
import open_clip  # isort: skip

import argparse
import sys
import time
from collections.abc import Callable

import torch

from ttd_core.clip.load import load_backbone
from ttd_core.protocols import SilentReporter
from ttd_core.text.bank import TextBank
from ttd_core.text.prompts import template_set
from ttd_core.types import ModelSpec

GOAL = 3.0
# names of ordinary length; longer runs take them again with a number behind
NAMES = ("cat", "dining table", "traffic light", "person", "potted plant", "grass", "television monitor", "boat")


def seconds(call: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Wall-clock time of one call and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> int:
    """Print both times, their ratio, and how far the results are apart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-16")
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--templates", default="imagenet80")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    spec = ModelSpec(model=args.model, pretrained="random")
    backbone = load_backbone(spec, torch.device("cpu"), SilentReporter())
    names = [f"{NAMES[i % len(NAMES)]}{'' if i < len(NAMES) else f' {i}'}" for i in range(args.classes)]
    templates = template_set(args.templates)
    tokenizer = open_clip.get_tokenizer(args.model)

    def theirs() -> torch.Tensor:
        return open_clip.build_zero_shot_classifier(backbone.network, tokenizer, names, templates)

    def ours() -> torch.Tensor:
        return TextBank(backbone).embed(names, args.templates, normalise_each=True)

    # in turn, so that a busy machine slows both
    runs = [(seconds(ours), seconds(theirs)) for _ in range(args.repeats)]
    ours_seconds, theirs_seconds = (min(run[side][0] for run in runs) for side in (0, 1))
    embedded, classifier = runs[-1][0][1], runs[-1][1][1]
    apart = float((embedded - classifier.T).abs().max())
    ratio = theirs_seconds / ours_seconds
    prompts = len(names) * len(templates)
    print(
        f"{args.model}, {len(names)} classes x {len(templates)} templates = {prompts} prompts, {args.threads} thread(s)"
    )
    print(f"open_clip.build_zero_shot_classifier  {theirs_seconds:8.2f} s")
    print(f"TextBank.embed                        {ours_seconds:8.2f} s")
    print(f"ratio {ratio:.1f} (goal {GOAL:.0f}), largest difference {apart:.1e}")
    return 0 if ratio >= GOAL and apart <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
