"""Resized tables of positions are made once per grid, and never outlive the table they were made from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.support.models import tiny_backbone
from ttd_core.clip import positions
from ttd_core.clip.positions import PositionCache, resize_positions

TRAINED = (4, 4)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The grids for which a table was resized, in order."""
    grids: list[tuple[int, int]] = []

    def noted(table: torch.Tensor, trained: tuple[int, int], grid: tuple[int, int], rule: Any) -> torch.Tensor:
        grids.append(grid)
        return resize_positions(table, trained, grid, rule)

    monkeypatch.setattr(positions, "resize_positions", noted)
    return grids


def frozen(seed: int = 0) -> nn.Parameter:
    table = torch.randn(17, 8, generator=torch.Generator().manual_seed(seed))
    return nn.Parameter(table, requires_grad=False)


def test_a_loaded_model_resizes_once_per_grid_and_answers_the_same(made: list[tuple[int, int]]) -> None:
    backbone = tiny_backbone()
    wide, tall = torch.randn(1, 3, 64, 96), torch.randn(1, 3, 96, 64)
    with torch.inference_mode():
        first = [backbone.encode_images(x).dense for x in (wide, tall)]
        again = [backbone.encode_images(x).dense for x in (wide, tall)]
    assert made == [(4, 6), (6, 4)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def change_in_place(table: nn.Parameter) -> nn.Parameter:
    with torch.no_grad():
        table.mul_(2)
    return table


def load_other_values(table: nn.Parameter) -> nn.Parameter:
    module = nn.Module()
    module.table = table
    module.load_state_dict({"table": frozen(1)})
    return table


def convert(table: nn.Parameter) -> nn.Parameter:
    table.data = table.data.double()
    return table


@pytest.mark.parametrize("change", [change_in_place, load_other_values, convert, lambda table: frozen(1)])
def test_a_changed_table_is_resized_again(change: Any) -> None:
    cache, table = PositionCache(), frozen()
    before = cache.resized(table, TRAINED, (5, 6))
    table = change(table)
    after = cache.resized(table, TRAINED, (5, 6))
    assert after is not before
    assert torch.equal(after, resize_positions(table, TRAINED, (5, 6)))


def test_a_table_in_training_is_resized_every_time_and_forgets_what_was_kept(made: list[tuple[int, int]]) -> None:
    cache, table = PositionCache(), frozen()
    cache.resized(table, TRAINED, (5, 6))
    table.requires_grad_(True)
    cache.resized(table, TRAINED, (5, 6)).sum().backward()
    assert table.grad is not None
    # fused optimisers change values without a trace
    table.data.mul_(2)
    table.requires_grad_(False)
    assert torch.equal(cache.resized(table, TRAINED, (5, 6)), resize_positions(table, TRAINED, (5, 6)))
    assert len(made) == 3


def test_what_was_made_for_inference_serves_training() -> None:
    cache, table = PositionCache(), frozen()
    with torch.inference_mode():
        cache.resized(table, TRAINED, (5, 6))
    weight = torch.ones(31, 8, requires_grad=True)
    (weight * cache.resized(table, TRAINED, (5, 6))).sum().backward()
    assert weight.grad is not None


def test_only_the_latest_grids_are_kept(made: list[tuple[int, int]]) -> None:
    cache, table = PositionCache(), frozen()
    for side in range(5, 5 + PositionCache.LARGEST + 1):
        cache.resized(table, TRAINED, (side, 5))
    cache.resized(table, TRAINED, (5 + PositionCache.LARGEST, 5))
    assert len(made) == PositionCache.LARGEST + 1
    cache.resized(table, TRAINED, (5, 5))
    assert made[-1] == (5, 5)
