import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.support.tiny_scenes import WORDS
from ttd_core.clip.load import load_backbone
from ttd_core.clip.lora import adapt, save_lora
from ttd_core.clip.scenes_model import ScenesBackbone, scenes_info
from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.clip.scenes_weights import load_scenes_backbone, save_scenes_weights
from ttd_core.errors import UsageError, WeightsError
from ttd_core.methods.tcl.scenes import ScenesTcl, scenes_tcl_network
from ttd_core.methods.tcl.scenes_weights import load_scenes_tcl, save_scenes_tcl
from ttd_core.protocols import Backbone, SilentReporter
from ttd_core.types import ModelSpec

CPU = torch.device("cpu")


def base(fine: bool = True) -> ScenesBackbone:
    torch.manual_seed(3)
    arch = ScenesArchitecture(stem=(4, 6, 8), width=8, heads=2, embed=8, fine=fine, grid=4, text_width=8)
    model = ScenesBackbone(arch, WORDS, scenes_info(arch, "tiny", "0" * 64, 20.0, "value"))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.2)
    return model.eval()


def trained(fine: bool = True) -> ScenesTcl:
    """A masker whose every part differs from where it starts."""
    network = scenes_tcl_network(base(fine))
    with torch.no_grad():
        for parameter in network.masker.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    return network


def pictures(count: int = 2, side: int = 40) -> torch.Tensor:
    return torch.randn(count, 3, side, side + 8, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("fine", [True, False])
def test_an_untrained_masker_gives_the_map_of_the_plain_model(fine: bool) -> None:
    plain = base(fine)
    network = scenes_tcl_network(copy.deepcopy(plain))
    expected = plain.encode_dense(pictures())
    if not fine:
        expected = F.interpolate(expected, scale_factor=2, mode="nearest")
    torch.testing.assert_close(network.encode_images(pictures()).dense, expected)
    assert network.info.cell == 4 and network.info.dense == "tcl" and network.info.calibration == "sigmoid"


def test_it_is_a_backbone_whose_parts_are_told_apart() -> None:
    plain, network = base(), trained()
    assert isinstance(network, Backbone)
    found = network.encode_images(pictures())
    assert found.dense.shape == (2, 8, 10, 12) and found.extra["kp"].shape == (2, 8, 10, 12)
    torch.testing.assert_close(found.dense.norm(dim=1), torch.ones(2, 10, 12))
    # the frozen model answers as before, the masker does not
    torch.testing.assert_close(found.pooled, plain.encode_images(pictures()).pooled)
    torch.testing.assert_close(found.extra["kp"], plain.encode_dense(pictures()))
    assert not torch.allclose(found.dense, found.extra["kp"], atol=0.05)
    torch.testing.assert_close(network.encode_dense(pictures()), found.dense)
    torch.testing.assert_close(network.encode_texts(["a dog"]), plain.encode_texts(["a dog"]))
    assert network.unknown_words("a zebra dog") == plain.unknown_words("a zebra dog") != []
    with pytest.raises(ValueError, match="multiples of 8"):
        network.encode_images(pictures(1, 36))


def test_the_masker_learns_and_nothing_else() -> None:
    network = trained()
    images = pictures().requires_grad_(True)
    embedding = network.masker_embedding(images)
    torch.testing.assert_close(F.normalize(embedding, dim=1), network.encode_images(images).dense)
    embedding.square().sum().backward()
    assert images.grad is None
    moved = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert moved and all(name.startswith("masker.") for name in moved)
    # w and b belong to the masks
    assert {n for n, p in network.masker.named_parameters() if p.grad is None} == {"scale", "bias"}


def test_the_frozen_embedding_answers_to_the_pictures_alone() -> None:
    network = trained()
    images = pictures().requires_grad_(True)
    embedding = network.clip_embedding(images)
    torch.testing.assert_close(F.normalize(embedding, dim=1), network.encode_images(images).pooled)
    embedding.sum().backward()
    assert images.grad is not None and bool((images.grad != 0).any())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_frozen_statistics_do_not_move_while_training() -> None:
    network = trained().train()
    before = {name: value.clone() for name, value in network.visual.named_buffers()}
    network.masker_embedding(pictures())
    network.clip_embedding(pictures())
    assert network.masker.training and not network.visual.training and before
    assert all(torch.equal(before[name], value) for name, value in network.visual.named_buffers())


def test_w_and_b_start_as_the_reading_of_the_base() -> None:
    plain = base()
    network = scenes_tcl_network(plain)
    assert (network.masker.scale.item(), network.masker.bias.item()) == (10.0, -2.5)
    plain.info = replace(plain.info, sigmoid_scale=21.5, sigmoid_bias=-3.25)
    network = scenes_tcl_network(plain)
    assert (network.masker.scale.item(), network.masker.bias.item()) == (21.5, -3.25)
    assert (network.info.sigmoid_scale, network.info.sigmoid_bias) == (21.5, -3.25)


@pytest.mark.parametrize("fine", [True, False])
def test_a_file_gives_the_same_answers(tmp_path: Path, fine: bool) -> None:
    network, path = trained(fine), tmp_path / "tcl.safetensors"
    save_scenes_tcl(network, path)
    loaded = load_backbone(ModelSpec(model="scenes", weights=str(path)), CPU, SilentReporter())
    assert isinstance(loaded, ScenesTcl) and not any(p.requires_grad for p in loaded.parameters())
    found, expected = loaded.encode_images(pictures()), network.encode_images(pictures())
    torch.testing.assert_close(found.dense, expected.dense, atol=4e-3, rtol=0)
    torch.testing.assert_close(found.pooled, expected.pooled, atol=4e-3, rtol=0)
    info = loaded.info
    assert info.sigmoid_scale == pytest.approx(network.masker.scale.item()) and info.sigmoid_bias is not None
    assert (info.name, info.weights_name, info.cell, info.dense) == ("scenes", "tcl", 4, "tcl")
    save_scenes_tcl(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_files_of_the_two_kinds_are_not_mixed_up(tmp_path: Path) -> None:
    save_scenes_weights(base(), tmp_path / "plain.safetensors")
    save_scenes_tcl(trained(), tmp_path / "tcl.safetensors")
    plain = load_backbone(ModelSpec(model="scenes", weights=str(tmp_path / "plain.safetensors")), CPU, SilentReporter())
    assert isinstance(plain, ScenesBackbone)
    with pytest.raises(WeightsError, match="another model"):
        load_scenes_backbone(tmp_path / "tcl.safetensors")
    with pytest.raises(WeightsError, match="another model"):
        load_scenes_tcl(tmp_path / "plain.safetensors")
    with pytest.raises(WeightsError, match="the built-in model with a masker") as caught:
        load_backbone(ModelSpec(model="tcl", weights=str(tmp_path / "tcl.safetensors")), CPU, SilentReporter())
    assert caught.value.hint is not None and "--model scenes" in caught.value.hint
    spec = ModelSpec(model="scenes", weights=str(tmp_path / "tcl.safetensors"), dense="value")
    with pytest.raises(UsageError, match="--dense value does not apply"):
        load_backbone(spec, CPU, SilentReporter())


def test_adapters_reach_the_trunk_the_masker_and_the_texts(tmp_path: Path) -> None:
    path = tmp_path / "tcl.safetensors"
    save_scenes_tcl(trained(), path)
    network = load_scenes_tcl(path)
    plain = network.encode_images(pictures()).dense
    adapters = adapt(network, 2)
    torch.testing.assert_close(network.encode_images(pictures()).dense, plain)
    loss = network.encode_images(pictures()).dense.square().sum() + network.encode_texts(["a dog"]).sum()
    (loss + network.encode_images(pictures()).dense[:, 0].sum()).backward()
    reached = {name.split(".lora_")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in reached} == {"visual", "masker", "text"}
    with torch.no_grad():
        for parameter in adapters.parameters():
            if parameter.requires_grad:
                parameter += 0.05
    adapted = network.encode_images(pictures()).dense
    save_lora(adapters, tmp_path / "adapter")
    merged = load_backbone(
        ModelSpec(model="scenes", weights=str(path), lora=str(tmp_path / "adapter")), CPU, SilentReporter()
    )
    assert not torch.allclose(adapted, plain, atol=1e-3)
    torch.testing.assert_close(merged.encode_images(pictures()).dense, adapted, atol=1e-4, rtol=0)
