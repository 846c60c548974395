"""A training step of CLIP ViT-B/16 at 224 pixels: fp32, bf16 and torch.compile against the device's matrix products.

    python benchmarks/train_step.py [--device cuda] [--batch 64] [--variants fp32 bf16 fp32+compile bf16+compile]
    python benchmarks/train_step.py --tiny          # a small model: shows that it works, says nothing about speed

Both towers are trained by the loop's own step: forward, backward, clipping, AdamW. The ceiling is the best rate of
square matrix products in the same number format on the same device, measured in the same run. Operations of a step are
counted while it runs, not estimated; the last column is their rate as a share of the ceiling.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

# torchvision's operators are declared where they are missing, before open_clip asks for them
import ttd_core.clip  # noqa: F401  # isort: skip
import open_clip
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from ttd_core.clip.precision import reproducible
from ttd_core.methods.clip.loss import caption_contrast
from ttd_core.training.gradient_checkpointing import set_gradient_checkpointing
from ttd_core.training.optim import build_adamw
from ttd_core.training.share import Share, StepLosses
from ttd_core.training.stage import LoopSettings
from ttd_core.training.step import take_step

VARIANTS = ("fp32", "bf16", "fp32+compile", "bf16+compile")
TINY: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@dataclass(frozen=True)
class Measured:
    """One row of the table: seconds of a step, images per second, TFLOP/s, and these as a share of the ceiling."""

    variant: str
    step_seconds: float
    images_per_second: float
    tflops: float
    ceiling_tflops: float
    share_of_ceiling: float
    memory_gib: float | None


def best_seconds(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """The shortest of `repeats` wall-clock times, after one call that is not counted."""
    times = []
    for _ in range(repeats + 1):
        wait(device)
        start = time.perf_counter()
        call()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ceiling(dtype: torch.dtype, device: torch.device, sides: tuple[int, ...], repeats: int) -> float:
    """The best rate of square matrix products, in FLOP/s."""
    rates = []
    for side in sides:
        left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        rates.append(2 * side**3 / best_seconds(lambda a=left, b=right: a @ b, repeats, device))  # type: ignore[misc]
    return max(rates)


class Pairs:
    """Losses of a batch of noise with random captions."""

    def __init__(self, model: nn.Module, batch: int, image: int, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(0)
        self.pictures = torch.randn(batch, 3, image, image, generator=generator).to(device)
        self.captions = torch.randint(1, 49000, (batch, 77), generator=generator).to(device)
        self.model = model

    def __call__(self, step: int, share: Share) -> StepLosses:
        pictures, captions, scale = self.model(self.pictures, self.captions)
        pictures, captions = normalize(pictures.float(), dim=-1), normalize(captions.float(), dim=-1)
        return StepLosses({"caption": caption_contrast(pictures, captions, scale)}, samples=len(pictures))


def operations(model: nn.Module, image: int, device: torch.device) -> float:
    """Floating point operations of a step per pair, forward and backward."""
    losses = Pairs(model, 2, image, device)
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):  # other forms of attention are not counted everywhere
        losses(0, Share()).losses["caption"].backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / 2


def measure(variant: str, options: argparse.Namespace, config: dict[str, Any], top: float) -> Measured:
    """Build the model, take steps, and count."""
    device = torch.device(options.device)
    image = config["vision_cfg"]["image_size"]
    torch.manual_seed(0)
    model = open_clip.CLIP(**config).to(device).train()
    per_pair = operations(model, image, device)
    set_gradient_checkpointing(model, options.checkpointing)
    precision, _, compiled = variant.partition("+")
    losses = Pairs(torch.compile(model) if compiled else model, options.batch, image, device)  # type: ignore[arg-type]
    optimiser = build_adamw(model, 1e-5, 0.05)
    settings = LoopSettings(precision=precision)  # type: ignore[arg-type]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):  # compiling, and the optimiser's memory
        take_step(model, optimiser, losses, 0, 1.0, settings)
    seconds = best_seconds(lambda: take_step(model, optimiser, losses, 0, 1.0, settings), options.repeats, device)
    memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    rate = per_pair * options.batch / seconds
    return Measured(variant, seconds, options.batch / seconds, rate / 1e12, top / 1e12, rate / top, memory)


def parse() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, help="pairs per step; default 64, or 8 on a CPU")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own choice")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--checkpointing", action="store_true", help="compute activations anew in the backward pass")
    parser.add_argument("--tiny", action="store_true", help="a small model of the same kind")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    options.batch = options.batch or (64 if options.device.startswith("cuda") else 8)
    return options


def main() -> None:
    """Measure and print."""
    options = parse()
    reproducible()  # fp32 means fp32: no TF32
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    sides = (256,) if options.tiny else (4096, 8192) if device.type == "cuda" else (1024, 2048)
    config = TINY if options.tiny else open_clip.get_model_config("ViT-B-16")
    tops: dict[str, float] = {}
    rows = []
    for variant in options.variants:
        precision = variant.partition("+")[0]
        if precision not in tops:
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            tops[precision] = ceiling(dtype, device, sides, options.repeats)
        rows.append(measure(variant, options, config, tops[precision]))
    cuda = device.type == "cuda"
    name = (
        torch.cuda.get_device_name(device) if cuda else f"CPU {platform.machine()}, {torch.get_num_threads()} threads"
    )
    if options.json:
        facts = {"device": name, "torch": torch.__version__, "batch": options.batch, "tiny": options.tiny}
        print(json.dumps({**facts, "rows": [asdict(row) for row in rows]}))
        return
    model = "a tiny model" if options.tiny else f"CLIP ViT-B/16 at {config['vision_cfg']['image_size']}"
    print(f"{model}, batch {options.batch}, {name}, torch {torch.__version__}")
    print(f"{'':14} {'ms/step':>9} {'images/s':>9} {'TFLOP/s':>9} {'ceiling':>9} {'share':>7} {'GiB':>6}")
    for row in rows:
        memory = f"{row.memory_gib:6.1f}" if row.memory_gib is not None else f"{'-':>6}"
        print(
            f"{row.variant:14} {1000 * row.step_seconds:9.1f} {row.images_per_second:9.2f} {row.tflops:9.3f}"
            f" {row.ceiling_tflops:9.3f} {row.share_of_ceiling:7.0%} {memory}"
        )


if __name__ == "__main__":
    main()
