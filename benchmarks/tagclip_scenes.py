"""TagCLIP and classify-then-segment on the generated scenes, beside the plain readings of the same built-in model.

    python benchmarks/tagclip_scenes.py [--data scenes:test] [--limit 400]

Tags: mAP and F1 over the 36 classes of the scenes, by the picture's pooled embedding, by each class's best place, and
by TagCLIP. Masks: mIoU of the arg-max over the maps of all classes, of CLIP-ES's maps of the tags that TagCLIP selects,
and of the model's own maps of those.
Every row is a call of `ttd evaluate`, and is printed with it; nothing was chosen on these pictures.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile

TAGS = {
    "pooled embedding": ["--scorer", "image"],
    "best place (ttd)": ["--scorer", "pixel"],
    "TagCLIP": ["--method", "tagclip"],
}
MASKS = {
    "maps of all classes (ttd)": [],
    "TagCLIP, then CLIP-ES": ["--method", "tagclip+clip-es"],
    "TagCLIP, then maps (ttd)": ["--method", "tagclip+ttd"],
}


def measured(task: str, options: list[str], folder: str) -> dict[str, float]:
    """Figures of one evaluation, percent."""
    command = ["ttd", "evaluate", "--task", task, *options]
    print("$ " + shlex.join(command), file=sys.stderr, flush=True)
    call = [sys.executable, "-m", "ttd_cli", *command[1:], "--format", "json", "--quiet", "--run-root", folder]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    metrics = json.loads(done.stdout)["metrics"]
    return {name: float(value["value"] if isinstance(value, dict) else value) for name, value in metrics.items()}


def main() -> None:
    """Run every row and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="scenes:test")
    parser.add_argument("--limit", type=int, default=400)
    args = parser.parse_args()
    shared = ["--data", args.data, "--limit", str(args.limit), "--no-report"]
    with tempfile.TemporaryDirectory() as folder:
        print("| tags | mAP | precision | recall | F1 |\n|---|---|---|---|---|")
        for name, options in TAGS.items():
            found = measured("classification", [*shared, *options], folder)
            cells = " | ".join(f"{found[key]:.1f}" for key in ("map", "precision", "recall", "f1"))
            print(f"| {name} | {cells} |", flush=True)
        print("\n| masks | mIoU |\n|---|---|")
        for name, options in MASKS.items():
            found = measured("masks", [*shared, *options], folder)
            print(f"| {name} | {found['miou']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
