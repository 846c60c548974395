"""Memory of TagCLIP over the length of a class list: peaks beside each other, each from a process of its own.

    python benchmarks/tagclip_long_lists.py [--classes 20 500 5000] [--size 375x500] [--templates full+maskclip]

Tags are asked for through the command, on a drawn picture, with narrow towers of random weights; so the peak is that of
everything but the weights: prompts, embeddings, scores of all patches, crops. What must grow with a list is its
embeddings and one score per patch and class, 25 MiB of 5000 classes; goal: they need at most 200 MiB more than 20 do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

GOAL = 200.0
"""MiB."""
WIDTH = 512
"""Of the shared space, as ViT-B/16 has it."""


def write_model(path: Path) -> None:
    """A weights file in OpenAI's layout: ViT-B/16's depth, patches and shared space, narrow towers."""
    import torch

    from ttd_core.clip.torchvision_ops import declare_missing_operators

    declare_missing_operators()
    import open_clip

    torch.manual_seed(0)
    vision = {"image_size": 224, "layers": 12, "width": 128, "patch_size": 16, "head_width": 64}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
    network = open_clip.CLIP(WIDTH, vision_cfg=vision, text_cfg=text, quick_gelu=True)
    torch.save({name: value for name, value in network.state_dict().items() if name != "attn_mask"}, path)


def main() -> int:
    """Measure every length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[20, 500, 5000])
    parser.add_argument("--size", default="375x500", help="height x width in pixels")
    parser.add_argument("--templates", default="full+maskclip", help="85 prompts a class, as published")
    args = parser.parse_args()
    height, width = (int(side) for side in args.size.split("x"))
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "tiny.pt")
        coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(folder / "picture.png")
        for count in args.classes:
            (folder / "classes.txt").write_text("".join(f"thing {i}\n" for i in range(count)), encoding="utf-8")
            command = [
                "tags", "--method", "tagclip", "--image", "picture.png", "--classes", "classes.txt", "--model", "auto",
                "--weights", "tiny.pt", "--activation", "quickgelu", "--templates", args.templates, "--format", "jsonl",
                "--quiet", "--threads", "1", "--no-save",
            ]  # fmt: skip
            begun = time.perf_counter()
            script = (
                "import resource, sys; from ttd_cli.app import main\n"
                "try: main(sys.argv[1:])\n"
                "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
            )
            done = subprocess.run(
                [sys.executable, "-c", script, *command], cwd=folder, capture_output=True, text=True, check=False,
                env={"TTD_CACHE": "off", "PATH": ""},
            )  # fmt: skip
            if not done.stdout.startswith("{"):
                sys.exit(done.stderr)
            peak = int(done.stderr.split()[-1]) / (2**20 if sys.platform == "darwin" else 2**10)
            peaks.append(peak)
            seconds = time.perf_counter() - begun
            print(f"{count} classes: {peak:.0f} MiB, {peak - peaks[0]:+.0f}, {seconds:.0f} s", flush=True)
    return int(peaks[-1] > peaks[0] + GOAL)


if __name__ == "__main__":
    sys.exit(main())
