"""Cosine similarities between image and text embeddings, and the places where they are highest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

# Pairs of candidates compared at once by `peaks`; with the index of the strongest, about 100 MB.
_PAIRS = 8_000_000


def cosine_maps(dense: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Similarity of every text at every place.

    Args:
        dense: B×D×h×w float, normalised here, so any length will do.
        texts: K×D when all images share their texts, else B×K×D; normalised here.

    Returns:
        B×K×h×w in -1..1.

    Raises:
        ValueError: shapes that do not fit.
    """
    if dense.ndim != 4 or texts.ndim not in (2, 3) or dense.shape[1] != texts.shape[-1]:
        raise ValueError(f"dense {tuple(dense.shape)} and texts {tuple(texts.shape)}, expected B×D×h×w and (B×)K×D")
    dense, texts = F.normalize(dense, dim=1), F.normalize(texts.to(dense.dtype), dim=-1)
    return torch.einsum("bdhw,kd->bkhw" if texts.ndim == 2 else "bdhw,bkd->bkhw", dense, texts)


def cosine_scores(vectors: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Similarity of every text to one vector per image, e.g. the pooled image or the caption.

    Args:
        vectors: B×D float, normalised here.
        texts: K×D or B×K×D, normalised here.

    Returns:
        B×K in -1..1.
    """
    return cosine_maps(vectors[..., None, None], texts).flatten(1)


@dataclass(frozen=True)
class Peaks:
    """The best place of every map.

    Args:
        score: B×K float, the highest value of each map; invalid candidates have 0.
        row, column: B×K int64 cell of the h×w grid, the first in reading order where several are equal.
        runner_up: B×K int64 index of the strongest other valid candidate in that cell, -1 where there is none.
    """

    score: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    runner_up: torch.Tensor


def peaks(maps: torch.Tensor, valid: torch.Tensor | None = None) -> Peaks:
    """Find each candidate's best place and who else is strong there.

    Args:
        maps: B×K×h×w float.
        valid: B×K bool, False for the padding of shorter candidate lists; None when all count.

    Returns:
        The peaks of all maps.
    """
    batch, count, _, width = maps.shape
    if not count:
        nothing = torch.zeros(batch, 0, dtype=torch.long, device=maps.device)
        return Peaks(maps.new_zeros(batch, 0), nothing, nothing, nothing)
    flat = maps.flatten(2)  # B K h·w
    place = flat.argmax(dim=2)  # B K; torch promises the first among equals
    score = flat.gather(2, place[..., None]).squeeze(2)
    if valid is not None:
        score = score.masked_fill(~valid, 0)
    return Peaks(score, place // width, place % width, _runners_up(flat, place, valid))


def _runners_up(flat: torch.Tensor, place: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """The strongest other candidate at each candidate's place, B×K int64, -1 where there is none.

    Every candidate is read at the places of a few others at a time: all against all is K×K, gigabytes for long lists.

    Args:
        flat: B×K×(h·w) maps.
        place: B×K int64, a cell for each candidate.
        valid: B×K bool or None.
    """
    batch, count, _ = flat.shape
    found = torch.empty_like(place)
    some = max(1, _PAIRS // (batch * count))
    for first in range(0, count, some):
        cells = place[:, first : first + some]
        # B K(candidate) S(whose peak)
        there = flat.gather(2, cells[:, None, :].expand(-1, count, -1))
        own = torch.arange(cells.shape[1], device=flat.device)
        there[:, first + own, own] = -torch.inf
        if valid is not None:
            there.masked_fill_(~valid[:, :, None], -torch.inf)
        strength, runner_up = there.max(dim=1)
        found[:, first : first + some] = runner_up.masked_fill(strength == -torch.inf, -1)
    return found


def cell_to_pixel(row: int, column: int, grid: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int]:
    """The pixel in the middle of a grid cell.

    Args:
        row: row of the cell.
        column: its column.
        grid: h and w.
        picture: H and W of the original picture in pixels.

    Returns:
        x and y, each inside the picture.
    """
    (h, w), (height, width) = grid, picture
    return min(int((column + 0.5) * width / w), width - 1), min(int((row + 0.5) * height / h), height - 1)
