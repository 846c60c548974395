"""How many workers there are on this machine, and where each of them computes."""

from __future__ import annotations

import os

from ttd_core.recipes.preprocess.options import PreprocessOptions

_MOST_WORKERS = 8


def worker_devices(options: PreprocessOptions, shards: int, with_model: bool = True) -> list[str | None]:
    """Where the workers of this machine compute, one entry each.

    Args:
        options: the settings.
        shards: how many there are to score; more workers would have nothing to do.
        with_model: False where no model is loaded and no device needed.
    """
    most = max(1, shards)
    if options.limit is not None:
        most = 1
    named = list(options.device_list()) or _default_devices(options, with_model)
    count = options.workers or len(named)
    return [named[number % len(named)] for number in range(min(count, most))]


def _default_devices(options: PreprocessOptions, with_model: bool) -> list[str | None]:
    device = options.model.device
    if not with_model:
        return [None]
    if device in ("auto", "cuda"):
        import torch

        if count := torch.cuda.device_count():
            return [f"cuda:{number}" for number in range(count)]
        if device == "cuda":
            return ["cuda"]  # refused with advice where the model is loaded
        return ["cpu"] * min(_MOST_WORKERS, os.cpu_count() or 1)
    return [device] * (min(_MOST_WORKERS, os.cpu_count() or 1) if device == "cpu" else 1)
