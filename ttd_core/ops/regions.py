"""Boxes and areas of masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Region:
    """A connected part of a mask.

    Args:
        box: x0, y0, x1, y1 in pixels, the ends exclusive.
        area: pixels in the part itself.
    """

    box: tuple[int, int, int, int]
    area: int


def regions(mask: np.ndarray, min_share: float = 0.0) -> list[Region]:
    """The connected parts of a mask (8 neighbours), largest first, ties in reading order.

    Works on runs of pixels instead of pixels, so its cost follows the outline of the mask, not its area.

    Args:
        mask: H×W bool.
        min_share: parts with less than this share (0..1) of the picture are left out.

    Returns:
        One region per part.
    """
    found = component_boxes(mask[None])
    order = [i for i in np.argsort(-found.area, kind="stable") if found.area[i] >= min_share * mask.size]
    return [Region(found.box(i), int(found.area[i])) for i in order]


@dataclass(frozen=True)
class Components:
    """The connected parts of several masks, as arrays of P.

    Args:
        owner: which mask a part is in, ascending; within a mask in the order of first pixels.
        x0, y0, x1, y1: bounding boxes in pixels, the ends exclusive.
        area: pixels in the parts themselves.
    """

    owner: np.ndarray
    x0: np.ndarray
    y0: np.ndarray
    x1: np.ndarray
    y1: np.ndarray
    area: np.ndarray

    def box(self, index: int) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of a part."""
        return int(self.x0[index]), int(self.y0[index]), int(self.x1[index]), int(self.y1[index])


def component_boxes(masks: np.ndarray) -> Components:
    """Bounding boxes of the connected parts (8 neighbours) of K×h×w bool masks, all masks at once."""
    count, height, width = masks.shape
    # an empty row after each mask keeps it apart from the next one
    stacked = np.zeros((count, height + 1, width), dtype=bool)
    stacked[:, :height] = masks
    row, start, stop = _runs(stacked.reshape(-1, width))
    if not len(row):
        nothing = np.zeros(0, dtype=np.int64)
        return Components(*[nothing] * 6)
    part = _connected(len(row), *_touching(row, start, stop, width))
    _, part = np.unique(part, return_inverse=True)
    parts = int(part.max()) + 1
    x0, y0 = np.full(parts, width), np.full(parts, len(stacked) * (height + 1))
    x1, y1 = np.zeros(parts, dtype=int), np.zeros(parts, dtype=int)
    np.minimum.at(x0, part, start)
    np.minimum.at(y0, part, row)
    np.maximum.at(x1, part, stop)
    np.maximum.at(y1, part, row + 1)
    area = np.bincount(part, weights=stop - start).astype(int)
    owner = y0 // (height + 1)
    return Components(owner, x0, y0 - owner * (height + 1), x1, y1 - owner * (height + 1), area)


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 (ends exclusive) around all of a H×W bool mask; None for an empty one."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def area_shares(labels: np.ndarray, count: int) -> np.ndarray:
    """Share of the picture (0..1) that each of `count` tags holds in a H×W label map with 0 for background: count."""
    counted = np.zeros(count + 1, dtype=np.int64)
    for rows in np.array_split(labels, max(1, labels.size // 4_000_000)):  # bincount widens its input to 64 bit
        counted += np.bincount(rows.ravel(), minlength=count + 1)[: count + 1]
    return counted[1:] / max(1, labels.size)


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, first column and column after the last one of every horizontal run, in reading order."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1)
    row, start = np.nonzero(edges == 1)
    return row, start, np.nonzero(edges == -1)[1]


def _touching(row: np.ndarray, start: np.ndarray, stop: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of runs in neighbouring rows that share an edge or a corner."""
    pitch = width + 2
    # the runs of the next row that a run touches are a consecutive range
    first = np.searchsorted(row * pitch + stop, (row + 1) * pitch + start, side="left")
    last = np.searchsorted(row * pitch + start, (row + 1) * pitch + stop, side="right")
    number = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(row)), number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return upper, np.repeat(first, number) + within


def _connected(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The smallest member's index of each of `count` nodes' components, given edges."""
    root = np.arange(count)
    while True:
        low = np.minimum(root[left], root[right])
        before = root.copy()
        np.minimum.at(root, root[left], low)
        np.minimum.at(root, root[right], low)
        while True:  # follow the pointers to the end
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
        if np.array_equal(root, before):
            return root
