"""Dense strategies and the tower they read: any size, any batch, equal to what they claim to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.support.models import tiny_backbone
from ttd_core.clip.dense import load_strategy
from ttd_core.clip.positions import RULES, resize_positions
from ttd_core.clip.vit import VisionTower, attention_matrix, norm, plain
from ttd_core.errors import UsageError
from ttd_core.registry import DENSE

NAMES = DENSE.names()


@pytest.fixture(scope="module")
def clip() -> Any:
    return tiny_backbone(dense="clip")


def images(batch: int, height: int, width: int) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def with_strategy(backbone: Any, name: str) -> Any:
    return tiny_backbone(dense=name) if backbone.info.dense != name else backbone


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_works_on_any_grid_and_is_normalised(name: str) -> None:
    backbone = tiny_backbone(dense=name)
    for height, width in ((64, 64), (48, 112), (128, 16)):
        encoded = backbone.encode_images(images(2, height, width))
        assert encoded.dense.shape == (2, 64, height // 16, width // 16)
        assert encoded.pooled.shape == (2, 64)
        torch.testing.assert_close(encoded.dense.norm(dim=1), torch.ones(2, height // 16, width // 16))
        torch.testing.assert_close(encoded.pooled.norm(dim=1), torch.ones(2))
    assert backbone.info.dense == name


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_its_pictures_give_alone(name: str) -> None:
    backbone = tiny_backbone(dense=name)
    batch = images(3, 64, 80)
    together = backbone.encode_images(batch)
    alone = [backbone.encode_images(batch[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together.dense, torch.cat([e.dense for e in alone]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.pooled, torch.cat([e.pooled for e in alone]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_lets_gradients_through(name: str) -> None:
    backbone = tiny_backbone(dense=name)
    picture = images(1, 64, 64).requires_grad_()
    encoded = backbone.encode_images(picture)
    encoded.dense[..., 0].sum().backward(retain_graph=True)
    assert picture.grad is not None and bool(picture.grad.abs().sum() > 0)
    encoded.pooled.sum().backward()


def test_pooled_and_plain_patches_are_open_clips_own(clip: Any) -> None:
    picture = images(2, 64, 64)
    want = clip.network.encode_image(picture, normalize=True)
    encoded = clip.encode_images(picture)
    torch.testing.assert_close(encoded.pooled, want, rtol=1e-4, atol=1e-5)
    blocks = clip.network.visual.forward_intermediates(picture, indices=1, output_fmt="NCHW")["image_intermediates"][0]
    tokens = clip.network.visual.ln_post(blocks.permute(0, 2, 3, 1)) @ clip.network.visual.proj
    torch.testing.assert_close(encoded.dense, F.normalize(tokens, dim=-1).permute(0, 3, 1, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "residual"), [("maskclip", False), ("maskclip-full", True)])
def test_value_path_equals_attention_masked_to_the_diagonal(clip: Any, name: str, residual: bool) -> None:
    picture = images(1, 48, 80)
    x = clip.vision.stream(picture).x
    block = clip.network.visual.transformer.resblocks[-1]
    y = block.ln_1(x)
    alone = torch.full((x.shape[1], x.shape[1]), float("-inf")).fill_diagonal_(0.0)
    value = block.attn(y, y, y, need_weights=False, attn_mask=alone)[0]
    if residual:
        value = x + value
        value = value + block.mlp(block.ln_2(value))
    tokens = clip.network.visual.ln_post(value[:, 1:]) @ clip.network.visual.proj
    want = F.normalize(tokens, dim=-1).reshape(1, 3, 5, 64).permute(0, 3, 1, 2)
    torch.testing.assert_close(with_strategy(clip, name).encode_images(picture).dense, want, rtol=1e-4, atol=1e-5)


def test_hidden_states_and_attention_are_kept_on_request(clip: Any) -> None:
    picture = images(1, 64, 80)
    stream = clip.vision.stream(picture, hidden=(0, 2), attention=(1,))
    assert sorted(stream.hidden) == [0, 2] and sorted(stream.attention) == [1]
    torch.testing.assert_close(stream.hidden[2], stream.x)
    torch.testing.assert_close(stream.attention[1].sum(dim=-1), torch.ones(1, 2, 21))
    q, k, v = stream.qkv
    torch.testing.assert_close(attention_matrix(q, k) @ v, plain(stream.qkv), rtol=1e-4, atol=1e-5)


def test_a_picture_that_does_not_divide_into_patches_is_refused(clip: Any) -> None:
    with pytest.raises(UsageError, match="16-pixel patches"):
        clip.encode_images(images(1, 64, 70))


def test_positions_keep_the_class_row_and_follow_every_rule() -> None:
    table = torch.randn(17, 8, generator=torch.Generator().manual_seed(0))
    resized = {rule: resize_positions(table, (4, 4), (6, 5), rule) for rule in RULES}
    for rule, got in resized.items():
        assert got.shape == (31, 8)
        assert torch.equal(got[0], table[0].half().float() if "half" in rule else table[0])
        untouched = resize_positions(table, (4, 4), (4, 4), rule)
        assert torch.equal(untouched, table.half().float() if rule == "always-half" else table)
    # shrinking to one cell by linear interpolation is the mean of the middle four
    middle = table[1:].reshape(4, 4, 8)[1:3, 1:3].mean(dim=(0, 1))
    torch.testing.assert_close(resize_positions(table, (4, 4), (1, 1), "bilinear")[1], middle)
    assert not torch.allclose(resized["size"], resized["offset"], atol=1e-3)
    with pytest.raises(UsageError, match="unknown rule"):
        resize_positions(table, (4, 4), (6, 5), "nearest")  # type: ignore[arg-type]


def test_a_grid_with_the_trained_number_of_tokens_but_another_shape_is_resized() -> None:
    table = torch.randn(17, 8, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(resize_positions(table, (4, 4), (2, 8)), table)


def test_a_variant_changes_the_tower_and_leaves_the_network_alone(clip: Any) -> None:
    from ttd_core.clip.dense import RELEASED_MASKCLIP

    picture = images(1, 64, 64)
    before = clip.vision.stream(picture).x
    other = VisionTower(clip.network.visual, RELEASED_MASKCLIP).stream(picture).x
    assert not torch.allclose(before, other, atol=1e-3)
    torch.testing.assert_close(clip.vision.stream(picture).x, before, rtol=0, atol=0)


def test_norms_compute_in_single_precision_whatever_the_dtype(clip: Any) -> None:
    module = clip.network.visual.ln_post
    x = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    assert norm(module, x.half()).dtype == torch.float16
    torch.testing.assert_close(norm(module, x.half()).float(), module(x), rtol=5e-3, atol=5e-3)


def test_the_table_of_strategies_holds_strategies_of_that_name() -> None:
    assert {name: load_strategy(name).name for name in NAMES} == {name: name for name in NAMES}
