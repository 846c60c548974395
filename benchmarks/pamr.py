"""PAMR: the fused form against the plain unfold form, on one thread, both measured in this run.

    python benchmarks/pamr.py [--labels 21] [--size 448] [--repeats 3]

Goal: a ratio of at least 25 at 21 labels and 448×448, results at most 1e-5 apart.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from ttd_core.ops.pamr import DILATIONS, ITERATIONS, pamr, pamr_torch


def pamr_reference(
    image: torch.Tensor,
    masks: torch.Tensor,
    iterations: int = ITERATIONS,
    dilations: Sequence[int] = DILATIONS,
) -> torch.Tensor:
    """The textbook form: a fixed convolution per dilation unfolds the neighbours of picture and masks.

    Args:
        image: B×3×H×W float.
        masks: B×K×h×w float.
        iterations: how often the values flow.
        dilations: distances in pixels.

    Returns:
        B×K×H×W.
    """
    masks = F.interpolate(masks, size=image.shape[-2:], mode="bilinear", align_corners=True)
    around = torch.eye(9, dtype=image.dtype).view(9, 1, 3, 3)
    without_centre = torch.cat([around[:4], around[5:]])

    def unfold(maps: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """B×C×H×W → B×C×(taps·dilations)×H×W."""
        batch, channels, height, width = maps.shape
        flat = maps.reshape(batch * channels, 1, height, width)
        parts = [F.conv2d(F.pad(flat, (d,) * 4, mode="replicate"), kernel, dilation=d) for d in dilations]
        return torch.cat(parts, dim=1).view(batch, channels, -1, height, width)

    sigma = unfold(image, around).std(dim=2, keepdim=True)
    difference = (unfold(image, without_centre) - image[:, :, None]).abs()
    weights = torch.softmax((-difference / (1e-8 + 0.1 * sigma)).mean(dim=1, keepdim=True), dim=2)  # B 1 N H W
    for _ in range(iterations):
        masks = (unfold(masks, without_centre) * weights).sum(dim=2)
    return masks


def seconds(call: Callable[[], torch.Tensor], repeats: int) -> tuple[float, torch.Tensor]:
    """The shortest of `repeats` wall-clock times and the last result."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result


def first_call_seconds() -> float:
    """What the first use costs in a new process: loading Numba and the loops (compiled, or read from the cache)."""
    code = (
        "import time, torch; import ttd_core.ops.pamr as p; start = time.perf_counter(); p._compiled_loops();"
        "print(time.perf_counter() - start)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=21)
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 3, options.size // 8, options.size // 8, generator=generator)
    image = F.interpolate(coarse, size=options.size, mode="bicubic")
    image += 0.1 * torch.randn(image.shape, generator=generator)
    masks = torch.rand(1, options.labels, options.size, options.size, generator=generator)

    start = first_call_seconds()
    pamr(image[..., :32, :32], masks[..., :32, :32])
    fused, result = seconds(lambda: pamr(image, masks), options.repeats)
    looped, by_torch = seconds(lambda: pamr_torch(image, masks), options.repeats)
    plain, expected = seconds(lambda: pamr_reference(image, masks), 1)

    print(f"{options.labels} labels, {options.size}x{options.size}, {ITERATIONS} iterations, one thread")
    print(f"plain unfold form  {plain:8.2f} s")
    print(
        f"torch loop form    {looped:8.2f} s   {plain / looped:5.1f}x   apart {(by_torch - expected).abs().max():.1e}"
    )
    print(f"fused form         {fused:8.2f} s   {plain / fused:5.1f}x   apart {(result - expected).abs().max():.1e}")
    print(f"loading the fused form in a new process  {start:.2f} s")


if __name__ == "__main__":
    main()
