"""The compiled loops of PAMR on the CPU. Importing this module compiles them, or loads them from Numba's cache.

Threads: the loops release the interpreter lock and are given strips of rows by a plain thread pool. Numba's own
`parallel=True` would compile twice as long, and its default threading layer must not be entered from two Python
threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch

# Masks are refined in groups, so that the two padded copies stay small whatever K is.
_GROUP = 16


def _compiled(signature: str) -> Callable[[Callable[..., None]], Any]:
    """Compile at once for one signature; cached on disk where any folder can be written, in memory elsewhere."""

    def decorate(function: Callable[..., None]) -> Any:
        options: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}
        try:
            return numba.njit(signature, cache=True, **options)(function)
        except (RuntimeError, OSError):  # no folder to cache in, or a full disk
            return numba.njit(signature, **options)(function)

    return decorate


@_compiled("void(f4[:,:,::1], i8[:,::1], i8, i8, f4[:,:,::1], i8, i8)")
def _affinity_rows(
    padded: np.ndarray, offsets: np.ndarray, pad: int, groups: int, weights: np.ndarray, first: int, last: int
) -> None:
    """Fill rows first..last of the affinities, H×N×W, from the padded picture 3×(H+2·pad)×(W+2·pad)."""
    count = offsets.shape[0]
    width = weights.shape[2]
    taps = np.float32(9 * groups)
    total = np.empty(width, np.float32)
    scale = np.empty(width, np.float32)
    for y in range(first, last):
        weights[y] = np.float32(0)
        for c in range(3):
            centre = padded[c, y + pad, pad : pad + width]
            total[:] = np.float32(0)
            for n in range(count):
                row = padded[c, y + pad + offsets[n, 0], pad + offsets[n, 1] : pad + offsets[n, 1] + width]
                for x in range(width):
                    total[x] += row[x] - centre[x]
            for x in range(width):
                total[x] /= taps
                scale[x] = np.float32(groups) * total[x] * total[x]
            for n in range(count):
                row = padded[c, y + pad + offsets[n, 0], pad + offsets[n, 1] : pad + offsets[n, 1] + width]
                for x in range(width):
                    away = row[x] - centre[x] - total[x]
                    scale[x] += away * away
            for x in range(width):
                sigma = np.sqrt(scale[x] / (taps - np.float32(1)))
                scale[x] = np.float32(-1) / (np.float32(3) * (np.float32(1e-8) + np.float32(0.1) * sigma))
            for n in range(count):
                row = padded[c, y + pad + offsets[n, 0], pad + offsets[n, 1] : pad + offsets[n, 1] + width]
                target = weights[y, n]
                for x in range(width):
                    target[x] += abs(row[x] - centre[x]) * scale[x]
        # Softmax over the neighbours; the logits are at most 0.
        total[:] = weights[y, 0]
        for n in range(1, count):
            for x in range(width):
                total[x] = max(total[x], weights[y, n, x])
        scale[:] = np.float32(0)
        for n in range(count):
            for x in range(width):
                value = np.exp(weights[y, n, x] - total[x])
                weights[y, n, x] = value
                scale[x] += value
        for n in range(count):
            for x in range(width):
                weights[y, n, x] /= scale[x]


@_compiled("void(f4[:,:,::1], f4[:,:,::1], f4[:,:,::1], i8[:,::1], i8, i8, i8)")
def _spread_rows(
    weights: np.ndarray, source: np.ndarray, target: np.ndarray, offsets: np.ndarray, pad: int, first: int, last: int
) -> None:
    """One iteration for rows first..last: target ← Σ_n weights·(source shifted by offset n), both K×padded."""
    width = weights.shape[2]
    for y in range(first, last):
        for k in range(source.shape[0]):
            out = target[k, y + pad, pad : pad + width]
            out[:] = np.float32(0)
            for n in range(offsets.shape[0]):
                row = source[k, y + pad + offsets[n, 0], pad + offsets[n, 1] : pad + offsets[n, 1] + width]
                weight = weights[y, n]
                for x in range(width):
                    out[x] += weight[x] * row[x]


def affinities(image: torch.Tensor, offsets: Sequence[tuple[int, int]], dilations: int) -> list[np.ndarray]:
    """How much each pixel takes from each neighbour.

    Args:
        image: B×3×H×W float32 on the CPU.
        offsets: row and column steps of the N neighbours.
        dilations: how many distances these offsets come from.

    Returns:
        for each picture H×N×W, summing to 1 over N.
    """
    steps, pad = _steps(offsets)
    found = []
    for picture in image.numpy():
        weights = np.empty((picture.shape[1], len(steps), picture.shape[2]), dtype=np.float32)
        _on_all_rows(picture.shape[1], _affinity_rows, _padded(picture, pad), steps, pad, dilations, weights)
        found.append(weights)
    return found


def spread(
    weights: Sequence[np.ndarray], masks: torch.Tensor, iterations: int, offsets: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """Let masks flow along `affinities`.

    Args:
        weights: one array for each picture.
        masks: B×K×H×W float32 on the CPU, of the pictures' size.
        iterations: at least 1.
        offsets: as in `affinities`.

    Returns:
        B×K×H×W, a new tensor.
    """
    steps, pad = _steps(offsets)
    result = np.empty(tuple(masks.shape), dtype=np.float32)
    for picture, maps, out in zip(weights, masks.numpy(), result, strict=True):
        for start in range(0, len(maps), _GROUP):
            source = _padded(maps[start : start + _GROUP], pad)
            target = np.empty_like(source)
            for _ in range(iterations):
                _on_all_rows(maps.shape[1], _spread_rows, picture, source, target, steps, pad)
                _replicate_borders(target, pad)
                source, target = target, source
            out[start : start + _GROUP] = source[:, pad:-pad, pad:-pad]
    return torch.from_numpy(result)


def _steps(offsets: Sequence[tuple[int, int]]) -> tuple[np.ndarray, int]:
    steps = np.asarray(offsets, dtype=np.int64)
    return steps, int(np.abs(steps).max())


def _on_all_rows(rows: int, loop: Any, *arguments: Any) -> None:
    """Give a loop its rows, one strip per thread."""
    strips = _strips(rows, torch.get_num_threads())
    if len(strips) == 1:
        loop(*arguments, *strips[0])
        return
    with ThreadPoolExecutor(max_workers=len(strips)) as pool:
        # list() waits for the strips and lets their exceptions through
        list(pool.map(lambda strip: loop(*arguments, *strip), strips))


def _strips(rows: int, count: int) -> list[tuple[int, int]]:
    """Cut `rows` into at most `count` runs of about equal length."""
    edges = np.linspace(0, rows, min(rows, count) + 1).astype(int)
    return [(int(first), int(last)) for first, last in zip(edges[:-1], edges[1:], strict=True)]


def _padded(maps: np.ndarray, pad: int) -> np.ndarray:
    """C×H×W with its border values repeated `pad` times on each side."""
    return np.ascontiguousarray(np.pad(maps, ((0, 0), (pad, pad), (pad, pad)), mode="edge"), dtype=np.float32)


def _replicate_borders(maps: np.ndarray, pad: int) -> None:
    """Refill the borders of a padded C×H×W array from its inside."""
    maps[:, pad:-pad, :pad] = maps[:, pad:-pad, pad : pad + 1]
    maps[:, pad:-pad, -pad:] = maps[:, pad:-pad, -pad - 1 : -pad]
    maps[:, :pad] = maps[:, pad : pad + 1]
    maps[:, -pad:] = maps[:, -pad - 1 : -pad]
