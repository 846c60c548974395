"""Losses over a whole step where each part computes its own rows: contrasts across parts and processes.

A part gives a row per sample, and a loss L of all rows together is wanted. Every part computes L from all rows, its own
with gradient and the others as constants; by the chain rule the gradients of all parts then sum to that of L. A step's
loss is the mean over its parts, so the gradient into a part's rows is multiplied by their number.
"""

from __future__ import annotations

from typing import Any

import torch


def with_own_rows(everyone: torch.Tensor, own: torch.Tensor, first: int, parts: int) -> torch.Tensor:
    """All rows of a step, those of one part with gradient.

    Args:
        everyone: N×…, the values of all parts.
        own: B×…, the part's rows.
        first: where they belong.
        parts: parts of the step in all processes together.

    Returns:
        N×…. Of a loss L of it, averaged over the parts, the gradients of all parts sum to that of L.
    """
    found: torch.Tensor = _OwnRows.apply(everyone, own, first, parts)
    return found


class _OwnRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, everyone: torch.Tensor, own: torch.Tensor, first: int, parts: int) -> torch.Tensor:
        ctx.rows, ctx.parts = slice(first, first + len(own)), parts
        whole = everyone.clone()
        whole[ctx.rows] = own
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, torch.Tensor, None, None]:
        return None, gradient[ctx.rows] * ctx.parts, None, None
