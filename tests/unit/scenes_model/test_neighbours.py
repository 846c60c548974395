"""Attention to 3×3 neighbours: two ways to compute it, and what a large grid may cost."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.unit.scenes_model.test_scenes_model import tiny
from ttd_core.clip import neighbours
from ttd_core.clip.neighbours import neighbour_mix, neighbourhood_mask, shifted_attention


class LargestTensor(TorchDispatchMode):
    """Notes the most elements that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def projections(grid: tuple[int, int], grad: bool = False) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(2, 2, grid[0] * grid[1], 8, generator=generator).requires_grad_(grad) for _ in range(3)]


@pytest.mark.parametrize("grid", [(6, 6), (5, 9), (7, 2), (1, 4), (1, 1)])
def test_moving_the_grid_equals_masking_the_pairs(grid: tuple[int, int]) -> None:
    first, second = projections(grid, grad=True), projections(grid, grad=True)
    masked = F.scaled_dot_product_attention(*first, attn_mask=neighbourhood_mask(*grid, torch.device("cpu")))
    moved = shifted_attention(*second, grid=grid)
    torch.testing.assert_close(moved, masked, rtol=0, atol=1e-5)
    masked.square().sum().backward()
    moved.square().sum().backward()
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-4)


def test_the_model_says_the_same_on_either_side_of_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pictures = tiny(), torch.randn(2, 3, 48, 72, generator=torch.Generator().manual_seed(0))
    masked = model.encode_images(pictures)
    monkeypatch.setattr(neighbours, "MASKED_CELLS", 1)
    moved = model.encode_images(pictures)
    torch.testing.assert_close(moved.dense, masked.dense, rtol=0, atol=1e-5)
    torch.testing.assert_close(moved.pooled, masked.pooled, rtol=0, atol=1e-5)


def test_the_cells_of_a_large_grid_are_never_paired() -> None:
    cells = 80 * 60
    with torch.inference_mode(), LargestTensor() as seen:
        tiny().encode_images(torch.randn(1, 3, 8 * 80, 8 * 60))
    assert seen.elements < cells * cells / 10


def test_training_sizes_keep_the_masked_attention_of_the_shipped_weights() -> None:
    mix = neighbour_mix(12, 12, torch.device("cpu"))
    grid = (12, 12)
    q, k, v = projections(grid)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=neighbourhood_mask(*grid, torch.device("cpu")))
    assert torch.equal(mix(q, k, v), expected)


def test_a_mask_is_made_once_and_serves_training_after_inference() -> None:
    neighbourhood_mask.cache_clear()
    with torch.inference_mode():
        mask = neighbourhood_mask(4, 5, torch.device("cpu"))
    assert neighbourhood_mask(4, 5, torch.device("cpu")) is mask
    assert not mask.is_inference()


def test_both_maps_come_from_one_pass_and_are_those_of_two() -> None:
    model, pictures = tiny(), torch.randn(1, 3, 48, 72, generator=torch.Generator().manual_seed(0))
    passes: list[None] = []
    model.visual.conv1.register_forward_hook(lambda *_: passes.append(None))
    model.encode_images(pictures)
    assert len(passes) == 1
    native, value = model.visual.both(pictures)
    assert torch.equal(native, model.visual(pictures))
    assert torch.equal(value, model.visual(pictures, value_only=True))
