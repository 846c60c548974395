"""From score maps to masks made of boxes: around what stands out in a map."""

from __future__ import annotations

import numpy as np

from ttd_core.ops.regions import component_boxes


def box_masks(maps: np.ndarray, thresholds: np.ndarray | float) -> np.ndarray:
    """Union of the bounding boxes of the connected parts that exceed a share of a map's maximum.

    As published: maps become 8 bit, rounded down; the threshold is rounded down, too; and boxes end before the last row
    and column of the grid, so what lies there alone is never inside.

    Args:
        maps: K×h×w in 0..1, float32.
        thresholds: share of the maximum, one for all or K.

    Returns:
        K×h×w bool.
    """
    count, height, width = maps.shape
    bytes_ = (maps * np.float32(255)).astype(np.uint8)
    shares = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), (count,))
    cuts = np.floor(shares * bytes_.reshape(count, -1).max(axis=1, initial=0))
    found = component_boxes(bytes_ > cuts[:, None, None])
    x1, y1 = np.minimum(found.x1, width - 1), np.minimum(found.y1, height - 1)
    # a part in the last column or row alone gives an empty box
    x0, y0 = np.minimum(found.x0, x1), np.minimum(found.y0, y1)
    # corners of all boxes in one table; their double running sum counts the boxes over each cell
    table = np.zeros((count, height + 1, width + 1), dtype=np.int32)
    for rows, columns, sign in ((y0, x0, 1), (y0, x1, -1), (y1, x0, -1), (y1, x1, 1)):
        np.add.at(table, (found.owner, rows, columns), sign)
    covered: np.ndarray = table.cumsum(axis=1).cumsum(axis=2)[:, :height, :width] > 0
    return covered
