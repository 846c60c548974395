"""A training step of TCL, ours against the published order of operations, both measured in this run.

    python benchmarks/tcl_train_step.py [--batch 16] [--repeats 5] [--size 64]
    python benchmarks/tcl_train_step.py --full --batch 4 --size 224 --repeats 1        # ViT-B/16, minutes on a CPU
    python benchmarks/tcl_train_step.py --full --batch 64 --size 224 --device cuda --precision bf16

Both sides get one network with random weights (the time does not depend on them), the same pictures, captions and
noise, and take whole steps: losses, gradients, clipping, AdamW. The published order: every caption through all 77
positions of the text tower; the frozen last block with identity attention although no loss asks for it; identity
attention as a matrix of minus infinity off its diagonal; decoder on maps with channels first; sampled masks of every
caption in every picture of which the diagonal is used; masks divided by their sums before they pool; the last block of
CLIP for every patch of the masked pictures although only the class token is read. Frozen parts get no gradient on
either side. Times are CPU seconds of one thread, or the clock with --device cuda, the least of all repeats, in turn.
"""

from __future__ import annotations

# first: it lets open_clip import beside a CPU build of torch
import ttd_core.clip  # noqa: F401  # isort: skip
import open_clip  # isort: skip

import argparse
import copy
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from tcl_picture import build

from ttd_core.clip.precision import reproducible
from ttd_core.methods.tcl.schedule import TclSchedule
from ttd_core.methods.tcl.training import TclTraining
from ttd_core.recipes.train_tcl_step import TclStep, mask_noise
from ttd_core.training.loop import LoopSettings, Share, StepLosses
from ttd_core.training.optim import build_adamw
from ttd_core.training.step import take_step

STAGES = {"first stage": 0, "second stage": 1}
SCHEDULE = TclSchedule(steps=2, frozen=1, warmup=0)


def published_embedding(training: TclTraining, images: torch.Tensor) -> torch.Tensor:
    """The masker's embedding, B×D×u×v."""
    network = training.network
    visual, masker = network.network.visual, network.masker
    with torch.no_grad():
        x, grid = network.vision.embed(images)
        x = visual.ln_pre(x)
        for block in visual.transformer.resblocks[:-1]:
            x = block(x)
        alone = torch.full((x.shape[1], x.shape[1]), float("-inf"), device=x.device).fill_diagonal_(0.0)
        visual.transformer.resblocks[-1](x, attn_mask=alone)
    decoded = masker.block(x, attn_mask=alone)[:, 1:].transpose(1, 2).unflatten(2, grid)
    for stage in masker.stages:
        decoded = F.interpolate(decoded, scale_factor=2, mode="nearest")
        for branch in (stage.first, stage.second):
            y = F.gelu(branch.norm(decoded.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
            decoded = decoded + torch.tanh(branch.gate) * branch.conv(y)
    return (masker.norm(decoded.permute(0, 2, 3, 1)) @ masker.proj).permute(0, 3, 1, 2)


def published_picture(training: TclTraining, images: torch.Tensor) -> torch.Tensor:
    """CLIP's embedding, B×D; all patches pass through the last block."""
    visual = training.network.network.visual
    x, _ = training.network.vision.embed(images)
    return visual.ln_post(visual.transformer(visual.ln_pre(x)))[:, 0] @ visual.proj


def info_nce(rows: torch.Tensor, columns: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    scale = log_scale.exp().clamp(max=100.0)
    target = torch.arange(len(rows), device=rows.device)
    return (F.cross_entropy(scale * rows, target) + F.cross_entropy(scale * columns, target)) / 2


def variation(z: torch.Tensor) -> torch.Tensor:
    return (z[..., 1:] - z[..., :-1]).abs().mean() + (z[..., 1:, :] - z[..., :-1, :]).abs().mean()


def published_losses(
    training: TclTraining, images: torch.Tensor, ids: torch.Tensor, noise: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The six losses in the published order."""
    network, count = training.network, len(images)
    masker = network.masker
    with torch.no_grad():
        raw = network.network.encode_text(ids)
    embedding = published_embedding(training, images)
    texts = F.normalize(raw, dim=-1, eps=1e-6)
    logits = masker.scale * torch.einsum("bchw,nc->bnhw", F.normalize(embedding, dim=1, eps=1e-6), texts) + masker.bias
    soft = torch.sigmoid(logits)
    drawn = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
    rows = torch.arange(count, device=images.device)
    drawn[rows, rows] = noise.to(drawn.dtype)
    sampled = torch.sigmoid(logits + torch.log(drawn / (1 - drawn)))
    hard = (sampled > 0.5).to(sampled.dtype) - sampled.detach() + sampled
    others = ~torch.eye(count, dtype=torch.bool, device=images.device)
    pooled = torch.einsum("bchw,bnhw->bnc", embedding, soft / (soft.sum((2, 3), keepdim=True) + 1e-6))
    cosines = torch.einsum("bnc,nc->bn", F.normalize(pooled, dim=-1, eps=1e-6), texts)
    shown = F.interpolate(hard[rows, rows][:, None], size=images.shape[2:])
    masked = F.normalize(published_picture(training, shown * images), dim=-1, eps=1e-6) @ texts.T
    return {
        "area": 0.4 * (soft[rows, rows].mean() - 0.4).abs(),
        "neg_area": 0.4 * soft[others].mean().abs(),
        "tclf": 0.1 * info_nce(cosines, cosines.T, training.tclf_log_scale),
        "tv_img": variation(embedding),
        "tv_mask": variation(soft),
        "tcli": 0.1 * info_nce(masked, masked.T, training.tcli_log_scale),
    }


class Side:
    """One of the two orders, taking steps.

    Args:
        training: its own copy of the model.
        losses: what a step computes.
        settings: precision.
    """

    def __init__(self, training: TclTraining, losses: Callable[[int, Share], StepLosses], settings: LoopSettings):
        self.training, self.losses, self.settings = training, losses, settings
        # a rate of zero: both sides keep the same weights
        self.optimiser = build_adamw(training, 0.0, 0.0, (0.9, 0.999), eps=1e-6, decay_scalars=True)

    def step(self, number: int) -> tuple[float, dict[str, float]]:
        """Seconds and losses of a step."""
        device = next(self.training.parameters()).device
        cuda = device.type == "cuda"
        clock = time.perf_counter if cuda else time.process_time
        if cuda:
            torch.cuda.synchronize(device)
        start = clock()
        self.training.train()
        figures = take_step(self.training, self.optimiser, self.losses, number, 5.0, self.settings)
        if cuda:
            torch.cuda.synchronize(device)
        return clock() - start, dict(figures.losses) | {"gradient": figures.grad_norm}


def sides(options: argparse.Namespace) -> dict[str, Side]:
    """Ours and the published one, over equal weights."""
    device = torch.device(options.device)
    images = torch.randn(options.batch, 3, options.size, options.size, generator=torch.Generator().manual_seed(0))
    images = images.to(device)
    captions = [f"a photo of thing number {row} on a table beside a window" for row in range(options.batch)]
    ids = open_clip.get_tokenizer("ViT-B-16")(captions).to(device)
    settings = LoopSettings(precision=options.precision)
    backbone: Any = build(not options.full)
    theirs = TclTraining(copy.deepcopy(backbone)).to(device)
    ours = TclTraining(backbone).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    grid = (options.size // 4, options.size // 4)

    def published(step: int, share: Share) -> StepLosses:
        theirs.train_block(SCHEDULE.block_trains(step))
        noise = mask_noise(settings.seed, step, range(options.batch), grid).to(device)
        return StepLosses(published_losses(theirs, images, ids, noise), samples=options.batch)

    mine = TclStep(ours, lambda step, share: (images, captions), options.batch, SCHEDULE, settings)
    return {"published": Side(theirs, published, settings), "ours": Side(ours, _fresh(mine), settings)}


def _fresh(step: TclStep) -> Callable[[int, Share], StepLosses]:
    """Every call begins a step, as in a training, although the benchmark repeats one."""

    def losses(number: int, share: Share) -> StepLosses:
        step._step = None
        return step(number, share)

    return losses


def main() -> int:
    """Print both times, their ratio, and how far losses and gradients are apart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="sizes of ViT-B/16 in place of a tiny network")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    reproducible()
    both = sides(options)
    name = "ViT-B/16" if options.full else "a tiny network"
    print(f"{name}, batch {options.batch}, {options.size} pixels, {options.precision}, {options.device}")
    wrong = False
    for stage, number in STAGES.items():
        best: dict[str, float] = {}
        said: dict[str, dict[str, float]] = {}
        for repeat in range(options.repeats + 1):
            for side, one in both.items():
                spent, said[side] = one.step(number)
                if repeat:
                    best[side] = min(best.get(side, spent), spent)
        slow, quick = best["published"], best["ours"]
        apart = max(abs(said["ours"][k] - v) / (abs(v) + 1e-6) for k, v in said["published"].items())
        wrong |= apart > (1e-2 if options.precision == "fp32" else 0.2)
        print(f"{stage:<13} published {slow:8.3f} s  ours {quick:8.3f} s  ratio {slow / quick:5.2f}  apart {apart:.1e}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
