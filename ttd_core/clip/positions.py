"""The trained table of positions, resized to the grid of the picture at hand."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError

Rule = Literal["size", "offset", "bilinear", "antialias", "half", "always-half"]
RULES: tuple[Rule, ...] = ("size", "offset", "bilinear", "antialias", "half", "always-half")


def resize_positions(
    table: torch.Tensor, trained: tuple[int, int], grid: tuple[int, int], rule: Rule = "size"
) -> torch.Tensor:
    """Resize a table of learned positions; the class row is kept.

    The table is resized whenever the grid differs from the trained one, also where the number of tokens agrees.

    Args:
        table: (1+n·m)×V, class row first, then an n×m grid row by row.
        trained: n, m.
        grid: h, w in patches.
        rule: `size`: bicubic, sampling step n/h (TCL, ReCLIP, ours by default); `offset`: bicubic, step n/(h+0.1), as
            DINO and several dense strategies do; `bilinear`: step n/h; `antialias`: bicubic with antialiasing (GEM);
            `half`: as `bilinear`, then the whole table, class row included, rounded to float16 (TagCLIP's tagger);
            `always-half`: the rounding at the trained grid, too (CLIP-ES). Corners are never aligned.

    Returns:
        (1+h·w)×V in the table's dtype. Differentiable.

    Raises:
        UsageError: the rule is unknown.
    """
    if rule not in RULES:
        raise UsageError(f"unknown rule {rule!r} for resizing positions", hint=f"one of: {', '.join(RULES)}")
    if tuple(grid) == tuple(trained):
        return table.half().to(table.dtype) if rule == "always-half" else table
    h, w = grid
    # 1×V×n×m
    plane = table[1:].reshape(1, *trained, -1).permute(0, 3, 1, 2)
    if rule == "offset":
        # the factor itself is used as the sampling step, as the released codes do
        factors = ((h + 0.1) / trained[0], (w + 0.1) / trained[1])
        plane = F.interpolate(plane, scale_factor=factors, mode="bicubic", align_corners=False)
    elif rule in ("bilinear", "half", "always-half"):
        plane = F.interpolate(plane, size=(h, w), mode="bilinear", align_corners=False)
    else:
        antialias = rule == "antialias"
        plane = F.interpolate(plane, size=(h, w), mode="bicubic", align_corners=False, antialias=antialias)
    resized = torch.cat([table[:1], plane.flatten(2).transpose(1, 2)[0]])
    return resized.half().to(table.dtype) if rule in ("half", "always-half") else resized


class PositionCache:
    """Resized tables of one tower by grid, kept as long as the table stays the same.

    Only frozen tables are kept: optimisers change theirs in ways that leave no trace (fused ones do). A frozen table is
    recognised as changed when it is replaced, moved, or written to through torch; writing through `.data` is not seen.
    """

    LARGEST = 16

    def __init__(self) -> None:
        self._table: torch.Tensor | None = None
        self._state: tuple[object, ...] = ()
        self._resized: dict[tuple[object, ...], torch.Tensor] = {}

    def resized(
        self, table: torch.Tensor, trained: tuple[int, int], grid: tuple[int, int], rule: Rule = "size"
    ) -> torch.Tensor:
        """As `resize_positions`; the result is shared and must not be written to."""
        if table.requires_grad or table.is_inference():  # tensors made for inference do not count their changes
            self._table = None
            self._resized.clear()
            return resize_positions(table, trained, grid, rule)
        state = (table._version, table.data_ptr(), table.device, table.dtype)
        if table is not self._table or state != self._state:
            self._table, self._state = table, state
            self._resized.clear()
        key = (*trained, *grid, rule)
        if key not in self._resized:
            while len(self._resized) >= self.LARGEST:
                del self._resized[next(iter(self._resized))]
            with torch.inference_mode(False):  # one made for inference could not be used in training later
                self._resized[key] = resize_positions(table, trained, grid, rule)
        return self._resized[key]
